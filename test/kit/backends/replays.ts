import type { Test } from 'tap';
import { type Compute, Replays } from '../../../src/backends/replay/replay.ts';
import * as tf from '../../../src/backends/tf.ts';
import { Sums } from '../../../src/backends/updates.ts';
import { expectNoTensorLeak } from '../training/tensors.ts';

/** What a computation makes of a micro-batch: what is added to the sums, and its count. */
export interface Made {
  readonly tensors: readonly tf.Tensor[];
  readonly count: number;
}

/** What a test is given: the computation's replays, what they add to, and the notes that they gave. */
export interface Bench {
  readonly replays: Replays;
  readonly sums: Sums;
  readonly notes: string[];
  /** Adds `x` to sums that are zero, and returns the count and what the first sum has grown by. */
  add(x: number[]): { count: number; grown: number };
}

/** Has a computation replayed where the current backend can. */
export async function withReplays(
  t: Test,
  compute: (x: tf.Tensor) => Made,
  f: (bench: Bench) => void,
  parameters: readonly tf.Tensor[] = [],
): Promise<void> {
  await expectNoTensorLeak(t, () => {
    const sums = new Sums();
    const notes: string[] = [];
    const options = { note: (text: string) => void notes.push(text), replay: true, parameters };
    const each: Compute = (inputs, give) => {
      const { tensors, count } = tf.tidy(() => kept(compute(inputs.x!)));
      for (const [i, tensor] of tensors.entries()) give(i, tensor);
      return count;
    };
    const replays = new Replays(each, sums, options);
    const sum = () => sums.tensors[0]?.dataSync()[0] ?? 0;
    const add = (values: number[]) => {
      const x = tf.tensor1d(values);
      sums.clear();
      try {
        const count = replays.add({ x });
        return { count, grown: sum() };
      } finally {
        x.dispose();
      }
    };
    f({ replays, sums, notes, add });
    replays.dispose();
    sums.dispose();
  });
}

/** A tidy hands out what is a tensor's container. */
const kept = (made: Made): Made & tf.TensorContainerObject => ({ tensors: [...made.tensors], count: made.count });

export const sumOf = (x: tf.Tensor): Made => ({ tensors: [x.square().sum()], count: x.size });
