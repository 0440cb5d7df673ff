import { z } from 'zod';
import { fail } from '../../errors.ts';
import {
  blocksMacs,
  type Cost,
  clsTokensOption,
  decoderFields,
  decoderParameters,
  decoderTransformer,
  encoderFields,
  encoderParameters,
  encoderShape,
  type HiddenPatchShape,
  patchSize,
  targetOption,
} from '../layers/encoder.options.ts';
import { countParameters, linearParameters, type Parameter } from '../layers/parameters.ts';
import { checkPositions } from '../layers/positions.ts';

/** Options of the model `mae` (masked autoencoders, arXiv 2111.06377). */
export const maeOptions = z.strictObject({
  size: z
    .enum(['nano', 'tiny', 'small', 'base', 'large', 'huge'])
    .default('tiny')
    .describe(
      'Encoder size: nano 64 wide, 4 blocks; tiny 192, 12; small 384, 12; base 768, 12; large 1024, 24; huge 1280, 32, for patches of 14 px.',
    ),
  ...encoderFields,
  ...decoderFields,
  clsTokens: clsTokensOption,
  target: targetOption('patchNorm'),
});

/** Options as written, and as parsed. */
export type MaeOptions = z.output<typeof maeOptions>;

/** All that fixes the network. */
export type MaeShape = HiddenPatchShape;

/** The part of a chain's spec that models of the whole grid read. */
export interface WholeSpec {
  readonly size?: readonly [number, number];
  readonly grid?: { readonly patch: number; readonly side: number };
  readonly windows?: object;
  readonly uneven?: true;
}

/**
 * Patch and side of the grid that is masked as a whole.
 *
 * @param model its name, for messages.
 * @throws MODEL_WHOLE where windows were cut, MODEL_UNEVEN where masks hide not all the same, MODEL_PATCH, PICTURE_SQUARE, PATCH_SIDE; TRAIN_SPEC where the picture has no fixed size.
 */
export function wholeGrid(
  model: string,
  patch: number | undefined,
  { size, grid, windows, uneven }: WholeSpec,
): { readonly patch: number; readonly K: number } {
  if (windows !== undefined) throw fail('MODEL_WHOLE', { model });
  if (uneven) throw fail('MODEL_UNEVEN', { model });
  const p = patchSize(patch, grid);
  if (grid !== undefined) return { patch: p, K: grid.side };
  if (size === undefined) {
    throw fail('TRAIN_SPEC', { model, needs: 'pictures of one size', stage: 'resize or random-resized-crop' });
  }
  const [height, width] = size;
  if (height !== width) throw fail('PICTURE_SQUARE', { width, height });
  if (height % p !== 0) {
    const divisors = Array.from({ length: height }, (_, i) => i + 1).filter((side) => height % side === 0);
    const suggestion = divisors.reduce((best, side) => (Math.abs(side - p) < Math.abs(best - p) ? side : best), 1);
    throw fail('PATCH_SIDE', { side: height, patch: p, suggestion });
  }
  return { patch: p, K: height / p };
}

/**
 * The network's shape from its options and what the stages have fixed.
 *
 * @throws what `wholeGrid` throws, MODEL_HEADS when heads do not divide a width, MODEL_POSITIONS for a width without positions.
 */
export function maeShape(options: MaeOptions, spec: WholeSpec): MaeShape {
  const grid = wholeGrid('mae', options.patch, spec);
  const [encoder, decoder] = [encoderShape(options, grid.patch), decoderTransformer(options)];
  for (const { width } of [encoder, decoder]) checkPositions(width);
  return { ...encoder, ...grid, target: options.target, decoder };
}

/** Every trained parameter of the network, in the order of its layers. */
export function maeParameters(shape: MaeShape): Parameter[] {
  const { width, patch, decoder } = shape;
  return [
    ...encoderParameters(shape, { maskWidth: decoder.width }),
    ...linearParameters('decoder_embed', width, decoder.width),
    ...decoderParameters(decoder, patch * patch * 3),
  ];
}

/**
 * Parameters and forward multiply-adds per image: n·3p²·D + blocks on k + c tokens + (k + c)·D·D' + the decoder's blocks on n + c tokens +
 * (n + c)·D'·3p², c cls tokens. The first term embeds every patch, as the published code does; only the visible ones are embedded here.
 *
 * @param hidden patches that are hidden, so that k = n − hidden.
 */
export function maeCost(shape: MaeShape, hidden: number): Cost {
  const { width: D, patch, K, decoder, clsTokens: cls = 1 } = shape;
  const values = patch * patch * 3;
  const n = K * K;
  const visible = n - hidden + cls;
  const encoder = n * values * D + blocksMacs(shape, visible) + visible * D * decoder.width;
  return {
    parameters: countParameters(maeParameters(shape)),
    macs: encoder + blocksMacs(decoder, n + cls) + (n + cls) * decoder.width * values,
  };
}
