import type { Observable } from 'rxjs';
import { fail, messageOf, printable } from '../../errors.ts';
import { inferenceStages } from '../../inference/index.ts';
import type { InferenceOptions } from '../../inference/stage.ts';
import { foundTrained } from '../../inference/trained.ts';
import { called, closeBehind, withCauses } from '../../own-code.ts';
import { writtenFolders } from '../../pipeline/resolve/overlap.ts';
import type { Resolved } from '../../pipeline/resolve/resolve.ts';
import type { Fields, OpenSource } from '../../sources/source.ts';
import type { Before, Failure } from '../../streams/failures.ts';
import type { Drop } from '../../streams/sample.ts';
import type { Spec } from '../../vision/spec.ts';
import { cancelled } from '../cancelled.ts';
import { type Loader, loader, type Threads } from './engine.ts';
import { endingIdlePasses } from './passes.ts';
import { gatheredBytes } from './reading.ts';
import { type RecordRun, recordRun } from './records.ts';

/** What of a run is not in its definition. */
export interface OpenOptions {
  /** Passes over the source. Default 1; Infinity for as long as someone asks. */
  readonly epochs?: number;
  /** A new order in each epoch, a pure function of the seed. Default: listing order. */
  readonly shuffle?: boolean;
  /** The position to begin at, to go on where an earlier run stood. */
  readonly start?: number;
  /** What an earlier run of the same job has met in front of `start`. */
  readonly before?: Before;
  /** One past the last position, where it is not the end of the epochs; of a run whose positions become known while it runs, how far it may go by now. */
  readonly end?: number | Observable<number>;
  readonly signal?: AbortSignal;
  /** Hears of each sample that failed. */
  readonly onFailure?: (failure: Failure) => void;
  /** Hears lines about long preparations. */
  readonly onLine?: (text: string) => void;
  /** Loader threads, where they are not those of the definition. */
  readonly threads?: Threads;
  /** The source, where it is open already (`openSource`); it is closed with the loader. */
  readonly source?: OpenSource<Fields | Drop>;
  /** The run writes its results: a link among what is read that leads to them is refused. */
  readonly writes?: boolean;
}

type Readable = Pick<Resolved, 'definition' | 'source' | 'stages' | 'spec' | 'capacity'> &
  Partial<Pick<Resolved, 'sink'>>;

/** Opens the source of a checked pipeline. @throws what the source says when it cannot be opened; RUN_CANCELLED where it was told to stop. */
export async function openSource(
  { definition, source, sink }: Pick<Readable, 'definition' | 'source' | 'sink'>,
  options: OpenOptions,
): Promise<OpenSource> {
  const { signal = new AbortController().signal, onLine = () => {} } = options;
  try {
    return await source!.definition.open(source!.options, {
      base: definition.base,
      signal,
      progress: onLine,
      ...(options.writes && { written: writtenFolders(definition, { sink }) }),
    });
  } catch (error) {
    if (signal.aborted && withCauses(error).includes(signal.reason)) throw cancelled(signal);
    throw error;
  }
}

/** Closes a source that may be a user's own. @throws STAGE_BROKEN where that cannot be done */
export async function closeSource(source: OpenSource<Fields | Drop> | undefined, name: string): Promise<void> {
  await called(`source ${name}`, 'close', () => source?.close?.());
}

/** Looks for the models that stages ask, before a run begins. @throws TRAINED_MISSING and what else is wrong with one */
export function requireTrained({ stages, definition: { base } }: Pick<Resolved, 'stages' | 'definition'>): void {
  for (const { definition, options } of stages) {
    if (!inferenceStages.some((stage) => stage.definition.name === definition?.name)) continue;
    const { from, weights } = options as Pick<InferenceOptions, 'from' | 'weights'>;
    foundTrained(from, base, weights);
  }
}

/** A source that is open, with its stages behind it, not yet begun. */
export interface Opened {
  readonly source: OpenSource<Fields | Drop>;
  readonly loader: Loader;
  /** For batches, in the place of the loader: the same samples, where all of them are records that are rendered alike. */
  readonly records?: RecordRun;
  readonly spec: Spec;
  readonly threads: number;
  /** Samples that the run will read. */
  readonly total: number;
  /** To be called when the run has come to its end. @throws NOTHING_LEFT when no sample came through. */
  finish(): void;
  close(): Promise<void>;
}

