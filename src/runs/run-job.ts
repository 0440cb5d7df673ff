import { join } from 'node:path';
import { tap } from 'rxjs';
import { type AwakeTimer, awake } from '../awake-clock.ts';
import { explainJob } from '../balance/explain-job.ts';
import type { Reading } from '../balance/reading.ts';
import { messageOf, PatchstreamError } from '../errors.ts';
import type { RunSummary, Sum } from '../events/events.ts';
import { type Notice, notice, noticeText } from '../events/notices.ts';
import { countOf } from '../files/passed-over.ts';
import { systemCode } from '../files/system.ts';
import { called, closeBehind, type Ended, withCauses } from '../own-code.ts';
import { rangeOf } from '../pipeline/part.ts';
import type { Resolved } from '../pipeline/resolve/resolve.ts';
import { decisiveJson } from '../pipeline/resolve/resolved-json.ts';
import { version } from '../pipeline/version.ts';
import type { ClosedSink, Job, OpenSink } from '../sinks/sink.ts';
import { keysDigest } from '../sources/keys-digest.ts';
import type { Fields, OpenSource } from '../sources/source.ts';
import { drain } from '../streams/drain.ts';
import { type Before, beforeOf, withBefore } from '../streams/failures.ts';
import { iterate } from '../streams/iterate.ts';
import type { StageStats } from '../streams/meter.ts';
import { ends } from '../streams/permits.ts';
import type { Drop, Sample } from '../streams/sample.ts';
import { cancelled } from './cancelled.ts';
import type { RunContext } from './context.ts';
import { failureOf, startedOf } from './events/make-events.ts';
import { JobProgress } from './job-progress.ts';
import { checkFields } from './loader/layout.ts';
import { closeSource, type Opened, openLoader, openSource, requireTrained } from './loader/open.ts';
import { readingNow } from './loader/reading.ts';
import { giveBack } from './loader/rendering.ts';
import { filesOfSource } from './loader/source-files.ts';
import { lossLines, totals } from './progress.ts';
import { checkSum, type Earlier, earlierOf, sayPassedOver, sumLines, sumOfJob } from './sum.ts';
import { onProgress, Watch } from './watch.ts';

/**
 * A job: one pass over the source in listing order, into the sink. A sink that says how far an earlier run has come is gone on with from there; the
 * others begin anew, and end with what was written before also when the run is cancelled. A source that is watched has no end: such a job ends well
 * when it is cancelled.
 */
