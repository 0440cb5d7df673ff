import { z } from 'zod';
import { fail } from '../../errors.ts';
import type { Spec } from '../../vision/spec.ts';
import {
  blocksMacs,
  type Cost,
  type EncoderShape,
  encoderFields,
  encoderShape,
  patchSize,
} from '../layers/encoder.options.ts';
import { countParameters, normParameters, type Parameter } from '../layers/parameters.ts';
import { biasParameter } from '../layers/relative-bias.ts';
import { wholeGrid } from '../mae/options.ts';

/** How strongly the branches of a block count at first, per channel. */
export const layerScaleOption = z
  .number()
  .min(0)
  .default(0.1)
  .describe(
    'What the scales of the branches’ channels begin with: 0.1, of large encoders 1e-5; 0: branches are not scaled.',
  );

/** Options of the models `beit` (arXiv 2106.08254) and `lomar-beit` (arXiv 2206.00790, section 5). */
export const beitOptions = z.strictObject({
  size: z
    .enum(['nano', 'tiny', 'small', 'base', 'large'])
    .default('tiny')
    .describe('Encoder size: nano 64 wide, 4 blocks; tiny 192, 12; small 384, 12; base 768, 12; large 1024, 24.'),
  ...encoderFields,
  layerScale: layerScaleOption,
});

/** Options as parsed. */
export type BeitOptions = z.output<typeof beitOptions>;

/** A BEiT encoder: blocks with a bias of relative positions, and scales of their branches. */
export interface BeitEncoderShape extends EncoderShape {
  /** Side of the grid, or of a window, in patches: the tables are of its offsets. */
  readonly K: number;
  readonly layerScale: number;
}

/** All that fixes the network. */
export interface BeitShape extends BeitEncoderShape {
  /** Codes of the tokenizer. */
  readonly vocabulary: number;
  /** The side of the picture's grid, in patches. */
  readonly side: number;
  /** Windows per picture; 0 where the whole grid is one. */
  readonly windows: number;
  /** Most hidden patches of a window, or of the grid. */
  readonly hidden: number;
}

/** The part of a chain's spec that the models read. */
export type BeitSpec = Pick<Spec, 'size' | 'grid' | 'windows' | 'hidden' | 'vocabulary' | 'fields'>;

/**
 * The network's shape from its options and what the stages have fixed.
 *
 * @param model `beit` or `lomar-beit`, which takes windows.
 * @throws what `wholeGrid` throws, MODEL_WINDOWS, MODEL_CODES, MODEL_CODES_GRID, MODEL_HEADS when heads do not divide the width.
 */
export function beitShape(model: 'beit' | 'lomar-beit', options: BeitOptions, spec: BeitSpec): BeitShape {
  const { windows, size, grid, vocabulary } = spec;
  const takesWindows = model === 'lomar-beit';
  if (takesWindows && windows === undefined) throw fail('MODEL_WINDOWS', { model });
  const whole = { ...(size && { size }), ...(grid && { grid }), ...(!takesWindows && windows && { windows }) };
  const { patch, K: side } = wholeGrid(model, patchSize(options.patch, grid), whole);
  const K = takesWindows ? windows!.K : side;
  if (vocabulary === undefined) throw fail('MODEL_CODES', { model });
  const { codes } = spec.fields;
  const found = typeof codes === 'object' && 'shape' in codes ? codes.shape[0]! : side ** 2;
  if (found !== side ** 2) throw fail('MODEL_CODES_GRID', { side, found: Math.round(Math.sqrt(found)) });
  return {
    ...encoderShape(options, patch),
    K,
    side,
    vocabulary,
    windows: takesWindows ? windows!.M : 0,
    hidden: spec.hidden ?? K * K,
    layerScale: options.layerScale,
  };
}

/** BEiT's start: normal with spread 0.02, cut at one spread. */
const cut = { truncated: 0.02 } as const;

