/** Computes something small on the device: a row says on what, or why not. */
import * as tf from '../../../src/backends/tf.ts';
import { torchAddon } from '../../../src/native.ts';
import { kit, lineOf, row, useTorch } from '../child.ts';

try {
  const { device, why } = await useTorch(kit.device);
  const four = tf.tidy(() =>
    tf
      .ones([2, 2])
      .matMul(tf.ones([2, 2]))
      .sum()
      .mul(0.5),
  );
  if ((await four.data())[0] !== 4) throw new Error(`it computes ${(await four.data())[0]} for 4`);
  row({ what: device, why, info: (torchAddon() as { info(): object }).info() });
} catch (error) {
  row({ what: kit.device, missing: lineOf(error) });
}
process.exit();
