import { Constants } from '../../backends/constants.ts';
import { gatherTokens } from '../../backends/ops.ts';
import * as tf from '../../backends/tf.ts';
import { type BlockPaths, pathsOf } from '../classifier/drop-path.ts';
import { encodePatches, type Grid } from '../layers/encoder.ts';
import { input, learned } from '../layers/learned.ts';
import { hiddenPatchLoss, normalised, patchesOf, shownPixels, targetOf } from '../layers/pixels.ts';
import { storedPositions } from '../layers/positions.ts';
import { norm, parameter, project } from '../layers/vit.ts';
import type { Encoder, Params, Restorer } from '../model.ts';
import { encoded, headed, type LomarInputs, placesOf, throughBlocks, windowMasks, withCls } from './blocks.ts';
import { lomarInputs } from './inputs.ts';
import { type LomarShape, lomarParameters, partsHidden } from './options.ts';
import { predictFromVisible } from './visible.ts';

/** LoMaR: masked reconstruction inside small windows, by a plain encoder with relative positions and one linear head, or by one of the arms that it is compared with. */
export interface Lomar extends Restorer, Encoder {
  readonly shape: LomarShape;
}

/**
 * Makes LoMaR. Source: arXiv 2206.00790, sections 3.1–3.3, and what its text leaves out: a cls token in front of every window, one linear
 * head, queries unscaled in the relative term. Section 4.3 for the arms: absolute positions, an encoder and a decoder; section 5 for mask tokens in later blocks.
 * What these leave open is in docs/models.md.
 */
export function lomar(shape: LomarShape): Lomar {
  const constants = new Constants();
  const { absolute, decoder, lowResolution } = shape;
  const predicted = (params: Params, inputs: LomarInputs, paths?: BlockPaths) => {
    const pixels = windowPixels(inputs, shape, constants);
    const made = partsHidden(shape)
      ? predictFromVisible(params, inputs, shape, constants, paths)
      : predictFromAll(params, inputs, pixels, shape, constants, paths);
    return { pixels, made };
  };
  return {
    name: lowResolution === undefined ? 'lomar' : 'lomar-srmae',
    shape,
    fields: ['picture', ...(lowResolution === undefined ? [] : ['lr']), 'windows', 'masks'],
    ...learned(lomarParameters(shape)),
    ...(absolute !== undefined && { fixed: () => storedPositions(absolute, shape.width, decoder?.width) }),
    inputs: (batch, chance) => lomarInputs(batch, shape, chance),
    loss: (params, inputs) => {
      const { made, pixels } = predicted(params, inputs, pathsOf(inputs, shape));
      return hiddenPatchLoss(made, targetOf(pixels, shape.target), windowMasks(inputs, shape));
    },
    reconstruct: (params, inputs) =>
      tf.tidy(() => {
        const { made, pixels } = predicted(params, inputs);
        const shown = shownPixels(made, pixels, shape.target);
        return shown.reshape([...input(inputs, 'masks').shape, -1]);
      }),
    encode: (params, inputs) =>
      tf.tidy(() => {
        const pictures = input(inputs, 'picture');
        const grid: Grid = [pictures.shape[1]! / shape.patch, pictures.shape[2]! / shape.patch];
        const cut = patchesOf(pictures, shape.patch);
        if (absolute !== undefined) return encodePatches(params, cut, grid, shape, constants);
        const tokens = project(params, 'patch_embed.proj', normalised(cut, constants));
        return norm(params, 'norm', encoded(params, tokens, grid, shape, constants)) as tf.Tensor3D;
      }),
    dispose: () => constants.dispose(),
  };
}

/** Predictions [N·M, K², p²·3] of all tokens of all windows, mask tokens in the place of hidden ones from the first block on. */
function predictFromAll(
  params: Params,
  inputs: LomarInputs,
  pixels: tf.Tensor,
  shape: LomarShape,
  constants: Constants,
  paths?: BlockPaths,
): tf.Tensor {
  const hidden = windowMasks(inputs, shape).expandDims(-1);
  const embedded = project(params, 'patch_embed.proj', pixels);
  const tokens = embedded.mul(tf.sub(1, hidden)).add(parameter(params, 'mask_token').mul(hidden));
  const sequence =
    shape.absolute === undefined
      ? encoded(params, tokens, [shape.K, shape.K], shape, constants, paths)
      : throughBlocks(
          params,
          withCls(params, tokens.add(placesOf(inputs, 'tokens', shape, shape.width, constants))),
          shape,
          { paths },
        );
  return headed(params, sequence);
}

/** The windows' patches in normalised pixels, [N·M, K², p²·3]. Embedding is linear patch by patch, so cutting the windows first is equal, and less work. */
function windowPixels(inputs: LomarInputs, { patch, K }: LomarShape, constants: Constants): tf.Tensor {
  const patches = patchesOf(input(inputs, 'picture'), patch);
  const cut = gatherTokens(patches, input(inputs, 'tokens') as tf.Tensor2D);
  return normalised(cut.reshape([-1, K * K, patch * patch * 3]), constants);
}
