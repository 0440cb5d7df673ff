import type { OperatorFunction } from 'rxjs';
import type { Random } from '../random.ts';
import type { Drop, Outcome, Sample } from './sample.ts';

/** How a stage is run; every stage has these options beside its own. */
export interface StagePolicy {
  /** The stage's name for chance, logs and errors where the default (its name, `name#2` for the second) would not do. */
  readonly id?: string;
  /** How many samples are worked on at a time; order is kept. */
  readonly concurrency?: number;
  /** Seconds until a sample in the stage counts as failed. Default 60. */
  readonly timeout?: number;
  /** How many samples may fail: a number, or a share such as '5%', judged after the first hundred. */
  readonly maxFailures?: number | `${number}%`;
}

/** The function of a stage: one sample in; one, several, none (`drop`) or a promise of these out. `random` is keyed by the sample and the stage. */
export type Work<In, Out> = (sample: In, random: Random) => Outcome<Out> | PromiseLike<Outcome<Out>>;

/**
 * A value that may stand in `stages`. `In` is what it needs of a sample, `Out` what it adds or replaces. The types only serve the
 * compiler: they make a wrong order of stages a compile error.
 */
export interface Stage<In = never, Out = unknown> {
  readonly stage: StageKind;
  readonly types?: { readonly in: (sample: In) => void; readonly out: Out };
}

/** The sample after a stage: its fields, with those of `Out` added or replaced. */
export type Next<S, Out> = Omit<S, keyof Out> & Out;

/** What a stage's function returned, as one sample: out of its promise, its array and its drops. */
export type Travels<R> = Exclude<
  Awaited<R> extends readonly (infer E)[] ? E : Exclude<Awaited<R>, readonly unknown[]>,
  Drop
>;

export type StageKind = EachKind | OperatorKind | DefinedKind;

/** A user's function, made by `each`. */
export interface EachKind {
  readonly kind: 'each';
  readonly name: string;
  readonly policy: StagePolicy;
  readonly work: Work<Sample, Sample>;
}

/** A user's rxjs operator, made by `operator`. */
export interface OperatorKind {
  readonly kind: 'operator';
  readonly name: string;
  readonly policy: StagePolicy;
  readonly operator: OperatorFunction<Sample, Sample>;
  readonly holds: number;
}

/** A stage of a `defineStage`: its name, its options as the user wrote them, and the definition that checks and runs them. */
export interface DefinedKind {
  readonly kind: 'defined';
  readonly name: string;
  readonly policy: StagePolicy;
  readonly options: unknown;
  readonly definition: unknown;
}

/**
 * A stage from a function of one sample: `each((sample) => ({ ...sample, bright: true }))`. The function may be async, may return
 * several samples, or `drop('reason')`. `random` is a generator keyed by the run's seed, the sample and this stage.
 */
export function each<S extends Sample, R>(
  fn: (sample: S, random: Random) => R,
  policy: StagePolicy & { readonly name?: string } = {},
): Stage<S, Travels<R>> {
  const { name = fn.name || 'each', ...rest } = policy;
  return { stage: { kind: 'each', name, policy: rest, work: fn as unknown as Work<Sample, Sample> } };
}

/** How an operator is run: as every stage, and how many samples it may keep back. */
export type OperatorPolicy = StagePolicy & { readonly name?: string; readonly holds?: number };

/**
 * A stage from an rxjs operator over samples. `holds` is how many samples the operator may keep back: 0 (the default) for one that
 * answers at once, such as `map` or `filter`; n for one that waits or collects. What it does not let out is dropped and counted, at once where that can be
 * known: let it drop samples before it waits (`filter` before `delay`), and await other threads by promises.
 */
export function operator<S extends Sample, T extends Sample>(
  op: OperatorFunction<S, T>,
  policy?: OperatorPolicy,
): Stage<S, T>;
export function operator<S extends Sample>(op: OperatorFunction<S, S>, policy?: OperatorPolicy): Stage<S, S>;
export function operator<S extends Sample, T extends Sample>(
  op: OperatorFunction<S, T>,
  { holds = 0, name = 'operator', ...policy }: OperatorPolicy = {},
): Stage<S, T> {
  return {
    stage: { kind: 'operator', name, policy, operator: op as unknown as OperatorFunction<Sample, Sample>, holds },
  };
}
