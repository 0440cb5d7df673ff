import type { OperatorFunction, VirtualTimeScheduler } from 'rxjs';
import { Random } from '../../src/random.ts';
import { Budget, type Failure } from '../../src/streams/failures.ts';
import { gate } from '../../src/streams/gate.ts';
import { StageMeter } from '../../src/streams/meter.ts';
import { inOrder } from '../../src/streams/ordered/in-order.ts';
import { type Carried, Permits } from '../../src/streams/permits.ts';
import { runOperator } from '../../src/streams/run-operator.ts';
import { runStage } from '../../src/streams/run-stage.ts';
import type { Sample } from '../../src/streams/sample.ts';
import type { StageKind } from '../../src/streams/stage.ts';
import { after, virtualTime } from './virtual.ts';

/** How a chain is tried. Times are virtual milliseconds. */
export interface Trial {
  /** Samples of the source. */
  readonly count: number;
  readonly permits: number;
  /** How long the consumer keeps each sample before it returns the permit. 0: at once. */
  readonly consumerMs?: number;
  /** When the consumer unsubscribes. */
  readonly cancelAt?: number;
  readonly timeoutSeconds?: number;
  readonly concurrency?: number;
  /** The consumer takes samples in the order of their positions, as batches and sinks do. */
  readonly ordered?: boolean;
}

/** What happened, and which laws were broken (none, one hopes). */
export interface Verdict {
  readonly broken: readonly string[];
  readonly keys: readonly string[];
  readonly failures: readonly Failure[];
  readonly drops: number;
  readonly error: unknown;
  readonly completed: boolean;
  /** Virtual time at which it completed or failed. */
  readonly milliseconds: number;
}

/** A stage as the chain is built of: a value for `stages`, or an operator over carried samples (to plant faults). */
export type Link =
  | ((scheduler: VirtualTimeScheduler) => { stage: StageKind })
  | { readonly raw: OperatorFunction<Carried, Carried> };

/** What is planted gives permits back without a word. */
const isRaw = (link: Link) => 'raw' in link;

/**
 * Runs `links` between a source and a consumer in virtual time, and holds them to the laws:
 * 1. issued = returned + open, at every moment; never more than P are open.
 * 2. When the run has ended (completed, failed or cancelled), nothing is open.
 * 3. It does end: a source that is through is followed by completion or an error.
 * 4. After the end nothing comes out.
 * 5. A run that comes to its end knows of every sample how it ended: issued = delivered + failed + dropped.
 */
export function tryChain(links: readonly Link[], trial: Trial): Verdict {
  const scheduler = virtualTime();
  scheduler.maxFrames = Number.POSITIVE_INFINITY;
  const permits = new Permits(trial.permits);
  const broken = new Set<string>();
  const failures: Failure[] = [];
  const keys: string[] = [];
  const kept = new Set<Carried>();
  const meters: StageMeter[] = [];
  let error: unknown;
  let completed = false;
  let milliseconds = 0;
  let ended = false;

  const look = () => {
    if (permits.issued !== permits.returned + permits.open) broken.add('issued = returned + open');
    if (permits.open > permits.capacity || permits.open < 0) broken.add('at most P open');
  };

  const giveBack = ({ permit }: Carried) => {
    try {
      permit.return('delivered');
    } catch {
      broken.add('a permit returns once');
    }
  };

  const around = (id: string, timeout: number | undefined) => {
    const meter = new StageMeter(id, scheduler);
    meters.push(meter);
    return {
      id,
      meter,
      scheduler,
      concurrency: trial.concurrency ?? 4,
      timeoutSeconds: timeout ?? trial.timeoutSeconds ?? 60,
      budget: new Budget(id, Number.POSITIVE_INFINITY, (failure) => failures.push(failure)),
    };
  };

  const operators = links.map((link, i): OperatorFunction<Carried, Carried> => {
    if ('raw' in link) return link.raw;
    const { stage } = link(scheduler);
    if (stage.kind === 'operator') {
      return runOperator(stage.operator, { ...around(`${i}:${stage.name}`, stage.policy.timeout), holds: stage.holds });
    }
    if (stage.kind !== 'each') throw new Error(`the law kit runs each and operator, not ${stage.kind}`);
    const run = around(`${i}:${stage.name}`, stage.policy.timeout);
    return runStage((sample) => stage.work(sample, new Random(1, run.id, sample.key)), run);
  });
  const source = gate<Sample>(permits, (position) => ({ key: `s${position}`, position, epoch: 0 }), {
    end: trial.count,
    scheduler,
  });
  const parts = operators.reduce((observable, op) => observable.pipe(op), source);
  const chain = trial.ordered ? parts.pipe(inOrder(permits)) : parts;

  const subscription = chain.subscribe({
    next(carried) {
      look();
      if (ended) broken.add('nothing after the end');
      keys.push(carried.sample.key);
      if (!trial.consumerMs) {
        giveBack(carried);
        return;
      }
      kept.add(carried);
      after(scheduler, trial.consumerMs, () => kept.delete(carried) && giveBack(carried));
    },
    error(reason) {
      error = reason;
      ended = true;
      milliseconds = scheduler.now();
    },
    complete() {
      completed = true;
      ended = true;
      milliseconds = scheduler.now();
    },
  });
  if (trial.cancelAt !== undefined) {
    scheduler.schedule(() => {
      ended = true;
      subscription.unsubscribe();
      // What the consumer has is its own to return; everything else must be back at once.
      const own = new Set(Array.from(kept, ({ permit }) => permit)).size;
      if (permits.open !== own) broken.add(`unsubscribing returns all permits (${permits.open - own} still open)`);
    }, trial.cancelAt);
  }
  scheduler.flush();
  look();
  if (permits.open !== 0) broken.add(`nothing open at the end (${permits.open} open)`);
  if (!ended) broken.add('the run ends');
  const { delivered, failed, dropped } = permits.ended;
  const without = permits.issued - delivered - failed - dropped;
  // An operator may end before its source does, which is then in the middle of its work.
  if (completed && without !== 0 && permits.issued === trial.count && !links.some(isRaw)) {
    broken.add(`issued = delivered + failed + dropped (${without} without an end)`);
  }
  const drops = meters.reduce((sum, meter) => sum + [...meter.drops.values()].reduce((a, b) => a + b, 0), 0);
  return { broken: [...broken], keys, failures, drops, error, completed, milliseconds };
}
