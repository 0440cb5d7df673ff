import type { z } from 'zod';
import { PatchstreamError, type Refusal } from '../errors.ts';
import { mixes } from '../models/classifier/mixing.options.ts';
import { classifierCost, classifierOptions, classifierShape } from '../models/classifier/options.ts';
import { lomarCost, lomarOptions, lomarShape } from '../models/lomar/options.ts';
import { type MaeShape, maeCost, maeOptions, maeShape } from '../models/mae/options.ts';
import { type SrmaeShape, srmaeCost, srmaeOptions, srmaeShape } from '../models/srmae/options.ts';
import type { SuperResolution } from '../models/srmae/super-resolution.options.ts';
import type { Spec } from '../vision/spec.ts';
import { defineModel, type ModelDefinition, type ModelWork } from './model.ts';

/** Local masked reconstruction (LoMaR, arXiv 2206.00790): hidden patches of small windows are restored from the visible ones around them. */
export const lomar = defineModel({
  name: 'lomar',
  summary: 'Restores the hidden patches of small windows from the visible ones around them (LoMaR).',
  options: lomarOptions,
  shorthand: 'size',
  fields: ['picture', 'windows', 'masks'],
  check: (options, spec) => refusals(() => lomarShape(options, spec)),
  work(options, spec) {
    if (spec.windows === undefined) return undefined;
    const { width, depth, heads, K } = lomarShape(options, spec);
    const sequence = K * K + 1;
    return { tokens: spec.windows.M * sequence, sequence, width, depth, heads };
  },
  cost(options, spec) {
    const { size, windows } = spec;
    return size && windows && lomarCost(lomarShape(options, spec), { size, M: windows.M });
  },
});

/** Masked autoencoder (MAE, arXiv 2111.06377): hidden patches of the whole picture are restored from the visible ones. */
export const mae = defineModel({
  name: 'mae',
  summary: 'Restores the hidden patches of the whole picture from the visible ones (MAE).',
  options: maeOptions,
  shorthand: 'size',
  fields: ['picture', 'masks'],
  check: (options, spec) => refusals(() => maeShape(options, spec)),
  work: (options, spec) => asymmetricWork(maeShape(options, spec), spec),
  cost: (options, spec) => (spec.hidden === undefined ? undefined : maeCost(maeShape(options, spec), spec.hidden)),
});

/** Super-resolution masked autoencoder (SRMAE, arXiv 2308.08884): hidden patches are restored from the visible ones and a small picture. */
export const srmae = defineModel({
  name: 'srmae',
  summary:
    'Restores the hidden patches of the whole picture from the visible ones and from the picture at low resolution (SRMAE).',
  options: srmaeOptions,
  ...srmaeRules(srmaeShape),
});

/**
 * SRMAE with a super-resolution module of one's own, as a model named `srmae-<name>`: a value for `train.model` in a program, and for files
 * an export of a module under `use`. It trains in the calling thread.
 */
export function srmaeWith(superResolution: SuperResolution) {
  const options = srmaeOptions.omit({ superResolution: true });
  const shapeOf = (own: z.output<typeof options>, spec: Spec) => srmaeShape({ ...own, superResolution }, spec);
  return defineModel({
    name: `srmae-${superResolution.name}`,
    summary: `SRMAE with the super-resolution module ${superResolution.name}.`,
    options,
    ...srmaeRules(shapeOf),
    build: async (own, spec) => (await import('../models/srmae/network.ts')).srmae(shapeOf(own, spec)),
  });
}

/** What ESRT's block keeps for its backward pass, in blocks of the decoder; other modules are taken for as large. */
const superResolutionBlocks = 4;

function srmaeRules<Options>(shapeOf: (options: Options, spec: Spec) => SrmaeShape) {
  return {
    shorthand: 'size',
    fields: ['picture', 'lr', 'masks'],
    check: (options: Options, spec: Spec) => refusals(() => shapeOf(options, spec)),
    work: (options: Options, spec: Spec) => asymmetricWork(shapeOf(options, spec), spec, superResolutionBlocks),
    cost: (options: Options, spec: Spec) =>
      spec.hidden === undefined ? undefined : srmaeCost(shapeOf(options, spec), spec.hidden),
  };
}

/** What the two networks of an asymmetric model take; `more` blocks' worth beside the decoder's. */
function asymmetricWork({ width, depth, heads, K, decoder }: MaeShape, { hidden = 0 }: Spec, more = 0): ModelWork {
  const [visible, all] = [K * K - hidden + 1, K * K + 1];
  const head = { ...decoder, depth: decoder.depth + more, tokens: all, sequence: all };
  return { tokens: visible, sequence: visible, width, depth, heads, also: [head] };
}

/** A whole encoder with a linear head that tells classes apart: how a pre-trained encoder is fine-tuned. */
export const classifier = defineModel({
  name: 'classifier',
  summary:
    'Tells the classes of labelled pictures apart, by a whole encoder and a linear head: fine-tunes what was pre-trained.',
  options: classifierOptions,
  fields: ['picture', 'label'],
  restores: false,
  encodes: false,
  classifies: true,
  classes: ({ classes }) => classes,
  pairs: mixes,
  check: (options, spec) => refusals(() => classifierShape(options, spec)),
  work(options, spec) {
    const { width, depth, heads, K } = classifierShape(options, spec);
    const sequence = K * K + 1;
    return { tokens: sequence, sequence, width, depth, heads };
  },
  cost: (options, spec) => (spec.size === undefined ? undefined : classifierCost(classifierShape(options, spec))),
});

/** What making a model's shape throws, as what `check` tells. */
function refusals(make: () => unknown): Refusal[] {
  try {
    make();
    return [];
  } catch (error) {
    if (!(error instanceof PatchstreamError)) throw error;
    return [{ error }];
  }
}

/** Every model a pipeline can name. Free of tfjs, so that `check` and `describe` start quickly. */
export const models: readonly ModelDefinition[] = [lomar, mae, srmae, classifier].map(
  ({ definition }) => definition as ModelDefinition,
);
