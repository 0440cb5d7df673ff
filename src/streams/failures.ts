import { fail, messageOf, PatchstreamError, printable } from '../errors.ts';
import type { StageStats } from './meter.ts';
import type { Sample } from './sample.ts';

/** A sample that failed: what quarantine keeps of it. */
export interface Failure {
  readonly stage: string;
  readonly key: string;
  readonly position: number;
  readonly epoch: number;
  readonly error: unknown;
}

/** How many samples of a stage may fail: a number, or a share such as '5%'. */
export type MaxFailures = number | `${number}%`;

export const defaultMaxFailures: MaxFailures = '5%';

/** A share is judged only after so many samples: one broken file among the first ten says nothing about the rest. */
const enough = 100;

/** What an earlier run of the same job has met, which is judged with the rest. */
export interface Before {
  /** Samples, as many as came to any stage at least. */
  readonly seen: number;
  /** Samples that came through. */
  readonly out: number;
  /** Failures by the ids of stages. */
  readonly failures: ReadonlyMap<string, number>;
}

/** Counts the failures of one stage against its budget. */
export class Budget {
  readonly stage: string;
  readonly #allowed: (seen: number) => number;
  readonly #text: string;
  readonly #report: (failure: Failure) => void;
  readonly #first: string[] = [];
  readonly #seenBefore: number;
  #failures: number;

  constructor(stage: string, max: MaxFailures, report: (failure: Failure) => void, before?: Before) {
    this.#seenBefore = before?.seen ?? 0;
    this.#failures = before?.failures.get(stage) ?? 0;
    this.stage = stage;
    this.#text = String(max);
    this.#report = report;
    if (typeof max === 'number') {
      this.#allowed = () => max;
    } else {
      const share = Number.parseFloat(max) / 100;
      this.#allowed = (seen) => (seen < enough ? Number.POSITIVE_INFINITY : share * seen);
    }
  }

  /** Those of an earlier run too. */
  get failures(): number {
    return this.#failures;
  }

  /** Reports the failure. Returns the error that ends the run when the budget is gone; `came` is how many samples came to the stage in this run. */
  spend({ key, position, epoch }: Sample, error: unknown, came: number): PatchstreamError | undefined {
    const seen = this.#seenBefore + came;
    this.#failures++;
    this.#report({ stage: this.stage, key, position, epoch, error });
    if (this.#first.length < 3) this.#first.push(`${printable(key)}: ${messageOf(error)}`);
    if (error instanceof PatchstreamError && error.ends) return error;
    if (this.#failures <= this.#allowed(seen)) return undefined;
    return fail(
      'STAGE_BUDGET',
      { budget: this.#text, failures: this.#failures, seen, first: `The first: ${this.#first.join('; ')}.` },
      { where: `stage ${this.stage}`, cause: error },
    );
  }
}

/** What an earlier run has met: where samples became several, more than positions. */
export function beforeOf(failures: ReadonlyMap<string, number>, positions: number, samples: number): Before {
  const failed = [...failures.values()].reduce((sum, count) => sum + count, 0);
  return { seen: Math.max(positions, samples + failed), out: samples, failures };
}

/** The failures of the whole job, as the quarantine has them. */
export function withBefore(stats: readonly StageStats[], before: Before | undefined): readonly StageStats[] {
  return stats.map((one) => {
    const earlier = before?.failures.get(one.stage.replace(/^\d+:/, '')) ?? 0;
    return { ...one, failures: one.failures + earlier };
  });
}