function linearParameters(name: string, inner: number, outer: number, start: Parameter['start'] = cut): Parameter[] {
  return [
    { name: `${name}.weight`, shape: [inner, outer], layout: 'linear', start },
    { name: `${name}.bias`, shape: [outer], layout: 'same', start: 'zeros' },
  ];
}

/** The parameters of block i; with a grid's side it has a table of its own. */
function blockParameters(i: number, { width: D, heads, layerScale }: BeitEncoderShape, side?: number): Parameter[] {
  const prefix = `blocks.${i}`;
  const zeros = (name: string): Parameter => ({
    name: `${prefix}.${name}`,
    shape: [D],
    layout: 'same',
    start: 'zeros',
  });
  const scale = (name: string): Parameter[] =>
    layerScale === 0
      ? []
      : [{ name: `${prefix}.${name}`, shape: [D], layout: 'same', start: { constant: layerScale } }];
  // What adds to the sum of the blocks starts smaller the deeper it is.
  const out = { truncated: 0.02 / Math.sqrt(2 * (i + 1)) };
  return [
    ...scale('gamma_1'),
    ...scale('gamma_2'),
    ...normParameters(`${prefix}.norm1`, D),
    zeros('attn.q_bias'),
    zeros('attn.v_bias'),
    ...(side === undefined ? [] : [biasParameter(`${prefix}.attn`, side, heads)]),
    { name: `${prefix}.attn.qkv.weight`, shape: [D, 3 * D], layout: 'linear', start: cut },
    ...linearParameters(`${prefix}.attn.proj`, D, D, out),
    ...normParameters(`${prefix}.norm2`, D),
    ...linearParameters(`${prefix}.mlp.fc1`, D, 4 * D),
    ...linearParameters(`${prefix}.mlp.fc2`, 4 * D, D, out),
  ];
}

const token = (name: string, D: number): Parameter => ({ name, shape: [1, 1, D], layout: 'same', start: cut });

/**
 * Parameters of a BEiT encoder in the order of its layers, named as its published code names them.
 *
 * @param shared one table for all blocks, `rel_pos_bias`, as in pre-training; otherwise each has its own. @param mask whether there is a mask token.
 */
export function beitEncoderParameters(
  shape: BeitEncoderShape,
  { shared, mask }: { readonly shared: boolean; readonly mask: boolean },
): Parameter[] {
  const { width: D, depth, heads, patch, K } = shape;
  return [
    token('cls_token', D),
    ...(mask ? [token('mask_token', D)] : []),
    { name: 'patch_embed.proj.weight', shape: [patch * patch * 3, D], layout: 'patch', start: cut },
    { name: 'patch_embed.proj.bias', shape: [D], layout: 'same', start: 'zeros' },
    ...(shared ? [biasParameter(sharedBias, K, heads)] : []),
    ...Array.from({ length: depth }, (_, i) => blockParameters(i, shape, shared ? undefined : K)).flat(),
    ...normParameters('norm', D),
  ];
}

/** Where the name of the table begins that all blocks share. */
export const sharedBias = 'rel_pos_bias';

/** Every trained parameter of the network, in the order of its layers. */
export function beitParameters(shape: BeitShape): Parameter[] {
  return [
    ...beitEncoderParameters(shape, { shared: true, mask: true }),
    ...linearParameters('lm_head', shape.width, shape.vocabulary),
  ];
}

/** Parameters and forward multiply-adds per image: n·3p²·D + blocks on the sequences + hidden·D·V. The tokenizer's are not among them. */
export function beitCost(shape: BeitShape): Cost {
  const { width: D, patch, side, K, windows, hidden, vocabulary } = shape;
  const sequences = Math.max(1, windows);
  return {
    parameters: countParameters(beitParameters(shape)),
    macs: side * side * patch * patch * 3 * D + sequences * (blocksMacs(shape, K * K + 1) + hidden * D * vocabulary),
  };
}
