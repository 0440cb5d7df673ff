import { counted } from '../../counts.ts';
import { type MeasureTable, type Numbers, type Quantity, type Shown, telling } from '../../measures/define.ts';
import type { ResolvedMeasure } from '../../pipeline/resolve/evaluate.ts';
import type { Judged } from '../../train/judge.ts';
import { type EvaluationRow, partsOf, resultIn, singleLast } from './evaluation-row.ts';
import type { MeasureResult } from './take-measure.ts';

/** A checkpoint that is kept for what was measured of it. */
export interface BestCheckpoint extends Judged {
  readonly measure: string;
  /** Its folder, absolute. */
  readonly path: string;
}

/** `knn.top1 0.6123 after 300 steps` */
export function bestText({ measure, value, step }: BestCheckpoint): string {
  return `${measure} ${Number(value.toPrecision(4))} after ${counted(step, 'step')}`;
}

/** `after 300 of 1,000 steps: knn.top1 has become no better in 5 evaluations` */
export function earlyText({ steps, total, measure, evaluations }: EarlyStop): string {
  const after = `after ${steps.toLocaleString('en')} of ${counted(total, 'step')}`;
  return `${after}: ${measure} has become no better in ${counted(evaluations, 'evaluation')}`;
}

/** A training that was ended before its length. */
export interface EarlyStop {
  readonly steps: number;
  readonly total: number;
  readonly measure: string;
  readonly evaluations: number;
}

/** What was measured before the training, by the id of the measure. */
export type Before = ReadonlyMap<string, Numbers>;

export function shownOf({ measure, numbers, notes = [] }: MeasureResult, before?: Before): Shown {
  const { id, options, definition } = measure;
  const start = before?.get(id);
  return { id, options, numbers: telling(definition, numbers), notes, before: start && telling(definition, start) };
}

/** The numbers of an evaluation for the terminal. */
export function evaluationLines(results: readonly MeasureResult[], before?: Before): string[] {
  return results.flatMap((result) => {
    const shown = shownOf(result, before);
    const { definition } = result.measure;
    return definition.format?.(shown) ?? [usualLine(result.measure, shown), ...shown.notes];
  });
}

/** The numbers of an evaluation on the way, the measures that stand alone at the end. */
export function briefLines(results: readonly MeasureResult[]): string[] {
  return singleLast(results, ({ measure }) => measure).flatMap((result) => {
    const { brief } = result.measure.definition;
    return brief === undefined ? evaluationLines([result]) : [brief(shownOf(result))];
  });
}

/** `mean-colour: red 0.41 before, 0.39 after; green 0.5 before, 0.51 after` */
function usualLine({ definition }: ResolvedMeasure, shown: Shown): string {
  const { id, numbers, before } = shown;
  const { values, report } = definition;
  const texts = Object.entries(values).flatMap(([name, quantity]) => {
    const [start, now] = [textOf(quantity, before?.[name]), textOf(quantity, numbers[name])];
    if (now === '') return [];
    return [`${quantity.title ?? name} ${start === '' ? now : `${start} before, ${now} after`}`];
  });
  const about = report?.about?.(shown);
  return `${report?.title?.(shown) ?? id}: ${texts.join('; ')}${about ? ` (${about})` : ''}`;
}

function textOf(quantity: Quantity, value: Numbers[string] | undefined): string {
  if (typeof value !== 'number') return '';
  return quantity.text?.(value) ?? String(Number(value.toPrecision(4)));
}

/** A measure with what it has found before and after the training. */
interface Found {
  readonly measure: ResolvedMeasure;
  readonly start: Numbers | undefined;
  readonly end: Numbers | undefined;
  readonly shown: Shown;
}

function foundBy(measures: readonly ResolvedMeasure[], results: readonly MeasureResult[], before: Before): Found[] {
  return measures.flatMap((measure) => {
    const result = results.find((one) => one.measure.id === measure.id);
    const [start, end] = [before.get(measure.id), result?.numbers].map(
      (numbers) => numbers && telling(measure.definition, numbers),
    );
    const numbers = end ?? start;
    return numbers ? [{ measure, start, end, shown: shownOf({ ...result, measure, numbers }, before) }] : [];
  });
}

/** `evaluation.json`: the values of a measure that stands alone, and each other measure by its id, at the start and at the end. */
export function evaluationJson(...all: Parameters<typeof foundBy>): object {
  const parts = foundBy(...all).map(({ measure, start, end, shown: { numbers, notes } }) => {
    const { values, about } = partsOf(measure, numbers);
    if (measure.definition.single) return values;
    const both = Object.keys(values).map((name) => [
      name,
      { ...(start && { start: start[name] }), ...(end && { end: end[name] }) },
    ]);
    return { [measure.id]: { ...about, ...Object.fromEntries(both), ...(notes.length > 0 && { notes }) } };
  });
  return Object.assign({}, ...parts);
}

/** What the report shows of all measures but those with tables of their own, and of everything that was measured on the way. */
export function evaluationTables(
  rows: readonly EvaluationRow[],
  ...[measures, results, before]: Parameters<typeof foundBy>
): MeasureTable[] {
  const tables = new Map<string, Found[]>();
  for (const found of foundBy(measures, results, before)) {
    const { report, name } = found.measure.definition;
    const heading = report?.heading ?? name;
    if (report?.tables === undefined) tables.set(heading, [...(tables.get(heading) ?? []), found]);
  }
  const summaries = [...tables].map(([title, found]) => summaryTable(title, found));
  return [...summaries, ...(rows.length > 2 ? [historyTable(measures, rows)] : [])];
}

/** A row for each measure: its values before and after. */
function summaryTable(title: string, rows: readonly Found[]): MeasureTable {
  const quantities = Object.entries(rows[0]!.measure.definition.values).filter(([name]) =>
    rows.some(({ start, end }) => start?.[name] !== undefined || end?.[name] !== undefined),
  );
  const titleOf = ({ measure, shown }: Found) => measure.definition.report?.title?.(shown) ?? measure.id;
  const about = rows.flatMap((row) => {
    const text = row.measure.definition.report?.about?.(row.shown);
    return text ? [`${titleOf(row)}: ${text}.`] : [];
  });
  return {
    title,
    head: ['', ...quantities.flatMap(([name, { title = name }]) => [`${title} before`, `${title} after`])],
    rows: rows.map((row) => [
      titleOf(row),
      ...quantities.flatMap(([name, one]) => [textOf(one, row.start?.[name]), textOf(one, row.end?.[name])]),
    ]),
    ...(about.length > 0 && { about: about.join(' ') }),
  };
}

/** The chief value of each measure, row by row. */
function historyTable(measures: readonly ResolvedMeasure[], rows: readonly EvaluationRow[]): MeasureTable {
  const columns = singleLast(measures, (measure) => measure).flatMap((measure) => {
    const [chief] = Object.entries(measure.definition.values);
    const cells = rows.map((row) => resultIn(row, measure)?.numbers);
    if (chief === undefined || cells.every((cell) => cell === undefined)) return [];
    const [name, quantity] = chief;
    const head = quantity.column ?? `${measure.id}, ${quantity.title ?? name}`;
    return [{ head, cells: cells.map((cell) => textOf(quantity, cell?.[name])) }];
  });
  return {
    title: 'On the way',
    head: ['after step', 'epoch', ...columns.map(({ head }) => head)],
    rows: rows.map(({ step, epoch }, i) => [String(step), epoch.toFixed(2), ...columns.map(({ cells }) => cells[i]!)]),
  };
}
