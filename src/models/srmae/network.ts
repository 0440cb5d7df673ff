import type { Constants } from '../../backends/constants.ts';
import { gatherTokens } from '../../backends/ops.ts';
import * as tf from '../../backends/tf.ts';
import { pathInputs, pathsOf } from '../classifier/drop-path.ts';
import { decodeTokens, encodePatches, positions } from '../layers/encoder.ts';
import { hiddenPatchModel } from '../layers/hidden-patches.ts';
import { field, input } from '../layers/learned.ts';
import { normalised, patchesOf } from '../layers/pixels.ts';
import { gridMasks, visibility } from '../layers/visible.ts';
import { project } from '../layers/vit.ts';
import type { Encoder, HostBatch, Params, RandomSource, Restorer } from '../model.ts';
import { type SrmaeShape, srmaeParameters } from './options.ts';
import { superResolve } from './super-resolution.ts';

/**
 * A micro-batch on the backend: `picture` [N, H, W, 3] and `lr` [N, h, w, 3], values 0–255; `masks` [N, n], 1 hidden; the places of visible
 * patches `keep` [N, k] int32, of hidden ones `hide` [N, n − k], and `restore` [N, n], where each stands among visible, then hidden;
 * with drop path also `paths` [N, 1, 2L].
 */
export type SrmaeInputs = Readonly<Record<string, tf.Tensor>>;

/** SRMAE: an encoder sees the visible patches of a picture, a head restores the hidden ones from those and from a small picture. */
export interface Srmae extends Restorer, Encoder {
  readonly shape: SrmaeShape;
}

/**
 * Makes SRMAE. Source: arXiv 2308.08884, section 3.2, and what its text leaves open: low-resolution patches have a linear map of their own
 * to the head's width, positions are added once, to the full set, cls goes around the super-resolution module, and the target is pixels.
 */
export function srmae(shape: SrmaeShape): Srmae {
  return hiddenPatchModel(shape, {
    name: 'srmae',
    fields: ['picture', 'lr', 'masks'],
    parameters: srmaeParameters(shape),
    inputs: (batch, chance) => srmaeInputs(batch, shape, chance),
    predict: (params, patches, inputs, constants) => predict(params, patches, inputs, shape, constants),
  });
}

/** Predictions [N, n, p²·3] of all patches, from those that are visible and the rest at low resolution. */
function predict(
  params: Params,
  patches: tf.Tensor3D,
  inputs: SrmaeInputs,
  { patch, K, superResolution, decoder, ...encoder }: SrmaeShape,
  constants: Constants,
): tf.Tensor3D {
  const ids = (name: string) => input(inputs, name) as tf.Tensor2D;
  const paths = pathsOf(inputs, encoder);
  const { clsTokens: c = 1 } = encoder;
  const seen = encodePatches(params, patches, [K, K], { ...encoder, patch }, constants, ids('keep'), paths);
  const tokens = project(params, 'decoder_embed', seen);
  const [N, , C] = tokens.shape as [number, number, number];
  const small = patchesOf(enlarged(input(inputs, 'lr'), K * patch, constants), patch);
  const replaced = project(params, 'lr_embed', normalised(gatherTokens(small, ids('hide')), constants));
  // The full set, in raster order; the position of cls is zero.
  const both = tf.concat([tokens.slice([0, c, 0]), replaced], 1) as tf.Tensor3D;
  const full = gatherTokens(both, ids('restore')).add(positions([K, K], C, constants, 0));
  const resolved = superResolve(superResolution, params, full.reshape([N, K, K, C]), constants);
  const cls = tokens.slice([0, 0, 0], [-1, c, -1]);
  return decodeTokens(params, tf.concat([cls, resolved.reshape([N, K * K, C])], 1), decoder, { cls: c });
}

/** The nearest enlargement of pictures [N, h, w, 3] to [N, side, side, 3]: row r comes from row ⌊r·h/side⌋, columns likewise. */
export function enlarged(small: tf.Tensor, side: number, constants: Constants): tf.Tensor {
  const sources = (from: number) =>
    constants.get(`sources of ${side} in ${from}`, () =>
      tf.tensor1d(
        Int32Array.from({ length: side }, (_, to) => Math.floor((to * from) / side)),
        'int32',
      ),
    ) as tf.Tensor1D;
  const [, height, width] = small.shape as [number, number, number];
  return tf.gather(tf.gather(small, sources(height), 1), sources(width), 2);
}

/** Pictures of both sizes as they are, and where visible and hidden patches stand. */
function srmaeInputs(batch: HostBatch, shape: SrmaeShape, chance?: RandomSource): HostBatch {
  const picture = field(batch, 'picture', 'uint8', 4);
  const lr = field(batch, 'lr', 'uint8', 4);
  const masks = gridMasks(batch, shape.K);
  return { picture, lr, masks, ...visibility(masks), ...pathInputs(chance, shape, masks.shape[0]!) };
}
