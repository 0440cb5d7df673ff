import type { Numbers } from '../../measures/define.ts';
import type { ResolvedMeasure } from '../../pipeline/resolve/evaluate.ts';
import type { MeasureResult } from './take-measure.ts';

/** A row of `evaluations.jsonl`: what was measured after so many steps; 0 is before the training. */
export interface EvaluationRow {
  readonly step: number;
  readonly epoch: number;
  /** Of the pipeline and its measures: rows of another are not taken for this one's. */
  readonly digest: string;
  /** What each measure has found; of one that stands alone its values, under its name beside this list. */
  readonly features: readonly Entry[];
  readonly [single: string]: unknown;
}

interface Entry {
  readonly id: string;
  readonly kind: string;
  readonly notes?: readonly string[];
  readonly [number: string]: unknown;
}

export function rowOf(
  at: Pick<EvaluationRow, 'step' | 'epoch' | 'digest'>,
  results: readonly MeasureResult[],
): EvaluationRow {
  const alone = results.filter(({ measure }) => measure.definition.single);
  const listed = results.filter(({ measure }) => !measure.definition.single);
  return {
    ...at,
    ...Object.fromEntries(alone.map(({ measure, numbers }) => [measure.id, partsOf(measure, numbers).values])),
    features: listed.map(({ measure, numbers, notes = [] }) => ({
      ...{ id: measure.id, kind: measure.definition.name, ...numbers },
      ...(notes.length > 0 && { notes }),
    })),
  };
}

/** What a measure has found in a row; nothing where it was not measured then. */
export function resultIn(row: EvaluationRow, measure: ResolvedMeasure): MeasureResult | undefined {
  if (measure.definition.single) {
    const values = row[measure.id] as Numbers | undefined;
    return values && { measure, numbers: values };
  }
  const found = row.features.find(({ id }) => id === measure.id);
  if (found === undefined) return undefined;
  const { id: _, kind: _kind, notes = [], ...numbers } = found;
  return { measure, numbers: numbers as Numbers, notes };
}

/** What one measure has found: its kind, and its numbers by name. */
export interface Found {
  readonly kind: string;
  readonly numbers: Readonly<Record<string, number>>;
}

/** What a row has of each measure, by its id, whatever pipeline it is of. */
export function measuresIn({
  step: _,
  epoch: _epoch,
  digest: _digest,
  features,
  ...single
}: EvaluationRow): ReadonlyMap<string, Found> {
  const numbersOf = (value: unknown) =>
    Object.fromEntries(Object.entries(value as object).filter(([, each]) => typeof each === 'number'));
  return new Map([
    ...features.map(({ id, kind, notes: _, ...numbers }) => [id, { kind, numbers: numbersOf(numbers) }] as const),
    ...Object.entries(single)
      .filter(([, value]) => typeof value === 'object' && value !== null)
      .map(([id, value]) => [id, { kind: id, numbers: numbersOf(value) }] as const),
  ]);
}

/** The values of a measure, in their order, and the numbers that belong to them. */
export function partsOf({ definition }: ResolvedMeasure, numbers: Numbers) {
  const { values } = definition;
  const entries = Object.entries(numbers);
  return {
    values: Object.fromEntries(entries.filter(([name]) => name in values)) as Readonly<Record<string, number>>,
    about: Object.fromEntries(entries.filter(([name]) => !(name in values))),
  };
}

/** Measures or results, those that stand alone at the end. */
export function singleLast<T>(all: readonly T[], measureOf: (one: T) => ResolvedMeasure): readonly T[] {
  const rank = (one: T) => Number(measureOf(one).definition.single === true);
  return all.toSorted((a, b) => rank(a) - rank(b));
}
