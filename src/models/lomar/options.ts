import { z } from 'zod';
import { fail } from '../../errors.ts';
import {
  blocksMacs,
  type Cost,
  decoderParameters,
  decoderTransformer,
  type EncoderShape,
  encoderFields,
  encoderParameters,
  encoderShape,
  patchSize,
  targetOption,
} from '../layers/encoder.options.ts';
import { countParameters, linearParameters, type Parameter, type TransformerShape } from '../layers/parameters.ts';
import { checkPositions } from '../layers/positions.ts';
import { bucketCount } from '../layers/relative.ts';
import {
  type SuperResolutionName,
  superResolutionMacs,
  superResolutionParameters,
} from '../srmae/super-resolution.options.ts';

const count = z.int().positive().optional();

/** Options of the model `lomar` (local masked reconstruction, arXiv 2206.00790). What was added later is left out by default: the digests of runs hold these. */
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
  positions: z
    .enum(['relative', 'absolute'])
    .optional()
    .describe(
      'How a patch knows its place: relative to each other patch, in every block, or by MAE’s fixed table, its place in the whole picture (the paper’s ablation). Default relative.',
    ),
  decoder: z
    .strictObject({
      width: count.describe('Width of a token in the decoder. Default 512; with size nano 64.'),
      depth: count.describe('Blocks of the decoder. Default 8; with size nano 2.'),
      heads: count.describe('Attention heads per block of the decoder. Default 16; with size nano 2.'),
    })
    .optional()
    .describe(
      'An encoder that sees only the visible patches of a window, and a decoder that restores the hidden ones, as MAE has them (the paper’s ablation); `{}` for MAE’s decoder. By default a plain encoder sees all.',
    ),
  maskTokensFrom: z
    .int()
    .min(0)
    .optional()
    .describe(
      'The block of the encoder, counted from 0, that mask tokens enter at; the blocks before it see visible patches alone, which is cheaper. Default 0: all blocks see them.',
    ),
});

/** Options as written, and as parsed. */
export type LomarOptions = z.output<typeof lomarOptions>;

/** All that fixes the network. */
export interface LomarShape extends EncoderShape {
  /** Window side K, in patches. */
  readonly K: number;
  readonly target: 'patchNorm' | 'pixels';
  readonly rpeScaled: boolean;
  /** The side of the picture's grid, in patches, where positions are those of a fixed table. By default they are relative. */
  readonly absolute?: number;
  /** What restores the windows, where the encoder sees visible patches alone. */
  readonly decoder?: TransformerShape;
  /** The first block that sees mask tokens. Default 0. */
  readonly maskTokensFrom?: number;
  /** Where hidden patches are given at low resolution: what works on the grid of a window's tokens before the decoder. By default they are mask tokens. */
  readonly lowResolution?: SuperResolutionName;
}

/** The part of a chain's spec that the model reads. */
export interface LomarSpec {
  readonly grid?: { readonly patch: number; readonly side?: number };
  readonly windows?: { readonly K: number };
  readonly uneven?: true;
}

/**
 * The network's shape from its options and what the stages have fixed.
 *
 * @param model its name, for messages.
 * @throws MODEL_PATCH without a patch size or with two, MODEL_WINDOWS without windows, MODEL_HEADS when heads do not divide the width,
 * MODEL_OPTION for options that exclude each other, MODEL_POSITIONS for a width without positions, MODEL_UNEVEN where only visible patches
 * are seen and masks hide not all the same, TRAIN_SPEC for absolute positions in pictures without a fixed size.
 */
export function lomarShape(options: LomarOptions, spec: LomarSpec, model = 'lomar'): LomarShape {
  const patch = patchSize(options.patch, spec.grid);
  if (spec.windows === undefined) throw fail('MODEL_WINDOWS', { model });
  const { target, rpeScaled, positions, maskTokensFrom = 0 } = options;
  const encoder = encoderShape(options, patch);
  const decoder = decoderOf(options);
  const refuse = (option: string, rule: string, found: string, advice: string) =>
    fail('MODEL_OPTION', { option, model, rule, found, advice });
  if (positions === 'absolute' && rpeScaled)
    throw refuse('rpeScaled', 'go with relative positions', 'positions: absolute', 'Leave one of them out.');
  if (maskTokensFrom >= encoder.depth) {
    const blocks = `be one of the encoder’s blocks, 0 to ${encoder.depth - 1}`;
    throw refuse('maskTokensFrom', blocks, `${maskTokensFrom}`, `Try ${Math.floor(encoder.depth / 2)}.`);
  }
  if (maskTokensFrom > 0 && decoder !== undefined) {
    const advice = 'Leave one of them out: behind a decoder no block of the encoder sees mask tokens.';
    throw refuse('maskTokensFrom', 'stand without `decoder`', 'both', advice);
  }
  if (spec.uneven && (maskTokensFrom > 0 || decoder !== undefined)) throw fail('MODEL_UNEVEN', { model });
  return {
    ...encoder,
    K: spec.windows.K,
    target,
    rpeScaled,
    ...(positions === 'absolute' && { absolute: gridSide(model, spec, [encoder, ...(decoder ? [decoder] : [])]) }),
    ...(decoder !== undefined && { decoder }),
    ...(maskTokensFrom > 0 && { maskTokensFrom }),
  };
}

