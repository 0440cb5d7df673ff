import { z } from 'zod';
import type { Cost } from '../layers/encoder.options.ts';
import { countParameters, type Parameter } from '../layers/parameters.ts';
import { type WholeSpec, wholeGrid } from '../mae/options.ts';

/** Codes, width of a code, channels, and how often the sides are halved. `small` and `base`: the tokenizer of BEiT's published code, as it is by default and as BEiT has it. */
const sizes = {
  nano: { vocabulary: 64, codeWidth: 32, channels: 32, halvings: 2 },
  small: { vocabulary: 512, codeWidth: 512, channels: 64, halvings: 3 },
  base: { vocabulary: 8192, codeWidth: 512, channels: 256, halvings: 3 },
} as const;

const count = z.int().positive().optional();

/** A number that goes from one value to another over the first steps. */
const course = (from: number, to: number, steps: number) => ({
  from: z.number().default(from),
  to: z.number().default(to),
  steps: z.int().min(0).default(steps).describe('Over so many steps, along half a cosine; then it stays.'),
});

/** Options of the model `tokenizer` (a discrete VAE, arXiv 2102.12092). */
export const tokenizerOptions = z.strictObject({
  size: z
    .enum(['nano', 'small', 'base'])
    .default('small')
    .describe(
      'nano 64 codes, 32 channels, sides halved twice; small 512 codes, 64 channels, three times; base 8192 codes, 256 channels, three times.',
    ),
  vocabulary: z.int().min(2).max(65_536).optional().describe('How many codes there are, instead of the size’s.'),
  codeWidth: count.describe('Width of a code’s vector, instead of the size’s.'),
  channels: count.describe('Channels of the convolutions, instead of the size’s.'),
  halvings: z
    .int()
    .min(1)
    .max(5)
    .optional()
    .describe(
      'How often the sides are halved, instead of the size’s: a code stands for a patch of 2 to that power pixels along each side.',
    ),
  temperature: z
    .strictObject({
      ...course(1, 1 / 16, 150_000),
      from: z.number().positive().default(1).describe('Of the first step.'),
      to: z
        .number()
        .positive()
        .default(1 / 16)
        .describe('At the end. Well above 1/16, what is trained on differs from the codes.'),
    })
    .prefault({})
    .describe('Temperature of the relaxed codes: low ones are nearly one code.'),
  hard: z
    .boolean()
    .default(false)
    .describe('Decode one code for each patch in training, the gradient being that of the relaxed ones.'),
  kl: z
    .strictObject({
      ...course(0, 0, 0),
      from: z.number().min(0).default(0).describe('In the first step.'),
      to: z.number().min(0).default(0).describe('At the end.'),
    })
    .prefault({})
    .describe('Weight of the divergence of the codes’ distribution from the uniform one, a mean over the patches.'),
  loss: z
    .enum(['mse', 'smoothL1'])
    .default('mse')
    .describe('Error of the restored pixels, in normalised units: squared, or absolute where it is above 1.'),
});

/** Options as parsed. */
export type TokenizerOptions = z.output<typeof tokenizerOptions>;

/** A number that changes over the first steps: half a cosine from the one to the other. */
export interface Course {
  readonly from: number;
  readonly to: number;
  readonly steps: number;
}

/** The value of a step, from 0. */
export function courseAt({ from, to, steps }: Course, step: number): number {
  if (step >= steps) return to;
  return to + ((from - to) * (1 + Math.cos((Math.PI * step) / steps))) / 2;
}

/** All that fixes the network and what it learns by. */
export interface TokenizerShape {
  /** Side of a patch in pixels, 2^halvings. */
  readonly patch: number;
  /** The grid's side, in patches. */
  readonly K: number;
  readonly vocabulary: number;
  readonly codeWidth: number;
  readonly channels: number;
  readonly halvings: number;
  readonly temperature: Course;
  readonly kl: Course;
  readonly hard: boolean;
  readonly loss: 'mse' | 'smoothL1';
}

/**
 * The network's shape from its options and what the stages have fixed.
 *
 * @throws what `wholeGrid` throws: PICTURE_SQUARE, PATCH_SIDE where the sides cannot be halved so often, TRAIN_SPEC.
 */
export function tokenizerShape(options: TokenizerOptions, { size }: Pick<WholeSpec, 'size'>): TokenizerShape {
  const { size: named, temperature, kl, hard, loss } = options;
  const {
    vocabulary = sizes[named].vocabulary,
    codeWidth = sizes[named].codeWidth,
    channels = sizes[named].channels,
    halvings = sizes[named].halvings,
  } = options;
  const grid = wholeGrid('tokenizer', 2 ** halvings, { ...(size && { size }) });
  return { ...grid, vocabulary, codeWidth, channels, halvings, temperature, kl, hard, loss };
}

/** A convolution starts as PyTorch's: weights and biases U(±1/√fan_in). A weight of one that enlarges is [k, k, out, in] in memory, [in, out, k, k] in files. */
function conv(name: string, side: 1 | 3 | 4, inner: number, outer: number, enlarges = false): Parameter[] {
  const start = { uniform: 1 / Math.sqrt((enlarges ? outer : inner) * side * side) };
  const ends = enlarges ? [outer, inner] : [inner, outer];
  return [
    { name: `${name}.weight`, shape: side === 1 ? ends : [side, side, ...ends], layout: 'conv', start },
    { name: `${name}.bias`, shape: [outer], layout: 'same', start },
  ];
}

const residual = (name: string, C: number) => [
  ...conv(`${name}.conv1`, 3, C, C),
  ...conv(`${name}.conv2`, 3, C, C),
  ...conv(`${name}.conv3`, 1, C, C),
];

/** Every trained parameter of the network, in the order of its layers. */
export function tokenizerParameters(shape: TokenizerShape): Parameter[] {
  const { vocabulary, codeWidth, channels: C, halvings } = shape;
  const levels = Array.from({ length: halvings }, (_, i) => i);
  return [
    ...levels.flatMap((i) => [...conv(`encoder.${i}.conv`, 4, i === 0 ? 3 : C, C), ...residual(`encoder.${i}.res`, C)]),
    ...conv('encoder.logits', 1, C, vocabulary),
    { name: 'codebook.weight', shape: [vocabulary, codeWidth], layout: 'same', start: { normal: 1 } },
    ...levels.flatMap((i) => [
      ...conv(`decoder.${i}.conv`, 4, i === 0 ? codeWidth : C, C, true),
      ...residual(`decoder.${i}.res`, C),
    ]),
    ...conv('decoder.pixels', 1, C, 3),
  ];
}

/** Parameters and multiply-adds of one forward pass per image, encoder, codebook and decoder. */
export function tokenizerCost(shape: TokenizerShape): Cost {
  const { K, vocabulary, codeWidth, channels: C, halvings } = shape;
  const block = 19 * C * C;
  let macs = K * K * vocabulary * (C + codeWidth);
  for (let i = 0; i < halvings; i++) {
    // Level i of the encoder has cells of 2^(i + 1) pixels; the decoder's mirror them, in twice the sides.
    const cells = (K * 2 ** (halvings - 1 - i)) ** 2;
    const below = (K * 2 ** i) ** 2;
    macs += cells * (16 * (i === 0 ? 3 : C) * C + block);
    macs += below * 16 * (i === 0 ? codeWidth : C) * C + 4 * below * block;
  }
  return { parameters: countParameters(tokenizerParameters(shape)), macs: macs + (K * shape.patch) ** 2 * C * 3 };
}
