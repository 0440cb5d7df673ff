import type { z } from 'zod';
import { fail, type ValidationIssue, valueText } from '../errors.ts';
import { closeFaulty, guarded } from '../own-code.ts';
import type { Fields } from '../sources/source.ts';
import type { Sample } from '../streams/sample.ts';
import type { Spec } from '../vision/spec.ts';

/** What a sink has made, where it says it: lines for the user, and its files. */
export interface ClosedSink {
  readonly lines?: readonly string[];
  readonly files?: readonly string[];
}

/** A sink that is open. Whatever it does it may do at once or with a promise. `write` is called for several samples at a time; `commit` for each that was written, one at a time, in the order of positions. */
export interface OpenSink<Written = unknown> {
  write(sample: Sample & Fields): Written | Promise<Written>;
  commit(written: Written): void | Promise<void>;
  /** How many samples are written at a time for each thread. Default 1. More where `write` waits in a queue of its own, which must not run dry. */
  readonly perThread?: number;
  /** Whether a sample's files and records are needed no more when `write` has ended well, so that their memory may be used again. Default false. */
  readonly letsGo?: boolean;
  /**
   * Where an earlier run of this job is gone on with: the first position that is still to be written, how many records are, and of how many samples
   * of the source; of these, `broken` have lost a part that failed.
   */
  readonly resumed?: {
    readonly position: number;
    readonly samples: number;
    readonly sources: number;
    readonly broken?: number;
  };
  /** Finishes the file that is being written, so that readers find it: all positions before `to` are done. For a sink that is gone on with. */
  flush?(to: number): void | Promise<void>;
  /**
   * Finishes what was committed (also after a cancelled run) and says where it is, or gives nothing. `complete`: the run came to its end; a sink whose files
   * must be those of an undisturbed run leaves out what is half done otherwise.
   */
  close(complete: boolean): void | ClosedSink | Promise<void> | Promise<ClosedSink | undefined>;
}

/** One of `of` runs that share a job: number 1 to `of`. */
export interface Part {
  readonly index: number;
  readonly of: number;
}

/** What a sink whose files are gone on with has to know of the run. */
export interface Job {
  /** A digest of all that decides what is written, the same without the part, equal for all parts of a job, and the pipeline as JSON, without secrets. */
  readonly recipe: { readonly digest: string; readonly job: string; readonly pipeline: unknown };
  /** The first position of this run, and one past the last. */
  readonly from: number;
  readonly to: number;
  readonly part?: Part;
  /** How many samples the source has, and a digest of their keys. */
  readonly source: { readonly count: number; readonly keys: string };
  /** Whether a part of the sample at this position has failed; known once a later position is committed, or the run is complete. */
  readonly failed?: (position: number) => boolean;
  /** What an earlier run in the run's folder had otherwise, in words, where that is known. */
  readonly difference?: string | undefined;
  /** The same job, run to its end before its source was watched: what that has written is of this job, as far as its source stands first in this one. */
  readonly resumes?: { readonly recipe: string; readonly source: Job['source'] } | undefined;
  /** Begin anew, whatever an earlier run has left. */
  readonly fresh: boolean;
  readonly versions: Readonly<Record<string, string>>;
}

export interface SinkContext {
  /** Relative paths of options start here. */
  readonly base: string;
  /** The job's directory, where results lie. */
  readonly output: string;
  /** This run's own directory: another one than `output` where the job is divided into parts. */
  readonly own: string;
  readonly spec: Spec;
  readonly name: string;
  /** Names of the classes, when the source knows them. */
  readonly classNames?: readonly string[];
  readonly job: Job;
}

export interface SinkDefinition<Options = unknown> {
  readonly name: string;
  readonly summary: string;
  readonly options: z.ZodType<Options>;
  readonly shorthand?: string;
  /** True when several runs may write the parts of one job side by side. */
  readonly parts?: boolean;
  /** True when a job that ends in it can be watched, though it is not done in parts: its files are resumed with. Those with `parts` can be. */
  readonly watched?: boolean;
  check?(options: Options, spec: Spec): Iterable<ValidationIssue>;
  /** The folders that it writes to, absolute, where they are not the run's own: no source may lie in one of them, and none in a source. */
  writes?(options: Options, place: Pick<SinkContext, 'base' | 'output'>): readonly string[];
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
    open(options: z.output<Schema>, context: SinkContext): OpenSink<Written> | Promise<OpenSink<Written>>;
  },
): SinkFactory<z.input<Schema>, z.output<Schema>> {
  const own = guarded(`sink ${definition.name}`, definition, ['writes', 'open']);
  const known = Object.freeze({ ...own, open: judged(own) }) as unknown as SinkDefinition<z.output<Schema>>;
  const factory = (options: unknown = {}): Sink => ({
    sink: { name: definition.name, options, definition: known as SinkDefinition },
  });
  return Object.assign(factory, { definition: known });
}

/** `open` of a definition, which holds what was opened to what it must have. @throws SINK_OPEN, and what its `open` throws. */
function judged<Options, Written>(definition: {
  readonly name: string;
  open(options: Options, context: SinkContext): OpenSink<Written> | Promise<OpenSink<Written>>;
}) {
  return async (options: Options, context: SinkContext): Promise<OpenSink<Written>> => {
    const sink: Partial<OpenSink<Written>> | null | undefined = await definition.open(options, context);
    const missing = (['write', 'commit', 'close'] as const).filter((each) => typeof sink?.[each] !== 'function');
    if (missing.length === 0) return sink as OpenSink<Written>;
    const isThere = typeof sink === 'object' && sink !== null;
    const found = isThere ? `an object without ${missing.join(', ')}` : valueText(sink);
    const { also, cause } = await closeFaulty(sink, false);
    throw fail('SINK_OPEN', { sink: definition.name, found: `${found}${also}` }, { cause });
  };
}
