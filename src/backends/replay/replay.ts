import { fail, messageOf, PatchstreamError } from '../../errors.ts';
import { tensorflowRecorder } from '../tensorflow.ts';
import * as tf from '../tf.ts';
import { TorchRecorder } from '../torch/recorder.ts';
import { TorchBackend } from '../torch/torch.ts';
import { type Sums, sumsOfSquares, updatesInPlace } from '../updates.ts';
import { newPlan, type Plan, shapesOf } from './plan.ts';
import { type Added, type Inputs, NotReplayable, type Recorder } from './recorder.ts';

export type { Inputs } from './recorder.ts';

/**
 * Computes on a micro-batch: gives away each tensor that is to be added to a sum, once, as soon as it is there, and returns a number that follows from the
 * inputs' shapes.
 */
export type Compute = (inputs: Inputs, give: (sum: number, tensor: tf.Tensor) => void) => number;

interface ReplayOptions {
  note(text: string): void;
  readonly replay: boolean;
  readonly launch?: boolean;
  readonly parameters?: readonly tf.Tensor[];
}

/** The first recording may make constants that stay, so the third is the first that must equal the one before. One more, to be generous. */
const mostRecordings = 4;

/** By how much a replay may differ from a computation: threads may add in another order. */
const tolerance = 1e-5;

/**
 * Adds to sums what a computation makes of micro-batches. Where the backend can record, the computation runs in JavaScript until two
 * recordings of it, on inputs of one shape, are equal; from then on, inputs of that shape are handed to the recording, in one call. The first
 * such replay is compared with the computation, tensor by tensor, when the sums are zero: then they are what the replay has made. A computation that cannot be
 * replayed runs in JavaScript each time, which is told once. On CUDA, where libtorch has graphs, a program is then launched as a whole, and the first launch is compared
 * in the same way.
 */
export class Replays {
  readonly #compute: Compute;
  readonly #sums: Sums;
  readonly #note: (text: string) => void;
  readonly #parameters: readonly tf.Tensor[];
  readonly #plans = new Map<string, Plan>();
  /** The newest backend that records, and its recorder. */
  #backend: tf.KernelBackend | undefined;
  #recorder: Recorder | undefined;
  /** Nothing is recorded any more. */
  #over: boolean;
  /** Whether programs are launched as a whole; undefined until a backend is there. */
  #launching: boolean | undefined;
  readonly #toldKernels = new Set<string>();
  #calls = 0;
  #launched = false;
  #given: number[] = [];

  /**
   * @param options `note` hears why nothing is replayed; `replay: false` asks for that. `launch` says whether programs are launched as a whole, where it is not left to the
   * device. `parameters` are read by the computation, and change from one to the next.
   */
  constructor(compute: Compute, sums: Sums, { note, replay, launch, parameters = [] }: ReplayOptions) {
    this.#compute = compute;
    this.#sums = sums;
    this.#note = note;
    this.#over = !replay;
    this.#launching = launch;
    this.#parameters = parameters;
  }

  /** Operations of the newest replay; 0 when what was added last was computed. */
  get calls(): number {
    return this.#calls;
  }

  /** Whether what was added last was one launch. */
  get launched(): boolean {
    return this.#launched;
  }

  /** The sums that the newest `add` has grown, also when it has thrown. */
  get given(): readonly number[] {
    return this.#given;
  }

