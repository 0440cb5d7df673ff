import { asyncScheduler, map, type Observable, type SchedulerLike } from 'rxjs';
import { fail, valueText } from '../../errors.ts';
import { BufferPool } from '../../files/buffer-pool.ts';
import { called, isPromise } from '../../own-code.ts';
import type { ResolvedStage } from '../../pipeline/resolve/infer-specs.ts';
import { Random } from '../../random.ts';
import type { Fields, OpenSource } from '../../sources/source.ts';
import { type Before, Budget, defaultMaxFailures, type Failure, type MaxFailures } from '../../streams/failures.ts';
import { clockOf } from '../../streams/feed.ts';
import { gate } from '../../streams/gate.ts';
import { StageMeter, type StageStats } from '../../streams/meter.ts';
import { inOrder } from '../../streams/ordered/in-order.ts';
import { order } from '../../streams/ordered/order.ts';
import { type Carried, Permits } from '../../streams/permits.ts';
import type { ReadAhead } from '../../streams/read-ahead.ts';
import { runOperator } from '../../streams/run-operator.ts';
import { runStage } from '../../streams/run-stage.ts';
import { Drop, type Sample } from '../../streams/sample.ts';
import type { StagePolicy, Work } from '../../streams/stage.ts';
import { HeldBytes, type HeldBytesOptions } from './held-bytes.ts';
import { bytesHeld, readingOf } from './reading.ts';
import { supplyOf } from './supply.ts';

const defaultTimeoutSeconds = 60;
/** Of a stage that gathers samples. */
const gatheringTimeoutSeconds = 3600;

/** Loader threads: so many, or a number that changes while the run goes. */
export type Threads = number | Observable<number>;

export interface LoaderOptions {
  readonly seed: number;
  readonly stages: readonly ResolvedStage[];
  readonly threads: Threads;
  readonly permits: number;
  /** The most samples in flight, where more than `permits` help since reads take long. Default: no more. */
  readonly mostPermits?: number | undefined;
  /** Reads in flight. Default: as many as the reads need by the time that they take. */
  readonly reads?: number | undefined;
  readonly shuffle: boolean;
  /** First and one past the last position; where positions become known while it runs, how far it may go by now. */
  readonly start?: number;
  readonly end: number | Observable<number>;
  readonly onFailure: (failure: Failure) => void;
  /** Hears what stages have to say when they are bound. */
  readonly onNote?: ((text: string) => void) | undefined;
  /** What an earlier run has met in front of `start`: budgets are of both. */
  readonly before?: Before | undefined;
  readonly signal: AbortSignal;
  /** Where relative paths among the options of stages start. Default: the working directory. */
  readonly base?: string;
  readonly scheduler?: SchedulerLike;
  /** Where a stage gathers samples: how many bytes of files may be in flight, and how many samples whatever they hold. */
  readonly gathered?: HeldBytesOptions | undefined;
}

/** What is put around one stage: its identity, concurrency, time-out, failures and meter. */
export interface StageRuntime {
  readonly id: string;
  readonly concurrency: Threads;
  readonly timeoutSeconds: number;
  readonly budget: Budget;
  readonly meter: StageMeter;
  readonly scheduler: SchedulerLike;
}

/** The samples of a run on their way through its stages, and everything that counts them. Cold: it begins when `samples` is subscribed. */
export interface Loader {
  /** The samples as they leave the last stage; by then operators may have changed their order. */
  readonly samples: Observable<Carried>;
  /** The same in the order of positions, which is what batchers and sinks want. */
  readonly ordered: Observable<Carried>;
  readonly permits: Permits;
  /** How many reads of the source may be in flight. */
  readonly ahead: ReadAhead;
  /** One entry per stage, the source first. */
  stats(): StageStats[];
  /**
   * What the end of the chain (batcher, sink) is run with, so that it is counted as a stage like the others. Pictures are lazy and a
   * damaged file shows here: what `decode` allows for failures and time holds here too. `perThread` samples are worked on at a time for each thread:
   * more than one where the work waits in a queue of its own, which must not run dry while this thread looks elsewhere. A sample's time begins when
   * it joins that queue, so it has `perThread` times the seconds: its own turn, and those of the samples that are ahead of it.
   */
  ending(id: string, perThread?: number): StageRuntime;
  /**
   * For an end that renders every sample and then lets go of it: where the memory of a sample's file goes back to, once nothing reads it any more.
   * From then on the source reads into such memory. Nothing where a stage may keep samples.
   */
  recycle(): BufferPool | undefined;
}

interface Ticket extends Sample {
  readonly index: number;
}

/**
 * Joins an open source and stages into one stream with permits: gate → read → stage → stage … . The order of samples is a pure function
 * of (count, seed, epoch); concurrency and timing change nothing but the time.
 */
