import { z } from 'zod';
import {
  type Cost,
  decoderParameters,
  decoderTransformer,
  encoderParameters,
  encoderShape,
  targetOption,
} from '../layers/encoder.options.ts';
import { countParameters, linearParameters, type Parameter } from '../layers/parameters.ts';
import { checkPositions } from '../layers/positions.ts';
import { type MaeShape, maeCost, maeOptions, type WholeSpec, wholeGrid } from '../mae/options.ts';
import {
  checkSuperResolution,
  type SuperResolution,
  type SuperResolutionName,
  superResolutionMacs,
  superResolutionParameters,
  superResolutions,
} from './super-resolution.options.ts';

/** Options of the model `srmae` (super-resolution masked autoencoders, arXiv 2308.08884). */
export const srmaeOptions = z.strictObject({
  ...maeOptions.shape,
  target: targetOption('pixels'),
  superResolution: z
    .enum(superResolutions)
    .default('hpb')
    .describe(
      'What works on the grid of tokens before the decoder: ESRT’s high-preserving block (the decoder’s width is then a multiple of 16), one residual unit, or nothing.',
    ),
});

/** Options as written, and as parsed. */
export type SrmaeOptions = z.output<typeof srmaeOptions>;

/** All that fixes the network. */
export interface SrmaeShape extends MaeShape {
  readonly superResolution: SuperResolutionName | SuperResolution;
}

/**
 * The network's shape from its options and what the stages have fixed.
 *
 * @throws what `maeShape` of MAE throws, and MODEL_SUPER_RESOLUTION where the module cannot work on that width or grid.
 */
export function srmaeShape(
  options: Omit<SrmaeOptions, 'superResolution'> & Pick<SrmaeShape, 'superResolution'>,
  spec: WholeSpec,
): SrmaeShape {
  const { target, superResolution } = options;
  const grid = wholeGrid('srmae', options.patch, spec);
  const [encoder, decoder] = [encoderShape(options, grid.patch), decoderTransformer(options)];
  for (const { width } of [encoder, decoder]) checkPositions(width);
  checkSuperResolution(superResolution, decoder.width, grid.K);
  return { ...encoder, ...grid, target, decoder, superResolution };
}

/** Every trained parameter of the network, in the order of its layers. */
export function srmaeParameters(shape: SrmaeShape): Parameter[] {
  const { width, patch, decoder, superResolution } = shape;
  const values = patch * patch * 3;
  return [
    ...encoderParameters(shape),
    ...linearParameters('decoder_embed', width, decoder.width),
    ...linearParameters('lr_embed', values, decoder.width),
    ...superResolutionParameters(superResolution, decoder.width),
    ...decoderParameters(decoder, values),
  ];
}

/**
 * Parameters and forward multiply-adds per image: MAE's, the embedding of the hidden patches at low resolution, and the module's.
 *
 * @param hidden patches that are hidden.
 */
export function srmaeCost(shape: SrmaeShape, hidden: number): Cost {
  const { patch, K, decoder, superResolution } = shape;
  const embedding = hidden * patch * patch * 3 * decoder.width;
  return {
    parameters: countParameters(srmaeParameters(shape)),
    macs: maeCost(shape, hidden).macs + embedding + superResolutionMacs(superResolution, decoder.width, [K, K]),
  };
}
