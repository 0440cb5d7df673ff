import { defineModel, issuesOf } from '../define.ts';
import { mixes } from './mixing.options.ts';
import { classifierCost, classifierOptions, classifierShape } from './options.ts';

/** A whole encoder with a linear head that tells classes apart: how a pre-trained encoder is fine-tuned. */
export const classifier = defineModel({
  name: 'classifier',
  summary: 'Classifies labelled pictures with a whole encoder and a linear head: fine-tunes what was pre-trained.',
  options: classifierOptions,
  fields: ['picture', 'label'],
  restores: false,
  classifies: true,
  classes: ({ classes }) => classes,
  pool: ({ pool }) => pool,
  pairs: mixes,
  check: (options, spec) => issuesOf(() => classifierShape(options, spec)),
  work(options, spec) {
    const { width, depth, heads, K, clsTokens = 1 } = classifierShape(options, spec);
    const sequence = K * K + clsTokens;
    return { tokens: sequence, sequence, width, depth, heads };
  },
  cost: (options, spec) => (spec.size === undefined ? undefined : classifierCost(classifierShape(options, spec))),
  build: async (options, spec) => (await import('./network.ts')).classifier(classifierShape(options, spec)),
});
