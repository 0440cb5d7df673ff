import { defineModel, issuesOf } from '../define.ts';
import { tokenizerCost, tokenizerOptions, tokenizerShape } from './options.ts';

/** A discrete VAE (arXiv 2102.12092): pictures become a grid of codes, from which they are restored. Its codes are what BEiT learns. */
export const tokenizer = defineModel({
  name: 'tokenizer',
  summary:
    'Turns the patches of pictures into codes of a vocabulary, and restores pictures from them (a discrete VAE).',
  options: tokenizerOptions,
  shorthand: 'size',
  fields: ['picture'],
  encodes: false,
  tokenizes: true,
  check: (options, spec) => issuesOf(() => tokenizerShape(options, spec)),
  cost: (options, spec) => (spec.size === undefined ? undefined : tokenizerCost(tokenizerShape(options, spec))),
  build: async (options, spec) => (await import('./network.ts')).tokenizer(tokenizerShape(options, spec)),
});
