import type { Spec } from '../../vision/spec.ts';
import { defineModel, issuesOf, type ModelWork } from '../define.ts';
import { type LomarShape, lomarCost, lomarOptions, lomarShape, partsHidden, passes } from './options.ts';

/** Local masked reconstruction (LoMaR, arXiv 2206.00790): hidden patches of small windows are restored from the visible ones around them. */
export const lomar = defineModel({
  name: 'lomar',
  summary: 'Restores the hidden patches of small windows from the visible ones around them (LoMaR).',
  options: lomarOptions,
  shorthand: 'size',
  fields: ['picture', 'windows', 'masks'],
  ...lomarRules(lomarShape),
});

/** What models of windows have in common. @param shapeOf makes their shape, or throws what is wrong. */
export function lomarRules<Options>(shapeOf: (options: Options, spec: Spec) => LomarShape) {
  return {
    check: (options: Options, spec: Spec) => issuesOf(() => shapeOf(options, spec)),
    work: (options: Options, spec: Spec) => workOf(shapeOf(options, spec), spec),
    cost: (options: Options, spec: Spec) => {
      const { size, windows, hidden } = spec;
      if (size === undefined || windows === undefined) return undefined;
      const shape = shapeOf(options, spec);
      if (hidden === undefined && partsHidden(shape)) return undefined;
      return lomarCost(shape, { size, M: windows.M, hidden });
    },
    build: async (options: Options, spec: Spec) => (await import('./network.ts')).lomar(shapeOf(options, spec)),
  };
}

/** What the windows of a picture take: in one pass, or in two where hidden patches come in later. */
function workOf(shape: LomarShape, { windows, hidden = 0 }: Spec): ModelWork | undefined {
  if (windows === undefined) return undefined;
  const { first, last } = passes(shape, hidden);
  const work = ({ tokens, ...transformer }: typeof first) => ({
    ...transformer,
    tokens: windows.M * tokens,
    sequence: tokens,
  });
  return first.depth === 0 ? work(last) : { ...work(first), also: [work(last)] };
}
