import { Constants } from '../../backends/constants.ts';
import * as tf from '../../backends/tf.ts';
import type { Encoder, Model, Params, Restorer } from '../model.ts';
import type { HiddenPatchShape } from './encoder.options.ts';
import { encodePatches, type Grid, withOneCls } from './encoder.ts';
import { input, learned } from './learned.ts';
import type { Parameter } from './parameters.ts';
import { hiddenPatchLoss, normalised, patchesOf, shownPixels, targetOf } from './pixels.ts';
import { storedPositions } from './positions.ts';

type Inputs = Readonly<Record<string, tf.Tensor>>;

/** What tells one such model from another. */
export interface HiddenPatchModel extends Pick<Model, 'name' | 'fields' | 'inputs'> {
  readonly parameters: readonly Parameter[];
  /** Predictions [N, n, p²·3] of all patches. @param patches [N, n, p²·3] of the picture, hidden or not. */
  predict(params: Params, patches: tf.Tensor3D, inputs: Inputs, constants: Constants): tf.Tensor3D;
}

/** Makes the model of such a shape: its loss over hidden patches, the pixels that it restores, and the features of its encoder. */
export function hiddenPatchModel<Shape extends HiddenPatchShape>(
  shape: Shape,
  { name, fields, parameters, inputs, predict }: HiddenPatchModel,
): Restorer & Encoder & { readonly shape: Shape } {
  const constants = new Constants();
  const { patch, target } = shape;
  const restored = (params: Params, given: Inputs) => {
    const patches = patchesOf(input(given, 'picture'), patch);
    return { prediction: predict(params, patches, given, constants), pixels: normalised(patches, constants) };
  };
  return {
    name,
    shape,
    fields,
    ...learned(parameters),
    fixed: () => storedPositions(shape.K, shape.width, shape.decoder.width, shape.clsTokens),
    inputs,
    loss: (params, given) => {
      const { prediction, pixels } = restored(params, given);
      return hiddenPatchLoss(prediction, targetOf(pixels, target), input(given, 'masks'));
    },
    reconstruct: (params, given) =>
      tf.tidy(() => {
        const { prediction, pixels } = restored(params, given);
        return shownPixels(prediction, pixels, target);
      }),
    encode: (params, given) =>
      tf.tidy(() => {
        const pictures = input(given, 'picture');
        const grid: Grid = [pictures.shape[1]! / patch, pictures.shape[2]! / patch];
        return withOneCls(encodePatches(params, patchesOf(pictures, patch), grid, shape, constants), shape);
      }),
    dispose: () => constants.dispose(),
  };
}