export async function runJob(resolved: Resolved, context: RunContext): Promise<RunSummary> {
  const { folder, signal, events } = context;
  const began = awake.now();
  const onLine = (text: string) => events.notice(notice('SOURCE', { text }));
  let source: OpenSource<Fields | Drop> | undefined;
  let watch: Watch | undefined;
  let opened: Opened | undefined;
  let before: Before | undefined;
  let sum: Sum | undefined;
  let ended: Ended | undefined;
  try {
    requireTrained(resolved);
    watch = context.watch && (await Watch.open(resolved, context.watch, context));
    source = watch?.source ?? (await openSource(resolved, { signal, onLine, writes: true }));
    const failedAt = new Set<number>();
    const job = {
      ...jobOf(resolved, source, context),
      difference: await folder.difference(),
      resumes: watch?.resumes,
      failed: (position: number) => failedAt.has(position),
    };
    const replaced = context.fresh ? undefined : await folder.replaces();
    const sink = await openSink(resolved, source, job, context);
    const { position, samples, sources, broken } = sink.resumed ?? {
      position: job.from,
      samples: 0,
      sources: 0,
      broken: 0,
    };
    const written: Written = { records: 0, samples: 0 };
    let earlier: Earlier | undefined;
    let closed: ClosedSink = {};
    let complete = false;
    try {
      watch?.check(position);
      const resumed = position > job.from;
      await folder.begin({ resumed });
      events.emit(startedOf(resolved, folder, resumed ? { written: samples } : {}));
      if (replaced !== undefined && !resumed) events.notice(replaced);
      for (const empty of emptyNotices(job, source)) events.notice(empty);
      if (watch === undefined) {
        const files = await filesOfSource(source, resolved.source!, resolved.definition.base);
        const what = await folder.source.change(files, { resumed });
        if (what !== undefined) events.notice(notice('SOURCE_CHANGED', { what }));
      }
      sayPassedOver(source, events);
      if (resumed) {
        const { counts, failed, unreadable } = await folder.forgetFailures(position);
        if (unreadable > 0) events.notice(notice('QUARANTINE_UNREADABLE', { count: unreadable }));
        earlier = earlierOf({ positions: position - job.from, sources, failed, broken });
        before = beforeOf(counts, position - job.from, samples);
      }
      opened = await openLoader(resolved, {
        source,
        start: position,
        end: watch?.ends ?? job.to,
        // What is watched ends when the samples that have begun have ended.
        ...(watch === undefined && { signal }),
        ...(before && { before }),
        onLine,
        onFailure(failure) {
          failedAt.add(failure.position);
          events.emit(failureOf(failure));
        },
      });
      await watch?.begin(opened.loader.permits, sink);
      const passedOver = countOf(source.passedOver ?? []);
      await write(opened, resolved, sink, { signal, events, written, watch, passedOver });
      if (watch === undefined && !signal.aborted) opened.finish();
      complete = watch !== undefined || !signal.aborted;
    } catch (error) {
      ended = { error };
      throw error;
    } finally {
      const also = await closeBehind(ended, async () => {
        closed = (await called(`sink ${resolved.sink!.name}`, 'close', () => sink.close(complete))) ?? {};
      });
      if (also !== undefined) events.notice(notice('CLOSE_FAILED', { found: messageOf(also.error) }));
      sum =
        opened &&
        sumOfJob(opened, resolved, { ...job, to: watch?.count ?? job.to, earlier, isWhole: complete && !watch });
    }
    // First: what was on its way is not held to a sum.
    if (signal.aborted && watch === undefined) throw cancelled(signal);
    checkSum(sum!, { written: written.samples + (earlier?.delivered ?? 0), isWhole: complete && !watch });
    const seconds = (awake.now() - began) / 1000;
    const stats = withBefore(opened.loader.stats(), before);
    const lost = lossLines(stats, join(folder.path, 'quarantine.jsonl'));
    const empty = emptyNotices(job, source).map(noticeText);
    const lines = [...empty, ...(closed.lines ?? []), ...lost, ...sumLines(sum!, source.passedOver)];
    if (seconds >= leastSeconds)
      lines.push(...slowLines(stats, readingNow(opened.loader.ahead, source, resolved.definition)));
    return {
      lines,
      files: closed.files ?? [],
      done: samples + stats.at(-1)!.out,
      sum: sum!,
      seconds,
      ...totals(stats),
    };
  } catch (error) {
    ended = { error };
    throw error;
  } finally {
    context.account = { stats: opened?.loader.stats() ?? [], ...(sum && { sum }) };
    await closeBehind(ended, () => watch?.close());
    await closeBehind(ended, () => opened?.close() ?? closeSource(source, resolved.source!.name));
  }
}

/** Of a job that was done sooner nobody asks what set its pace; `inspect` says it. */
const leastSeconds = 10;

/** Where the disk has set the pace: what would help. */
function slowLines(stats: readonly StageStats[], reading: Reading | undefined): string[] {
  const found = explainJob(stats, reading);
  return found?.stage === 'source' && reading !== undefined ? [`${found.sentence} ${found.evidence}`] : [];
}

/** A part of a job may have nothing to do, where there are more parts than samples. */
function emptyNotices({ part, from, to }: Job, { count }: Pick<OpenSource, 'count'>): Notice[] {
  if (part === undefined || from < to) return [];
  return [notice('PART_EMPTY', { part: part.index, of: part.of, count })];
}

/** What has come to the sink. */
interface Written {
  records: number;
  /** Samples of the source that these records are of. */
  samples: number;
}

