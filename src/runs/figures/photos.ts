import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { fail, PatchstreamError, reasonOf } from '../../errors.ts';
import { photoStages } from '../../inference/photos.ts';
import { cutOf } from '../../inference/stage.ts';
import type { Trained } from '../../inference/trained.ts';
import { closeBehind, type Ended } from '../../own-code.ts';
import { builtin } from '../../pipeline/builtin.ts';
import { soundPipeline } from '../../pipeline/check.ts';
import { define } from '../../pipeline/definition.ts';
import type { Resolved } from '../../pipeline/resolve/resolve.ts';
import { defineSource } from '../../sources/source.ts';
import type { WithPicture } from '../../stages/size.ts';
import type { Failure } from '../../streams/failures.ts';
import { iterate } from '../../streams/iterate.ts';
import type { Sample } from '../../streams/sample.ts';
import type { Stage } from '../../streams/stage.ts';
import type { Pixels } from '../../vision/picture.ts';
import { cancelled } from '../cancelled.ts';
import { openLoader } from '../loader/open.ts';

/** A few files of pictures, and what they go through. */
export interface FewPictures {
  readonly paths: readonly string[];
  readonly stages: readonly Stage[];
  readonly signal?: AbortSignal | undefined;
}

/**
 * Sends files of pictures through stages and takes what comes of each; of a picture that became several, the first: of faces the surest.
 *
 * @param take is given a sample, which is its own until it has ended.
 * @throws what `lost` makes of the first file that nothing comes of: it is told what was found, with the file.
 */
export async function eachOfFew<T>(
  { paths, stages, signal }: FewPictures,
  take: (sample: Sample) => T | Promise<T>,
  lost: (found: string, about: { readonly where: string; readonly cause?: unknown }) => PatchstreamError,
): Promise<{ readonly taken: readonly T[]; readonly resolved: Resolved }> {
  const definition = define({ name: 'pictures', source: filesOf(paths), stages });
  const resolved = soundPipeline(definition, builtin, { ends: false });
  const failures: Pick<Failure, 'position' | 'error'>[] = [];
  const taken = new Map<number, T>();
  const onFailure = (failure: Failure) => failures.push(failure);
  const opened = await openLoader(resolved, { ...(signal && { signal }), onFailure });
  let ended: Ended | undefined;
  try {
    for await (const { sample, permit } of iterate(opened.loader.ordered, signal)) {
      const { position } = sample;
      try {
        if (!taken.has(position)) taken.set(position, await take(sample));
      } catch (error) {
        if (!(error instanceof PatchstreamError)) throw error;
        failures.push({ position, error });
      }
      permit.return('delivered');
    }
  } catch (error) {
    ended = { error };
    throw error;
  } finally {
    await closeBehind(ended, opened.close);
  }
  if (signal?.aborted) throw cancelled(signal);
  const missing = paths.findIndex((_, i) => !taken.has(i));
  if (missing >= 0) {
    const failure = failures.find(({ position }) => position === missing);
    const found = failure === undefined ? 'nothing came of it' : reasonOf(failure.error);
    throw lost(found, { where: paths[missing]!, cause: failure?.error });
  }
  return { taken: paths.map((_, i) => taken.get(i) as T), resolved };
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

/** A photograph as a model is given it. */
export interface Photo {
  readonly path: string;
  readonly pixels: Pixels;
  /** At low resolution, for a model that is given that too. */
  readonly lr?: Pixels;
}

/**
 * Photographs as a trained model knows its pictures: through the stages of its evaluation, cut to its size; `lr` bicubic, in the size of the training.
 *
 * @throws FIGURE_PICTURE for the first that cannot be read, opened or rendered; TRAINED_STAGES.
 */
export async function photosOf(trained: Trained, paths: readonly string[]): Promise<readonly Photo[]> {
  const cut = cutOf(trained);
  const { lr } = trained.model.spec.fields;
  const small = typeof lr === 'object' && 'picture' in lr ? lr.picture : null;
  const { taken } = await eachOfFew(
    { paths, stages: photoStages(trained, builtin.stages) },
    async (sample) => {
      const picture = cut((sample as Sample & WithPicture).picture).settle();
      const pixels = await picture.pixels();
      if (small === null) return { pixels };
      const [height, width] = small;
      return { pixels, lr: await picture.resize({ width, height, fit: 'fill' }).pixels() };
    },
    (found, about) => fail('FIGURE_PICTURE', { found }, about),
  );
  return taken.map((photo, i) => ({ path: paths[i]!, ...photo }));
}
