import { upload } from '../../backends/upload.ts';
import { fail } from '../../errors.ts';
import type { Classifier, HostBatch, HostTensor, Params } from '../../models/model.ts';
import type { Kernel } from '../../vision/geometry.ts';
import { rawPicture } from '../../vision/picture.ts';
import { largestClass } from '../accuracy.ts';
import { rankOf } from '../knn/neighbours.ts';

export interface ScaleAccuracyOptions {
  readonly model: Classifier;
  readonly params: Params;
  /** `picture` uint8 [N, H, W, 3] and `label` int32 [N]; their memory may be used again once the next is asked for. */
  readonly batches: Iterable<{ readonly fields: HostBatch }> | AsyncIterable<{ readonly fields: HostBatch }>;
  readonly sizes: readonly number[];
  readonly kernel: Kernel;
}

export interface ScaleAccuracy {
  /** The share of pictures whose class is named first, by size. */
  readonly top1: ReadonlyMap<number, number>;
  readonly images: number;
  /** The share of the class that most of the pictures have. */
  readonly largest: number;
}

/**
 * How often a model names the class of a picture that was made as small as each of `sizes`, rounded to bytes there, and enlarged again. Leaves no tensor behind.
 *
 * @throws LABEL_CLASS, SCORE_NOT_A_NUMBER, MEASURE_EMPTY as `classAccuracy` does.
 */
export async function scaleAccuracy({
  model,
  params,
  batches,
  sizes,
  kernel,
}: ScaleAccuracyOptions): Promise<ScaleAccuracy> {
  const right = new Map(sizes.map((size) => [size, 0]));
  const seen: number[] = [];
  for await (const { fields } of batches) {
    const labels = Int32Array.from(fields.label!.data);
    for (const size of right.keys()) {
      const picture = upload(await throughSize(fields.picture!, size, kernel));
      const scores = model.classify(params, { picture });
      picture.dispose();
      const values = (await scores.data()) as Float32Array;
      scores.dispose();
      right.set(size, right.get(size)! + firstOf(values, labels));
    }
    for (const label of labels) seen.push(label);
  }
  const images = seen.length;
  if (images === 0) throw fail('MEASURE_EMPTY', {});
  const top1 = new Map([...right].map(([size, count]) => [size, count / images]));
  return { top1, images, largest: largestClass(seen).largest };
}

/** How many of the pictures have their own class first; of classes with equal scores the lower one comes first. */
function firstOf(values: Float32Array, labels: Int32Array): number {
  const classes = values.length / labels.length;
  let right = 0;
  for (const [n, label] of labels.entries()) {
    if (label < 0 || label >= classes) throw fail('LABEL_CLASS', { classes, most: classes - 1, found: label });
    const own = values.subarray(n * classes, (n + 1) * classes);
    if (!own.every(Number.isFinite)) throw fail('SCORE_NOT_A_NUMBER', {});
    if (rankOf(own, label) === 0) right += 1;
  }
  return right;
}

/** Pictures uint8 [N, H, W, 3] as they are when they are kept at `size` × `size` and enlarged again; as they were where that is their size. */
export async function throughSize(pictures: HostTensor, size: number, kernel: Kernel): Promise<HostTensor> {
  const [count, height, width] = pictures.shape as [number, number, number, number];
  if (size === height && size === width) return pictures;
  const each = height * width * 3;
  const data = new Uint8Array(count * each);
  const through = async (n: number) => {
    const own = (pictures.data as Uint8Array).subarray(n * each, (n + 1) * each);
    const small = rawPicture({ data: own, width, height, channels: 3 })
      .resize({ width: size, height: size, fit: 'fill', kernel })
      .settle();
    const { data: pixels } = await small.resize({ width, height, fit: 'fill' }).pixels();
    data.set(pixels, n * each);
  };
  await Promise.all(Array.from({ length: count }, (_, n) => through(n)));
  return { dtype: 'uint8', shape: pictures.shape, data };
}
