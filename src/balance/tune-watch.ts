import { median } from './tune-micro-batch.ts';

/** Steps of one stretch that is compared with those before. */
const stretch = 32;
/** Stretches that say what is usual: at least, and at most. */
const usual = { least: 3, most: 8 };
/** By how much two stretches on end must differ from the usual to be another balance. */
const shifted = 0.25;

/** What is watched of a step: the time that the trainer worked, and the whole of it, in milliseconds. */
export interface Pace {
  readonly busyMs: number;
  readonly stepMs: number;
}

/** Which part of a step has changed: the trainer's own work, or else what it waits for; with the usual milliseconds and those of now. */
export interface Shift {
  readonly of: 'work' | 'wait';
  readonly before: number;
  readonly now: number;
}

/** Watches whether a run that has settled goes on as it did. Bursts that were there from the beginning are usual. Fed with steps; pure. */
export class BalanceWatch {
  #steps: Pace[] = [];
  #stretches: Pace[] = [];
  /** The stretch before was unusual in this. */
  #suspect: { readonly of: Shift['of']; readonly more: boolean } | undefined;

  /** The usual milliseconds of the trainer's work per step, once known. */
  get busyMs(): number | undefined {
    return this.#stretches.length === 0 ? undefined : median(this.#stretches.map(({ busyMs }) => busyMs));
  }

  /** Takes one step. Answers when two stretches on end were not as usual, and in the same way. */
  read(step: Pace): Shift | undefined {
    this.#steps.push(step);
    if (this.#steps.length < stretch) return undefined;
    const pace = {
      busyMs: median(this.#steps.map(({ busyMs }) => busyMs)),
      stepMs: this.#steps.reduce((sum, { stepMs }) => sum + stepMs, 0) / stretch,
    };
    this.#steps = [];
    const known = this.#stretches.length >= usual.least;
    const shift = known ? (this.#shift('busyMs', pace) ?? this.#shift('stepMs', pace)) : undefined;
    if (shift === undefined) {
      this.#suspect = undefined;
      this.#stretches = [...this.#stretches, pace].slice(-usual.most);
      return undefined;
    }
    const more = shift.now > shift.before;
    const lasts = this.#suspect?.of === shift.of && this.#suspect.more === more;
    this.#suspect = { of: shift.of, more };
    return lasts ? shift : undefined;
  }

  #shift(what: keyof Pace, pace: Pace): Shift | undefined {
    const values = this.#stretches.map((each) => each[what]);
    const before = median(values);
    const spread = Math.max(...values.map((value) => Math.abs(value / before - 1)));
    const now = pace[what];
    if (Math.abs(now / before - 1) <= Math.max(shifted, 2 * spread)) return undefined;
    return { of: what === 'busyMs' ? 'work' : 'wait', before, now };
  }
}