/** Takes all samples to the sink. */
async function write(
  { loader, total, source }: Opened,
  { sink: target, spec, definition }: Resolved,
  sink: OpenSink,
  {
    signal,
    events,
    written,
    watch,
    passedOver,
  }: Pick<RunContext, 'signal' | 'events'> & {
    readonly written: Written;
    readonly watch: Watch | undefined;
    readonly passedOver: number;
  },
): Promise<void> {
  const { permits } = loader;
  const underWay = new Set<unknown>();
  let position = -1;
  const look = {
    done: () => ({
      // A sample is done when nothing of it is under way: records are counted beside.
      done: permits.ended.delivered,
      ended: ends.reduce((sum, end) => sum + permits.ended[end], 0),
      ...(written.records !== permits.ended.delivered && { records: written.records }),
      total,
      samples: { ...permits.ended, passedOver },
    }),
    stats: () => loader.stats(),
    reading: () => readingNow(loader.ahead, source, definition),
    permits: () => permits.capacity,
  };
  const progress = new JobProgress(events, look, watch && onProgress);
  const recycler = sink.letsGo ? loader.recycle() : undefined;
  try {
    const writing = drain({
      write: async (sample) => {
        checkFields(sample, spec);
        const one = sink.write(sample as Sample & Fields);
        underWay.add(one);
        try {
          const done = await one;
          // What failed keeps its file: another part of the renderer may still read there.
          if (recycler !== undefined) giveBack(Object.values(sample), recycler);
          return done;
        } finally {
          underWay.delete(one);
        }
      },
      commit(written) {
        watch?.committed();
        return called(`sink ${target!.name}`, 'commit', () => sink.commit(written));
      },
      fatal: endsTheSink,
      ...loader.ending(target!.name, sink.perThread),
    });
    const counting = tap((sample: Sample) => {
      written.records++;
      // The parts of one come one behind the other.
      if (sample.position !== position) written.samples++;
      position = sample.position;
    });
    const all = loader.ordered.pipe(writing, counting);
    for await (const _ of iterate(all, watch === undefined ? signal : undefined));
  } finally {
    progress.stop();
    // What a run that has failed still writes must not appear when its folder is another's.
    await ended(underWay);
  }
}

/** Milliseconds that writes may take when a run has failed. */
const patience = 5000;

/** When all have ended, well or badly, or have had their time. */
async function ended(all: ReadonlySet<unknown>): Promise<void> {
  if (all.size === 0) return;
  let timer: AwakeTimer | undefined;
  const late = new Promise<void>((resolve) => {
    timer = awake.timer(patience, resolve);
  });
  await Promise.race([Promise.allSettled(all), late]);
  timer?.clear();
}

function openSink(
  { definition, sink, spec }: Resolved,
  { classNames }: OpenSource<Fields | Drop>,
  job: Job,
  { folder }: RunContext,
): Promise<OpenSink> {
  return sink!.definition.open(sink!.options, {
    base: definition.base,
    output: definition.output,
    own: folder.path,
    spec,
    name: definition.name,
    ...(classNames && { classNames }),
    job,
  });
}

function jobOf(resolved: Resolved, source: OpenSource<Fields | Drop>, { folder, fresh, part, watch }: RunContext): Job {
  return {
    // As JSON has it: without what is not there.
    recipe: {
      digest: folder.digest,
      job: folder.job,
      pipeline: JSON.parse(JSON.stringify(decisiveJson(resolved))),
    },
    ...rangeOf(source.count, part),
    ...(part && { part }),
    source: watch ? { count: 0, keys: 'watched' } : { count: source.count, keys: sourceKeys(source) },
    fresh,
    versions: { patchstream: version() },
  };
}

/** Of the keys in listing order: positions mean the same samples only where it is the same. */
function sourceKeys(source: OpenSource<Fields | Drop>): string {
  if (!Number.isFinite(source.count)) return 'endless';
  return keysDigest(keysOf(source));
}

function* keysOf(source: OpenSource<Fields | Drop>): Generator<string> {
  for (let i = 0; i < source.count; i++) yield called('the source', 'key', () => source.key(i));
}

/** What cannot be written fails every sample alike: the run ends there instead of counting them. */
function endsTheSink(error: unknown): boolean {
  const codes = ['SINK_WRITE', 'FILE_WRITE', 'FILE_EXISTS', 'SHARDS_OTHER', 'OUTPUT_FOLDER', 'OUTPUT_GONE'];
  if (error instanceof PatchstreamError && codes.includes(error.code)) return true;
  // Of a sink that is not ours.
  const system = ['ENOSPC', 'EDQUOT', 'EROFS', 'EACCES', 'EPERM', 'EIO', 'EMFILE'];
  return withCauses(error).some((at) => system.includes(systemCode(at) ?? ''));
}