export function loader(source: OpenSource<Fields | Drop>, options: LoaderOptions): Loader {
  const { seed, stages, threads, shuffle, start = 0, end, onFailure, signal, scheduler = asyncScheduler } = options;
  const { base = process.cwd() } = options;
  const weight = options.gathered && new HeldBytes(options.gathered);
  const permits = new Permits(options.permits, clockOf(scheduler), weight && ((open) => weight.hasRoom(open)));
  if (weight !== undefined)
    permits.onShare((permit) => {
      if (permit.shares === 0) weight.let(permit.position);
    });
  const gateState = { isEmpty: false };
  const meters: StageMeter[] = [];

  const around = (
    id: string,
    policy: StagePolicy = {},
    places: Threads = threads,
    ended?: (milliseconds: number) => void,
  ): StageRuntime => {
    const meter = new StageMeter(`${meters.length}:${id}`, scheduler, ended);
    meters.push(meter);
    const max = (policy.maxFailures ?? defaultMaxFailures) as MaxFailures;
    return {
      id,
      concurrency: policy.concurrency ?? places,
      timeoutSeconds: policy.timeout ?? defaultTimeoutSeconds,
      budget: new Budget(id, max, onFailure, options.before),
      meter,
      scheduler,
    };
  };

  const placeOf = order(source, seed, shuffle);
  const ticket = (position: number): Ticket => {
    const { epoch, index } = placeOf(position);
    return { key: called('the source', 'key', () => source.key(index)), position, epoch, index };
  };
  // Only where nothing of the chain keeps a sample, and its end says when it is rendered.
  const retains = stages.some(({ definition }) => definition?.retainsInput !== false);
  let memory: BufferPool | undefined;
  const read = ({ key, position, epoch, index }: Ticket): Sample | Drop | PromiseLike<Sample | Drop> => {
    const fields: Fields | Drop | PromiseLike<Fields | Drop> = source.read(index, signal, memory);
    const join = (fields: Fields | Drop) => {
      if (fields instanceof Drop) return fields;
      if (typeof fields !== 'object' || fields === null) throw fail('SOURCE_READ', { found: valueText(fields) });
      if (ahead.isMeasured) ahead.holds(bytesHeld(fields));
      if (weight?.holds(position, bytesHeld(fields))) permits.wake();
      return Object.assign({ key, position, epoch }, fields);
    };
    return isPromise(fields) ? fields.then(join) : join(fields);
  };

  // Reading waits for disks, not for cores: more at a time than there are threads, and as many more as that takes.
  const { ahead, places } = readingOf(times(threads, 2, 8), options, {
    permits,
    running: () => reading.meter.running,
    behind: () => reading.meter.out + reading.meter.lost - permits.returned,
    now: clockOf(scheduler),
  });
  const reading = around('source', {}, places, (milliseconds) => ahead.ended(milliseconds));
  let samples: Observable<Carried> = gate(permits, ticket, { start, end, scheduler, state: gateState }).pipe(
    runStage((sample) => read(sample as Ticket), reading),
  );
  // What operators of the user's hold cannot be seen.
  let hidden = false;
  for (const { id, stage, policy, options: own, definition, before, identity } of stages) {
    if (stage.kind === 'operator') {
      hidden = true;
      samples = samples.pipe(runOperator(stage.operator, { ...around(id, policy), holds: stage.holds }));
      continue;
    }
    const gathered = definition?.atATime?.(own);
    // A sample waits for the batches before it, which take as long as the model is large.
    const timing = gathered === undefined ? policy : { timeout: gatheringTimeoutSeconds, ...policy };
    const places = gathered ?? times(threads, definition?.perThread ?? 1);
    const inFront = [...meters];
    const runtime = around(id, timing, places);
    const supply =
      gathered === undefined
        ? undefined
        : supplyOf(permits, { gate: gateState, before: inFront, own: runtime.meter, hidden });
    const work = (
      stage.kind === 'each'
        ? stage.work
        : definition!.run(own, before, { id, seed, base, signal, identity, note: options.onNote, supply })
    ) as Work<Sample, Sample>;
    if (typeof work !== 'function') {
      const found = `${valueText(work)} in the place of a function`;
      throw fail('STAGE_BROKEN', { owner: `stage ${id}`, hook: 'run', found });
    }
    const drawn = (sample: Sample) => work(sample, new Random(seed, id, sample.key, sample.epoch));
    samples = samples.pipe(runStage(drawn, runtime));
  }
  const ordered = samples.pipe(inOrder(permits, start));
  const ending = (id: string, perThread = 1) => {
    const { maxFailures, timeout = defaultTimeoutSeconds } = decoding(stages);
    const policy = { timeout: perThread * timeout, ...(maxFailures !== undefined && { maxFailures }) };
    return around(id, policy, times(threads, perThread));
  };
  const recycle = () => {
    if (!retains) memory ??= new BufferPool();
    return memory;
  };
  return { samples, ordered, permits, ahead, ending, recycle, stats: () => meters.map((meter) => meter.stats()) };
}

/** So many times the threads, and no less than `least`. */
function times(threads: Threads, factor: number, least = 1): Threads {
  const places = (count: number) => Math.max(least, factor * count);
  return typeof threads === 'number' ? places(threads) : threads.pipe(map(places));
}

/** The policy of `decode`, which holds where its pictures are rendered too. */
function decoding(stages: readonly ResolvedStage[]): StagePolicy {
  return stages.find(({ name, definition }) => definition !== undefined && name === 'decode')?.policy ?? {};
}
