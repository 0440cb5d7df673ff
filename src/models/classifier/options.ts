import { z } from 'zod';
import { fail } from '../../errors.ts';
import { beitEncoderParameters, layerScaleOption } from '../beit/options.ts';
import {
  blocksMacs,
  type Cost,
  clsTokensOption,
  type EncoderShape,
  encoderFields,
  encoderParameters,
  encoderShape,
} from '../layers/encoder.options.ts';
import { countParameters, normParameters, type Parameter, type RpeOn } from '../layers/parameters.ts';
import { checkPositions, gridPositions } from '../layers/positions.ts';
import { bucketCount } from '../layers/relative.ts';
import { type WholeSpec, wholeGrid } from '../mae/options.ts';
import type { Mixing } from './mixing.options.ts';

const probability = (standard: number) => z.number().min(0).max(1).default(standard);
const alpha = z.number().min(0).max(100).default(0);

/** Options of the model `classifier`. */
export const classifierOptions = z.strictObject({
  encoder: z
    .enum(['lomar', 'mae', 'srmae', 'beit'])
    .describe(
      'Whose encoder it is: LoMaR’s has relative positions; MAE’s and SRMAE’s are the same, and their positions are trained along; BEiT’s, in windows or not, has a bias of relative positions, which each block begins with and trains on its own.',
    ),
  classes: z.int().min(2).max(1_000_000).describe('Number of classes; labels are 0 to classes − 1.'),
  size: z
    .enum(['nano', 'tiny', 'small', 'base', 'large', 'huge'])
    .default('tiny')
    .describe(
      'Encoder size, as it was pre-trained: nano 64 wide, 4 blocks; tiny 192, 12; small 384, 12; base 768, 12; large 1024, 24; huge 1280, 32.',
    ),
  ...encoderFields,
  clsTokens: clsTokensOption.describe('Learned cls tokens in front of the patches, as it was pre-trained. Default 1.'),
  positions: z
    .enum(['relative', 'absolute'])
    .optional()
    .describe(
      'The positions of LoMaR’s encoder, as it was pre-trained. Default relative; absolute ones are a table, as MAE’s, which is trained along.',
    ),
  rpeScaled: z
    .boolean()
    .default(false)
    .describe('Scale queries by 1/√d in the relative position term of LoMaR’s encoder, as it was pre-trained.'),
  rpeOn: z
    .enum(['k', 'qk', 'qkv'])
    .optional()
    .describe(
      'What has tables of relative positions in LoMaR’s encoder: keys, as LoMaR’s; queries too; values too, as iRPE’s best. With more than keys attention has no kernel of its own, and is slower. Default k.',
    ),
  layerScale: layerScaleOption,
  pool: z
    .enum(['mean', 'cls'])
    .default('mean')
    .describe(
      'What is classified: the mean of the patch tokens, with a normalisation of its own, or the cls token after the encoder’s last one; the mean of several.',
    ),
  labelSmoothing: z.number().min(0).lt(1).default(0.1).describe('Share of a label that goes to all classes alike.'),
  mixup: alpha.describe(
    'α of mixup: pictures and labels are mixed in pairs, in a proportion from Beta(α, α). 0: none. Batch and micro-batch are then even.',
  ),
  cutmix: alpha.describe(
    'α of cutmix: a box of a picture is its partner’s. 0: none. Batch and micro-batch are then even.',
  ),
  mixProbability: probability(1).describe('Share of the steps that mix at all.'),
  switchProbability: probability(0.5).describe('Share of the mixing steps that take cutmix, where both are on.'),
});

/** Options as written, and as parsed. */
export type ClassifierOptionsInput = z.input<typeof classifierOptions>;
export type ClassifierOptions = z.output<typeof classifierOptions>;

/** All that fixes the network and what it learns from. */
export interface ClassifierShape extends EncoderShape {
  /** The grid's side, in patches. */
  readonly K: number;
  /** Positions relative to each other, in every block, as LoMaR's or as a bias of BEiT's; or a table of them, trained. */
  readonly positions: 'relative' | 'bias' | 'table';
  /** What the scales of a BEiT encoder's branches begin with. */
  readonly layerScale?: number;
  readonly rpeScaled: boolean;
  readonly rpeOn?: RpeOn;
  readonly classes: number;
  readonly pool: 'mean' | 'cls';
  readonly labelSmoothing: number;
  readonly mixing: Mixing;
}

