import * as tf from '../../../src/backends/tf.ts';
import type { Encoder, Restorer } from '../../../src/models/model.ts';
import { normalisePixels } from '../../../src/vision/patches.ts';
import { linearModel } from './train.ts';

/** A model over a whole grid of K × K patches that says of every hidden pixel that it is the byte `value`. `lr`: it is given a low-resolution picture too. */
export function greyModel({
  patch,
  K,
  value,
  lr = false,
}: {
  patch: number;
  K: number;
  value: number;
  lr?: boolean;
}): Restorer {
  return {
    ...linearModel(),
    fields: ['picture', 'masks', ...(lr ? ['lr'] : [])],
    shape: { patch, K, target: 'pixels' },
    inputs: ({ masks }) => ({ masks: masks! }),
    reconstruct: (_, { masks }) => {
      const shape = [...masks!.shape, patch * patch * 3];
      return tf.tensor(normalisePixels(new Uint8Array(tf.util.sizeFromShape(shape)).fill(value)), shape);
    },
  };
}

/** An encoder without parameters: each row of pixels is a token of the picture's width times three numbers; cls is ten times the first row. */
export function rowEncoder(): Encoder {
  return {
    ...linearModel(),
    encode: (_, { picture }) =>
      tf.tidy(() => {
        const [N, H, W] = picture!.shape as [number, number, number];
        const rows = picture!.reshape([N, H, W * 3]);
        return tf.concat([rows.slice([0, 0, 0], [-1, 1, -1]).mul(10), rows], 1) as tf.Tensor3D;
      }),
  };
}
