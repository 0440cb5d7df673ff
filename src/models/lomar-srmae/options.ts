import { z } from 'zod';
import { fail } from '../../errors.ts';
import { targetOption } from '../layers/encoder.options.ts';
import { type LomarShape, type LomarSpec, lomarOptions, lomarShape } from '../lomar/options.ts';
import { checkSuperResolution, superResolutions } from '../srmae/super-resolution.options.ts';

/** Options of the model `lomar-srmae`: LoMaR's windows, their hidden patches given at low resolution as SRMAE gives them. */
export const lomarSrmaeOptions = z.strictObject({
  ...lomarOptions.shape,
  target: targetOption('pixels'),
  maskTokensFrom: lomarOptions.shape.maskTokensFrom.describe(
    'The block of the encoder, counted from 0, that low-resolution patches enter at; the blocks before it see visible patches alone. Default 0.',
  ),
  superResolution: z
    .enum(superResolutions)
    .optional()
    .describe(
      'What works on the tokens of a window before the decoder: ESRT’s high-preserving block (the decoder’s width is then a multiple of 16), one residual unit, or nothing. Default hpb with `decoder`; none without.',
    ),
});

/** Options as parsed. */
export type LomarSrmaeOptions = z.output<typeof lomarSrmaeOptions>;

/**
 * The network's shape from its options and what the stages have fixed.
 *
 * @throws what `lomarShape` throws, MODEL_UNEVEN where masks hide not all the same, MODEL_OPTION for a super-resolution module without a decoder,
 * MODEL_SUPER_RESOLUTION where it cannot work on that width or window.
 */
export function lomarSrmaeShape({ superResolution, ...options }: LomarSrmaeOptions, spec: LomarSpec): LomarShape {
  const model = 'lomar-srmae';
  const shape = lomarShape(options, spec, model);
  if (spec.uneven) throw fail('MODEL_UNEVEN', { model });
  const { decoder, K } = shape;
  const lowResolution = superResolution ?? (decoder === undefined ? 'none' : 'hpb');
  if (decoder !== undefined) checkSuperResolution(lowResolution, decoder.width, K);
  else if (lowResolution !== 'none') {
    const advice = 'Add `decoder: {}`, or leave it out.';
    throw fail('MODEL_OPTION', {
      option: 'superResolution',
      model,
      rule: 'go with `decoder`',
      found: lowResolution,
      advice,
    });
  }
  return { ...shape, lowResolution };
}
