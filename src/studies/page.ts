import { join } from 'node:path';
import { counted } from '../counts.ts';
import { escapeHtml, htmlText } from '../html.ts';
import { measures } from '../measures/index.ts';
import { lineChart, type NamedLine } from '../vision/draw/line-chart.ts';
import { writeWhole } from '../whole-file.ts';
import { texts } from './plan.ts';
import { meanCurve, pointsIn, type RowResult, type Summary } from './results.ts';
import type { StudyResult } from './run-study.ts';

/** What a study has found, as rows of text: the head first. */
export function studyTable({ rows, measure, also, seeds }: StudyResult): readonly (readonly string[])[] {
  const chief = [...new Set(rows.map((row) => row.measure))];
  const searched = rows.some(({ search }) => search !== undefined);
  const head = [
    '',
    'seeds',
    chief.length === 0 ? measure : chief.join(' or '),
    ...also,
    ...(searched ? ['search took'] : []),
  ];
  return [
    head,
    ...rows.map((row) => [
      row.name,
      seedsText(row, seeds.length),
      ...[row.measure, ...also].map((value) => summaryText(value, row.summaries[value])),
      ...(searched ? [searchText(row)] : []),
    ]),
  ];
}

function seedsText({ outcomes }: RowResult, of: number): string {
  const failed = outcomes.filter(({ failure }) => failure !== undefined).length;
  return `${outcomes.length - failed} of ${of}${failed > 0 ? `, ${failed} failed` : ''}`;
}

/** `91.3 % ± 0.4 %`; without an interval where there is one value alone. */
function summaryText(value: string, summary: Summary | undefined): string {
  if (summary === undefined) return '–';
  const text = textOf(value);
  return summary.interval === undefined ? text(summary.mean) : `${text(summary.mean)} ± ${text(summary.interval)}`;
}

function textOf(value: string): (value: number) => string {
  const [id = '', name = ''] = value.split('.');
  const values = measures.find((one) => one.name === id.replace(/#\d+$/, ''))?.values ?? {};
  // Further numbers of a measure are of the kind of its chief one.
  const known = values[name] ?? Object.values(values)[0];
  return (number) => known?.text?.(number) ?? String(Number(number.toPrecision(4)));
}

function searchText({ search }: RowResult): string {
  if (search?.chosen === undefined) return '–';
  const failed = search.tries.filter(({ failures }) => failures !== undefined).length;
  const tries = `${counted(search.tries.length, 'try', 'tries')}${failed > 0 ? `, ${failed} failed` : ''}`;
  return `${texts(search.chosen, {}).join(', ')}, of ${tries}`;
}

/** Writes the page of a study beside its runs. @throws FILE_WRITE */
export async function writePage(folder: string, result: StudyResult): Promise<string> {
  const path = join(folder, 'study.html');
  const failures = failuresOf(result).map((failure) => `<li>${escapeHtml(failure)}</li>`);
  const body = [
    `<h1>${escapeHtml(result.name)}</h1>`,
    `<p>${escapeHtml(aboutText(result))}</p>`,
    htmlTable(studyTable(result)),
    ...(await curvePart(folder, result)),
    ...result.rows.flatMap(searchPart),
    ...(failures.length > 0 ? ['<h2>Failed</h2>', `<ul>${failures.join('')}</ul>`] : []),
  ];
  await writeWhole(path, htmlText(result.name, body));
  return path;
}

/** Each training that has failed, of the seeds and of the searches, and why. */
export function failuresOf({ rows }: StudyResult): readonly string[] {
  return rows.flatMap(({ name, outcomes, search }) => [
    ...(search?.tries ?? []).flatMap(({ values, failures = [] }) =>
      failures.map((failure) => `${name}, search ${texts(values, {}).join(', ')}: ${failure}`),
    ),
    ...outcomes.flatMap(({ seed, failure }) => (failure === undefined ? [] : [`${name}, seed ${seed}: ${failure}`])),
  ]);
}

/** What a reader of the table must know. */
export function aboutText({ measure, best, seeds, rows, unfinished }: StudyResult): string {
  const chief = [...new Set([measure, ...rows.map((row) => row.measure)])];
  const said = [`${chief.join(' or ')}, the ${best} is the best.`];
  if (seeds.length > 1) said.push(`Means over ${counted(seeds.length, 'seed')}, with the 95 % interval of the mean.`);
  if (rows.some(({ search }) => search !== undefined))
    said.push('What the search took was chosen by its own runs, which are not among these.');
  if (unfinished.length > 0) said.push(`Not run to the end: ${unfinished.join('; ')}.`);
  return said.join(' ');
}

/** The measure against steps, the mean over the seeds of each row; nothing where it was measured at the end alone. */
async function curvePart(study: string, { rows, measure }: StudyResult): Promise<readonly string[]> {
  const lines: NamedLine[] = [];
  for (const { name, outcomes, measure } of rows) {
    const measured = outcomes.filter(({ found }) => found !== undefined);
    const runs = await Promise.all(measured.map(({ folder }) => pointsIn(join(study, folder))));
    const curve = meanCurve(runs, measure);
    if (curve.at.length > 1) lines.push({ name, ...curve });
  }
  if (lines.length === 0) return [];
  const chief = [...new Set(rows.map((row) => row.measure))].join(' or ');
  const chart = lineChart({ title: `${chief} against steps`, across: 'steps', lines, textOf: textOf(measure) });
  return [`<p>${chart}</p>`];
}

function searchPart({ name, search, measure }: RowResult): readonly string[] {
  if (search === undefined) return [];
  const rows = search.tries.map(({ values, mean }) => [
    texts(values, {}).join(', '),
    mean === undefined ? '–' : textOf(measure)(mean),
    search.chosen === values || JSON.stringify(search.chosen) === JSON.stringify(values) ? 'taken' : '',
  ]);
  return [`<h2>${escapeHtml(`Search of ${name}`)}</h2>`, htmlTable([['', measure, ''], ...rows])];
}

function htmlTable([head = [], ...rows]: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[], tag: string) =>
    `<tr>${cells.map((cell) => `<${tag}>${escapeHtml(cell)}</${tag}>`).join('')}</tr>`;
  return `<table>${line(head, 'th')}${rows.map((row) => line(row, 'td')).join('')}</table>`;
}
