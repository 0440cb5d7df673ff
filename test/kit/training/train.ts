import * as tf from '../../../src/backends/tf.ts';
import type { HostBatch, Model } from '../../../src/models/model.ts';
import { Random } from '../../../src/random.ts';
import { cellLayout } from '../../../src/train/cells.ts';
import type { TrainDefinition } from '../../../src/train/definition.ts';
import type { MicroBatch } from '../../../src/train/loop.ts';
import type { Trainer } from '../../../src/train/worker/trainer.ts';
import type { Spec } from '../../../src/vision/spec.ts';

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

/** A spec of 16 px pictures in 4 px patches, two windows of 3 × 3 patches: as small as LoMaR can be and still be all of it. */
export const smallSpec: Spec = {
  fields: {
    picture: 'picture',
    windows: { dtype: 'int32', shape: [2, 2] },
    masks: { dtype: 'uint8', shape: [2, 9] },
  },
  size: [16, 16],
  grid: { patch: 4, side: 4 },
  windows: { K: 3, M: 2 },
};

/** A train definition for `smallSpec`: a LoMaR of one block, 16 wide, steps of 4 samples. */
export function smallDefinition(folder: string, change: Partial<TrainDefinition> = {}): TrainDefinition {
  return {
    model: {
      name: 'lomar',
      options: { size: 'nano', width: 16, depth: 1, heads: 2, target: 'pixels' },
      spec: smallSpec,
    },
    batch: 4,
    length: { steps: 8 },
    count: 10,
    seed: 7,
    optimizer: { adamw: { lr: 3e-3, weightDecay: 0.05, betas: [0.9, 0.95], eps: 1e-8 } },
    schedule: { cosine: { warmupSteps: 2, minLr: 0 } },
    onNotANumber: 'stop',
    checkpoint: { everySteps: 3, keep: 2 },
    backend: 'wasm',
    device: 'auto',
    folder,
    ...change,
  };
}

/** The fields of the samples of `smallSpec` at these positions, drawn from each position's own chance. */
export function smallFields(positions: readonly number[]): HostBatch {
  const N = positions.length;
  const picture = new Uint8Array(N * 768);
  const windows = new Int32Array(N * 4);
  const masks = new Uint8Array(N * 18);
  for (const [n, position] of positions.entries()) {
    const random = new Random(7, 'small', String(position));
    const base = random.integer(200);
    for (let i = 0; i < 768; i++) picture[n * 768 + i] = base + random.integer(50);
    for (let i = 0; i < 4; i++) windows[n * 4 + i] = random.integer(2);
    for (let view = 0; view < 2; view++) {
      for (const k of random.permutation(9).subarray(0, 5)) masks[n * 18 + view * 9 + k] = 1;
    }
  }
  return {
    picture: { dtype: 'uint8', shape: [N, 16, 16, 3], data: picture },
    windows: { dtype: 'int32', shape: [N, 2, 2], data: windows },
    masks: { dtype: 'uint8', shape: [N, 2, 9], data: masks },
  };
}

/** A ring of cells and a loader for it, as plain as can be: samples are written in order, cells are used again once freed. */
export class SmallLoader {
  readonly memory: SharedArrayBuffer;
  readonly layout = cellLayout({ name: 'lomar', fields: ['picture', 'windows', 'masks'] }, smallSpec);
  readonly #free: number[];
  #wake = () => {};

  constructor(cells = 12) {
    this.memory = new SharedArrayBuffer(cells * this.layout.cellBytes);
    this.#free = Array.from({ length: cells }, (_, i) => i);
  }

  get available(): number {
    return this.#free.length;
  }

  readonly freed = (cells: Uint32Array): void => {
    // A cell that is freed before it was copied would show.
    for (const cell of cells)
      new Uint8Array(this.memory, cell * this.layout.cellBytes, this.layout.cellBytes).fill(255);
    this.#free.push(...cells);
    this.#wake();
  };

  /** Feeds the samples from the trainer's position on, `microBatch` at a time, until it takes no more or `end` is reached. */
  async feed(trainer: Trainer, { batch = 4, microBatch, end }: { batch?: number; microBatch: number; end: number }) {
    const start = trainer.ready.position;
    for (let at = start; at + microBatch <= end; at += microBatch) {
      const positions = Array.from({ length: microBatch }, (_, i) => at + i);
      const cells = new Uint32Array(microBatch);
      for (const [i, position] of positions.entries()) {
        while (this.#free.length === 0) await new Promise<void>((resolve) => (this.#wake = resolve));
        cells[i] = this.#free.shift()!;
        this.#write(cells[i]!, position);
      }
      const keys = positions.map((position) => `sample-${position}`);
      const batchIndex = ((at - start) % batch) / microBatch;
      if (!(await trainer.send({ cells, keys, positions, batchIndex }))) return;
    }
    trainer.end();
  }

  #write(cell: number, position: number): void {
    const fields = smallFields([position]);
    for (const { name, offset } of this.layout.fields) {
      const { data } = fields[name]!;
      const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
      new Uint8Array(this.memory, cell * this.layout.cellBytes + offset, bytes.length).set(bytes);
    }
  }
}
