import type { Constants } from '../../backends/constants.ts';
import { gatherTokens } from '../../backends/ops.ts';
import * as tf from '../../backends/tf.ts';
import { fail } from '../../errors.ts';
import { pathInputs, pathsOf } from '../classifier/drop-path.ts';
import { decodeTokens, encodePatches, positions } from '../layers/encoder.ts';
import { hiddenPatchModel } from '../layers/hidden-patches.ts';
import { field, input } from '../layers/learned.ts';
import { visibility } from '../layers/visible.ts';
import { parameter, project } from '../layers/vit.ts';
import type { Encoder, HostBatch, HostTensor, Params, RandomSource, Restorer } from '../model.ts';
import { type MaeShape, maeParameters } from './options.ts';

/**
 * A micro-batch on the backend: `picture` [N, H, W, 3], values 0–255; `masks` [N, n], 1 hidden; `keep` [N, k] int32, the places of the
 * visible patches; `restore` [N, c + n] int32, where each of (c cls tokens, every patch) stands among (cls, visible patches, mask token);
 * with drop path also `paths` [N, 1, 2L].
 */
export type MaeInputs = Readonly<Record<string, tf.Tensor>>;

/** MAE: an encoder sees the visible patches of a picture, a light decoder restores the hidden ones. */
export interface Mae extends Restorer, Encoder {
  readonly shape: MaeShape;
}

/**
 * Makes MAE. Source: arXiv 2111.06377, section 3, and its published code for positions, initialisation and target; several cls tokens:
 * Pixio, arXiv 2512.15715.
 */
export function mae(shape: MaeShape): Mae {
  return hiddenPatchModel(shape, {
    name: 'mae',
    fields: ['picture', 'masks'],
    parameters: maeParameters(shape),
    inputs: (batch, chance) => maeInputs(batch, shape, chance),
    predict: (params, patches, inputs, constants) => predict(params, patches, inputs, shape, constants),
  });
}

/** Predictions [N, n, p²·3] of all patches, from those that are visible. */
function predict(
  params: Params,
  patches: tf.Tensor3D,
  inputs: MaeInputs,
  shape: MaeShape,
  constants: Constants,
): tf.Tensor3D {
  const { K, decoder, clsTokens: cls = 1 } = shape;
  const keep = input(inputs, 'keep') as tf.Tensor2D;
  const seen = encodePatches(params, patches, [K, K], shape, constants, keep, pathsOf(inputs, shape));
  const tokens = project(params, 'decoder_embed', seen);
  // Added to zeros rather than tiled: a tile's gradient is a slice per picture. One row serves every hidden place.
  const hidden = tf.zeros([patches.shape[0], 1, decoder.width]).add(parameter(params, 'mask_token'));
  const all = gatherTokens(tf.concat([tokens, hidden], 1) as tf.Tensor3D, input(inputs, 'restore') as tf.Tensor2D);
  return decodeTokens(params, all.add(positions([K, K], decoder.width, constants, cls)), decoder, { cls });
}

/** Pictures as they are, and where visible and hidden patches stand. */
function maeInputs(batch: HostBatch, shape: MaeShape, chance?: RandomSource): HostBatch {
  const { K, clsTokens: cls = 1 } = shape;
  const picture = field(batch, 'picture', 'uint8', 4);
  const masks = field(batch, 'masks', 'uint8', 2);
  const [N, n] = masks.shape as [number, number];
  if (n !== K * K) {
    throw fail('MODEL_FIELD', {
      field: 'masks',
      expected: `uint8 [N, ${K * K}]`,
      found: `uint8 [${masks.shape.join(', ')}]`,
    });
  }
  const { keep, restore } = visibility(masks);
  const k = keep.shape[1]!;
  // cls stays in front; every hidden patch takes the one mask token, which stands behind the k visible ones.
  const places = Int32Array.from({ length: N * (cls + n) }, (_, i) => {
    const [sample, token] = [Math.floor(i / (cls + n)), i % (cls + n)];
    return token < cls ? token : cls + Math.min(restore.data[sample * n + token - cls]!, k);
  });
  const ids: HostTensor = { dtype: 'int32', shape: [N, cls + n], data: places };
  return { picture, masks, keep, restore: ids, ...pathInputs(chance, shape, N) };
}
