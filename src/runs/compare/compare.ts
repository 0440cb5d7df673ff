import { basename, resolve } from 'node:path';
import { numberText } from '../../counts.ts';
import { fail } from '../../errors.ts';
import { percent } from '../../measures/accuracy.ts';
import { type MeasureDefinition, type Quantity, telling } from '../../measures/define.ts';
import { measures as ownMeasures } from '../../measures/index.ts';
import { runningMean } from '../../vision/draw/chart.ts';
import type { NamedLine } from '../../vision/draw/line-chart.ts';
import { type ComparedRun, readRun } from './read.ts';

/** Trainings side by side. */
export interface Comparison {
  /** What runs are called: the last part of their folders where that tells them apart. */
  readonly names: readonly string[];
  readonly runs: readonly ComparedRun[];
  readonly rows: readonly ComparedRow[];
  /** What a reader of the numbers must know. */
  readonly notes: readonly string[];
  readonly charts: readonly ComparedChart[];
}

/** A line of the table: what it is, and what it is for each run; `–` where a run has none. */
export interface ComparedRow {
  readonly title: string;
  readonly cells: readonly string[];
}

export interface ComparedChart {
  readonly title: string;
  readonly across: string;
  readonly lines: readonly NamedLine[];
  readonly textOf?: ((value: number) => string) | undefined;
  readonly logarithmic?: boolean;
}

/**
 * Compares trainings by the files of their folders; nothing is computed anew, and no backend is needed.
 *
 * @throws COMPARE_RUN, COMPARE_ROWS, METRICS_BROKEN
 */
export async function compareRuns(folders: readonly string[]): Promise<Comparison> {
  const runs = await Promise.all(folders.map(readRun));
  if (runs.every(({ rows }) => rows.length === 0)) throw fail('COMPARE_ROWS', { found: folders.join(', ') });
  const names = namesOf(folders);
  return {
    names,
    runs,
    rows: [...summaryRows(runs), ...optionRows(runs), ...measureRows(runs)],
    notes: notesOn(runs, names),
    charts: [...lossCharts(runs, names), ...measureCharts(runs, names)],
  };
}

function namesOf(folders: readonly string[]): readonly string[] {
  const short = folders.map((folder) => basename(resolve(folder)));
  return new Set(short).size === folders.length ? short : folders;
}

const none = '–';

function row(title: string, cells: readonly (string | undefined)[]): ComparedRow {
  return { title, cells: cells.map((cell) => cell ?? none) };
}

function summaryRows(runs: readonly ComparedRun[]): readonly ComparedRow[] {
  const count = (value: number | undefined) => (value === undefined ? undefined : numberText(value));
  return [
    row(
      'model',
      runs.map(({ model }) => model),
    ),
    row(
      'state',
      runs.map(({ ended }) => ended ?? 'running, or killed'),
    ),
    row(
      'steps',
      runs.map(
        ({ rows, total }) => `${numberText(rows.length)}${total === undefined ? '' : ` of ${numberText(total)}`}`,
      ),
    ),
    row(
      'time',
      runs.map(({ seconds }) => (seconds.length === 0 ? undefined : timeText(seconds.at(-1)!))),
    ),
    row(
      'images/s, median',
      runs.map(({ imagesPerSecond: rate }) => (rate === undefined ? undefined : short(rate))),
    ),
    row(
      'parameters',
      runs.map(({ parameters }) => count(parameters)),
    ),
    row(
      'forward pass, multiply-adds',
      runs.map(({ macs }) => (macs === undefined ? undefined : macsText(macs))),
    ),
    row(
      'last loss, running mean',
      runs.map(({ rows }) => (rows.length === 0 ? undefined : short(lossOf(rows).at(-1)!))),
    ),
  ];
}

/** The options that are not the same in all runs. */
function optionRows(runs: readonly ComparedRun[]): readonly ComparedRow[] {
  const paths = new Set(runs.flatMap(({ options }) => [...options.keys()]));
  return [...paths]
    .map((path) =>
      row(
        path,
        runs.map(({ options }) => options.get(path)),
      ),
    )
    .filter(({ cells }) => new Set(cells).size > 1);
}

/** What was measured last. */
function measureRows(runs: readonly ComparedRun[]): readonly ComparedRow[] {
  return measuredIn(runs).flatMap(({ id, names, quantity }) =>
    names.map((name) => {
      const { title, text } = quantity(name);
      const cells = runs.map(({ evaluations }) => evaluations.at(-1)?.found.get(id)?.numbers[name]);
      return row(
        `${id}, ${title}`,
        cells.map((value) => (value === undefined ? undefined : text(value))),
      );
    }),
  );
}

interface Measured {
  readonly id: string;
  /** The names of its values, the chief one first. */
  readonly names: readonly string[];
  quantity(name: string): { readonly title: string; readonly column?: string; text(value: number): string };
}

/** The measures that any run has taken. */
function measuredIn(runs: readonly ComparedRun[]): readonly Measured[] {
  const all = new Map<string, { definition: MeasureDefinition | undefined; names: Set<string> }>();
  for (const { evaluations } of runs)
    for (const { found } of evaluations)
      for (const [id, { kind, numbers }] of found) {
        const known = all.get(id) ?? { definition: ownMeasures.find(({ name }) => name === kind), names: new Set() };
        for (const name of Object.keys(telling(known.definition ?? { values: {} }, numbers))) known.names.add(name);
        all.set(id, known);
      }
  return [...all].map(([id, { definition, names }]) => ({
    id,
    names: shownNames([...names], definition),
    quantity: (name) => quantityOf(name, definition),
  }));
}