function decoderOf({ size, decoder }: Pick<LomarOptions, 'size' | 'decoder'>): TransformerShape | undefined {
  if (decoder === undefined) return undefined;
  const { width, depth, heads } = decoder;
  return decoderTransformer({ size, decoderWidth: width, decoderDepth: depth, decoderHeads: heads });
}

/** The side of the grid that absolute positions are of. @throws TRAIN_SPEC, MODEL_POSITIONS */
function gridSide(model: string, { grid }: LomarSpec, transformers: readonly TransformerShape[]): number {
  if (grid?.side === undefined) {
    throw fail('TRAIN_SPEC', { model, needs: 'pictures of one size', stage: 'resize or random-resized-crop' });
  }
  for (const { width } of transformers) checkPositions(width);
  return grid.side;
}

/** How many of the encoder's blocks see the visible patches alone. */
export function blocksOfVisible({ depth, decoder, maskTokensFrom = 0 }: LomarShape): number {
  return decoder === undefined ? maskTokensFrom : depth;
}

/** Whether visible and hidden patches go apart, and each window must have as many of them. */
export function partsHidden(shape: LomarShape): boolean {
  return blocksOfVisible(shape) > 0 || shape.lowResolution !== undefined;
}

/** Every trained parameter of the network, in the order of its layers. */
export function lomarParameters(shape: LomarShape): Parameter[] {
  const { width, patch, absolute, decoder, lowResolution } = shape;
  const values = patch * patch * 3;
  const tables = absolute === undefined ? { buckets: bucketCount } : undefined;
  const entering = decoder?.width ?? width;
  const more = { ...(lowResolution === undefined && { maskWidth: entering }), ...(tables && { tables }) };
  return [
    ...encoderParameters(shape, more),
    ...(decoder ? linearParameters('decoder_embed', width, decoder.width) : []),
    ...(lowResolution ? linearParameters('lr_embed', values, entering) : []),
    ...(decoder && lowResolution ? superResolutionParameters(lowResolution, decoder.width) : []),
    ...(decoder ? decoderParameters(decoder, values, tables) : linearParameters('decoder_pred', width, values)),
  ];
}

/**
 * Parameters and forward multiply-adds per image: n·3p²·D + M·(K² + 1)·3p²·D + M·L·[12TD² + 2T²D + 50TD], T = K² + 1.
 * The first term embeds every patch of the picture, as the paper counts; only the windows' patches are embedded here. Absolute positions take off
 * 50TD; blocks in front of `maskTokensFrom`, and all of the encoder with a decoder, work on the k + 1 tokens of what is visible; a decoder adds its own blocks,
 * its embedding and its head in the place of the encoder's; low resolution the embedding of the hidden patches and the module's work.
 *
 * @param size the picture's [height, width] in pixels. @param M windows per image. @param hidden patches of each, where the network depends on it.
 */
export function lomarCost(
  shape: LomarShape,
  { size: [height, width], M, hidden = 0 }: { size: readonly [number, number]; M: number; hidden?: number | undefined },
): Cost {
  const { width: D, patch, K, decoder, lowResolution } = shape;
  const values = patch * patch * 3;
  const patches = (height / patch) * (width / patch);
  const { first, last } = passes(shape, hidden);
  const blocks = [first, last].reduce((sum, { depth, tokens, width }) => {
    const relative = shape.absolute === undefined ? depth * bucketCount * tokens * width : 0;
    return sum + blocksMacs({ width, depth, heads: 1 }, tokens) + relative;
  }, 0);
  const into = decoder ? first.tokens * D * decoder.width : 0;
  const low = lowResolution ? hidden * values * last.width : 0;
  const resolving = decoder && lowResolution ? superResolutionMacs(lowResolution, decoder.width, [K, K]) : 0;
  const head = last.tokens * values * last.width;
  return {
    parameters: countParameters(lomarParameters(shape)),
    macs: patches * values * D + M * head + M * (blocks + into + low + resolving),
  };
}

/** The two runs of blocks over a window: over what is visible, which may have none, and over all. @param hidden patches of the window. */
export function passes(shape: LomarShape, hidden: number) {
  const { width, depth, heads, K, decoder } = shape;
  const first = { width, depth: blocksOfVisible(shape), heads, tokens: K * K - hidden + 1 };
  return { first, last: { ...(decoder ?? { width, depth: depth - first.depth, heads }), tokens: K * K + 1 } };
}