  /**
   * Adds what the computation makes of `inputs`, which stay the caller's. Returns its count.
   *
   * @param without sums that have their part already, of a computation on these inputs that ended before its end.
   * @throws STEP_WRITE when the computation brings along other values each time; BACKEND_MEMORY.
   */
  add(inputs: Inputs, without: ReadonlySet<number> = new Set()): number {
    this.#calls = 0;
    this.#launched = false;
    this.#given = [];
    const recorder = without.size > 0 ? undefined : this.#recorderNow();
    if (recorder === undefined) return this.#run(inputs, without);
    const key = shapesOf(inputs);
    const plan = this.#plans.get(key) ?? newPlan();
    this.#plans.set(key, plan);
    if (plan.ready && !plan.checked && !this.#sums.zero) return this.#run(inputs);
    if (plan.ready && this.#replay(plan, inputs)) return plan.count;
    return this.#over ? this.#run(inputs) : this.#record(recorder, plan, inputs);
  }

  /** Frees all recordings. It may be used again. */
  dispose(): void {
    for (const { program } of this.#plans.values()) program?.discard();
    this.#plans.clear();
  }

  #recorderNow(): Recorder | undefined {
    const backend = tf.backend();
    if (this.#over) return undefined;
    if (backend === this.#backend)
      return backend instanceof TorchBackend && !updatesInPlace() ? undefined : this.#recorder;
    const recorder = recorderOf(backend, this.#parameters);
    if (recorder === undefined) return undefined;
    this.dispose();
    this.#backend = backend;
    this.#recorder = recorder;
    this.#launching ??= recorder.launches;
    return recorder;
  }

  #run(inputs: Inputs, without: ReadonlySet<number> = new Set(), recorder?: Recorder): number {
    return this.#compute(inputs, (sum, tensor) => {
      if (without.has(sum)) {
        tensor.dispose();
        return;
      }
      const add = () => this.#sums.addTo(sum, tensor);
      if (recorder === undefined) add();
      else recorder.give(tensor, add);
      this.#given.push(sum);
    });
  }

  #record(recorder: Recorder, plan: Plan, inputs: Inputs): number {
    const { program: before, ready, count: countBefore } = plan;
    recorder.record(inputs);
    try {
      plan.count = this.#run(inputs, undefined, recorder);
    } catch (error) {
      recorder.stop().discard();
      throw error;
    }
    const program = recorder.stop();
    this.#tellKernels(recorder);
    // What was replayed and no longer can be is recorded anew, as often as at first.
    plan.recordings = ready ? 1 : plan.recordings + 1;
    plan.order = this.#given;
    plan.ready = false;
    plan.launched = false;
    plan.program = undefined;
    let why = program.refused ?? 'they follow the data';
    if (program.refused === undefined) plan.program = program;
    else program.discard();
    if (before !== undefined) {
      const { kind, operation } =
        plan.program === undefined || ready ? { kind: undefined, operation: '' } : before.differ(program);
      before.discard();
      if (kind === 'write') throw fail('STEP_WRITE', { operation });
      if (kind === 'sequence') why = `their operations differ from one to the next, at ${operation}`;
      else if (kind === 'none' && plan.count !== countBefore) why = 'they count other terms each time';
      else plan.ready = kind === 'none';
    }
    if (!plan.ready && plan.recordings >= mostRecordings) this.#giveUp(why);
    return plan.count;
  }

  /** False when something that the recording needs is gone, or it cannot be replayed at all, and nothing was added. */
  #replay(plan: Plan, inputs: Inputs): boolean {
    if (this.#launching && plan.checked && (plan.launched || this.#sums.zero)) {
      const done = this.#launch(plan, inputs);
      if (done !== undefined) return done;
    }
    try {
      if (!plan.program!.replay(inputs, this.#added(plan))) return false;
    } catch (error) {
      if (!(error instanceof NotReplayable)) throw error;
      this.#giveUp(error.message);
      return false;
    }
    this.#replayed(plan);
    if (!plan.checked) this.#check(plan, inputs, 'checked');
    return true;
  }

  /** As `#replay`, by one launch. Undefined, with nothing added, where that is not possible. */
  #launch(plan: Plan, inputs: Inputs): boolean | undefined {
    try {
      if (!plan.program!.launch(inputs, this.#added(plan))) return false;
    } catch (error) {
      // Any error: of the capture, or of the work on the host.
      if (plan.launched || this.#given.length > 0) throw error;
      this.#stopLaunching(`it cannot be captured: ${messageOf(error)}`);
      return undefined;
    }
    this.#replayed(plan);
    this.#launched = true;
    if (!plan.launched) this.#check(plan, inputs, 'launched');
    return true;
  }

  #added(plan: Plan): Added {
    return (addition, tensor) => {
      const sum = plan.order[addition]!;
      if (tensor !== undefined) this.#sums.addTo(sum, tensor);
      this.#given.push(sum);
    };
  }

  #replayed({ program }: Plan): void {
    this.#sums.grown();
    this.#calls = program!.calls;
  }

  /** Compares sums that were zero before a replay, or a launch, with what the computation makes of the same inputs. */
  #check(plan: Plan, inputs: Inputs, what: 'checked' | 'launched'): void {
    const { count, difference } = this.#compared(inputs);
    if (count === undefined) return;
    // What is not a number cannot be compared: another replay will be.
    plan[what] = Number.isFinite(difference);
    const differs = difference > tolerance;
    if (!differs && count === plan.count) return;
    this.#sums.clear();
    this.#given = [];
    this.#calls = 0;
    this.#launched = false;
    plan.count = this.#run(inputs);
    if (what === 'launched' && differs) {
      this.#stopLaunching(`a launch differed from its computation by ${difference.toExponential(1)}`);
      return;
    }
    this.#giveUp(
      differs
        ? `a replay differed from its computation by ${difference.toExponential(1)}`
        : 'they count other terms each time',
    );
  }

  /** ‖sums − computed‖ / ‖computed‖ over all tensors together, of which one at a time is there. No count where there is no memory for it: the sums are right. */
  #compared(inputs: Inputs): { readonly count?: number; readonly difference: number } {
    const squares: tf.Tensor[] = [];
    try {
      const count = this.#compute(inputs, (sum, tensor) => {
        try {
          squares.push(
            tf.tidy(() => tf.concat([sumsOfSquares([this.#sums.tensors[sum]!.sub(tensor)]), sumsOfSquares([tensor])])),
          );
        } finally {
          tensor.dispose();
        }
      });
      const [apart = 0, norm = 0] = tf.tidy(() => tf.stack(squares).sum(0).dataSync());
      return { count, difference: norm === 0 ? Math.sqrt(apart) : Math.sqrt(apart / norm) };
    } catch (error) {
      if (error instanceof PatchstreamError && error.code === 'BACKEND_MEMORY') return { difference: Number.NaN };
      throw error;
    } finally {
      tf.dispose(squares);
    }
  }

  #stopLaunching(why: string): void {
    this.#note(
      `The training's steps are replayed call by call and not launched as a whole, because ${why}. Only speed suffers.`,
    );
    this.#launching = false;
  }

  /** Tells once of kernels of ours that were tried on the device and failed. */
  #tellKernels(recorder: Recorder): void {
    for (const [name, reason] of Object.entries(recorder.kernels())) {
      if (reason === '' || this.#toldKernels.has(name)) continue;
      this.#toldKernels.add(name);
      this.#note(
        `The kernels of patchstream for ${name} do not serve, because ${reason}. ATen's compute. Only speed suffers.`,
      );
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

/** Nothing for a backend that cannot record. */
function recorderOf(backend: tf.KernelBackend, parameters: readonly tf.Tensor[]): Recorder | undefined {
  if (backend instanceof TorchBackend) return updatesInPlace() ? new TorchRecorder(backend) : undefined;
  return tensorflowRecorder(backend, parameters);
}
