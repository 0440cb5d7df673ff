import type { z } from 'zod';
import type { Refusal } from '../errors.ts';
import type { Model } from '../models/model.ts';
import { splitPolicy } from '../stages/stage.ts';
import type { MicroBatchNeeds, TransformerWork } from '../train/microbatch.ts';
import type { Spec } from '../vision/spec.ts';

/** A model as `check` and `describe` know it: its options and the fields it reads. The tensors stand in `models/<name>.ts`, which only a run loads. */
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
  /** How many classes it tells apart, where its options say so: the source is then held to it. */
  classes?(options: Options): number;
  /** Whether it mixes samples 2i and 2i + 1, so that `batch` and micro-batch are even. */
  pairs?(options: Options): boolean;
  /** Rules across options and with the spec at the end of the chain. Not called for an open spec. */
  check?(options: Options, spec: Spec): Iterable<Refusal>;
  /** Parameters, and multiply-adds of one forward pass per image. Called only when `check` found nothing. */
  cost?(options: Options, spec: Spec): { readonly parameters: number; readonly macs: number } | undefined;
  /** What one sample puts through the network, from which `microBatch: auto` is chosen. Called only when `check` found nothing. */
  work?(options: Options, spec: Spec): ModelWork | undefined;
  /** Makes the model, where it is the user's own: it then trains in the calling thread. Ours are made by name in the trainer's. */
  build?(options: Options, spec: Spec): Model | Promise<Model>;
}

/** What one sample puts through the model's transformer, and through further ones. */
export type ModelWork = Pick<MicroBatchNeeds, keyof TransformerWork | 'also'>;

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
  const known = Object.freeze(definition) as unknown as ModelDefinition<z.output<Schema>>;
  const factory = (options: z.input<Schema> | undefined): ModelValue => {
    const { own } = splitPolicy(options ?? {}, definition.shorthand);
    return { model: { name: definition.name, options: own, definition: known as ModelDefinition } };
  };
  return Object.assign(factory, { definition: known });
}
