import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { type Observable, ReplaySubject } from 'rxjs';
import { awake } from '../awake-clock.ts';
import { fail, messageOf, PatchstreamError } from '../errors.ts';
import type { EventOf, RunEvent } from '../events/events.ts';
import { notice } from '../events/notices.ts';
import { PassedOver } from '../files/passed-over.ts';
import { writtenFolders } from '../pipeline/resolve/overlap.ts';
import type { Resolved } from '../pipeline/resolve/resolve.ts';
import { recordHead } from '../sinks/durable/owned.ts';
import type { Job, OpenSink } from '../sinks/sink.ts';
import { keysDigest } from '../sources/keys-digest.ts';
import type { Fields, OpenSource, WatchedSource } from '../sources/source.ts';
import { ArrivalLog } from '../sources/watching/arrival-log.ts';
import { FolderPoller } from '../sources/watching/folder-poller.ts';
import { takenBefore } from '../sources/watching/taken-before.ts';
import type { Permits } from '../streams/permits.ts';
import { type Drop, drop } from '../streams/sample.ts';
import { unless, unlessGone } from '../whole-file.ts';
import type { RunContext, Watching } from './context.ts';
import type { EventHub } from './events/hub.ts';

/** What is wrong with a folder or file that may be there again soon. */
const awaited: readonly string[] = ['FOLDER_MISSING', 'FOLDER_FILE', 'FOLDER_UNREADABLE', 'FILE_UNREADABLE'];

/** Hears of progress only where there is some: a job that waits for days says nothing. */
export function onProgress(emit: (event: RunEvent) => void): (event: EventOf<'progress'>) => void {
  let last = '';
  return (event) => {
    const now = `${event.done} ${event.failures}`;
    if (now !== last) emit(event);
    last = now;
  };
}

/**
 * The source of a job that is watched: its samples are the files in the order in which they have arrived, which is kept in the run's folder, and
 * `ends` says how many that are by now. Ends when the run is cancelled, with the samples that have begun.
 */
export class Watch {
  readonly source: OpenSource<Fields | Drop>;
  /** The same job before its source was watched, whose files are the first here. */
  readonly resumes: Job['resumes'];
  readonly #ends = new ReplaySubject<number>(1);
  readonly #arrivals: ArrivalLog;
  readonly #newcomers: FolderPoller;
  readonly #options: Watching;
  /** The run has ended, for whatever cause. */
  readonly #over = new AbortController();
  readonly #signal: AbortSignal;
  readonly #notice: EventHub['notice'];
  /** When the last sample was committed, while the sink has a file that is not closed. */
  #committed: number | undefined;
  #running: Promise<void> = Promise.resolve();
  #told = '';

  private constructor(
    source: OpenSource<Fields | Drop>,
    arrivals: ArrivalLog,
    newcomers: FolderPoller,
    options: Watching,
    context: RunContext,
    resumes: Job['resumes'],
  ) {
    this.source = source;
    this.resumes = resumes;
    this.#arrivals = arrivals;
    this.#newcomers = newcomers;
    this.#options = options;
    this.#signal = AbortSignal.any([context.signal, this.#over.signal]);
    this.#notice = context.events.notice;
  }

  /** Changes nothing. @throws WATCH_SOURCE; what the source says when it cannot be listed. */
  static async open({ source, sink, definition }: Resolved, options: Watching, context: RunContext): Promise<Watch> {
    const { folder, signal, fresh, events } = context;
    const progress = (text: string) => events.notice(notice('SOURCE', { text }));
    const written = writtenFolders(definition, { sink });
    const watched = source!.definition.watch!(source!.options, { base: definition.base, signal, progress, written });
    const arrivals = await ArrivalLog.open(folder.path, folder.digest, fresh);
    const resumes = fresh ? undefined : await unwatched(folder, watched, arrivals);
    const newcomers = new FolderPoller(watched, arrivals);
    const open: OpenSource<Fields | Drop> = {
      count: Number.MAX_SAFE_INTEGER,
      get passedOver() {
        const rest = new PassedOver();
        rest.join(watched.passedOver ?? []);
        for (const key of newcomers.unrested) rest.add('writing', key);
        return rest.rows;
      },
      key: (index) => arrivals.key(index),
      async read(index, signal, memory) {
        if (arrivals.isGone(index)) return drop('gone');
        const fields = await watched.read(arrivals.key(index), signal, memory);
        const now = fields && (await watched.stamp(arrivals.key(index)));
        // Else half of it may have been read, as where a network was late to say that it grows.
        if (now !== undefined && arrivals.isAsArrived(index, now)) return fields!;
        // On the disk before anything is made of it: a file that is back may have another position from now on.
        await arrivals.unread(index);
        return drop('gone');
      },
    };
    // Nothing arrives at the first look; a folder that cannot be listed at all is told now.
    await newcomers.look();
    return new Watch(open, arrivals, newcomers, options, context, resumes);
  }

