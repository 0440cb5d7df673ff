import { defineModel, issuesOf } from '../define.ts';
import { lomarCost, lomarOptions, lomarShape } from './options.ts';

/** Local masked reconstruction (LoMaR, arXiv 2206.00790): hidden patches of small windows are restored from the visible ones around them. */
export const lomar = defineModel({
  name: 'lomar',
  summary: 'Restores the hidden patches of small windows from the visible ones around them (LoMaR).',
  options: lomarOptions,
  shorthand: 'size',
  fields: ['picture', 'windows', 'masks'],
  check: (options, spec) => issuesOf(() => lomarShape(options, spec)),
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
  build: async (options, spec) => (await import('./network.ts')).lomar(lomarShape(options, spec)),
});
