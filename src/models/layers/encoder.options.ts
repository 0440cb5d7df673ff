import { z } from 'zod';
import { fail } from '../../errors.ts';
import {
  blockParameters,
  linearParameters,
  normParameters,
  type Parameter,
  patchEmbedParameters,
  type Tables,
  type TransformerShape,
  tokenParameter,
} from './parameters.ts';

/** What models with a plain transformer as their encoder have in common: sizes, options, parameters, cost. Free of tfjs. */

/** Widths, depths and heads by name. Sources: DeiT (tiny, small), MAE (base, large, huge); nano is for tests and quickstarts. */
export const encoderSizes = {
  nano: { width: 64, depth: 4, heads: 2 },
  tiny: { width: 192, depth: 12, heads: 3 },
  small: { width: 384, depth: 12, heads: 6 },
  base: { width: 768, depth: 12, heads: 12 },
  large: { width: 1024, depth: 24, heads: 16 },
  huge: { width: 1280, depth: 32, heads: 16 },
} as const satisfies Record<string, TransformerShape>;

export type EncoderSize = keyof typeof encoderSizes;

const count = z.int().positive().optional();

/** The options of every such model beside `size`. */
export const encoderFields = {
  width: count.describe('Width of a token, instead of the size’s. A multiple of `heads`.'),
  depth: count.describe('Number of blocks, instead of the size’s.'),
  heads: count.describe('Attention heads per block, instead of the size’s.'),
  patch: count.describe('Patch side in pixels. Comes from the stages where one of them sets it.'),
  dropPath: z
    .number()
    .min(0)
    .lt(1)
    .optional()
    .describe(
      'Share of the samples for which the last block’s branches are left out in training; it rises evenly from 0 in the first block. Default 0; fine-tuning of a base encoder 0.1.',
    ),
};

/** The option `clsTokens` of models with an encoder of whole pictures. */
export const clsTokensOption = z
  .int()
  .min(1)
  .max(64)
  .optional()
  .describe(
    'Learned cls tokens in front of the patches, in encoder and decoder; the mean of theirs is the feature `cls` of a picture. Default 1; Pixio 8.',
  );

/** The option `target` of masked models. */
export const targetOption = (standard: 'patchNorm' | 'pixels') =>
  z
    .enum(['patchNorm', 'pixels'])
    .default(standard)
    .describe(
      'What is reconstructed: pixels standardised within each patch (better features), or normalised pixels (can be looked at).',
    );

/** The options of a light decoder. */
export const decoderFields = {
  decoderWidth: count.describe('Width of a token in the decoder. Default 512; with size nano 64.'),
  decoderDepth: count.describe('Blocks of the decoder. Default 8; with size nano 2.'),
  decoderHeads: count.describe('Attention heads per block of the decoder. Default 16; with size nano 2.'),
};

/** Options of the encoder's shape, as parsed. */
export interface EncoderOptions extends Partial<Record<keyof typeof encoderFields, number | undefined>> {
  readonly size: EncoderSize;
  readonly clsTokens?: number | undefined;
}

export type DecoderOptions = Partial<Record<keyof typeof decoderFields, number | undefined>>;

/** A transformer over patches. */
export interface EncoderShape extends TransformerShape {
  /** Patch side in pixels. */
  readonly patch: number;
  /** Tokens in front of the patches. Default 1. */
  readonly clsTokens?: number;
  /** Share of the samples for which a branch of the last block is dropped in training. Default 0. */
  readonly dropPath?: number;
}

/** A model that is shown the visible patches of a whole picture and restores the hidden ones. */
export interface HiddenPatchShape extends EncoderShape {
  /** The grid's side, in patches. */
  readonly K: number;
  readonly target: 'patchNorm' | 'pixels';
  readonly decoder: TransformerShape;
}

/** The encoder of a model by its options. @throws MODEL_HEADS when heads do not divide the width. */
export function encoderShape(options: EncoderOptions, patch: number): EncoderShape {
  const { dropPath = 0, clsTokens = 1 } = options;
  return {
    ...encoderTransformer(options),
    patch,
    ...(clsTokens > 1 && { clsTokens }),
    ...(dropPath > 0 && { dropPath }),
  };
}

