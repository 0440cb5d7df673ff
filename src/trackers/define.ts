import type { z } from 'zod';
import type { ValidationIssue } from '../errors.ts';
import type { RunEvent, Started } from '../events/events.ts';

/** Who looks at a run: it hears the run's events one by one, in their order. */
export interface Tracker {
  /** Hears an event. The next one comes when this one has been answered; meanwhile the run goes on, and events wait. */
  event(event: RunEvent): void | Promise<void>;
  /** The run has ended: `finished` was the last event. */
  close?(): void | Promise<void>;
}

/** The run that is tracked. */
export interface TrackedRun {
  /** What the run said as it began. */
  readonly started: Started;
  /** The run's own folder, absolute: what a tracker writes belongs below it. */
  readonly folder: string;
  /** Relative paths of options start here. */
  readonly base: string;
  /** Says something to the user, as a notice of the run: where the tracker can be reached. */
  say(text: string): void;
}

/**
 * A tracker as pipelines name it. One that throws, rejects, does not answer or keeps the run's thread busy is left out from there on, with one notice: it
 * never ends or holds up a run, nor changes its result.
 */
export interface TrackerDefinition<Options = unknown> {
  readonly kind: 'tracker';
  readonly name: string;
  readonly summary: string;
  readonly options: z.ZodType<Options>;
  readonly shorthand?: string;
  /** Rules across options. */
  check?(options: Options): Iterable<ValidationIssue>;
  /** Called when the run has begun, for trackers of the run's own process and thread. Import here what is large. */
  open(options: Options, run: TrackedRun): Tracker | Promise<Tracker>;
}

/** A value that may stand in `track`. */
export interface TrackerValue {
  readonly tracker: { readonly name: string; readonly options: unknown; readonly definition: TrackerDefinition };
}

/** The factory of a tracker: `prometheus({ port: 0 })` is a value for `track`. `definition` is what registries list. */
export interface TrackerFactory<Input, Options> {
  (options?: Input): TrackerValue;
  readonly definition: TrackerDefinition<Options>;
}

/** Makes a tracker known to pipelines by its name and options. */
export function defineTracker<Schema extends z.ZodType>(
  definition: Omit<TrackerDefinition<z.output<Schema>>, 'options' | 'kind'> & { readonly options: Schema },
): TrackerFactory<z.input<Schema>, z.output<Schema>> {
  const known = Object.freeze({ ...definition, kind: 'tracker' as const }) as unknown as TrackerDefinition<
    z.output<Schema>
  >;
  const { name } = definition;
  const factory = (options: unknown = {}): TrackerValue => ({
    tracker: { name, options, definition: known as TrackerDefinition },
  });
  return Object.assign(factory, { definition: known });
}
