import { fail } from '../errors.ts';
import { guarded } from '../native.ts';
import * as tf from './tf.ts';
import { TorchBackend } from './torch.ts';
import { type Sums, sumsOfSquares, updatesInPlace } from './updates.ts';

/** Named tensors, of shapes that depend on their number of samples alone. */
export type Inputs = Readonly<Record<string, tf.Tensor>>;

/** What is made of one micro-batch: tensors to be added to sums, and a number that follows from the inputs' shapes. The caller owns the tensors. */
export interface Made {
  readonly tensors: readonly tf.Tensor[];
  readonly count: number;
}

/** What is known of the micro-batches of one shape. */
interface Plan {
  recordings: number;
  /** The newest recording that could be replayed, if the newest can. */
  program: number | undefined;
  /** What its micro-batch returned. */
  count: number;
  /** Two recordings were equal: `program` serves from now on. */
  ready: boolean;
  /** Operations of `program`. */
  calls: number;
  /** A replay was compared with what it stands for. */
  checked: boolean;
}

/** The first recording may make constants that stay, so the third is the first that must equal the one before. One more, to be generous. */
const mostRecordings = 4;

/** By how much a replay may differ from a computation: threads may add in another order. */
const tolerance = 1e-5;

/**
 * Adds to sums what a computation makes of micro-batches. Where the backend can record, the computation runs in JavaScript until two
 * recordings of it, on inputs of one shape, are equal; from then on, inputs of that shape are handed to the recording, in one call. The first
 * such replay is compared with the computation. A computation that cannot be replayed runs in JavaScript each time, which is told once.
 */
export class Replays {
  readonly #compute: (inputs: Inputs) => Made;
  readonly #sums: Sums;
  readonly #note: (text: string) => void;
  readonly #plans = new Map<string, Plan>();
  #backend: TorchBackend | undefined;
  /** Nothing is recorded any more. */
  #over: boolean;
  #calls = 0;

  /** @param options `note` hears why nothing is replayed; `replay: false` asks for that. */
  constructor(
    compute: (inputs: Inputs) => Made,
    sums: Sums,
    { note, replay }: { note(text: string): void; readonly replay: boolean },
  ) {
    this.#compute = compute;
    this.#sums = sums;
    this.#note = note;
    this.#over = !replay;
  }

  /** Operations of the newest replay; 0 when what was added last was computed. */
  get calls(): number {
    return this.#calls;
  }

