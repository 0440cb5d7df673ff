import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { fail, messageOf } from '../errors.ts';
import type { WithEmbedding } from '../inference/embed.ts';
import { embed } from '../inference/index.ts';
import { photoStages } from '../inference/photos.ts';
import { foundTrained } from '../inference/trained.ts';
import { builtin } from '../pipeline/builtin.ts';
import { soundPipeline } from '../pipeline/check.ts';
import { define } from '../pipeline/definition.ts';
import { defineSource } from '../sources/source.ts';
import type { Failure } from '../streams/failures.ts';
import { iterate } from '../streams/iterate.ts';
import { cancelled } from './cancelled.ts';
import { openLoader } from './loader/open.ts';

export interface PicturesToEmbed {
  /** A run, a checkpoint or a file of weights; a relative path starts at the working directory. */
  readonly from: string;
  readonly pool: 'mean' | 'cls';
  /** Files of pictures. */
  readonly paths: readonly string[];
  readonly signal?: AbortSignal;
}

export interface EmbeddedPictures {
  readonly width: number;
  /** float32 [paths, width], row by row. */
  readonly values: Float32Array;
  readonly fingerprint: string;
}

/**
 * The vectors of a few pictures, as a job with `embed` would make them.
 *
 * @throws EMBED_PICTURE for the first that cannot be read, opened or found a face in; what `embed` says of the model.
 */
export async function embedPictures({ from, pool, paths, signal }: PicturesToEmbed): Promise<EmbeddedPictures> {
  const trained = foundTrained(from, process.cwd());
  const stages = [...photoStages(trained, builtin.stages), embed({ from, pool })];
  const resolved = soundPipeline(define({ name: 'embed', source: filesOf(paths), stages }), builtin, { ends: false });
  const failures: Failure[] = [];
  const rows = new Map<number, Float32Array>();
  const opened = await openLoader(resolved, {
    ...(signal && { signal }),
    onFailure: (failure) => failures.push(failure),
  });
  try {
    for await (const { sample, permit } of iterate(opened.loader.ordered, signal)) {
      // Of a picture that became several, the first: of faces the surest.
      const { position, embedding } = sample as typeof sample & WithEmbedding;
      if (!rows.has(position)) rows.set(position, embedding);
      permit.return('delivered');
    }
  } finally {
    await opened.close();
  }
  if (signal?.aborted) throw cancelled(signal);
  const lost = paths.findIndex((_, i) => !rows.has(i));
  if (lost >= 0) {
    const failure = failures.find(({ position }) => position === lost);
    const found = failure === undefined ? 'nothing came of it' : messageOf(failure.error);
    throw fail('EMBED_PICTURE', { found }, { where: paths[lost], cause: failure?.error });
  }
  const width = rows.get(0)?.length ?? 0;
  const values = new Float32Array(paths.length * width);
  for (const [i, row] of rows) values.set(row, i * width);
  return { width, values, fingerprint: resolved.stages.at(-1)!.identity![0]! };
}

/** Files as a source, in the order in which they are named. */
function filesOf(paths: readonly string[]) {
  return defineSource({
    name: 'files',
    summary: 'Files of pictures by their names.',
    options: z.strictObject({}),
    spec: () => ({ fields: { bytes: 'bytes' } }),
    open: async () => ({
      count: paths.length,
      key: (index) => paths[index]!,
      read: async (index) => ({ bytes: (await readFile(paths[index]!)) as Uint8Array }),
    }),
  })();
}
