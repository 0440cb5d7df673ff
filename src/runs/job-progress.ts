import type { Reading } from '../balance/reading.ts';
import type { EventOf } from '../events/events.ts';
import type { StageStats } from '../streams/meter.ts';
import type { EventHub } from './events/hub.ts';
import { type Look, ProgressTicker } from './progress.ts';

/** Milliseconds between two entries of what the stages have done, for those who look at a job that goes on or was killed. */
const statsEveryMs = 30_000;

/** What a job says of itself when it is asked. */
export interface JobLook {
  done(): Omit<Look, 'stats' | 'reading'>;
  stats(): readonly StageStats[];
  /** How reading goes; nothing before enough reads have ended. */
  reading(): Reading | undefined;
  /** Samples that may be in flight now. */
  permits(): number;
}

/** Emits how far a job has come, and what its stages have done, until `stop`. */
export class JobProgress {
  readonly #events: EventHub;
  readonly #look: JobLook;
  readonly #ticker: ProgressTicker;
  readonly #timer: NodeJS.Timeout;
  /** What the stages had done when it was last emitted. */
  #worked = '';

  /** @param change what becomes of an event of progress before it is emitted. */
  constructor(
    events: EventHub,
    look: JobLook,
    change: (emit: EventHub['emit']) => (event: EventOf<'progress'>) => void = (emit) => emit,
  ) {
    this.#events = events;
    this.#look = look;
    const now = () => ({ ...look.done(), stats: look.stats(), reading: look.reading() });
    this.#ticker = new ProgressTicker(change(events.emit), now);
    this.#timer = setInterval(() => this.#explain(), statsEveryMs);
    this.#timer.unref();
  }

  /** Emits both once more. */
  stop(): void {
    this.#ticker.stop();
    clearInterval(this.#timer);
    this.#explain();
  }

  #explain(): void {
    const stats = this.#look.stats();
    const worked = stats.map(({ in: begun, out }) => `${begun} ${out}`).join();
    // A job that is watched may have nothing to do for days.
    if (worked === this.#worked) return;
    this.#worked = worked;
    const reading = this.#look.reading();
    const permits = this.#look.permits();
    this.#events.emit({ type: 'bottleneck', stats, costs: {}, permits, ...(reading && { reading }) });
  }
}
