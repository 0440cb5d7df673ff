import t from 'tap';
import { Constants } from '../../../src/backends/constants.ts';
import * as tf from '../../../src/backends/tf.ts';
import { prepareWasm } from '../../../src/backends/wasm/wasm.ts';
import { decoderParameters, encoderParameters, encoderSizes } from '../../../src/models/layers/encoder.options.ts';
import { decodeTokens, encodePatches, positions } from '../../../src/models/layers/encoder.ts';
import { learned } from '../../../src/models/layers/learned.ts';
import { gridPositions } from '../../../src/models/layers/positions.ts';
import { Random } from '../../../src/random.ts';
import { expectClose, expectNoTensorLeak, waves } from '../../kit/training/tensors.ts';

await prepareWasm((message) => t.comment(message));

const shape = { ...encoderSizes.nano, depth: 2, patch: 2 };
const constants = new Constants();
const params = learned([...encoderParameters(shape), ...decoderParameters({ width: 64, depth: 1, heads: 2 }, 12)]).init(
  (name) => new Random(7, name, 'init'),
);
const patches = tf.tensor3d(
  Float32Array.from(waves([2, 6, 12]).data, (v) => 128 + 100 * v),
  [2, 6, 12],
);

t.teardown(() => {
  tf.dispose([params, patches]);
  constants.dispose();
});

t.test('visible patches are encoded alone, at their own places, in any order', async (t) => {
  const run = (keep?: tf.Tensor2D) => tf.tidy(() => encodePatches(params, patches, [2, 3], shape, constants, keep));
  const tall = () => tf.tidy(() => encodePatches(params, patches, [3, 2], shape, constants));
  tf.dispose([run(), tall()]);
  await expectNoTensorLeak(t, () => {
    const whole = run();
    t.same(whole.shape, [2, 7, 64]);
    const all = tf.tensor2d([5, 4, 3, 2, 1, 0, 0, 1, 2, 3, 4, 5], [2, 6], 'int32');
    const turned = run(all);
    const some = tf.tensor2d([1, 4, 4, 1], [2, 2], 'int32');
    const few = run(some);
    const other = tall();
    t.same(few.shape, [2, 3, 64]);
    tf.tidy(() => {
      const back = tf.concat([turned.slice([0, 0], [1, 1]), turned.slice([0, 1], [1, 6]).reverse(1)], 1);
      expectClose(t, back.dataSync(), whole.slice([0], [1]).dataSync(), 1e-5, 'order does not count');
      expectClose(t, turned.slice([1]).dataSync(), whole.slice([1]).dataSync(), 1e-6, 'raster order');
      const change = other
        .sub(whole.slice([0], [1]))
        .abs()
        .max()
        .dataSync()[0]!;
      t.ok(change > 1e-3, `places count: changed by ${change}`);
    });
    tf.dispose([whole, all, turned, some, few, other]);
  });
});

t.test('positions stand on the backend once', (t) => {
  const table = positions([2, 3], 64, constants);
  t.equal(positions([2, 3], 64, constants), table);
  t.same(table.dataSync(), gridPositions(2, 3, 64));
  t.end();
});

t.test('the decoder gives the pixels of every patch, without cls', (t) => {
  const made = tf.tidy(() => {
    const x = tf.tensor3d(Float32Array.from(waves([2, 5, 64]).data), [2, 5, 64]);
    return decodeTokens(params, x, { width: 64, depth: 1, heads: 2 });
  });
  t.same(made.shape, [2, 4, 12]);
  made.dispose();
  t.end();
});
