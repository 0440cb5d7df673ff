import type { z } from 'zod';
import type { ValidationIssue } from '../errors.ts';
import { guarded } from '../own-code.ts';
import type { Random } from '../random.ts';
import type { Sample } from '../streams/sample.ts';
import type { Stage, StagePolicy, Travels } from '../streams/stage.ts';
import type { Spec } from '../vision/spec.ts';

/** What a stage is given when it is bound to a run. */
export interface StageContext {
  /** The stage's id, `mask` or `mask#2`: its name in errors, and the key of its chance. */
  readonly id: string;
  readonly seed: number;
  /** Relative paths among the options start here: the folder of the pipeline file, or the working directory. */
  readonly base: string;
  /** What `identity` has given when the chain was checked. */
  readonly identity?: readonly string[] | undefined;
  /** Ends the run: work that waits or takes long may stop then. What comes of it is not used. */
  readonly signal: AbortSignal;
  /** Tells the run's user something, in a sentence, while the stage is bound. Nobody hears it where nothing is run. */
  readonly note?: ((text: string) => void) | undefined;
  /** Of a stage that gathers samples: what else may come to it. */
  readonly supply?: Supply | undefined;
}

/** What may come to a stage that gathers samples. */
export interface Supply {
  /** True where no further sample can come before one of those that the stage has was let go: none is on its way to it, and none can be read or begun. */
  isDry(): boolean;
  /** Calls `listener` whenever that may have become true. It lasts as long as the run. */
  onChange(listener: () => void): void;
}

/** Where a chain is checked. */
export interface StagePlace {
  /** Relative paths among the options start here. */
  readonly base: string;
}

/** One kind of stage: what it is called, what its options are, what it does to the spec, and its work. A plain value; nothing happens when it is made. */
export interface StageDefinition<Options = unknown, In = never, Out = unknown> {
  /** As in pipeline files: kebab-case. */
  readonly name: string;
  /** One sentence for `describe` and the documents. */
  readonly summary: string;
  /** Options that say what happens to samples which cannot be worked on, and change nothing of the others: a run may go on with other values. */
  readonly policies?: readonly string[];
  /** The only source of the options' types, defaults, texts and schema. */
  readonly options: z.ZodType<Options>;
  /** The option that a bare value stands for: `resize: 100` is `resize: { size: 100 }`. */
  readonly shorthand?: string;
  /** The fields a sample must have. */
  readonly needs: readonly string[];
  /** True when the work draws from `random`. */
  readonly random?: boolean;
  /** True when the work does nothing but to describe a picture anew, by its width and height alone: to pictures of one size it does the same. */
  readonly uniform?: boolean;
  /**
   * False when the work makes one sample of a sample, or drops it, and nothing keeps the sample or what it holds beyond that: a picture's file then
   * lies in memory that becomes another's once the picture is rendered. Default true.
   */
  readonly retainsInput?: boolean;
  /**
   * How many samples are worked on at a time for each thread, unless the user says otherwise. Default 1. More where the work waits for threads of its own, so
   * that one is ready when another has ended.
   */
  readonly perThread?: number;
  /** How many samples are worked on at a time, however many threads there are: of a stage that gathers them. In the place of `perThread`. */
  atATime?(options: Options): number;
  /**
   * The stage that takes this one's place in evaluation, where pictures are not changed at random; null where nothing takes it. A random
   * stage without this function stays as it is (`windows`, `mask`): evaluation gives it a fixed seed.
   */
  evalVariant?(options: Options): { readonly name: string; readonly options: unknown } | null;
  /** Every folder and file that it reads beside its samples, as written in its options. */
  reads?(options: Options): readonly string[];
  /** The options with those that were left out and hang on what lies at the paths among the others. Called with parsed options; throws nothing. */
  complete?(options: Options, place: StagePlace): Options;
  /** What lies at the paths among its options, by digests that change with it: a job of other ones is another job. Called where `check` found nothing. */
  identity?(options: Options, place: StagePlace): readonly string[];
  /** Rules across options and with the incoming spec. Called with parsed options; opens no data. */
  check?(options: Options, spec: Spec, place: StagePlace): Iterable<ValidationIssue>;
  /** The spec after the stage. Called only when `check` found nothing. */
  output(spec: Spec, options: Options, place: StagePlace): Spec;
  /** The work, bound to its options. `spec` is the spec before the stage; where `spec.open`, sizes are to be taken from the sample. */
  run(options: Options, spec: Spec, context: StageContext): (sample: In, random: Random) => Out;
}

/** What a factory is called with: the options, or the bare value of the option `Short`. */
type Written<Input, Short> =
  | (Input & StagePolicy)
  | (Short extends keyof Input ? Exclude<Input[Short], undefined> : never);

/** Options may be left out when all of them have defaults. */
type Arguments<Input, Short> =
  Record<never, never> extends Input ? [options?: Written<Input, Short>] : [options: Written<Input, Short>];

/**
 * The factory of a stage: `mask({ ratio: 0.8 })` is a value for `stages`, and so is `mask(0.8)`, where the bare value stands for the option
 * `shorthand`. `definition` is what registries list.
 */
export interface StageFactory<Input, Options, In, Out, Short = never> {
  (...written: Arguments<Input, Short>): Stage<In, Travels<Out>>;
  readonly definition: StageDefinition<Options, In, Out>;
}

/**
 * Makes a stage from its definition. The work is a plain function from sample to sample (or several, or `drop('reason')`, or a
 * promise); concurrency, order, permits, time-outs, failures and meters are put around it by the run.
 */
export function defineStage<
  Schema extends z.ZodType,
  In extends object,
  Out,
  const Short extends keyof z.input<Schema> & string = never,
>(
  definition: Omit<StageDefinition<z.output<Schema>, In & Sample, Out>, 'options' | 'shorthand'> & {
    readonly options: Schema;
    readonly shorthand?: Short;
  },
): StageFactory<z.input<Schema>, z.output<Schema>, In & Sample, Out, Short> {
  const hooks = ['evalVariant', 'reads', 'complete', 'identity', 'atATime', 'run'] as const;
  const known = Object.freeze(guarded(`stage ${definition.name}`, definition, hooks)) as unknown as StageDefinition<
    z.output<Schema>,
    In & Sample,
    Out
  >;
  const factory = (written: unknown = {}) => {
    const { own, policy } = splitPolicy(written, definition.shorthand);
    return { stage: { kind: 'defined' as const, name: definition.name, policy, options: own, definition: known } };
  };
  return Object.assign(factory, { definition: known });
}

const policyKeys: readonly string[] = ['id', 'concurrency', 'timeout', 'maxFailures'] satisfies (keyof StagePolicy)[];

/** Parts the options that every stage has from the stage's own. A bare value stands for the option `shorthand`. */
export function splitPolicy(options: unknown, shorthand?: string): { own: unknown; policy: StagePolicy } {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    return { own: shorthand === undefined ? options : { [shorthand]: options }, policy: {} };
  }
  const entries = Object.entries(options);
  return {
    own: Object.fromEntries(entries.filter(([key]) => !policyKeys.includes(key))),
    policy: Object.fromEntries(entries.filter(([key]) => policyKeys.includes(key))),
  };
}
