import { balanceOf, explainBalance } from '../../balance/bottleneck.ts';
import type { Reading } from '../../balance/reading.ts';
import type { BalanceFacts } from '../../balance/shares.ts';
import type { SampleCounts, StartedTraining } from '../../events/events.ts';
import type { StageStats } from '../../streams/meter.ts';
import type { Measures } from '../../train/metrics.ts';
import type { EventHub } from '../events/hub.ts';
import { ProgressTicker } from '../progress.ts';

/** Steps over which is judged who waits for whom. */
const recentSteps = 32;
/** Milliseconds between two entries of what the stages have done, for those who look at a run that goes on or was killed. */
const statsEveryMs = 30_000;

/** What a training says of itself when it is asked. */
export interface TrainingLook {
  readonly training: Pick<StartedTraining, 'step' | 'total' | 'batch' | 'onCores' | 'compute'>;
  readonly facts: Pick<BalanceFacts, 'cores' | 'onLoaderThread' | 'tunes' | 'tunesThreads'>;
  stats(): readonly StageStats[];
  /** Samples that may be in flight now. */
  permits(): number;
  /** How reading goes; nothing before enough reads have ended. */
  reading?(): Reading | undefined;
  samples(): SampleCounts | undefined;
  /** Milliseconds per step by micro-batch, as far as they were timed. */
  costs(): Readonly<Record<number, number>>;
}

/** Hears of a training's steps, and emits how far it has come, and what its stages have done, until `stop`. */
export class TrainingProgress {
  readonly #events: EventHub;
  readonly #look: TrainingLook;
  readonly #recent: Measures[] = [];
  readonly #ticker: ProgressTicker;
  readonly #timer: NodeJS.Timeout;

  constructor(events: EventHub, look: TrainingLook) {
    this.#events = events;
    this.#look = look;
    const { batch, step, total, compute } = look.training;
    events.on('step', (measures) => {
      this.#recent.push(measures);
      if (this.#recent.length > recentSteps) this.#recent.shift();
    });
    const now = () => {
      const last = this.#recent.at(-1);
      return {
        done: last === undefined ? step : last.step + 1,
        total,
        stats: look.stats(),
        samples: look.samples(),
        reading: look.reading?.(),
        balance: balanceOf({ rows: this.#recent, batch }),
        compute,
        ...(last && { values: { loss: last.loss, lr: last.lr } }),
      };
    };
    this.#ticker = new ProgressTicker(events.emit, now, { perDone: batch, before: step });
    this.#timer = setInterval(() => this.#explain(), statsEveryMs);
  }

  /** Emits both once more. Before evaluations and at the end: later, the loader stands still while its time goes on. */
  stop(): void {
    this.#ticker.stop();
    clearInterval(this.#timer);
    this.#explain();
  }

  #explain(): void {
    const { training, facts, stats: statsNow, costs: costsNow, permits: permitsNow } = this.#look;
    const [stats, costs, permits] = [statsNow(), costsNow(), permitsNow()];
    const { batch, onCores } = training;
    const reading = this.#look.reading?.();
    const read = reading && { reading };
    const explanation = explainBalance({
      ...facts,
      rows: this.#recent,
      stats,
      costs,
      permits,
      batch,
      onCores,
      ...read,
    });
    const tunes = facts.tunesThreads === true && { tunesThreads: true as const };
    this.#events.emit({
      ...{ type: 'bottleneck', stats, costs, permits, ...tunes, ...read },
      ...(explanation && { explanation }),
    });
  }
}
