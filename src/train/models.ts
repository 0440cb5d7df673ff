import { fail, nearest } from '../errors.ts';
import { classifier } from '../models/classifier/network.ts';
import { classifierOptions, classifierShape } from '../models/classifier/options.ts';
import { lomar } from '../models/lomar/network.ts';
import { lomarOptions, lomarShape } from '../models/lomar/options.ts';
import { mae } from '../models/mae/network.ts';
import { maeOptions, maeShape } from '../models/mae/options.ts';
import type { Model } from '../models/model.ts';
import { srmae } from '../models/srmae/network.ts';
import { srmaeOptions, srmaeShape } from '../models/srmae/options.ts';
import type { Spec } from '../vision/spec.ts';
import type { ModelPlan } from './definition.ts';

/** Makes a model from its options and what the chain before it makes. */
export type ModelBuilder = (options: unknown, spec: Spec) => Model;

/** Our models by name. The trainer's thread builds from here; option schemas for `check` stand in `models/<name>.options.ts`. */
const builders: Readonly<Record<string, ModelBuilder>> = {
  lomar: (options, spec) => lomar(lomarShape(lomarOptions.parse(options ?? {}), spec)),
  mae: (options, spec) => mae(maeShape(maeOptions.parse(options ?? {}), spec)),
  srmae: (options, spec) => srmae(srmaeShape(srmaeOptions.parse(options ?? {}), spec)),
  classifier: (options, spec) => classifier(classifierShape(classifierOptions.parse(options ?? {}), spec)),
};

/**
 * Builds the model of a plan.
 * @param more models of the user's own, by name.
 * @throws MODEL_UNKNOWN, and what the model says of its options and spec.
 */
export function buildModel(
  { name, options, spec }: ModelPlan,
  more: Readonly<Record<string, ModelBuilder>> = {},
): Model {
  const all = { ...builders, ...more };
  if (!Object.hasOwn(all, name)) {
    const names = Object.keys(all);
    const near = nearest(name, names);
    const suggestion = near === undefined ? 'Models of your own come by `use:`.' : `Did you mean ${near}?`;
    throw fail('MODEL_UNKNOWN', { known: names.join(', '), name, suggestion });
  }
  return all[name]!(options, spec);
}
