import { Worker } from 'node:worker_threads';
import t from 'tap';
import * as tf from '../../../src/backends/tf.ts';
import { prepareWasm } from '../../../src/backends/wasm/wasm.ts';
import { expectClose, expectNoTensorLeak, waves } from '../../kit/training/tensors.ts';

const warnings: string[] = [];
const listeners = () => [process.listenerCount('uncaughtException'), process.listenerCount('unhandledRejection')];
const before = listeners();
await prepareWasm((message) => warnings.push(message));

const allocate = () =>
  (tf.backend() as unknown as { makeOutput(shape: number[], dtype: 'float32'): tf.TensorInfo }).makeOutput(
    [2 ** 26],
    'float32',
  );

const tensor = (shape: number[], index = 0) => tf.tensor(Float32Array.from(waves(shape, index).data), shape);

t.test('it is tfjs’ backend now, and leaves the process’ listeners alone', async (t) => {
  t.equal(tf.getBackend(), 'wasm');
  t.same(listeners(), before);
  await prepareWasm();
  t.equal(tf.getBackend(), 'wasm', 'a second call is harmless');
});

/** Batched products in float64; operands given as the kernel sees them after transposing. */
function products(
  a: Float64Array,
  b: Float64Array,
  [batch, n, d, m]: number[],
  shareA: boolean,
  shareB: boolean,
): Float64Array {
  const out = new Float64Array(batch! * n! * m!);
  for (let s = 0; s < batch!; s++) {
    for (let i = 0; i < n!; i++) {
      for (let j = 0; j < m!; j++) {
        for (let k = 0; k < d!; k++) {
          out[(s * n! + i) * m! + j]! +=
            a[((shareA ? 0 : s) * n! + i) * d! + k]! * b[((shareB ? 0 : s) * d! + k) * m! + j]!;
        }
      }
    }
  }
  return out;
}

for (const [name, batchA, batchB] of [
  ['batches', 3, 3],
  ['a shared left', 1, 3],
  ['a shared right', 3, 1],
  ['single', 1, 1],
] as const) {
  for (const [transposeA, transposeB] of [
    [false, false],
    [true, false],
    [false, true],
    [true, true],
  ] as const) {
    t.test(`products: ${name}, transposed ${transposeA} ${transposeB}`, async (t) => {
      const [n, d, m] = [3, 5, 7];
      const [a, b] = [waves([batchA, n, d]), waves([batchB, d, m], 1)];
      const expected = products(a.data, b.data, [Math.max(batchA, batchB), n, d, m], batchA === 1, batchB === 1);
      await expectNoTensorLeak(t, () => {
        const out = tf.tidy(() => {
          const [x, y] = [tensor([batchA, n, d]), tensor([batchB, d, m], 1)];
          const [left, right] = [transposeA ? x.transpose([0, 2, 1]) : x, transposeB ? y.transpose([0, 2, 1]) : y];
          return tf.matMul(left, right, transposeA, transposeB);
        });
        t.same(out.shape, [Math.max(batchA, batchB), n, m]);
        expectClose(t, out.dataSync(), expected, 1e-6);
        out.dispose();
      });
    });
  }
}

t.test('products do not remember a right operand after it is gone', (t) => {
  for (let round = 0; round < 20; round++) {
    tf.tidy(() => {
      const a = tensor([4, 2, 3], round);
      const b = tensor([4, 3, 2], round + 50);
      const expected = products(
        waves([4, 2, 3], round).data,
        waves([4, 3, 2], round + 50).data,
        [4, 2, 3, 2],
        false,
        false,
      );
      expectClose(t, tf.matMul(a, b).dataSync(), expected, 1e-6, `round ${round}`);
    });
  }
  t.end();
});

t.test('slices in one piece and in several', (t) => {
  tf.tidy(() => {
    const x = tf.range(0, 60, 1).reshape([3, 4, 5]);
    t.same(
      [...x.slice([1, 0, 0], [2, -1, -1]).dataSync()],
      Array.from({ length: 40 }, (_, i) => 20 + i),
    );
    t.same(
      [...x.slice([2, 1, 0], [1, 2, 5]).dataSync()],
      Array.from({ length: 10 }, (_, i) => 45 + i),
    );
    t.same([...x.slice([0, 1, 2], [2, 1, 2]).dataSync()], [7, 8, 27, 28]);
    t.same([...x.greater(1).slice([0, 0, 0], [1, 1, 3]).dataSync()], [0, 0, 1]);
    t.same(x.slice([0, 0, 0], [0, 4, 5]).shape, [0, 4, 5]);
  });
  t.end();
});

