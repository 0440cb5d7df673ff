import { z } from 'zod';
import { fail } from '../errors.ts';
import {
  blockParameters,
  countParameters,
  linearParameters,
  normParameters,
  type Parameter,
  patchEmbedParameters,
  type TransformerShape,
  tokenParameter,
} from './parameters.ts';
import { bucketCount } from './relative.ts';

/** Widths, depths and heads by name. Sources: DeiT (tiny, small), MAE (base, large); nano is for tests and quickstarts. */
export const encoderSizes = {
  nano: { width: 64, depth: 4, heads: 2 },
  tiny: { width: 192, depth: 12, heads: 3 },
  small: { width: 384, depth: 12, heads: 6 },
  base: { width: 768, depth: 12, heads: 12 },
  large: { width: 1024, depth: 24, heads: 16 },
} as const satisfies Record<string, TransformerShape>;

/** Options of the model `lomar` (local masked reconstruction, arXiv 2206.00790). */
export const lomarOptions = z.strictObject({
  size: z
    .enum(['nano', 'tiny', 'small', 'base', 'large'])
    .default('tiny')
    .describe('Encoder size: nano 64 wide, 4 blocks; tiny 192, 12; small 384, 12; base 768, 12; large 1024, 24.'),
  width: z.int().positive().optional().describe('Width of a token, instead of the size’s. A multiple of `heads`.'),
  depth: z.int().positive().optional().describe('Number of blocks, instead of the size’s.'),
  heads: z.int().positive().optional().describe('Attention heads per block, instead of the size’s.'),
  patch: z
    .int()
    .positive()
    .optional()
    .describe('Patch side in pixels. Comes from the stages where one of them sets it.'),
  target: z
    .enum(['patchNorm', 'pixels'])
    .default('patchNorm')
    .describe(
      'What is reconstructed: pixels standardised within each patch (better features), or normalised pixels (can be looked at).',
    ),
  rpeScaled: z
    .boolean()
    .default(false)
    .describe('Scale queries by 1/√d in the relative position term, as iRPE does; LoMaR does not.'),
});

/** Options as written, and as parsed. */
export type LomarOptionsInput = z.input<typeof lomarOptions>;
export type LomarOptions = z.output<typeof lomarOptions>;

/** All that fixes the network. */
export interface LomarShape extends TransformerShape {
  readonly patch: number;
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
  const named = encoderSizes[options.size];
  const { width = named.width, depth = named.depth, heads = named.heads, patch = spec.grid?.patch } = options;
  if (patch === undefined) throw fail('MODEL_PATCH', { found: 'got none' });
  if (spec.grid !== undefined && spec.grid.patch !== patch) {
    throw fail('MODEL_PATCH', { found: `the stages say ${spec.grid.patch}, the model says ${patch}` });
  }
  if (spec.windows === undefined) throw fail('MODEL_WINDOWS', {});
  if (width % heads !== 0) {
    const divisors = Array.from({ length: width }, (_, i) => i + 1).filter((h) => width % h === 0);
    const suggestion = divisors.reduce((best, h) => (Math.abs(h - heads) < Math.abs(best - heads) ? h : best), 1);
    throw fail('MODEL_HEADS', { width, heads, suggestion });
  }
  return { width, depth, heads, patch, K: spec.windows.K, target: options.target, rpeScaled: options.rpeScaled };
}

/** Every trained parameter of the network, in the order of its layers. */
export function lomarParameters({ width, depth, heads, patch }: LomarShape): Parameter[] {
  return [
    tokenParameter('cls_token', width),
    tokenParameter('mask_token', width),
    ...patchEmbedParameters(patch, width),
    ...Array.from({ length: depth }, (_, i) => blockParameters(`blocks.${i}`, width, heads, bucketCount)).flat(),
    ...normParameters('norm', width),
    ...linearParameters('decoder_pred', width, patch * patch * 3),
  ];
}

/** What a network costs. */
export interface Cost {
  readonly parameters: number;
  /** Multiply-adds of one forward pass per image; one is two FLOP, and a training step is three forward passes. */
  readonly macs: number;
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
  const block = 12 * T * D * D + 2 * T * T * D + bucketCount * T * D;
  const patches = (height / patch) * (width / patch);
  return {
    parameters: countParameters(lomarParameters(shape)),
    macs: patches * values * D + M * T * values * D + M * L * block,
  };
}
