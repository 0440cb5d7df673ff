import { BehaviorSubject, type SchedulerLike, type VirtualTimeScheduler } from 'rxjs';
import type { Tuner } from '../../../src/balance/tuner.ts';
import type { ResolvedStage } from '../../../src/pipeline/resolve/infer-specs.ts';
import { Random } from '../../../src/random.ts';
import { loader } from '../../../src/runs/loader/engine.ts';
import { feedTrainer } from '../../../src/runs/training/feed-trainer.ts';
import { Budget } from '../../../src/streams/failures.ts';
import type { StageStats } from '../../../src/streams/meter.ts';
import { Ring } from '../../../src/streams/ring.ts';
import type { LoopEnd } from '../../../src/train/loop.ts';
import type { Measures } from '../../../src/train/metrics.ts';
import type { CellList } from '../../../src/train/worker/protocol.ts';
import { after, VirtualPromise, virtualTime } from '../virtual.ts';

/** A training in virtual time: the real loader and its feeding, around parts that take so long and compute nothing. */
export interface Coupled {
  readonly cores: number;
  readonly threads: number;
  readonly permits: number;
  readonly cells: number;
  readonly batch: number;
  readonly microBatch: number;
  readonly steps: number;
  /** Milliseconds of waiting for one sample's bytes. */
  readonly sourceMs: number;
  /** Stages between source and renderer: milliseconds of a sample, on a core or of waiting. */
  readonly stages: readonly {
    readonly name: string;
    readonly ms: number;
    readonly core?: boolean;
    readonly concurrency?: number;
  }[];
  /** Milliseconds of a core that rendering one sample takes, and the share of the samples that fail in it. */
  readonly renderMs: number;
  readonly fails?: number;
  readonly trainer: TrainerCosts;
}

export interface TrainerCosts {
  readonly passMs: number;
  readonly sampleMs: number;
  readonly uploadMs: number;
  readonly updateMs: number;
  /** It computes on the cores that load. */
  readonly onCores?: boolean;
}

export interface CoupledResult {
  readonly rows: readonly Measures[];
  readonly stats: readonly StageStats[];
  /** Images per second over the second half. */
  readonly rate: number;
}

/** Runs it to its end, with the tuner at its knobs if there is one. No time passes, no core is used. */
export async function coupled(plan: Coupled, tuner?: Tuner): Promise<CoupledResult> {
  const scheduler = virtualTime();
  scheduler.maxFrames = Number.POSITIVE_INFINITY;
  const cores = new Cores(scheduler, plan.cores);
  const random = new Random(3, 'coupled', 'fails');
  const spread = () => 0.8 + 0.4 * random.uniform();
  const ring = new Ring(plan.cells, 64);
  const threads = new BehaviorSubject(plan.threads);
  const source = {
    count: 1_000_000,
    key: (index: number) => `sample-${index}`,
    read: () =>
      new Promise<Record<string, unknown>>((resolve) => {
        scheduler.schedule(() => resolve({}), plan.sourceMs * spread());
      }),
  };
  const stages = plan.stages.map(({ name, ms, core = false, concurrency }) => {
    const work = (sample: unknown) =>
      core ? cores.run(ms * spread(), () => sample) : after(scheduler, ms * spread(), () => sample);
    const policy = concurrency === undefined ? {} : { concurrency };
    return {
      id: name,
      name,
      stage: { kind: 'each', name, policy, work },
      policy,
      holds: 0,
    } as unknown as ResolvedStage;
  });
  const running = loader(source, {
    seed: 1,
    stages,
    threads,
    // As many as the disk of the plan can do at a time.
    reads: Math.max(8, 2 * plan.threads),
    permits: plan.permits,
    shuffle: false,
    end: source.count,
    onFailure: () => {},
    signal: new AbortController().signal,
    scheduler,
  });
  const tell = (row: Measures) => {
    const { microBatch, dataWaitMs: waitMs, ringFill } = row;
    const stepMs = (1000 * plan.batch) / row.imagesPerSecond;
    tuner?.read({ microBatch, waitMs, busyMs: stepMs - waitMs, stepMs, ringFill });
    if (tuner !== undefined && tuner.setting.threads !== threads.value) threads.next(tuner.setting.threads);
  };
  const trainer = new SimulatedTrainer(plan, scheduler, cores, (cells) => ring.free(cells), tell);
  const feeding = feedTrainer(running, trainer, {
    ring,
    batch: plan.batch,
    microBatch: () => tuner?.setting.microBatch ?? plan.microBatch,
    dropLast: false,
    rendering: {
      ...running.ending('render'),
      // A share may fail here without ending the run: what it costs is looked at.
      budget: new Budget('render', '100%', () => {}),
      write: () =>
        cores.run(plan.renderMs * spread(), () => {
          if (random.uniform() < (plan.fails ?? 0)) throw new Error('broken');
        }),
    },
  });
  await play(scheduler, trainer.done);
  await feeding;
  const stats = running.stats();
  const { rows } = trainer;
  const half = rows.slice(rows.length >> 1);
  const milliseconds = half.reduce((sum, { imagesPerSecond }) => sum + (1000 * plan.batch) / imagesPerSecond, 0);
  return { rows, stats, rate: (1000 * plan.batch * half.length) / milliseconds };
}

