/** One row of a bench's table; `ratio` is above 1 when ours is better, whichever way the unit counts. */
export interface Row {
  readonly what: string;
  /** The table that it stands in, where a bench has several. */
  readonly kind?: string;
  readonly ours: number;
  readonly theirs: number;
  readonly unit: string;
  readonly ratio: number;
  readonly more?: string;
}
