import { z } from 'zod';
import { fail, type ValidationIssue, valueText } from '../errors.ts';
import type { BufferPool } from '../files/buffer-pool.ts';
import type { PassedOverRow } from '../files/passed-over.ts';
import { closeBehind, closeFaulty, guarded } from '../own-code.ts';
import type { Sample } from '../streams/sample.ts';
import type { Spec } from '../vision/spec.ts';
import type { Fields, OpenSource } from './open-source.ts';
import { checkSelection, isSelecting, type Selection, selected, selectionOptions } from './selection.ts';

export type { Fields, OpenSource, Records } from './open-source.ts';

/** A source whose samples arrive while a job runs: files that are laid into a folder. */
export interface WatchedSource<F extends Fields = Fields> {
  /** What is there now and not `known`, by key, in listing order. */
  look(known: (key: string) => boolean): ReadonlyMap<string, Stamp> | Promise<ReadonlyMap<string, Stamp>>;
  /** What the last look has seen beside that. */
  readonly passedOver?: readonly PassedOverRow[];
  /** How the file stands now that is there under `key`; nothing where none is. @throws FILE_UNREADABLE where that cannot be said */
  stamp(key: string): Stamp | undefined | Promise<Stamp | undefined>;
  /** As `OpenSource.read`. Nothing where the file is gone. What has changed meanwhile is found by its stamp, and read again when it is at rest. */
  read(key: string, signal: AbortSignal, memory?: BufferPool): F | undefined | Promise<F | undefined>;
}

/** How a file stands: while it is written, bytes and time change; when it is moved, all stays. */
export interface Stamp {
  readonly bytes: number;
  /** When it was last written, in nanoseconds. */
  readonly written: string;
  /** The file on its disk, whatever its name. A disk gives the number of one that was removed to another. */
  readonly inode: string;
  /** When it came to be, in nanoseconds; '' where the file system does not tell. */
  readonly born: string;
  /** When it, its name or its rights were last changed, in nanoseconds. */
  readonly changed?: string;
}

export interface SourceContext {
  /** Relative paths of options start here: the pipeline file's folder, or the working directory. */
  readonly base: string;
  readonly signal: AbortSignal;
  /** A line for the user, for work that takes long before the first sample. */
  progress(text: string): void;
  /** The real paths of the folders that the run writes to: what leads there is not read (`ListOptions`). */
  readonly written?: readonly string[];
}

export interface SourceDefinition<Options = unknown> {
  readonly name: string;
  readonly summary: string;
  readonly options: z.ZodType<Options>;
  readonly shorthand?: string;
  /** Options that say what happens to samples which cannot be read, and change nothing of the others: a run may go on with other values. */
  readonly policies?: readonly string[];
  check?(options: Options): Iterable<ValidationIssue>;
  /** The folder that it reads, as written in its options, for sources that read one: nothing may be written there. */
  folder?(options: Options): string;
  /** Every folder and file that it reads, as written in its options, where that is not `folder` alone: nothing is written over them. */
  reads?(options: Options): readonly string[];
  /** It chooses by `fold`, `without` and `limit` itself: `open` finds them among its options. */
  readonly selects?: true;
  /** The options with which it passes once over what it reads, for sources that can repeat it in an epoch: evaluation looks at nothing twice. */
  once?(options: Options): Options;
  /** The spec of its samples, from the options alone; opens no data. */
  spec(options: Options): Spec;
  open(options: Options, context: SourceContext): Promise<OpenSource>;
  /** For sources whose samples may arrive while a job runs. @throws WATCH_SOURCE where the options do not allow it. */
  watch?(options: Options, context: SourceContext): WatchedSource;
}

/** A value that may stand as `source`. `S` is the type of its samples. */
export interface Source<S = unknown> {
  readonly source: { readonly name: string; readonly options: unknown; readonly definition: SourceDefinition };
  readonly types?: S;
}

/** The factory of a source: `imageFolder('./photos')` is a value for `source`. `definition` is what registries list. */
export interface SourceFactory<Input, Options, S> {
  (options?: Input): Source<S>;
  readonly definition: SourceDefinition<Options>;
}

/**
 * Makes a source from its definition. `open` lists what there is; `read` gives the fields of one sample, whose types the compiler takes
 * from here. A bare value stands for the option `shorthand`. The options `fold`, `without` and `limit` are added, and what they choose is opened.
 */
export function defineSource<Schema extends z.ZodType, F extends Fields>(
  definition: Omit<SourceDefinition<z.output<Schema>>, 'options' | 'open'> & {
    readonly options: Schema;
    open(options: z.output<Schema> & Selection, context: SourceContext): OpenSource<F> | Promise<OpenSource<F>>;
  },
): SourceFactory<(z.input<Schema> & Selection) | string, z.output<Schema>, Sample & F> {
  const known = Object.freeze(selecting(judged(definition as unknown as SourceDefinition<object>)));
  const factory = (options: unknown = {}) => {
    const written =
      typeof options === 'object' || definition.shorthand === undefined ? options : { [definition.shorthand]: options };
    return { source: { name: definition.name, options: written, definition: known as SourceDefinition } };
  };
  return Object.assign(factory, { definition: known as unknown as SourceDefinition<z.output<Schema>> });
}

/** The definition, whose sources are looked at when they are open: one of an unknown number of samples would be waited for without end. */
function judged(own: SourceDefinition<object>): SourceDefinition<object> {
  const definition = guarded(`source ${own.name}`, own, ['folder', 'reads', 'once', 'spec', 'open', 'watch']);
  return {
    ...definition,
    async open(given, context) {
      const source: Partial<OpenSource> | undefined = await definition.open(given, context);
      const found = faultIn(source);
      if (found === undefined) return source as OpenSource;
      const { also, cause } = await closeFaulty(source);
      throw fail('SOURCE_OPEN', { source: definition.name, found: `${found}${also}` }, { cause });
    },
  };
}

function faultIn(source: Partial<OpenSource> | null | undefined): string | undefined {
  if (source === undefined || source === null) return 'nothing';
  if (typeof source !== 'object') return valueText(source);
  const { count } = source;
  if (count !== Number.POSITIVE_INFINITY && !(Number.isSafeInteger(count) && count! >= 0))
    return `count ${valueText(count)}`;
  const missing = (['key', 'read'] as const).find((name) => typeof source[name] !== 'function');
  return missing && `no function ${missing}`;
}

/** The definition with the options by which samples are chosen; as it is where its options are no map. */
function selecting(definition: SourceDefinition<object>): SourceDefinition<object> {
  const { options, once, watch } = definition;
  if (!(options instanceof z.ZodObject)) return definition;
  return {
    ...definition,
    options: (options as z.ZodObject).safeExtend(selectionOptions),
    *check(given: object & Selection) {
      yield* checkSelection(given);
      yield* definition.check?.(given) ?? [];
    },
    async open(given: object & Selection & { readonly repeat?: number }, context) {
      if (!isSelecting(given) || definition.selects) return definition.open(given, context);
      // What is repeated is what was chosen.
      const source = await definition.open(once === undefined ? given : once.call(definition, given), context);
      try {
        return selected(source, given, once === undefined ? 1 : given.repeat);
      } catch (error) {
        await closeBehind({ error }, () => source.close?.());
        throw error;
      }
    },
    ...(watch && {
      watch(given: object & Selection, context: SourceContext) {
        if (isSelecting(given)) throw fail('WATCH_SOURCE', { found: 'some of its samples' });
        return watch.call(definition, given, context);
      },
    }),
  };
}
