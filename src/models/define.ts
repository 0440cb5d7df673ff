import type { z } from 'zod';
import type { tfjs } from '../backends/tf.ts';
import { PatchstreamError, type ValidationIssue } from '../errors.ts';
import { guarded } from '../own-code.ts';
import { splitPolicy } from '../stages/stage.ts';
import type { Spec } from '../vision/spec.ts';
import type { Model, Pool } from './model.ts';

/** A model as `check` and `describe` know it: its options and the fields that it reads. Its tensors are behind `build`, which only a run calls. */
export interface ModelDefinition<Options = unknown> {
  readonly name: string;
  readonly summary: string;
  readonly options: z.ZodType<Options>;
  readonly shorthand?: string;
  /** The fields of a sample that it reads, in the order in which they lie in a cell. */
  readonly fields: readonly string[];
  /** False for a model that restores no pixels: it has no reconstruction error. */
  readonly restores?: false;
  /** False for a model without an encoder of whole pictures: it has no features to evaluate. */
  readonly encodes?: false;
  /** True for a model that tells the classes of labelled pictures apart: it has an accuracy. */
  readonly classifies?: true;
  /** True for a model that turns pictures into a grid of codes. */
  readonly tokenizes?: true;
  /** True for a model that learns the codes of hidden patches. */
  readonly predictsCodes?: true;
  /** How many classes it tells apart, where its options say so: the source is then held to it. */
  classes?(options: Options): number;
  /** What a vector of it is where nobody says: of a classifier what its head reads. Default: the mean. */
  pool?(options: Options): Pool;
  /** Whether it mixes samples 2i and 2i + 1, so that `batch` and micro-batch are even. */
  pairs?(options: Options): boolean;
  /** Rules across options and with the spec at the end of the chain. Not called for an open spec. */
  check?(options: Options, spec: Spec): Iterable<ValidationIssue>;
  /** Parameters, and multiply-adds of one forward pass per image. Called only when `check` found nothing. */
  cost?(options: Options, spec: Spec): { readonly parameters: number; readonly macs: number } | undefined;
  /** What one sample puts through the network, from which `microBatch: auto` is chosen. Called only when `check` found nothing. */
  work?(options: Options, spec: Spec): ModelWork | undefined;
  /** Makes the network, in the thread that trains it. Import it here and not at the top of the file: `check` and `describe` load no tfjs. */
  build(options: Options, spec: Spec, tools: ModelTools): Model | Promise<Model>;
  /** The file of the module that exports it, where one is named under `use`: other threads load it from there. */
  readonly module?: string;
}

/** What one sample puts through a transformer. */
export interface TransformerWork {
  /** Tokens of all its sequences: M·(K² + 1) for windows with a cls token each. */
  readonly tokens: number;
  /** Width D and depth L of the network, heads h, tokens of one sequence. */
  readonly width: number;
  readonly depth: number;
  readonly heads: number;
  readonly sequence: number;
}

/** What one sample puts through the model's transformer, and through further ones: a decoder. */
export interface ModelWork extends TransformerWork {
  readonly also?: readonly TransformerWork[];
}

/** What a network is written with: the one copy of tfjs that trains it, its backend chosen. */
export interface ModelTools {
  readonly tf: typeof tfjs;
}

/** A value that may stand as `train.model`. */
export interface ModelValue {
  readonly model: { readonly name: string; readonly options: unknown; readonly definition: ModelDefinition };
}

/** The factory of a model: `lomar({ size: 'tiny' })` is a value for `train.model`. */
export interface ModelFactory<Input, Options> {
  (options?: Input): ModelValue;
  readonly definition: ModelDefinition<Options>;
}

/** Makes a model known to pipelines by its name and options. */
export function defineModel<Schema extends z.ZodType>(
  definition: Omit<ModelDefinition<z.output<Schema>>, 'options'> & { readonly options: Schema },
): ModelFactory<z.input<Schema>, z.output<Schema>> {
  const hooks = ['classes', 'pool', 'pairs', 'cost', 'work'] as const;
  const known = Object.freeze(guarded(`model ${definition.name}`, definition, hooks)) as unknown as ModelDefinition<
    z.output<Schema>
  >;
  const factory = (options: z.input<Schema> | undefined): ModelValue => {
    const { own } = splitPolicy(options ?? {}, definition.shorthand);
    return { model: { name: definition.name, options: own, definition: known as ModelDefinition } };
  };
  return Object.assign(factory, { definition: known });
}

/** What making a model's shape throws, as what `check` reports. */
export function issuesOf(shape: () => unknown): ValidationIssue[] {
  try {
    shape();
    return [];
  } catch (error) {
    if (!(error instanceof PatchstreamError)) throw error;
    return [{ error }];
  }
}

/** The models that a module exports. */
export function definitionsIn(module: Readonly<Record<string, unknown>>): ModelDefinition[] {
  return Object.values(module).flatMap((value) => {
    const { definition } = (typeof value === 'function' ? value : {}) as { readonly definition?: object };
    return definition !== undefined && 'fields' in definition && 'build' in definition
      ? [definition as ModelDefinition]
      : [];
  });
}
