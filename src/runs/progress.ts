import { awake } from '../awake-clock.ts';
import type { EventOf, Progress } from '../events/events.ts';
import type { StageStats } from '../streams/meter.ts';
import { type Compute, usedOf } from '../train/flops.ts';

const everyMs = 250;

/** What a run says of itself when it is asked. */
export interface Look {
  readonly done: number;
  readonly ended?: number;
  readonly records?: number;
  readonly total?: number;
  readonly stats: readonly StageStats[];
  readonly values?: Record<string, number>;
  readonly balance?: Progress['balance'] | undefined;
  readonly reading?: Progress['reading'] | undefined;
  readonly samples?: Progress['samples'] | undefined;
  readonly compute?: Compute | undefined;
}

/** Emits a run's progress a few times a second, until `stop`. */
export class ProgressTicker {
  readonly #timer: NodeJS.Timeout;
  readonly #began = awake.now();
  readonly #emit: () => void;
  #stopped = false;

  /**
   * @param look what is done, of how many, and further values to show.
   * @param perDone images in one of `done`: 1 of a job, the batch of a training.
   */
  constructor(emit: (event: EventOf<'progress'>) => void, look: () => Look, { perDone = 1, before = 0 } = {}) {
    this.#emit = () => {
      const { done, ended = done, records, total, stats, values, balance, reading, samples, compute } = look();
      const seconds = (awake.now() - this.#began) / 1000;
      const rate = seconds > 0 ? (ended - before) / seconds : 0;
      const known = total !== undefined && Number.isFinite(total);
      const waiting = stats.reduce<StageStats | undefined>(
        (most, stage) => (stage.waiting > (most?.waiting ?? 0) ? stage : most),
        undefined,
      );
      emit({
        type: 'progress',
        done,
        ...(ended !== done && { ended }),
        ...(records !== undefined && { records }),
        imagesPerSecond: rate * perDone,
        failures: stats.reduce((sum, { failures }) => sum + failures, 0),
        ...(known && { total }),
        ...(known && rate > 0 && { secondsLeft: Math.max(0, total - ended) / rate }),
        ...(waiting && { waiting: { stage: waiting.stage, permits: waiting.waiting } }),
        ...(samples && { samples }),
        ...(stats.length > 0 && { queues: Object.fromEntries(stats.map(({ stage, waiting }) => [stage, waiting])) }),
        ...(values && { values }),
        ...(balance && { balance }),
        ...(reading && { reading }),
        ...(compute && rate > 0 && usedOf(compute, rate * perDone)),
      } satisfies Progress);
    };
    this.#timer = setInterval(this.#emit, everyMs);
    this.#timer.unref();
  }

  /** Emits once more and ends. */
  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    clearInterval(this.#timer);
    this.#emit();
  }
}

/** What was lost on the way, for people: where samples failed, and where and why they were dropped. */
export function lossLines(stats: readonly StageStats[], quarantine: string): string[] {
  const name = ({ stage }: StageStats) => stage.replace(/^\d+:/, '');
  const failed = stats.filter(({ failures }) => failures > 0).map((stage) => `${stage.failures} in ${name(stage)}`);
  const dropped = stats.flatMap((stage) =>
    Object.entries(stage.drops).map(([reason, count]) => `${count} in ${name(stage)} (${reason})`),
  );
  return [
    ...(failed.length > 0 ? [`failed: ${failed.join(', ')}; listed in ${quarantine}`] : []),
    ...(dropped.length > 0 ? [`dropped: ${dropped.join(', ')}`] : []),
  ];
}

/** Failures and drops of all stages together. */
export function totals(stats: readonly StageStats[]): { failures: number; drops: number } {
  let failures = 0;
  let drops = 0;
  for (const stage of stats) {
    failures += stage.failures;
    for (const count of Object.values(stage.drops)) drops += count;
  }
  return { failures, drops };
}
