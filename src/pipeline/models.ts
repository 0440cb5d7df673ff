import { PatchstreamError, type Refusal } from '../errors.ts';
import { lomarCost, lomarOptions, lomarShape } from '../models/lomar.options.ts';
import { maeCost, maeOptions, maeShape } from '../models/mae.options.ts';
import { defineModel, type ModelDefinition } from './model.ts';

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
  summary: 'Restores the hidden patches of the whole picture from the visible ones and from the picture at low resolution (SRMAE).',
  options: srmaeOptions,
  ...srmaeRules((options: SrmaeOptions) => options),
});

/** What the two networks of an asymmetric model take; `more` blocks' worth beside the decoder's. */
function asymmetricWork({ width, depth, heads, K, decoder }: MaeShape, { hidden = 0 }: Spec, more = 0): ModelWork {
  const [visible, all] = [K * K - hidden + 1, K * K + 1];
  const head = { ...decoder, depth: decoder.depth + more, tokens: all, sequence: all };
  return { tokens: visible, sequence: visible, width, depth, heads, also: [head] };
}

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
export const models: readonly ModelDefinition[] = [lomar, mae].map(({ definition }) => definition as ModelDefinition);
