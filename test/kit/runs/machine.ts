import { divisorsOf } from '../../../src/balance/tune-micro-batch.ts';
import type { Setting, TunerReading } from '../../../src/balance/tuner.ts';
import { Random } from '../../../src/random.ts';

/**
 * A machine that only computes what its parts would take: a backend with costs per pass and sample and memory per sample, a loader with costs
 * per sample, bursts, a ring between them. No time passes.
 */
export interface Machine {
  readonly name: string;
  readonly cores: number;
  readonly batch: number;
  /** Milliseconds of a pass, and of each sample in it. */
  readonly passMs: number;
  readonly sampleMs: number;
  /** A GPU computes this many samples at a time: a pass of less takes as long. */
  readonly lanes: number;
  /** Beyond so many samples a pass falls out of the caches, and takes up to `spill` of its time more for each doubling. */
  readonly cached: number;
  readonly spill: number;
  /** Milliseconds of a step beside its passes: norms, optimizer. */
  readonly stepMs: number;
  /** Samples of a pass for which there is memory; `answers`: a larger one is refused and computed in parts, else it would end the run. */
  readonly fits: number;
  readonly answers: boolean;
  /** What the estimate of memory says that fits. */
  readonly estimated: number;
  /** Milliseconds of a core, and of waiting for the disk, that loading one sample takes. */
  readonly loadMs: number;
  readonly diskMs: number;
  /** The share of the time in which loading takes `burst` times as long, in stretches of so many steps. */
  readonly bursts: { readonly share: number; readonly factor: number; readonly steps: number };
  /** The backend computes on the cores that load. */
  readonly shared: boolean;
  /** Spread of the times, as a share. */
  readonly noise: number;
}

/** What ends a run: more memory than there is, where nobody answers. */
export class Killed extends Error {}

/** What is the same in all passes of a step: samples per millisecond of the loader, alone and beside the backend, and how fast the backend is beside it. */
interface Pace {
  readonly alone: number;
  readonly beside: number;
  readonly speed: number;
}

/** The largest micro-batch that a run on this machine may try. */
export const mostOf = ({ batch, estimated }: Machine): number => divisorsOf(batch, Math.max(1, estimated)).at(-1) ?? 1;

/** The most threads that a run on this machine may try. */
export const mostThreadsOf = ({ cores }: Machine): number => Math.max(4, 2 * cores);

export const cellsOf = (machine: Machine): number => 3 * mostOf(machine) + mostThreadsOf(machine);

/** A run on a machine, step by step. */
export class MachineRun {
  readonly #machine: Machine;
  readonly #random: Random;
  readonly #cells: number;
  /** Milliseconds of passes by their samples: a step has many of the same. */
  readonly #passes = new Map<number, number>();
  #fill = 0;
  #refused: number | undefined;
  #slow = false;

  constructor(machine: Machine, seed: string) {
    this.#machine = machine;
    this.#random = new Random(11, 'machine', `${machine.name} ${seed}`);
    this.#cells = cellsOf(machine);
  }

