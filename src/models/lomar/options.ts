import { z } from 'zod';
import { fail } from '../../errors.ts';
import {
  blocksMacs,
  type Cost,
  type EncoderShape,
  encoderFields,
  encoderParameters,
  encoderShape,
  patchSize,
  targetOption,
} from '../layers/encoder.options.ts';
import { countParameters, linearParameters, type Parameter } from '../layers/parameters.ts';
import { bucketCount } from '../layers/relative.ts';

/** Options of the model `lomar` (local masked reconstruction, arXiv 2206.00790). */
export const lomarOptions = z.strictObject({
  size: z
    .enum(['nano', 'tiny', 'small', 'base', 'large'])
    .default('tiny')
    .describe('Encoder size: nano 64 wide, 4 blocks; tiny 192, 12; small 384, 12; base 768, 12; large 1024, 24.'),
  ...encoderFields,
  target: targetOption('patchNorm'),
  rpeScaled: z
    .boolean()
    .default(false)
    .describe('Scale queries by 1/√d in the relative position term, as iRPE does; LoMaR does not.'),
});

/** Options as written, and as parsed. */
export type LomarOptions = z.output<typeof lomarOptions>;

/** All that fixes the network. */
export interface LomarShape extends EncoderShape {
  /** Window side K, in patches. */
  readonly K: number;
  readonly target: 'patchNorm' | 'pixels';
  readonly rpeScaled: boolean;
}

/** The part of a chain's spec that the model reads. */
export interface LomarSpec {
  readonly grid?: { readonly patch: number };
  readonly windows?: { readonly K: number };
}

/**
 * The network's shape from its options and what the stages have fixed.
 *
 * @throws MODEL_PATCH without a patch size or with two, MODEL_WINDOWS without windows, MODEL_HEADS when heads do not divide the width.
 */
export function lomarShape(options: LomarOptions, spec: LomarSpec): LomarShape {
  const patch = patchSize(options.patch, spec.grid);
  if (spec.windows === undefined) throw fail('MODEL_WINDOWS', {});
  const { target, rpeScaled } = options;
  return { ...encoderShape(options, patch), K: spec.windows.K, target, rpeScaled };
}

/** Every trained parameter of the network, in the order of its layers. */
export function lomarParameters(shape: LomarShape): Parameter[] {
  const { width, patch } = shape;
  return [
    ...encoderParameters(shape, { maskWidth: width, buckets: bucketCount }),
    ...linearParameters('decoder_pred', width, patch * patch * 3),
  ];
}

/**
 * Parameters and forward multiply-adds per image: n·3p²·D + M·(K² + 1)·3p²·D + M·L·[12TD² + 2T²D + 50TD], T = K² + 1.
 * The first term embeds every patch of the picture, as the paper counts; only the windows' patches are embedded here.
 *
 * @param size the picture's [height, width] in pixels. @param M windows per image.
 */
export function lomarCost(
  shape: LomarShape,
  { size: [height, width], M }: { size: readonly [number, number]; M: number },
): Cost {
  const { width: D, depth: L, patch, K } = shape;
  const values = patch * patch * 3;
  const T = K * K + 1;
  const patches = (height / patch) * (width / patch);
  return {
    parameters: countParameters(lomarParameters(shape)),
    macs: patches * values * D + M * T * values * D + M * (blocksMacs(shape, T) + L * bucketCount * T * D),
  };
}
