import { PatchstreamError } from '../errors.ts';
import { lomarCost, lomarOptions, lomarShape } from '../models/lomar.options.ts';
import { defineModel, type ModelDefinition } from './model.ts';

/** Local masked reconstruction (LoMaR, arXiv 2206.00790): hidden patches of small windows are restored from the visible ones around them. */
export const lomar = defineModel({
  name: 'lomar',
  summary: 'Restores the hidden patches of small windows from the visible ones around them (LoMaR).',
  options: lomarOptions,
  shorthand: 'size',
  fields: ['picture', 'windows', 'masks'],
  *check(options, spec) {
    try {
      lomarShape(options, spec);
    } catch (error) {
      if (!(error instanceof PatchstreamError)) throw error;
      yield { error };
    }
  },
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

/** Every model a pipeline can name. Free of tfjs, so that `check` and `describe` start quickly. */
export const models: readonly ModelDefinition[] = [lomar.definition as ModelDefinition];
