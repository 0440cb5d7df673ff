/** How a run counts its epochs. */
export interface Epochs {
  /** Samples per epoch; undefined or Infinity for an endless source, whose epoch is always 0. */
  readonly count?: number | undefined;
  /** Samples per step. */
  readonly batch: number;
  /** Each epoch ends at its last full batch: a step of one of k full batches counts as 1 / k of it. */
  readonly dropLast?: boolean | undefined;
}

/** The fractional epoch of a position in the run's order: of where a step begins, or ends. */
export function epochAt(position: number, { count, batch, dropLast = false }: Epochs): number {
  if (count === undefined || !Number.isFinite(count)) return 0;
  const taken = dropLast ? Math.floor(count / batch) * batch : count;
  if (taken === count || taken === 0) return position / count;
  const whole = Math.floor(position / count);
  return whole + Math.min(1, (position - whole * count) / taken);
}