t.test('a clone shares memory and outlives what it was made of', (t) => {
  const x = tf.tensor1d([1, 2, 3]);
  const y = x.clone();
  x.dispose();
  t.same([...y.dataSync()], [1, 2, 3]);
  y.dispose();
  t.end();
});

t.test(
  'a convolutional network of tf.layers trains, with one warning per missing kernel, and nothing leaks',
  async (t) => {
    await expectNoTensorLeak(t, async () => {
      const model = tf.sequential({
        layers: [
          tf.layers.conv2d({
            inputShape: [6, 6, 1],
            filters: 4,
            kernelSize: 3,
            activation: 'relu',
            kernelInitializer: tf.initializers.glorotUniform({ seed: 1 }),
          }),
          tf.layers.flatten(),
          tf.layers.dense({ units: 1, kernelInitializer: tf.initializers.glorotUniform({ seed: 2 }) }),
        ],
      });
      const optimizer = tf.train.sgd(0.05);
      model.compile({ optimizer, loss: 'meanSquaredError' });
      const [x, y] = [tensor([8, 6, 6, 1]), tensor([8, 1], 1)];
      const { history } = await model.fit(x, y, { epochs: 8, batchSize: 4, shuffle: false, verbose: 0 });
      const losses = history.loss as number[];
      t.ok(losses[7]! < 0.5 * losses[0]!, `loss ${losses[0]} falls to ${losses[7]}`);
      tf.dispose([x, y]);
      model.dispose();
      optimizer.dispose();
    });
    t.equal(warnings.filter((text) => text.includes('Conv2DBackpropFilter')).length, 1);
  },
);

t.test('kernels that wasm lacks give what tfjs-cpu gives', (t) => {
  tf.tidy(() => {
    const x = tensor([4, 3]);
    const sum = tf.unsortedSegmentSum(x, tf.tensor1d([1, 0, 1, 1], 'int32'), 2).dataSync();
    const rows = x.arraySync() as number[][];
    expectClose(t, sum, [...rows[1]!, ...[0, 1, 2].map((c) => rows[0]![c]! + rows[2]![c]! + rows[3]![c]!)], 1e-6);
    const product = tf.einsum('ij,kj->ik', x, tensor([2, 3], 1));
    expectClose(t, product.dataSync(), tf.matMul(x, tensor([2, 3], 1), false, true).dataSync(), 1e-6);
  });
  t.end();
});

t.test('a full heap is an error that says so, and what there was is as it was', (t) => {
  const kept = tf.tensor1d([1, 2, 3]);
  const large: tf.Tensor[] = [];
  const fill = () => {
    // Only asked for, never touched: the pages cost nothing.
    for (let i = 0; i < 64; i++) large.push(tf.engine().makeTensorFromTensorInfo(allocate()));
  };
  t.throws(fill, /BACKEND_MEMORY: .* Lower `microBatch`/);
  tf.dispose(large);
  t.same([...kept.add(1).dataSync()], [2, 3, 4]);
  kept.dispose();
  t.end();
});

t.test('it works in a worker', async (t) => {
  const text = `
    const { workerData, parentPort } = require('node:worker_threads');
    (async () => {
      await import(workerData.typescript);
      const { prepareWasm } = await import(workerData.wasm);
      const tf = await import(workerData.tf);
      await prepareWasm();
      parentPort.postMessage([...tf.matMul(tf.ones([2, 3]), tf.ones([3, 2])).dataSync()]);
    })();`;
  const address = (path: string) => new URL(`../../../${path}`, import.meta.url).href;
  const workerData = {
    // A thread that begins with a text is not given the runner's loader.
    typescript: address('scripts/lib/typescript.mjs'),
    wasm: address('src/backends/wasm/wasm.ts'),
    tf: address('src/backends/tf.ts'),
  };
  const worker = new Worker(text, { eval: true, execArgv: [], workerData });
  const answer = await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
  t.same(answer, [3, 3, 3, 3]);
  await worker.terminate();
});
