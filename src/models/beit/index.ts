import type { Spec } from '../../vision/spec.ts';
import { defineModel, issuesOf } from '../define.ts';
import { type BeitOptions, beitCost, beitOptions, beitShape } from './options.ts';

/** BEiT (arXiv 2106.08254): of hidden patches the codes are learned that a tokenizer has for them. */
export const beit = defineModel({
  name: 'beit',
  summary: 'Tells the codes of the hidden patches of the whole picture, which a tokenizer has made (BEiT).',
  options: beitOptions,
  shorthand: 'size',
  fields: ['picture', 'masks', 'codes'],
  ...rules('beit'),
});

/** BEiT in LoMaR's windows (arXiv 2206.00790, section 5). */
export const lomarBeit = defineModel({
  name: 'lomar-beit',
  summary: 'Tells the codes of the hidden patches of small windows, which a tokenizer has made (BEiT with LoMaR).',
  options: beitOptions,
  shorthand: 'size',
  fields: ['picture', 'windows', 'masks', 'codes'],
  ...rules('lomar-beit'),
});

function rules(model: 'beit' | 'lomar-beit') {
  return {
    restores: false,
    predictsCodes: true,
    check: (options: BeitOptions, spec: Spec) => issuesOf(() => beitShape(model, options, spec)),
    work(options: BeitOptions, spec: Spec) {
      const { width, depth, heads, K, windows } = beitShape(model, options, spec);
      const sequence = K * K + 1;
      return { tokens: Math.max(1, windows) * sequence, sequence, width, depth, heads };
    },
    cost: (options: BeitOptions, spec: Spec) =>
      spec.hidden === undefined ? undefined : beitCost(beitShape(model, options, spec)),
    build: async (options: BeitOptions, spec: Spec) =>
      (await import('./network.ts')).beit(model, beitShape(model, options, spec)),
  } as const;
}