/** Lets virtual time pass, event by event, until the promise settles; what waits on microtasks gets its turn between two events. */
async function play(scheduler: VirtualTimeScheduler, until: Promise<unknown>): Promise<void> {
  let over = false;
  const end = () => {
    over = true;
  };
  until.then(end, end);
  for (;;) {
    await new Promise(setImmediate);
    if (over) return;
    const action = scheduler.actions.shift();
    if (action === undefined) throw new Error('nothing is left that could happen');
    scheduler.frame = action.delay;
    const error: unknown = action.execute(action.state, action.delay);
    if (error) throw error;
  }
}

/** The cores of a machine: jobs wait for one in the order in which they came. */
class Cores {
  /** Milliseconds of all cores that were used. */
  used = 0;
  readonly #scheduler: SchedulerLike;
  readonly #waiting: (() => void)[] = [];
  #free: number;

  constructor(scheduler: SchedulerLike, count: number) {
    this.#scheduler = scheduler;
    this.#free = count;
  }

  run<T>(milliseconds: number, make: () => T): Promise<T> {
    const job = new VirtualPromise<T>((settle) => {
      const start = () => {
        this.#free--;
        this.#scheduler.schedule(() => {
          this.#free++;
          this.used += milliseconds;
          try {
            settle({ value: make() });
          } catch (error) {
            settle({ error });
          }
          if (this.#free > 0) this.#waiting.shift()?.();
        }, milliseconds);
      };
      if (this.#free > 0) start();
      else this.#waiting.push(start);
    });
    return job as unknown as Promise<T>;
  }
}

/** On shared cores a pass is cut into slices, which wait for cores like everything else. */
const sliceMs = 4;

class SimulatedTrainer {
  readonly rows: Measures[] = [];
  readonly done: Promise<LoopEnd>;
  readonly #plan: Coupled;
  readonly #scheduler: SchedulerLike;
  readonly #cores: Cores;
  readonly #freed: (cells: Uint32Array) => void;
  readonly #tell: (row: Measures) => void;
  readonly #lists: CellList[] = [];
  #wake: () => void = () => {};
  #heard: () => void = () => {};
  #sent = 0;
  #over = false;

  constructor(
    plan: Coupled,
    scheduler: SchedulerLike,
    cores: Cores,
    freed: (cells: Uint32Array) => void,
    tell: (row: Measures) => void,
  ) {
    this.#plan = plan;
    this.#tell = tell;
    this.#scheduler = scheduler;
    this.#cores = cores;
    this.#freed = freed;
    this.done = this.#train();
  }

  async send(list: CellList): Promise<boolean> {
    while (this.#sent >= 2 && !this.#over) await new Promise<void>((resolve) => (this.#wake = resolve));
    if (this.#over) {
      this.#freed(list.cells);
      return false;
    }
    this.#sent++;
    this.#lists.push(list);
    this.#heard();
    return true;
  }

  end(): void {}

  async #train(): Promise<LoopEnd> {
    const { steps, batch, trainer } = this.#plan;
    const { passMs, sampleMs, uploadMs, updateMs } = trainer;
    const now = () => this.#scheduler.now();
    for (let step = 0; step < steps; step++) {
      const [began, usedBefore] = [now(), this.#cores.used];
      const spent = { dataWaitMs: 0, permitWaitMs: 0, uploadMs: 0, passMs: 0, ringFill: 0 };
      let microBatch = 0;
      for (let done = 0; done < batch; ) {
        const asked = now();
        while (this.#lists.length === 0) await new Promise<void>((resolve) => (this.#heard = resolve));
        const list = this.#lists.shift()!;
        const samples = list.cells.length;
        microBatch = samples;
        spent.dataWaitMs += now() - asked;
        spent.permitWaitMs += list.permitWaitMs ?? 0;
        spent.ringFill += ((list.ringFill ?? 0) * samples) / batch;
        spent.uploadMs += await this.#compute(samples * uploadMs);
        this.#freed(list.cells);
        this.#sent--;
        this.#wake();
        spent.passMs += await this.#compute(passMs + samples * sampleMs);
        done += samples;
      }
      const updating = await this.#compute(updateMs);
      const stepMs = now() - began;
      const cores = (this.#cores.used - usedBefore) / stepMs;
      this.rows.push({
        step,
        epoch: 0,
        loss: 1,
        gradNorm: 1,
        paramNorm: 1,
        lr: 1e-3,
        imagesPerSecond: (1000 * batch) / stepMs,
        microBatch,
        updateMs: updating,
        cores,
        keys: '0',
        ...spent,
      });
      this.#tell(this.rows.at(-1)!);
    }
    this.#over = true;
    this.#wake();
    return { step: steps, position: steps * batch, ended: 'steps', skipped: 0 };
  }

  /** Computes on a device of its own, or on all cores, slice by slice. Returns how long it took. */
  async #compute(milliseconds: number): Promise<number> {
    const began = this.#scheduler.now();
    if (!this.#plan.trainer.onCores) {
      await after(this.#scheduler, milliseconds, () => undefined);
    } else {
      for (let left = milliseconds; left > 0; left -= sliceMs) {
        const slice = Math.min(left, sliceMs);
        await Promise.all(Array.from({ length: this.#plan.cores }, () => this.#cores.run(slice, () => undefined)));
      }
    }
    return this.#scheduler.now() - began;
  }
}