/** A size by name, or what stands in its place. @throws MODEL_HEADS when heads do not divide the width. */
export function encoderTransformer({ size, width, depth, heads }: EncoderOptions): TransformerShape {
  const named = encoderSizes[size];
  return transformer(width ?? named.width, depth ?? named.depth, heads ?? named.heads);
}

/** MAE's decoder for every size, or what stands in its place. @throws MODEL_HEADS when heads do not divide the width. */
export function decoderTransformer({
  size,
  decoderWidth,
  decoderDepth,
  decoderHeads,
}: DecoderOptions & { readonly size: EncoderSize }): TransformerShape {
  const named = size === 'nano' ? { width: 64, depth: 2, heads: 2 } : { width: 512, depth: 8, heads: 16 };
  return transformer(decoderWidth ?? named.width, decoderDepth ?? named.depth, decoderHeads ?? named.heads);
}

function transformer(width: number, depth: number, heads: number): TransformerShape {
  if (width % heads !== 0) {
    const divisors = Array.from({ length: width }, (_, i) => i + 1).filter((h) => width % h === 0);
    const suggestion = divisors.reduce((best, h) => (Math.abs(h - heads) < Math.abs(best - heads) ? h : best), 1);
    throw fail('MODEL_HEADS', { width, heads, suggestion });
  }
  return { width, depth, heads };
}

/** The one patch size of stages and options. @throws MODEL_PATCH without one or with two. */
export function patchSize(patch: number | undefined, grid: { readonly patch: number } | undefined): number {
  const one = patch ?? grid?.patch;
  if (one === undefined) throw fail('MODEL_PATCH', { found: 'got none' });
  if (grid !== undefined && grid.patch !== one) {
    throw fail('MODEL_PATCH', { found: `the stages say ${grid.patch}, the model says ${one}` });
  }
  return one;
}

/**
 * Parameters of an encoder in the order of its layers: `cls_token`, `mask_token` where one is named, the patch embedding, `blocks.i`, `norm`.
 *
 * @param maskWidth width of the mask token, for models that have one. @param tables of relative positions, likewise.
 */
export function encoderParameters(
  { width, depth, heads, patch, clsTokens }: EncoderShape,
  { maskWidth, tables }: { readonly maskWidth?: number; readonly tables?: Tables } = {},
): Parameter[] {
  return [
    tokenParameter('cls_token', width, clsTokens),
    ...(maskWidth === undefined ? [] : [tokenParameter('mask_token', maskWidth)]),
    ...patchEmbedParameters(patch, width),
    ...Array.from({ length: depth }, (_, i) => blockParameters(`blocks.${i}`, width, heads, tables)).flat(),
    ...normParameters('norm', width),
  ];
}

/**
 * Parameters of a decoder without its embedding: `decoder_blocks.i`, `decoder_norm`, `decoder_pred` from a token to `values` numbers.
 *
 * @param tables of relative positions, for blocks that have any.
 */
export function decoderParameters(
  { width, depth, heads }: TransformerShape,
  values: number,
  tables?: Tables,
): Parameter[] {
  return [
    ...Array.from({ length: depth }, (_, i) => blockParameters(`decoder_blocks.${i}`, width, heads, tables)).flat(),
    ...normParameters('decoder_norm', width),
    ...linearParameters('decoder_pred', width, values),
  ];
}

/** What a network costs. */
export interface Cost {
  readonly parameters: number;
  /** Multiply-adds of one forward pass per image; one is two FLOP, and a training step is three forward passes. */
  readonly macs: number;
}

/** Multiply-adds of the blocks on one sequence of T tokens: L·(12TD² + 2T²D). */
export function blocksMacs({ width: D, depth: L }: TransformerShape, T: number): number {
  return L * (12 * T * D * D + 2 * T * T * D);
}
