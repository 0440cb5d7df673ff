import t from 'tap';
import { Constants } from '../../../src/backends/constants.ts';
import * as tf from '../../../src/backends/tf.ts';
import { prepareWasm } from '../../../src/backends/wasm/wasm.ts';
import { hiddenPatchLoss, normalised, patchesOf, shownPixels, targetOf } from '../../../src/models/layers/pixels.ts';
import { normalisePixels } from '../../../src/vision/patches.ts';
import { patchify } from '../../kit/pictures/patches.ts';
import { formulaPicture } from '../../kit/training/models.ts';
import { expectClose, expectNoTensorLeak } from '../../kit/training/tensors.ts';

await prepareWasm((message) => t.comment(message));

const constants = new Constants();
const one = (formulaPicture.data as Uint8Array).subarray(0, 64 * 64 * 3);
const picture = tf.tensor4d(Float32Array.from(one), [1, 64, 64, 3]);
t.teardown(() => {
  picture.dispose();
  constants.dispose();
});

t.test('patches and normalised pixels are those of plain arrays', async (t) => {
  const cut = () => tf.tidy(() => normalised(patchesOf(picture, 16), constants));
  cut().dispose();
  await expectNoTensorLeak(t, () => {
    const found = cut();
    t.same(found.shape, [1, 16, 768]);
    const expected = normalisePixels(patchify(one, { height: 64, width: 64, patch: 16 }));
    expectClose(t, found.dataSync(), expected, 1e-6);
    found.dispose();
  });
  const at = tf.tidy(() => patchesOf(picture, 16).dataSync()[5]);
  t.equal(at, one[1 * 3 + 2], 'row 0, column 1, channel 2 of patch 0 is number 5');
});

t.test('standardised targets: mean 0, unbiased spread √(var / (var + 1e-6)); and back', (t) => {
  tf.tidy(() => {
    const values = Float32Array.from(
      { length: 3 * 12 },
      (_, i) => [Math.sin(i), 1e-3 * Math.cos(3 * i), 0.5][Math.floor(i / 12)]!,
    );
    const patches = tf.tensor3d(values, [1, 3, 12]);
    const target = targetOf(patches, 'patchNorm');
    const found = target.dataSync();
    for (let patch = 0; patch < 3; patch++) {
      const of = (all: ArrayLike<number>) => Array.from(all).slice(patch * 12, (patch + 1) * 12);
      const mean = (all: number[]) => all.reduce((sum, v) => sum + v, 0) / 12;
      const variance = (all: number[]) => all.reduce((sum, v) => sum + (v - mean(all)) ** 2, 0) / 11;
      const [before, after] = [variance(of(values)), variance(of(found))];
      t.ok(Math.abs(mean(of(found))) < 1e-5, `patch ${patch}: mean ${mean(of(found))}`);
      t.ok(Math.abs(after - before / (before + 1e-6)) < 1e-4, `patch ${patch}: variance ${after} of ${before}`);
    }
    expectClose(t, shownPixels(target, patches, 'patchNorm').dataSync(), values, 1e-6, 'back in pixels');
    t.equal(targetOf(patches, 'pixels'), patches);
    t.equal(shownPixels(target, patches, 'pixels'), target);
  });
  t.end();
});

t.test('the loss is the mean over hidden patches and their values', (t) => {
  tf.tidy(() => {
    // Two sequences of three patches of two values; errors 1, 2, 3 and 0, 4, 1.
    const prediction = tf.tensor3d([1, 1, 2, 2, 3, 3, 0, 0, 4, 4, 1, 1], [2, 3, 2]);
    const { sum, count } = hiddenPatchLoss(prediction, tf.zeros([2, 3, 2]), tf.tensor2d([1, 0, 1, 0, 1, 1], [2, 3]));
    t.equal(sum.dataSync()[0]! / count, (1 + 9 + 16 + 1) / 4);
    const open = hiddenPatchLoss(prediction, tf.zeros([2, 3, 2]), tf.zeros([2, 3]));
    t.equal(open.sum.dataSync()[0], 0, 'nothing hidden');
  });
  t.end();
});