/**
 * Opens the source of a checked pipeline and joins its stages to it.
 *
 * @throws what the source says when it cannot be opened; NOTHING_LEFT from `loader` where a source is read for ever and nothing comes through.
 */
export async function openLoader(resolved: Readable, options: OpenOptions = {}): Promise<Opened> {
  const { epochs = 1 } = options;
  if (!(epochs >= 0)) throw fail('EPOCHS', { found: String(epochs) });
  if (options.signal?.aborted) throw cancelled(options.signal);
  // Reads under way end when the run does, for whatever cause.
  const abort = new AbortController();
  const signal = options.signal === undefined ? abort.signal : AbortSignal.any([abort.signal, options.signal]);
  const source = options.source ?? (await openSource(resolved, { ...options, signal }));
  try {
    return joined(resolved, options, { source, abort, signal });
  } catch (error) {
    if (options.source === undefined) await closeBehind({ error }, () => closeSource(source, resolved.source!.name));
    throw error;
  }
}

interface Begun {
  readonly source: OpenSource<Fields | Drop>;
  readonly abort: AbortController;
  readonly signal: AbortSignal;
}

function joined(resolved: Readable, options: OpenOptions, { source, abort, signal }: Begun): Opened {
  const { definition, stages, spec, capacity } = resolved;
  const { epochs = 1, shuffle = false, start = 0, onFailure, before } = options;
  const first: Failure[] = [];
  const total = options.end ?? (source.count === 0 ? 0 : Math.floor(epochs * source.count));
  const records =
    typeof total === 'number'
      ? recordRun(source as OpenSource, stages, {
          seed: definition.seed,
          shuffle,
          start,
          end: total,
          signal,
          base: definition.base,
        })
      : undefined;
  const again = total === Number.POSITIVE_INFINITY && Number.isFinite(source.count);
  // Counted by permits: what a stage or the end of the chain still holds is on its way.
  const reached = () => running.permits.reached;
  const read = again
    ? endingIdlePasses(source, () => Math.max(capacity.permits, running.permits.most), reached)
    : source;
  const running = loader(read, {
    seed: definition.seed,
    base: definition.base,
    stages,
    threads: options.threads ?? capacity.threads,
    permits: capacity.permits,
    mostPermits: capacity.mostPermits,
    reads: capacity.reads,
    ...(capacity.gathered > 0 &&
      typeof definition.permits !== 'number' && {
        gathered: { most: gatheredBytes(), free: capacity.permits - capacity.gathered },
      }),
    shuffle,
    start,
    end: total,
    signal,
    before,
    onNote: options.onLine,
    onFailure: (failure) => {
      if (first.length < 3) first.push(failure);
      onFailure?.(failure);
    },
  });
  return {
    source,
    loader: running,
    ...(records && { records }),
    spec,
    threads: capacity.threads,
    total: typeof total === 'number' ? total - start : Number.POSITIVE_INFINITY,
    finish() {
      const stats = running.stats();
      const earlier = [...(before?.failures.values() ?? [])].reduce((sum, count) => sum + count, 0);
      const failures = stats.reduce((sum, stage) => sum + stage.failures, earlier);
      const issued = running.permits.issued + (before?.seen ?? 0);
      const out = stats.at(-1)!.out + (before?.out ?? 0);
      // A share is judged after a hundred samples; a short run ends here, and must not call it success when most was lost.
      if (issued === 0 || (out > 0 && failures <= out)) return;
      const why = first.map(({ stage, key, error }) => `${printable(key)} in ${stage}: ${messageOf(error)}`).join('; ');
      const drops = stats.flatMap(({ stage, drops }) =>
        Object.entries(drops).map(([reason, count]) => `${count} dropped in ${stage.replace(/^\d+:/, '')} (${reason})`),
      );
      const told = [...drops, ...(why === '' ? [] : [`the first failures: ${why}`])].join('; ');
      if (out > 0) throw fail('MOST_FAILED', { failures, seen: issued, first: told });
      throw fail('NOTHING_LEFT', { seen: issued, first: told });
    },
    async close() {
      abort.abort();
      await closeSource(source, resolved.source!.name);
    },
  };
}
