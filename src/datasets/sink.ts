import type { z } from 'zod';
import type { Refusal } from '../errors.ts';
import type { Sample } from '../streams/sample.ts';
import type { Spec } from '../vision/spec.ts';
import type { Fields } from './source.ts';

/** A sink that is open. `write` is called for several samples at a time; `commit` for each that was written, one at a time, in the order of positions. */
export interface OpenSink<Written = unknown> {
  write(sample: Sample & Fields): Promise<Written>;
  commit(written: Written): void | Promise<void>;
  /** Finishes what was committed (also after a cancelled run) and says where it is. */
  close(): Promise<{ readonly lines: readonly string[]; readonly files: readonly string[] }>;
}

export interface SinkContext {
  /** Relative paths of options start here. */
  readonly base: string;
  /** The run's own directory. */
  readonly output: string;
  readonly spec: Spec;
  readonly name: string;
}

export interface SinkDefinition<Options = unknown> {
  readonly name: string;
  readonly summary: string;
  readonly options: z.ZodType<Options>;
  readonly shorthand?: string;
  check?(options: Options, spec: Spec): Iterable<Refusal>;
  open(options: Options, context: SinkContext): Promise<OpenSink>;
}

/** A value that may stand as `sink`. */
export interface Sink {
  readonly sink: { readonly name: string; readonly options: unknown; readonly definition: SinkDefinition };
}

/** The factory of a sink: `images({ sheet: false })` is a value for `sink`. `definition` is what registries list. */
export interface SinkFactory<Input, Options> {
  (options?: Input): Sink;
  readonly definition: SinkDefinition<Options>;
}

/** Makes a sink from its definition. */
export function defineSink<Schema extends z.ZodType, Written>(
  definition: Omit<SinkDefinition<z.output<Schema>>, 'options' | 'open'> & {
    readonly options: Schema;
    open(options: z.output<Schema>, context: SinkContext): Promise<OpenSink<Written>>;
  },
): SinkFactory<z.input<Schema>, z.output<Schema>> {
  const factory = (options: unknown = {}) => ({
    sink: { name: definition.name, options, definition: definition as unknown as SinkDefinition },
  });
  return Object.assign(factory, {
    definition: Object.freeze(definition) as unknown as SinkDefinition<z.output<Schema>>,
  });
}
