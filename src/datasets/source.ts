import type { z } from 'zod';
import type { Refusal } from '../errors.ts';
import type { Spec } from '../vision/spec.ts';

/** A source that is open: samples by index, in listing order. Reading may happen many at a time and in any order. */
export interface OpenSource {
  /** How many samples an epoch has, `repeat` included. */
  readonly count: number;
  /** Names of the classes, when the samples have labels. */
  readonly classNames?: readonly string[];
  /** The key of sample `index`, without reading it. */
  key(index: number): string;
  /** The fields of sample `index` (`bytes`, or `picture`; `label`). A failure here is a failure of that sample alone. */
  read(index: number, signal: AbortSignal): Fields | Promise<Fields>;
  close?(): Promise<void>;
}

export type Fields = Readonly<Record<string, unknown>>;

export interface SourceContext {
  /** Relative paths of options start here: the pipeline file's folder, or the working directory. */
  readonly base: string;
  /** A folder where a source may keep what it has listed; absent when the run has none. */
  readonly cache?: string;
  readonly signal: AbortSignal;
  /** A line for the user, for work that takes long before the first sample. */
  progress(text: string): void;
}

export interface SourceDefinition<Options = unknown> {
  readonly name: string;
  readonly summary: string;
  readonly options: z.ZodType<Options>;
  readonly shorthand?: string;
  check?(options: Options): Iterable<Refusal>;
  /** The spec of its samples, from the options alone; opens no data. */
  spec(options: Options): Spec;
  open(options: Options, context: SourceContext): Promise<OpenSource>;
}

/** A value that may stand as `source`. `S` is the type of its samples. */
export interface Source<S = unknown> {
  readonly source: { readonly name: string; readonly options: unknown; readonly definition: SourceDefinition };
  readonly types?: S;
}