  /** How many files have arrived. */
  get count(): number {
    return this.#arrivals.count;
  }

  /** How far the job may go by now. */
  get ends(): Observable<number> {
    return this.#ends;
  }

  /** @throws WATCH_ARRIVALS where the sink has come further than the list goes. */
  check(position: number): void {
    const { count } = this.#arrivals;
    if (position > count) throw fail('WATCH_ARRIVALS', { expected: position, found: count });
  }

  /** Begins to look, until the run is cancelled. @throws SINK_WRITE */
  async begin(permits: Permits, sink: OpenSink): Promise<void> {
    await this.#arrivals.begin();
    this.#ends.next(this.#arrivals.count);
    this.#running = this.#look(permits, sink).then(
      () => this.#ends.complete(),
      (error: unknown) => this.#ends.error(error),
    );
  }

  committed(): void {
    this.#committed = awake.now();
  }

  async close(): Promise<void> {
    this.#over.abort();
    await this.#running;
    await this.#arrivals.close();
  }

  async #look(permits: Permits, sink: OpenSink): Promise<void> {
    const { everySeconds, idleSeconds } = this.#options;
    this.#notice(notice('WATCHING', {}));
    let looked = 0;
    while (!this.#signal.aborted) {
      // A look at very many files takes a while, and is not all that the machine is for.
      const rest = Math.max(everySeconds * 1000, 10 * looked);
      await pause(rest, undefined, { signal: this.#signal }).catch(unless('ABORT_ERR'));
      if (this.#signal.aborted) break;
      const began = awake.now();
      const count = await this.#newcome();
      looked = awake.now() - began;
      if (count > 0) this.#ends.next(this.#arrivals.count);
      const idle = this.#committed !== undefined && awake.now() - this.#committed >= idleSeconds * 1000;
      // With a sample under way a position may be half written.
      if (!idle || permits.open > 0) continue;
      this.#committed = undefined;
      await sink.flush?.(this.#arrivals.count);
      this.#notice(notice('WATCH_WRITTEN', { count: this.#arrivals.count }));
    }
  }

  /** How many files have arrived. A folder that cannot be listed for a while, as one on a network, is told once and looked at again. */
  async #newcome(): Promise<number> {
    try {
      const count = await this.#newcomers.look();
      this.#told = '';
      return count;
    } catch (error) {
      if (this.#signal.aborted) return 0;
      if (!(error instanceof PatchstreamError) || !awaited.includes(error.code)) throw error;
      const text = messageOf(error);
      if (text !== this.#told) this.#notice(notice('WATCH_WAITING', { found: text }));
      this.#told = text;
      return 0;
    }
  }
}

/** Takes over what a run of the same job has done that did not watch: its files become the first that have arrived. Nothing where they are not known. */
async function unwatched(
  { path, unwatched }: RunContext['folder'],
  watched: WatchedSource,
  arrivals: ArrivalLog,
): Promise<Job['resumes']> {
  const head = await recordHead(path);
  if (unwatched === undefined || head?.recipe !== unwatched || head.source === undefined) return undefined;
  const { source } = head;
  if (arrivals.count === 0) {
    const began = await stat(join(path, 'pipeline.json'), { bigint: true }).catch(unlessGone);
    const taken = began && takenBefore(await watched.look(() => false), source, began.mtimeNs);
    if (taken !== undefined) arrivals.adopt(taken);
  }
  const isFirst = arrivals.count >= source.count && keysDigest(arrivals.keys(source.count)) === source.keys;
  return isFirst ? { recipe: unwatched, source } : undefined;
}
