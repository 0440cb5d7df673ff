import t from 'tap';
import * as tf from '../../src/backends/tf.ts';
import { prepareWasm } from '../../src/backends/wasm/wasm.ts';
import { Average, decayAt } from '../../src/train/ema.ts';
import { expectClose, expectNoTensorLeak } from '../kit/training/tensors.ts';

await prepareWasm();

t.test('what is kept: nothing at the first update, then the decay, or as the warm-up has it', (t) => {
  t.same(
    [1, 2, 100].map((update) => decayAt(update, { decay: 0.9 })),
    [0, 0.9, 0.9],
  );
  const warmup = { gamma: 1, power: 2 / 3 };
  const found = [1, 2, 3, 1000].map((update) => decayAt(update, { decay: 0.98, warmup }));
  expectClose(t, found, [0, 1 - 2 ** (-2 / 3), 1 - 3 ** (-2 / 3), 0.98], 1e-12);
  t.end();
});

t.test('it begins with the weights, is one with them after the first update, and follows', async (t) => {
  await expectNoTensorLeak(t, () => {
    const params = { w: tf.tidy(() => tf.variable(tf.tensor1d([1, 0.1]))) };
    const average = new Average(params, { decay: 0.75 });
    const put = (values: number[]) => tf.tidy(() => params.w.assign(tf.tensor1d(values)));
    t.same([...average.values.w!.dataSync()], [...params.w.dataSync()]);
    put([0.3, -7]);
    t.same([...average.values.w!.dataSync()], [...Float32Array.of(1, 0.1)], 'it has memory of its own');
    average.follow(1);
    t.same([...average.values.w!.dataSync()], [...params.w.dataSync()], 'bit for bit');
    put([1.3, 1]);
    average.follow(2);
    expectClose(t, average.values.w!.dataSync(), [0.55, -5], 1e-6);
    average.dispose();
    tf.dispose(params);
  });
});
