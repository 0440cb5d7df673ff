import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import t from 'tap';
import { loadTensorflow, prepareTensorflow, tensorflowUsesGpu } from '../../src/backends/tensorflow.ts';
import * as tf from '../../src/backends/tf.ts';

const require = createRequire(import.meta.url);
const util = require('node:util') as { isNullOrUndefined?: (value: unknown) => boolean };

t.test(
  'what Node has removed from under tfjs-node is there when it is loaded, and what Node has is left alone',
  async (t) => {
    const own = util.isNullOrUndefined;
    t.teardown(() => {
      if (own === undefined) delete util.isNullOrUndefined;
      else util.isNullOrUndefined = own;
    });
    const before = Object.keys(util).filter((name) => name !== 'isNullOrUndefined');
    delete util.isNullOrUndefined;
    let found: unknown[] = [];
    await loadTensorflow('@tensorflow/tfjs-node', async (name) => {
      found = [name, ...[null, undefined, 0, ''].map((value) => util.isNullOrUndefined?.(value))];
    });
    t.same(found, ['@tensorflow/tfjs-node', true, true, false, false]);
    t.same(
      Object.keys(util).filter((name) => name !== 'isNullOrUndefined'),
      before,
    );
    const kept = () => true;
    util.isNullOrUndefined = kept;
    await loadTensorflow('@tensorflow/tfjs-node', async () => {});
    t.equal(util.isNullOrUndefined, kept);
  },
);

t.test('a CommonJS package that calls it as tfjs-node does', async (t) => {
  const own = util.isNullOrUndefined;
  t.teardown(() => {
    if (own !== undefined) util.isNullOrUndefined = own;
  });
  const root = t.testdir({
    'stand-in.cjs':
      'const util_1 = require("util"); globalThis.seen = [null, 1].map((x) => (0, util_1.isNullOrUndefined)(x));',
  });
  delete util.isNullOrUndefined;
  await loadTensorflow(pathToFileURL(join(root, 'stand-in.cjs')).href);
  t.same((globalThis as { seen?: boolean[] }).seen, [true, false]);
});

t.test(
  'a backend that registers as `tensorflow` is chosen; kernels it lacks run on the host, with a warning',
  async (t) => {
    // tfjs' own cpu backend under another name, with two kernels of its own.
    await loadTensorflow('@tensorflow/tfjs-node', async () => {
      const cpu = tf.findBackend('cpu') as unknown as { constructor: new () => tf.KernelBackend };
      tf.registerBackend('tensorflow', () => new cpu.constructor());
      for (const name of ['Add', 'Identity']) {
        const kernel = tf.getKernel(name, 'cpu');
        tf.registerKernel({ ...kernel, backendName: 'tensorflow' });
      }
    });
    const warnings: string[] = [];
    t.equal(await prepareTensorflow((message) => warnings.push(message)), true);
    t.equal(tf.getBackend(), 'tensorflow');
    t.equal(tensorflowUsesGpu(), false);
    t.same(
      tf.tidy(() => [...tf.tensor1d([1, 2]).add(1).dataSync()]),
      [2, 3],
    );
    t.same(warnings, []);
    t.same(
      tf.tidy(() => [...tf.tensor1d([1, 2]).square().dataSync()]),
      [1, 4],
    );
    t.same(warnings, [
      "tensorflow has no kernel Square: it runs on tfjs' cpu kernels through readback, which is slow.",
    ]);
    await tf.setBackend('cpu');
    tf.removeBackend('tensorflow');
  },
);

t.test(
  'on a GPU the package looks at indices itself: there the operation gives zeros for those that are out of bounds',
  async (t) => {
    tf.registerBackend('tensorflow', () => ({ binding: {}, isUsingGpuDevice: true, dispose() {} }) as never);
    const { kernelFunc } = tf.getKernel('GatherV2', 'tensorflow');
    t.equal(await prepareTensorflow(), true);
    t.ok(tf.getKernel('PatchstreamLinear', 'tensorflow'), 'ours are there');
    t.equal(tf.getKernel('GatherV2', 'tensorflow').kernelFunc, kernelFunc);
    await tf.setBackend('cpu');
    tf.removeBackend('tensorflow');
  },
);

t.test('a package that does not load says so', async (t) => {
  const broken = loadTensorflow('@tensorflow/tfjs-node', async () => {
    throw new Error('libtensorflow.so.2: cannot open');
  });
  await t.rejects(broken, /libtensorflow/);
});
