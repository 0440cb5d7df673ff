import { counted } from '../counts.ts';
import { divisorsOf, MicroBatchSearch, median, type PassReading } from './tune-micro-batch.ts';
import { type LoadReading, ThreadSearch } from './tune-threads.ts';
import { BalanceWatch } from './tune-watch.ts';

/** What one step says to the tuner: times of its row in `metrics.jsonl`. */
export interface TunerReading extends PassReading, LoadReading {}

/** The two knobs. */
export interface Setting {
  /** Samples per forward and backward pass. */
  readonly microBatch: number;
  /** Threads that load. */
  readonly threads: number;
}

/** A change of a knob, or the end of a search, with the numbers behind it. */
export interface Decision extends Setting {
  readonly kind: 'try' | 'settled' | 'again' | 'memory';
  /** Steps that the tuner has seen. */
  readonly steps: number;
  /** Why, in one sentence with its numbers. */
  readonly why: string;
  /** Milliseconds per step in which the trainer works, by micro-batch. Flat: the choice hardly matters. */
  readonly costs: Readonly<Record<number, number>>;
  /** Steps per second by loader threads. Rising: the loader is the bottleneck. */
  readonly rates: Readonly<Record<number, number>>;
}

export interface TunerOptions {
  /** Samples per optimizer step. */
  readonly batch: number;
  /** Where it begins: a safe guess, or what an earlier run found. */
  readonly start: Setting;
  /** The largest micro-batch that may be tried, absent where the micro-batch is fixed; `even` for models that pair samples. */
  readonly microBatch?: { readonly most: number; readonly even?: boolean };
  /** The most threads that may be tried, absent where they are fixed. */
  readonly threads?: { readonly most: number };
  /** Cells of the ring. */
  readonly cells: number;
  /** `start` is what an earlier run on such a machine found, with the time that the trainer then worked per step: kept while that holds. */
  readonly known?: { readonly busyMs: number };
}

/** By how much the trainer's time per step may differ from what an earlier run has found. */
const alike = 0.25;
/** Steps before what has settled may be tuned again; twice as many each time, so that a machine that is never calm is left alone. */
const calm = 200;

/**
 * Finds the micro-batch and the loader threads of the highest throughput while the training runs, and again when the balance has shifted: first the
 * micro-batch by the time that the trainer works per step, then the threads by the rate of steps. A state machine without clock, input or output: it
 * is fed with each step and answers with what to change. What it changes never changes the result.
 */
export class Tuner {
  readonly #options: TunerOptions;
  #setting: Setting;
  #passes: MicroBatchSearch | undefined;
  #load: ThreadSearch | undefined;
  /** Found by the search before the present one. */
  #costs: Record<number, number> = {};
  #rates: Record<number, number> = {};
  /** The largest that there was memory for. */
  #most: number;
  #steps = 0;
  #settledAt = 0;
  #rest = calm;
  #recent: TunerReading[] = [];
  #watch = new BalanceWatch();
  /** Whether the remembered start still stands to be confirmed. */
  #confirming: boolean;