  /**
   * Adds what the computation makes of `inputs`, which stay the caller's. Returns its count.
   *
   * @throws STEP_WRITE when the computation brings along other values each time; BACKEND_MEMORY.
   */
  add(inputs: Inputs): number {
    this.#calls = 0;
    const backend = this.#recorder();
    if (backend === undefined) return this.#run(inputs);
    const key = shapesOf(inputs);
    const plan = this.#plans.get(key) ?? newPlan();
    this.#plans.set(key, plan);
    const given = Int32Array.from(Object.values(inputs), (tensor) => backend.handleOf(tensor));
    if (plan.ready && this.#replay(backend, plan, inputs, given)) return plan.count;
    return this.#record(backend, plan, inputs, given);
  }

  /** Frees all recordings. It may be used again. */
  dispose(): void {
    for (const { program } of this.#plans.values()) if (program !== undefined) this.#backend?.addon.discard(program);
    this.#plans.clear();
  }

  #recorder(): TorchBackend | undefined {
    const backend = tf.backend();
    if (this.#over || !(backend instanceof TorchBackend) || !updatesInPlace()) return undefined;
    if (backend !== this.#backend) this.dispose();
    this.#backend = backend;
    return backend;
  }

  #run(inputs: Inputs): number {
    const { tensors, count } = this.#compute(inputs);
    this.#sums.add(tensors);
    return count;
  }

  #record({ addon }: TorchBackend, plan: Plan, inputs: Inputs, given: Int32Array): number {
    const { program: before, ready, count: countBefore } = plan;
    addon.record(given);
    try {
      plan.count = this.#run(inputs);
    } catch (error) {
      addon.discard(addon.stop());
      throw error;
    }
    const program = addon.stop();
    // What was replayed and no longer can be is recorded anew, as often as at first.
    plan.recordings = ready ? 1 : plan.recordings + 1;
    plan.ready = false;
    plan.program = undefined;
    const { reads, frees, keeps, calls } = addon.describe(program);
    let why = 'they follow the data';
    if (reads !== '') why = `they read back what ${reads} has computed`;
    else if (frees) why = 'they free tensors that were there before';
    else if (keeps) why = 'they keep tensors that they make';
    else Object.assign(plan, { program, calls });
    if (plan.program === undefined) addon.discard(program);
    if (before !== undefined) {
      const { kind, operation } =
        plan.program === undefined || ready ? { kind: undefined, operation: '' } : addon.differ(before, program);
      addon.discard(before);
      if (kind === 'write') throw fail('STEP_WRITE', { operation });
      if (kind === 'sequence') why = `their operations differ from one to the next, at ${operation}`;
      else if (kind === 'none' && plan.count !== countBefore) why = 'they count other terms each time';
      else plan.ready = kind === 'none';
    }
    if (!plan.ready && plan.recordings >= mostRecordings) this.#giveUp(why);
    return plan.count;
  }

  /** False when something that the recording needs is gone, and nothing was added. */
  #replay(backend: TorchBackend, plan: Plan, inputs: Inputs, given: Int32Array): boolean {
    const { addon, device } = backend;
    const program = plan.program!;
    const made = plan.checked ? undefined : this.#compute(inputs);
    let expected = made && this.#sums.plus(made.tensors);
    try {
      const could = guarded(device, () => addon.replay(program, given));
      if (!could) return false;
      this.#sums.grown();
      this.#calls = plan.calls;
      if (made === undefined || expected === undefined) return true;
      const difference = distance(this.#sums.tensors, expected);
      // What is not a number cannot be compared: the next replay will be.
      plan.checked = Number.isFinite(difference);
      const differs = difference > tolerance;
      if (!differs && made.count === plan.count) return true;
      plan.count = made.count;
      this.#sums.clear();
      const right = expected;
      expected = undefined;
      this.#sums.add(right);
      this.#giveUp(
        differs
          ? `a replay differed from its computation by ${difference.toExponential(1)}`
          : 'they count other terms each time',
      );
      return true;
    } finally {
      tf.dispose([...(expected ?? [])]);
    }
  }

  #giveUp(why: string): void {
    this.#note(
      `The training's steps are computed in JavaScript each time and not replayed, because ${why}. Only speed suffers.`,
    );
    this.#over = true;
    this.dispose();
  }
}

/** Milliseconds that the current backend has spent outside JavaScript so far; undefined where it does not say. */
export function backendMilliseconds(): number | undefined {
  const backend = tf.backend();
  return backend instanceof TorchBackend ? backend.addon.milliseconds() : undefined;
}

function newPlan(): Plan {
  return { recordings: 0, program: undefined, count: 0, calls: 0, ready: false, checked: false };
}

function shapesOf(inputs: Inputs): string {
  let key = '';
  for (const [name, { dtype, shape }] of Object.entries(inputs)) key += `${name} ${dtype} ${shape.join()};`;
  return key;
}

/** ‖a − b‖ / ‖b‖ over all tensors together. */
function distance(a: readonly tf.Tensor[], b: readonly tf.Tensor[]): number {
  return tf.tidy(() => {
    const apart = sumsOfSquares(a.map((x, i) => x.sub(b[i]!))).sum();
    const [difference, norm] = tf.stack([apart, sumsOfSquares(b).sum()]).dataSync();
    return norm === 0 ? Math.sqrt(difference!) : Math.sqrt(difference! / norm!);
  });
}
