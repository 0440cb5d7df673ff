import * as tf from '../../src/backends/tf.ts';
import type { HostBatch, Model } from '../../src/models/model.ts';
import type { MicroBatch } from '../../src/train/loop.ts';

/**
 * The smallest model that learns: y = x·weight + bias on x float32 [N, 3], against label float32 [N]; the loss is the squared error, one
 * term per sample. Files store the weight transposed.
 */
export function linearModel(): Model {
  return {
    name: 'linear',
    fields: ['x', 'label'],
    parameters: ['weight', 'bias'],
    init: (random) => ({
      weight: tf.tidy(() =>
        tf.variable(
          tf.tensor2d(
            Array.from({ length: 3 }, () => random('weight').normal()),
            [3, 1],
          ),
        ),
      ),
      bias: tf.tidy(() => tf.variable(tf.zeros([1]))),
    }),
    inputs: (batch) => batch,
    loss: (params, inputs) => {
      const y = tf.matMul(inputs.x as tf.Tensor2D, params.weight as tf.Tensor2D).add(params.bias!);
      return { sum: y.reshape([-1]).squaredDifference(inputs.label!).sum(), count: inputs.label!.shape[0]! };
    },
    stored: (name) => ({
      shape: name === 'weight' ? [1, 3] : [1],
      toFile: (data) => data.slice(),
      fromFile: (data) => data.slice(),
    }),
    decays: (name) => name === 'weight',
    dispose: () => {},
  };
}

/** The sample at a position: x from the position's digits, label = x·(1, −2, 0.5) + 1. */
export function linearSample(position: number): { x: number[]; label: number } {
  const x = [Math.sin(position), Math.cos(2 * position), Math.sin(3 * position + 1)];
  return { x, label: x[0]! - 2 * x[1]! + 0.5 * x[2]! + 1 };
}

/** The fields of the samples at these positions. */
export function linearFields(positions: readonly number[]): HostBatch {
  const samples = positions.map(linearSample);
  return {
    x: { dtype: 'float32', shape: [positions.length, 3], data: Float32Array.from(samples.flatMap(({ x }) => x)) },
    label: { dtype: 'float32', shape: [positions.length], data: Float32Array.from(samples, ({ label }) => label) },
  };
}

/** Micro-batches of samples from `start` to before `end`, in order, as a loader would give them. */
export function linearStream(
  { start = 0, end, batch, microBatch }: { start?: number; end: number; batch: number; microBatch: number },
  change: (fields: HostBatch, positions: readonly number[]) => HostBatch = (fields) => fields,
): () => Promise<MicroBatch | undefined> {
  let at = start;
  let index = 0;
  return async () => {
    if (at >= end) return undefined;
    const positions = Array.from({ length: Math.min(microBatch, end - at) }, (_, i) => at + i);
    at += positions.length;
    const batchIndex = index;
    index = (index + 1) % (batch / microBatch);
    const keys = positions.map((position) => `sample-${position}`);
    return { fields: change(linearFields(positions), positions), keys, positions, batchIndex };
  };
}
