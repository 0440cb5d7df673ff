import { fail, nearest, valueText } from '../errors.ts';
import { importModule } from '../files/import-module.ts';
import { called } from '../own-code.ts';
import type { Spec } from '../vision/spec.ts';
import { beit, lomarBeit } from './beit/index.ts';
import { classifier } from './classifier/index.ts';
import { definitionsIn, type ModelDefinition } from './define.ts';
import { lomar } from './lomar/index.ts';
import { lomarSrmae } from './lomar-srmae/index.ts';
import { mae } from './mae/index.ts';
import type { Model } from './model.ts';
import { srmae, srmaeWith } from './srmae/index.ts';
import { tokenizer } from './tokenizer/index.ts';

/**
 * Models, a folder each: `index.ts` has the value that pipelines name, `options.ts` options, shape and cost, `network.ts` the tensors, which only `build` loads, so
 * that `check` and `describe` stay free of tfjs. `layers/` has what they share. Imports backends and vision.
 */
export const models: readonly ModelDefinition[] = [
  lomar,
  mae,
  srmae,
  lomarSrmae,
  tokenizer,
  beit,
  lomarBeit,
  classifier,
].map(({ definition }) => definition as ModelDefinition);

export { beit, classifier, lomar, lomarBeit, lomarSrmae, mae, srmae, srmaeWith, tokenizer };

/** A model as threads send it to each other. */
export interface NamedModel {
  readonly name: string;
  readonly options: unknown;
  /** The chain's spec at its end. */
  readonly spec: Spec;
  /** The file of the module that exports the model; none for ours. */
  readonly module?: string | undefined;
}

/** Whether another thread can build the model: it is ours, or a module exports it. */
export function isNamed(definition: ModelDefinition): boolean {
  return definition.module !== undefined || models.includes(definition);
}

/**
 * Builds a model from its name and options.
 *
 * @throws MODEL_UNKNOWN, and what the model says of its options and spec.
 */
export async function buildModel({ name, options, spec, module }: NamedModel): Promise<Model> {
  const known = module === undefined ? models : definitionsIn(await importModule(module));
  const definition = known.find((each) => each.name === name);
  if (definition === undefined) {
    const names = known.map((each) => each.name);
    const near = nearest(name, names);
    const suggestion = near === undefined ? 'Models of your own come by `use:`.' : `Did you mean ${near}?`;
    throw fail('MODEL_UNKNOWN', { known: names.join(', '), name, suggestion });
  }
  return networkOf(definition, definition.options.parse(options ?? {}), spec);
}

/** Has a definition make its network, from options that are parsed. @throws MODEL_BUILD, STAGE_BROKEN */
export async function networkOf(definition: ModelDefinition, options: unknown, spec: Spec): Promise<Model> {
  const { tfjs: tf } = await import('../backends/tf.ts');
  const build = () => definition.build(options, spec, { tf });
  const model: Partial<Model> | null | undefined = await called(`model ${definition.name}`, 'build', build);
  const missing = [
    ...(['fields', 'parameters'] as const).filter((each) => !Array.isArray(model?.[each])),
    ...(['init', 'inputs', 'loss', 'stored', 'decays', 'dispose'] as const).filter(
      (each) => typeof model?.[each] !== 'function',
    ),
  ];
  if (missing.length === 0) return model as Model;
  const isThere = typeof model === 'object' && model !== null;
  const found = isThere ? `an object without ${missing.join(', ')}` : valueText(model);
  throw fail('MODEL_BUILD', { model: definition.name, found });
}
