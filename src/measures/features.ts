import * as tf from '../backends/tf.ts';
import { upload } from '../backends/upload.ts';
import { fail } from '../errors.ts';
import { vectorsOf } from '../models/layers/vectors.ts';
import type { Encoder, HostBatch, HostTensor, Params, Pool } from '../models/model.ts';
import { largestClass } from './accuracy.ts';
import type { MeasureContext, MeasureData } from './define.ts';

/** What becomes of a picture's tokens: the mean over its patches, the cls token, or all patches [n · D]. `pixels`: its pixels / 255, which no model has seen. */
export type Feature = Pool | 'pixels';

/** Features of labelled pictures, on the host. */
export interface FeatureSet {
  /** float32 [n, width], row by row. */
  readonly values: Float32Array;
  /** The class of each row, from 0. */
  readonly labels: Int32Array;
  readonly width: number;
}

/** Shares of the pictures, 0 to 1, whose class was the first answer, and among the first five. */
export interface Accuracy {
  readonly top1: number;
  readonly top5: number;
}

export interface FeatureOptions {
  readonly model: Encoder;
  readonly params: Params;
  /** `picture` uint8 [N, H, W, 3] and `label` int32 [N]; their memory may be used again once the next is asked for. */
  readonly batches: Iterable<{ readonly fields: HostBatch }> | AsyncIterable<{ readonly fields: HostBatch }>;
  /** As many pictures as may come: the room that is taken. */
  readonly most: number;
  readonly pool: Feature;
}

/** Features of both sets of pictures of a measure, and what the numbers of it hang on. */
export async function featureSets(context: MeasureContext<{ readonly pool?: Feature | undefined }, Encoder>) {
  const { on, reference } = context.data;
  const answers = await featuresIn(reference, context);
  const asked = await featuresIn(on, context);
  const about = {
    resolution: on.resolution,
    classes: new Set(answers.labels).size,
    largest: largestClass(asked.labels).largest,
    // Each picture then knows itself.
    ...(on.isSame('reference') && { same: true }),
    images: asked.labels.length,
    of: asked.of,
    against: answers.labels.length,
    againstOf: answers.of,
  };
  return { sets: { on: asked, reference: answers }, about };
}

async function featuresIn(
  data: MeasureData,
  { model, params, options: { pool = 'mean' } }: MeasureContext<{ readonly pool?: Feature | undefined }, Encoder>,
) {
  const { batches, count, of } = await data.open();
  return { ...(await featuresOf({ model, params, batches, most: count, pool })), of };
}

/**
 * Features of whole pictures by a frozen encoder, after its last normalisation. One batch at a time is on the backend; leaves no tensor
 * behind.
 * @throws LABEL_NUMBER when a label is no class; FEATURE_NOT_A_NUMBER when the encoder has diverged; MEASURE_EMPTY.
 */
export async function featuresOf({ model, params, batches, most, pool }: FeatureOptions): Promise<FeatureSet> {
  const encoded = async (pictures: HostTensor, pool: Pool) => {
    const picture = upload(pictures);
    const pooled = tf.tidy(() => vectorsOf(model, params, picture, pool));
    picture.dispose();
    const rows = (await pooled.data()) as Float32Array;
    pooled.dispose();
    return rows;
  };
  let values = new Float32Array(0);
  const labels = new Int32Array(most);
  let width = 0;
  let count = 0;
  for await (const { fields } of batches) {
    const rows = pool === 'pixels' ? pixelsOf(fields.picture!) : await encoded(fields.picture!, pool);
    const N = fields.picture!.shape[0]!;
    const D = rows.length / N;
    if (rows.some((value) => !Number.isFinite(value))) throw fail('FEATURE_NOT_A_NUMBER', {});
    if (count === 0) [values, width] = [new Float32Array(most * D), D];
    values.set(rows, count * D);
    for (let n = 0; n < N; n++) labels[count + n] = labelOf(fields.label!.data[n]!);
    count += N;
  }
  if (count === 0) throw fail('MEASURE_EMPTY', {});
  return { values: values.subarray(0, count * width), labels: labels.subarray(0, count), width };
}

function pixelsOf({ data }: HostTensor): Float32Array {
  return Float32Array.from(data as Uint8Array, (value) => value / 255);
}

function labelOf(label: number): number {
  if (!Number.isInteger(label) || label < 0) throw fail('LABEL_NUMBER', { found: label });
  return label;
}
