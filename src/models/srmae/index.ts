import type { z } from 'zod';
import type { Spec } from '../../vision/spec.ts';
import { defineModel, issuesOf } from '../define.ts';
import { asymmetricWork } from '../layers/work.ts';
import { type SrmaeShape, srmaeCost, srmaeOptions, srmaeShape } from './options.ts';
import type { SuperResolution } from './super-resolution.options.ts';

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
 * an export of a module under `use`. Made in a program it trains in the calling thread.
 */
export function srmaeWith(superResolution: SuperResolution) {
  const options = srmaeOptions.omit({ superResolution: true });
  const shapeOf = (own: z.output<typeof options>, spec: Spec) => srmaeShape({ ...own, superResolution }, spec);
  return defineModel({
    name: `srmae-${superResolution.name}`,
    summary: `SRMAE with the super-resolution module ${superResolution.name}.`,
    options,
    ...srmaeRules(shapeOf),
  });
}

/** What ESRT's block keeps for its backward pass, in blocks of the decoder; other modules are taken for as large. */
const superResolutionBlocks = 4;

function srmaeRules<Options>(shapeOf: (options: Options, spec: Spec) => SrmaeShape) {
  return {
    shorthand: 'size',
    fields: ['picture', 'lr', 'masks'],
    check: (options: Options, spec: Spec) => issuesOf(() => shapeOf(options, spec)),
    work: (options: Options, spec: Spec) => asymmetricWork(shapeOf(options, spec), spec, superResolutionBlocks),
    cost: (options: Options, spec: Spec) =>
      spec.hidden === undefined ? undefined : srmaeCost(shapeOf(options, spec), spec.hidden),
    build: async (options: Options, spec: Spec) => (await import('./network.ts')).srmae(shapeOf(options, spec)),
  };
}
