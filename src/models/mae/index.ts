import { defineModel, issuesOf } from '../define.ts';
import { asymmetricWork } from '../layers/work.ts';
import { maeCost, maeOptions, maeShape } from './options.ts';

/** Masked autoencoder (MAE, arXiv 2111.06377): hidden patches of the whole picture are restored from the visible ones. */
export const mae = defineModel({
  name: 'mae',
  summary: 'Restores the hidden patches of the whole picture from the visible ones (MAE).',
  options: maeOptions,
  shorthand: 'size',
  fields: ['picture', 'masks'],
  check: (options, spec) => issuesOf(() => maeShape(options, spec)),
  work: (options, spec) => asymmetricWork(maeShape(options, spec), spec),
  cost: (options, spec) => (spec.hidden === undefined ? undefined : maeCost(maeShape(options, spec), spec.hidden)),
  build: async (options, spec) => (await import('./network.ts')).mae(maeShape(options, spec)),
});
