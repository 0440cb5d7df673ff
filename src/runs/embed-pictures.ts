import { fail } from '../errors.ts';
import type { WithEmbedding } from '../inference/embed.ts';
import { embed } from '../inference/index.ts';
import { photoStages } from '../inference/photos.ts';
import { foundTrained } from '../inference/trained.ts';
import { builtin } from '../pipeline/builtin.ts';
import type { Sample } from '../streams/sample.ts';
import { eachOfFew } from './figures/photos.ts';

export interface PicturesToEmbed {
  /** A run, a checkpoint or a file of weights; a relative path starts at the working directory. */
  readonly from: string;
  /** What a vector is: the mean over the patches' tokens, or the cls token. Default: what the head of a classifier reads; of other models the mean. */
  readonly pool?: 'mean' | 'cls';
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
  const stages = [...photoStages(trained, builtin.stages), embed({ from, ...(pool !== undefined && { pool }) })];
  const { taken, resolved } = await eachOfFew(
    { paths, stages, signal },
    (sample) => (sample as Sample & WithEmbedding).embedding,
    (found, about) => fail('EMBED_PICTURE', { found }, about),
  );
  const width = taken[0]?.length ?? 0;
  const values = new Float32Array(paths.length * width);
  for (const [i, row] of taken.entries()) values.set(row, i * width);
  return { width, values, fingerprint: resolved.stages.at(-1)!.identity![0]! };
}