/** Values of a measure of ours, with the share of the largest class, which an answer that is always the same would reach; of a user's own all numbers. */
function shownNames(names: readonly string[], definition: MeasureDefinition | undefined): readonly string[] {
  if (definition === undefined) return names;
  return [...Object.keys(definition.values), 'largest'].filter((name) => names.includes(name));
}

function quantityOf(name: string, definition: MeasureDefinition | undefined) {
  if (definition !== undefined && name === 'largest') return { title: 'share of the largest class', text: percent };
  const quantity: Quantity = definition?.values[name] ?? {};
  const text = (value: number) => quantity.text?.(value) ?? short(value);
  return { title: quantity.title ?? name, ...(quantity.column && { column: quantity.column }), text };
}

/** Options that a note names. */
const mostTold = 4;

function notesOn(runs: readonly ComparedRun[], names: readonly string[]): readonly string[] {
  const stepless = names.filter((_, i) => runs[i]!.rows.length === 0);
  const notes = stepless.map((name) => `${name} has done no step yet.`);
  for (const { id } of measuredIn(runs)) {
    const taking = runs.flatMap((run, i) => (run.evaluations.some(({ found }) => found.has(id)) ? [i] : []));
    const missing = names.filter((_, i) => !taking.includes(i));
    if (missing.length > 0) notes.push(`${id} was not measured in ${missing.join(', ')}.`);
    const options = optionRows(taking.map((i) => ({ ...runs[i]!, options: runs[i]!.measures.get(id) ?? new Map() })));
    if (options.length > 0) {
      const texts = options.slice(0, mostTold).map(({ title, cells }) => `${title} is ${cells.join(', ')}`);
      if (options.length > mostTold) texts.push(`and ${options.length - mostTold} more`);
      const of = taking.map((i) => names[i]).join(', ');
      notes.push(`${id} was not measured alike in ${of}: ${texts.join('; ')}. Its values say little of each other.`);
    }
  }
  const targets = optionRows(runs).filter(({ title }) => title === 'model.target' || title === 'model.labelSmoothing');
  if (new Set(runs.map(({ model }) => model)).size > 1 || targets.length > 0)
    notes.push(
      'The losses are of different models or targets: how they fall can be compared, and not how high they are.',
    );
  return notes;
}

/** The loss as it is drawn: the mean over the last twentieth of the steps so far. */
function lossOf(rows: ComparedRun['rows']): number[] {
  return runningMean(rows.map(({ loss }) => loss));
}

function lossCharts(runs: readonly ComparedRun[], names: readonly string[]): readonly ComparedChart[] {
  const unit = unitOf(runs);
  const chart = (across: string, atOf: (run: ComparedRun) => readonly number[]): ComparedChart => ({
    title: `Loss against ${across}, running mean`,
    across,
    lines: runs.map((run, i) => ({ name: names[i]!, at: atOf(run), values: lossOf(run.rows) })),
    logarithmic: true,
  });
  return [
    chart('steps', ({ rows }) => rows.map(({ step }) => step)),
    chart(unit.name, ({ seconds }) => seconds.map((each) => each / unit.seconds)),
  ];
}

/** The chief value of each measure against the time of the training. Source: LoMaR, figure 3. */
function measureCharts(runs: readonly ComparedRun[], names: readonly string[]): readonly ComparedChart[] {
  const unit = unitOf(runs);
  return measuredIn(runs).flatMap(({ id, names: values, quantity }) => {
    const [chief] = values;
    if (chief === undefined) return [];
    const lines = runs.flatMap(({ evaluations }, i) => {
      const points = evaluations.flatMap(({ seconds, found }) => {
        const value = found.get(id)?.numbers[chief];
        return value === undefined ? [] : [[seconds / unit.seconds, value] as const];
      });
      if (points.length === 0) return [];
      return [{ name: names[i]!, at: points.map(([at]) => at), values: points.map(([, value]) => value) }];
    });
    const { title, column = `${id}, ${title}`, text } = quantity(chief);
    return [{ title: `${column}, against ${unit.name}`, across: unit.name, lines, textOf: text }];
  });
}

/** Hours, or less where no run is as long as two of them. */
function unitOf(runs: readonly ComparedRun[]): { readonly name: string; readonly seconds: number } {
  const longest = Math.max(0, ...runs.map(({ seconds }) => seconds.at(-1) ?? 0));
  if (longest >= 7200) return { name: 'hours', seconds: 3600 };
  return longest >= 120 ? { name: 'minutes', seconds: 60 } : { name: 'seconds', seconds: 1 };
}

function timeText(seconds: number): string {
  if (seconds < 120) return `${short(seconds)} s`;
  return seconds < 7200 ? `${short(seconds / 60)} min` : `${short(seconds / 3600)} h`;
}

function macsText(macs: number): string {
  return macs >= 1e9 ? `${short(macs / 1e9)} G` : `${short(macs / 1e6)} M`;
}

function short(value: number): string {
  return Number.isFinite(value) ? String(Number(value.toPrecision(4))) : 'not a number';
}