  /** Computes one step. @throws Killed */
  step({ microBatch, threads }: Setting): TunerReading {
    const { batch, bursts, stepMs, noise } = this.#machine;
    if (this.#random.uniform() < 1 / bursts.steps) this.#slow = this.#random.uniform() < bursts.share;
    const pace = this.#pace(threads, this.#slow ? bursts.factor : 1);
    let [busyMs, waitMs] = [0, 0];
    for (let done = 0; done < batch; done += microBatch) {
      waitMs += this.#await(microBatch, pace);
      busyMs += this.#pass(microBatch, pace);
    }
    const jitter = 1 + noise * this.#random.normal() ** 2;
    busyMs = busyMs * jitter + this.#busy(stepMs, pace);
    const refused = this.#refused === undefined ? {} : { refused: this.#refused };
    return { microBatch, busyMs, waitMs, stepMs: busyMs + waitMs, ringFill: this.#fill / this.#cells, ...refused };
  }

  /** Fills the ring until a pass can begin; the milliseconds that takes. */
  #await(samples: number, { alone }: Pace): number {
    if (this.#fill >= samples) {
      this.#fill -= samples;
      return 0;
    }
    const waited = (samples - this.#fill) / alone;
    this.#fill = 0;
    return waited;
  }

  #pass(samples: number, pace: Pace): number {
    const { fits, answers } = this.#machine;
    if (samples > fits && !answers) throw new Killed(`a pass of ${samples} where ${fits} fit`);
    return this.#busy(this.#inParts(samples), pace);
  }

  /** A pass that finds no memory is halved, and its like are from then on. */
  #inParts(samples: number): number {
    const half = Math.ceil(samples / 2);
    if (samples >= (this.#refused ?? Number.POSITIVE_INFINITY))
      return this.#inParts(half) + this.#inParts(samples - half);
    if (samples <= this.#machine.fits) return this.#passMs(samples);
    this.#refused = samples;
    return this.#passMs(half) + this.#inParts(half) + this.#inParts(samples - half);
  }

  #passMs(samples: number): number {
    const known = this.#passes.get(samples);
    if (known !== undefined) return known;
    const milliseconds = passMsOf(this.#machine, samples);
    this.#passes.set(samples, milliseconds);
    return milliseconds;
  }

  /** Lets the loader work while the backend does, which takes it longer where they share the cores. Returns how long. */
  #busy(milliseconds: number, { beside, speed }: Pace): number {
    const room = this.#cells - this.#fill;
    const filling = room / beside;
    const slowed = milliseconds / speed;
    if (filling >= slowed) {
      this.#fill += beside * slowed;
      return slowed;
    }
    this.#fill = this.#cells;
    return filling + (milliseconds - filling * speed);
  }

  #pace(threads: number, factor: number): Pace {
    const { shared, cores } = this.#machine;
    return {
      alone: this.#rate(threads, factor, false),
      beside: this.#rate(threads, factor, shared),
      speed: shared ? cores / (cores + this.#active(threads)) : 1,
    };
  }

  /** Loader threads that want a core, on the average. */
  #active(threads: number): number {
    const { loadMs, diskMs } = this.#machine;
    return (threads * loadMs) / (loadMs + diskMs);
  }

  /** Samples per millisecond of the loader. */
  #rate(threads: number, factor: number, contended: boolean): number {
    const { cores, loadMs } = this.#machine;
    const active = this.#active(threads);
    // The backend wants all cores; what the system gives is divided by who wants it.
    const got = contended ? (cores * active) / (cores + active) : Math.min(active, cores);
    // Something is lost in changing between more threads than cores.
    const lost = 1 - 0.02 * Math.max(0, Math.min(5, active / cores - 1));
    return (got * lost) / (loadMs * factor);
  }
}

/** Milliseconds per step of the passes and what is beside them, where nothing else takes the machine's time. */
export function aloneMs(machine: Machine, microBatch: number): number {
  const { batch, stepMs } = machine;
  return (batch / microBatch) * passMsOf(machine, microBatch) + stepMs;
}

/** Milliseconds of a pass on a backend of its own. */
function passMsOf({ passMs, sampleMs, lanes, cached, spill }: Machine, samples: number): number {
  const lanesFull = Math.ceil(samples / lanes) * lanes;
  const beyond = Math.max(0, Math.log2(samples / cached));
  return passMs + lanesFull * sampleMs * (1 + spill * beyond);
}

/** Images per second of a setting in the long run. */
export function throughput(machine: Machine, setting: Setting, { steps = 60, seed = 'sweep' } = {}): number {
  const run = new MachineRun(machine, seed);
  let milliseconds = 0;
  const warm = steps >> 1;
  for (let step = 0; step < steps + warm; step++) {
    const { stepMs } = run.step(setting);
    if (step >= warm) milliseconds += stepMs;
  }
  return (1000 * machine.batch * steps) / milliseconds;
}

/** The best setting of all micro-batches that fit and all numbers of threads on a fine ladder. */
export function sweep(machine: Machine): { readonly best: Setting; readonly rate: number } {
  let best: Setting = { microBatch: 1, threads: 1 };
  let highest = 0;
  const threadsTried = new Set<number>();
  for (let n = 1; n <= mostThreadsOf(machine); n = Math.max(n + 1, Math.floor(n * 1.25))) threadsTried.add(n);
  for (const microBatch of divisorsOf(machine.batch, Math.min(mostOf(machine), machine.fits))) {
    // A pass per sample takes a thousand times as long to simulate and is never the best but where nothing else fits.
    if (machine.batch / microBatch > 512 && machine.fits >= 8) continue;
    for (const threads of threadsTried) {
      const setting = { microBatch, threads };
      const rate = throughput(machine, setting, { steps: machine.bursts.share > 0 ? 120 : 24 });
      if (rate > highest) [highest, best] = [rate, setting];
    }
  }
  return { best, rate: highest };
}