  constructor(options: TunerOptions) {
    this.#options = options;
    this.#setting = options.start;
    this.#most = options.microBatch?.most ?? options.start.microBatch;
    this.#confirming = options.known !== undefined;
    if (!this.#confirming) this.#searchPasses();
  }

  /** What is to be used from the next step on. */
  get setting(): Setting {
    return this.#setting;
  }

  /** Nothing is being tried now. */
  get settled(): boolean {
    return this.#passes === undefined && this.#load === undefined && !this.#confirming;
  }

  /** The trainer's time per step in the settled state, in milliseconds: what is remembered beside the setting. */
  get busyMs(): number | undefined {
    return this.#watch.busyMs;
  }

  /** Milliseconds per step in which the trainer works, by micro-batch, as far as they were timed. */
  get costs(): Readonly<Record<number, number>> {
    return this.#costs;
  }

  /** Takes one step. Answers when something is to change, or a search has come to its end. */
  read(reading: TunerReading): Decision | undefined {
    this.#steps++;
    if (reading.refused !== undefined && reading.refused <= this.#most) {
      this.#most = reading.refused - 1;
      if (this.#passes === undefined && this.#setting.microBatch > this.#most) return this.#shrink();
    }
    if (this.#confirming) return this.#confirm(reading);
    if (this.#passes !== undefined) return this.#readPasses(this.#passes, reading);
    if (this.#load !== undefined) return this.#readLoad(this.#load, reading);
    return this.#readSettled(reading);
  }

  #searchPasses(): void {
    const { batch, microBatch } = this.#options;
    if (microBatch === undefined) {
      this.#searchThreads();
      return;
    }
    const start = Math.min(this.#setting.microBatch, this.#most);
    this.#passes = new MicroBatchSearch({ ...microBatch, batch, start, most: this.#most });
  }

  #searchThreads(): void {
    const { batch, threads, cells } = this.#options;
    if (threads === undefined) return;
    this.#load = new ThreadSearch({ start: this.#setting.threads, most: threads.most, batch, cells });
  }

  #readPasses(search: MicroBatchSearch, reading: TunerReading): Decision | undefined {
    const before = search.wanted;
    search.read(reading);
    this.#costs = Object.fromEntries(search.costs);
    this.#setting = { ...this.#setting, microBatch: search.wanted };
    if (!search.done) return search.wanted === before ? undefined : this.#decide('try', this.#tryWhy(search, reading));
    this.#passes = undefined;
    this.#searchThreads();
    if (this.#load === undefined || this.#load.done) return this.#settle(`${this.#passWhy()}.`);
    return this.#decide('try', `${this.#passWhy()}; now the loader's threads.`);
  }

  #tryWhy({ costs, wanted }: MicroBatchSearch, { microBatch, refused }: TunerReading): string {
    if (refused !== undefined && refused <= microBatch)
      return `A pass of ${refused} found no memory; ${wanted} is tried.`;
    const last = [...costs].at(-1);
    if (last === undefined) return `Micro-batch ${wanted} is tried.`;
    const rate = ((1000 * this.#options.batch) / last[1]).toPrecision(3);
    return `Micro-batch ${last[0]} computes ${rate} images/s; ${wanted} is tried.`;
  }

  #passWhy(): string {
    const { microBatch } = this.#setting;
    const rate = ((1000 * this.#options.batch) / (this.#costs[microBatch] ?? Number.NaN)).toPrecision(3);
    return `Micro-batch ${microBatch} of ${this.#options.batch} computes ${rate} images/s, the fastest of ${Object.keys(this.#costs).length} that were timed, or hardly slower`;
  }

  #readLoad(search: ThreadSearch, reading: TunerReading): Decision | undefined {
    const before = search.wanted;
    search.read(reading);
    this.#rates = Object.fromEntries(search.rates);
    this.#setting = { ...this.#setting, threads: search.wanted };
    if (!search.done) {
      if (search.wanted === before) return undefined;
      const rate = ((this.#rates[before] ?? 0) * this.#options.batch).toPrecision(3);
      return this.#decide(
        'try',
        `${counted(before, 'thread loads', 'threads load')} ${rate} images/s; ${search.wanted} is tried.`,
      );
    }
    this.#load = undefined;
    return this.#settle(
      `${counted(search.wanted, 'thread is', 'threads are')} enough, of ${counted(search.rates.size, 'number that was', 'numbers that were')} tried.`,
    );
  }

  /** A remembered setting is kept when the trainer works about as long per step as it did then. */
  #confirm(reading: TunerReading): Decision | undefined {
    const { batch, known, start } = this.#options;
    this.#recent.push(reading);
    const warm = Math.ceil(8 / (batch / start.microBatch));
    if (this.#recent.length < warm + 8) return undefined;
    this.#confirming = false;
    const busyMs = median(this.#recent.slice(warm).map((each) => each.busyMs));
    this.#recent = [];
    const { microBatch, threads } = this.#setting;
    if (Math.abs(busyMs / known!.busyMs - 1) <= alike) {
      return this.#settle(`Micro-batch ${microBatch} and ${counted(threads, 'thread')}, as an earlier run has found.`);
    }
    this.#searchPasses();
    const [now, then] = [busyMs, known!.busyMs].map((each) => each.toPrecision(3));
    return this.#decide('again', `A step takes ${now} ms where an earlier run took ${then}: it is tuned anew.`);
  }

  /** Memory ended at a micro-batch that had served. */
  #shrink(): Decision {
    const { batch, microBatch: may } = this.#options;
    const refused = this.#most + 1;
    const microBatch = divisorsOf(batch, this.#most, may?.even).at(-1) ?? (may?.even ? 2 : 1);
    this.#setting = { ...this.#setting, microBatch };
    this.#confirming = false;
    this.#watch = new BalanceWatch();
    return this.#decide(
      'memory',
      `A pass of ${refused} found no memory: the micro-batch is ${microBatch} from now on.`,
    );
  }

  #readSettled(reading: TunerReading): Decision | undefined {
    if (reading.microBatch !== this.#setting.microBatch) return undefined;
    const shift = this.#watch.read(reading);
    if (shift === undefined || this.#steps - this.#settledAt < this.#rest) return undefined;
    if (shift.of === 'work') this.#searchPasses();
    else this.#searchThreads();
    // What is fixed cannot be tuned again.
    if (this.settled) return undefined;
    this.#rest *= 2;
    const [now, then] = [shift.now, shift.before].map((each) => each.toPrecision(3));
    const what = shift.of === 'work' ? 'The trainer works' : 'A step takes';
    return this.#decide('again', `${what} ${now} ms where it was ${then}: the balance has shifted and is tuned again.`);
  }

  #settle(why: string): Decision {
    this.#settledAt = this.#steps;
    this.#watch = new BalanceWatch();
    return this.#decide('settled', why);
  }

  #decide(kind: Decision['kind'], why: string): Decision {
    return { kind, ...this.#setting, steps: this.#steps, why, costs: this.#costs, rates: this.#rates };
  }
}