/**
 * The network's shape from its options and what the stages have fixed.
 *
 * @throws what `wholeGrid` throws, MODEL_HEADS when heads do not divide the width, MODEL_POSITIONS for a width without positions,
 * MODEL_OPTION for options of another encoder.
 */
export function classifierShape(options: ClassifierOptions, { size, grid }: WholeSpec): ClassifierShape {
  const { encoder, classes, pool, labelSmoothing, rpeScaled, rpeOn } = options;
  const { mixup, cutmix, mixProbability, switchProbability } = options;
  const whole = wholeGrid('classifier', options.patch, { ...(size && { size }), ...(grid && { grid }) });
  const shape = encoderShape(options, whole.patch);
  const positions =
    encoder === 'beit' ? 'bias' : encoder === 'lomar' && options.positions !== 'absolute' ? 'relative' : 'table';
  const refuse = (option: string, rule: string, advice: string) =>
    fail('MODEL_OPTION', { option, model: 'classifier', rule, found: `encoder: ${encoder}`, advice });
  if (positions !== 'relative' && options.positions === 'relative')
    throw refuse('positions: relative', 'go with `encoder: lomar`', 'Leave it out.');
  if (positions !== 'table' && shape.clsTokens !== undefined)
    throw refuse(
      'clsTokens',
      'go with the encoder of MAE or SRMAE',
      'Leave it out: other encoders have one cls token.',
    );
  if (positions !== 'relative' && rpeOn !== undefined)
    throw refuse(`rpeOn: ${rpeOn}`, 'go with `encoder: lomar` and its relative positions', 'Leave it out.');
  if (positions === 'table') checkPositions(shape.width);
  const mixing = { mixup, cutmix, mixProbability, switchProbability };
  const own = { ...(encoder === 'beit' && { layerScale: options.layerScale }), ...(rpeOn && { rpeOn }) };
  return { ...shape, ...own, K: whole.K, positions, rpeScaled, classes, pool, labelSmoothing, mixing };
}

/** Every trained parameter of the network, in the order of its layers. Source: MAE's fine-tuning; a table of positions starts as the fixed one. */
export function classifierParameters(shape: ClassifierShape): Parameter[] {
  const { K, positions, rpeOn: on = 'k', classes, pool, ...encoder } = shape;
  const { width } = encoder;
  const [cls, ...rest] =
    positions === 'bias'
      ? beitEncoderParameters({ layerScale: 0, ...encoder, K }, { shared: false, mask: false })
      : encoderParameters(encoder, positions === 'relative' ? { tables: { buckets: bucketCount, on } } : {});
  const mean = pool === 'mean';
  return [
    cls!,
    ...(positions === 'table' ? [positionsParameter(K, encoder)] : []),
    ...(mean ? rest.filter(({ name }) => !name.startsWith('norm.')) : rest),
    ...(mean ? normParameters('fc_norm', width) : []),
    { name: 'head.weight', shape: [width, classes], layout: 'linear', start: { normal: 2e-5 } },
    { name: 'head.bias', shape: [classes], layout: 'same', start: 'zeros' },
  ];
}

/** A trained table of positions, cls in front, as files hold it. */
function positionsParameter(K: number, { width, clsTokens = 1 }: EncoderShape): Parameter {
  const start = { values: gridPositions(K, K, width, clsTokens) };
  return { name: 'pos_embed', shape: [1, K * K + clsTokens, width], layout: 'same', start };
}

/** Parameters and forward multiply-adds per image: n·3p²·D + L·(12TD² + 2T²D) + D·C, T = n + c, c cls tokens; for each table of relative positions L·50TD more. */
export function classifierCost(shape: ClassifierShape): Cost {
  const { width: D, depth: L, patch, K, positions, rpeOn = 'k', classes, clsTokens = 1 } = shape;
  const T = K * K + clsTokens;
  const relative = positions === 'relative' ? rpeOn.length * L * bucketCount * T * D : 0;
  return {
    parameters: countParameters(classifierParameters(shape)),
    macs: K * K * patch * patch * 3 * D + blocksMacs(shape, T) + relative + D * classes,
  };
}
