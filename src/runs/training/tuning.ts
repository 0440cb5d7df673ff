import { cpus } from 'node:os';
import { BehaviorSubject } from 'rxjs';
import { awake } from '../../awake-clock.ts';
import { BalanceMemory } from '../../balance/memory.ts';
import { type Decision, Tuner } from '../../balance/tuner.ts';
import { notice } from '../../events/notices.ts';
import { coreCount, machine } from '../../machine.ts';
import type { Resolved } from '../../pipeline/resolve/resolve.ts';
import { trueJson } from '../../pipeline/resolve/resolved-json.ts';
import type { Measures } from '../../train/metrics.ts';
import type { Ready } from '../../train/worker/protocol.ts';
import { setRenderThreads } from '../../vision/render/native.ts';
import type { EventHub } from '../events/hub.ts';
import type { MicroBatchRange } from './micro-batch-range.ts';

export interface TuningOptions {
  readonly ready: Pick<Ready, 'backend' | 'device'>;
  readonly microBatch: MicroBatchRange;
  /** Cells of the ring. */
  readonly cells: number;
  /** Steps are heard of there, decisions emitted. */
  readonly events: EventHub;
  readonly memory?: BalanceMemory;
}

/** Steps that are not judged after the loader was held up for so many milliseconds by something else, such as an evaluation. */
const disturbedSteps = 3;
const disturbing = 5;
/** Share of the machine's memory up to which a larger micro-batch may be expected to go. */
const memoryShare = 0.8;

/** The tuner at a training's knobs: hands it the steps, sets what it decides, and remembers what it has found. */
export class Tuning {
  /** Loader threads, as they change. */
  readonly threads: BehaviorSubject<number>;
  readonly #options: TuningOptions;
  readonly #tuner: Tuner;
  readonly #batch: number;
  readonly #about: unknown;
  readonly #memory: BalanceMemory;
  readonly #guard: MemoryGuard | undefined;
  #disturbed = 0;

  constructor(resolved: Resolved, options: TuningOptions) {
    this.#options = options;
    const { ready, microBatch, cells, events } = options;
    const { capacity, train } = resolved;
    this.#batch = train!.batch;
    this.#memory = options.memory ?? new BalanceMemory((text) => events.notice(notice('TUNER', { text })));
    this.#about = aboutRun(resolved, ready);
    // A device answers a pass that finds no memory, and the host's memory says nothing of it.
    this.#guard = ready.device === 'cpu' ? new MemoryGuard() : undefined;
    const { mostThreads } = capacity;
    const tunes = microBatch.most !== undefined || mostThreads !== undefined;
    const found = tunes ? this.#memory.get(this.#about) : undefined;
    const fits =
      found !== undefined &&
      (microBatch.most === undefined ? found.microBatch === microBatch.start : found.microBatch <= microBatch.most) &&
      (mostThreads === undefined ? found.threads === capacity.threads : found.threads <= mostThreads) &&
      this.#batch % found.microBatch === 0;
    const start = fits ? found : { microBatch: microBatch.start, threads: capacity.threads };
    this.#tuner = new Tuner({
      batch: this.#batch,
      start: { microBatch: start.microBatch, threads: start.threads },
      cells,
      ...(microBatch.most !== undefined && { microBatch: { most: microBatch.most, even: microBatch.even ?? false } }),
      ...(mostThreads !== undefined && { threads: { most: mostThreads } }),
      ...(fits && { known: { busyMs: found.busyMs } }),
    });
    this.threads = new BehaviorSubject(start.threads);
    this.threads.subscribe((count) => setRenderThreads(Math.min(count, coreCount())));
    events.notice(
      fits
        ? notice('MICRO_BATCH_KNOWN', { microBatch: start.microBatch, batch: this.#batch })
        : notice('MICRO_BATCH', { reason: microBatch.reason }),
    );
    events.on('step', (measures) => this.#step(measures));
  }

  /** Samples per pass, for the step that is cut next. */
  get microBatch(): number {
    return this.#tuner.setting.microBatch;
  }

  /** Milliseconds per step by micro-batch, as far as they were timed. */
  get costs(): Readonly<Record<number, number>> {
    return this.#tuner.costs;
  }

  /** Waits for something that is no part of the balance; steps that it held up are not judged. */
  async undisturbed(other: Promise<void>): Promise<void> {
    const began = awake.now();
    await other;
    if (awake.now() - began > disturbing) this.#disturbed = disturbedSteps;
  }

  #step(measures: Measures): void {
    const { microBatch, dataWaitMs: waitMs, imagesPerSecond, ringFill } = measures;
    if (this.#disturbed > 0) {
      this.#disturbed--;
      return;
    }
    const stepMs = (1000 * this.#batch) / imagesPerSecond;
    this.#guard?.used(microBatch);
    const tooLarge = this.#guard?.tooLarge(this.microBatch) ?? Number.POSITIVE_INFINITY;
    const refused = Math.min(measures.refused ?? Number.POSITIVE_INFINITY, tooLarge);
    const decision = this.#tuner.read({
      microBatch,
      busyMs: stepMs - waitMs,
      waitMs,
      stepMs,
      ringFill,
      ...(Number.isFinite(refused) && { refused }),
    });
    if (decision !== undefined) this.#decide(decision);
  }

  /** Remembers what was found, when something was, and gives the renderer its threads back. */
  end(): void {
    const { busyMs, settled, setting } = this.#tuner;
    if (settled && busyMs !== undefined) this.#memory.put(this.#about, { ...setting, busyMs });
    setRenderThreads(coreCount());
  }

  #decide(decision: Decision): void {
    if (decision.threads !== this.threads.value) this.threads.next(decision.threads);
    this.#options.events.emit({ type: 'tuning', ...decision });
  }
}

/**
 * Keeps the tuner from a micro-batch that, by the memory which smaller ones took, would not fit the machine: where memory ends by the process being
 * killed, nobody could answer.
 */
class MemoryGuard {
  readonly #base = process.memoryUsage.rss();
  #largest = 0;
  #bytes = 0;

  used(microBatch: number): void {
    if (microBatch < this.#largest) return;
    this.#largest = microBatch;
    this.#bytes = Math.max(this.#bytes, process.memoryUsage.rss() - this.#base);
  }

  /** The micro-batch, if it is expected not to fit; infinity otherwise. */
  tooLarge(microBatch: number): number {
    if (this.#largest === 0 || microBatch <= this.#largest) return Number.POSITIVE_INFINITY;
    const expected = this.#base + (this.#bytes * microBatch) / this.#largest;
    return expected > memoryShare * machine().memory ? microBatch : Number.POSITIVE_INFINITY;
  }
}

/** All that a good setting depends on. */
function aboutRun(resolved: Resolved, { backend, device }: Pick<Ready, 'backend' | 'device'>): unknown {
  const { capacity, train, spec, definition } = resolved;
  const { source, stages } = trueJson(resolved);
  const { cores, memory } = machine();
  return {
    machine: [cpus()[0]?.model, cores, Math.round(memory / 2 ** 30)],
    backend,
    device,
    precision: train!.precision,
    model: [train!.model.name, train!.model.options, spec.size, spec.grid, spec.windows],
    batch: train!.batch,
    data: { source, stages },
    fixed: [train!.microBatch, definition.threads ?? 'auto', capacity.permits, definition.cells],
  };
}
