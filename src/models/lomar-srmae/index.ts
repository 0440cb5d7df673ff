import { defineModel } from '../define.ts';
import { lomarRules } from '../lomar/index.ts';
import { lomarSrmaeOptions, lomarSrmaeShape } from './options.ts';

/** LoMaR (arXiv 2206.00790) with SRMAE's small picture (arXiv 2308.08884): hidden patches of windows are restored from the visible ones and from their own pixels at low resolution. */
export const lomarSrmae = defineModel({
  name: 'lomar-srmae',
  summary:
    'Restores the hidden patches of small windows from the visible ones and from the picture at low resolution (LoMaR and SRMAE).',
  options: lomarSrmaeOptions,
  shorthand: 'size',
  fields: ['picture', 'lr', 'windows', 'masks'],
  ...lomarRules(lomarSrmaeShape),
});
