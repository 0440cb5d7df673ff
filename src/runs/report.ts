import { percentOf } from '../counts.ts';
import { escapeHtml, htmlText, imageTag } from '../html.ts';
import type { MeasureTable } from '../measures/define.ts';
import { type Compute, computeText } from '../train/flops.ts';
import type { Measures } from '../train/metrics.ts';
import { lineChart } from '../vision/draw/line-chart.ts';

/** What a report shows. Everything may come from outside: it is escaped here. */
export interface ReportContent {
  /** The pipeline's name. */
  readonly name: string;
  /** The resolved pipeline as text, YAML or JSON. */
  readonly pipeline: string;
  readonly rows: readonly Measures[];
  /** Samples per step. */
  readonly batch: number;
  /** Wall time of the run in seconds. */
  readonly seconds: number;
  /** Backend, device and why. */
  readonly backend: string;
  /** Numbers that were trained. */
  readonly parameters?: number;
  /** What a sample costs and what the device could do. */
  readonly compute?: Compute;
  /** How the training has ended, beyond its steps: a heading and a text in each row. */
  readonly outcome?: readonly (readonly [string, string])[];
  /** What was measured before and after, and on the way. */
  readonly tables?: readonly MeasureTable[];
  /** What measures show beside. */
  readonly sections?: readonly ReportSection[];
  /** Which side of the training set the pace, and what would help. */
  readonly balance?: string;
  /** `loss.svg`. */
  readonly chart?: string;
}

/** A part of the report that one measure fills. */
export interface ReportSection {
  readonly tables: readonly MeasureTable[];
  /** What a reader of the numbers must know. */
  readonly notes: readonly string[];
  readonly picture?: { readonly png: Uint8Array; readonly alt: string; readonly about?: string };
}

/**
 * `report.html`: one file that holds all of a run (numbers, pictures, the pipeline), opens anywhere, and asks nothing of the network:
 * images are data inside it, and its policy forbids scripts and requests.
 */
export function reportHtml(content: ReportContent): string {
  const { name, pipeline, rows, tables = [], sections = [], chart } = content;
  const parts = [
    `<h1>${escapeHtml(name)}</h1>`,
    table(summary(content)),
    ...tables.flatMap(measureTable),
    ...sections.flatMap(section),
    ...(chart === undefined ? [] : ['<h2>Training</h2>', image('Loss per step', 'image/svg+xml', Buffer.from(chart))]),
    ...(content.balance === undefined ? [] : ['<h2>Balance</h2>', `<p>${escapeHtml(content.balance)}</p>`]),
    stepTable(rows),
    '<h2>Pipeline</h2>',
    `<pre>${escapeHtml(pipeline)}</pre>`,
  ];
  return htmlText(name, parts);
}

function summary(content: ReportContent): [string, string][] {
  const { rows, seconds, backend, parameters, compute, outcome = [] } = content;
  const last = rows.at(-1);
  const skipped = rows.filter((row) => row.skipped === true).length;
  const lines: [string, string][] = [
    ['Steps', String(rows.length)],
    ...outcome.map(([what, text]): [string, string] => [what, text]),
    ['Time', duration(seconds)],
    ['Backend', backend],
  ];
  if (parameters !== undefined) lines.push(['Parameters', parameters.toLocaleString('en')]);
  if (last !== undefined) {
    lines.push(['Last loss', short(last.loss)]);
    const rate = median(rows.map((row) => row.imagesPerSecond));
    lines.push(['Images per second, median', short(rate)]);
    if (compute !== undefined) lines.push(['Computed, by the model’s multiply-adds', computeText(compute, rate)]);
    lines.push(['Trainer waited for data', share(content, 'dataWaitMs')]);
    lines.push(['Loader waited for the trainer', share(content, 'permitWaitMs')]);
  }
  if (skipped > 0) lines.push(['Steps skipped, loss not a number', String(skipped)]);
  return lines;
}

/** A wait over the time of all steps. The loader waits while nothing is trained as well, when checkpoints are measured:
 * what is more than the steps' time is not of them. */
function share({ rows, batch }: ReportContent, wait: 'dataWaitMs' | 'permitWaitMs'): string {
  const waited = rows.reduce((sum, row) => sum + row[wait], 0);
  const whole = rows.reduce((sum, row) => sum + (1000 * batch) / row.imagesPerSecond, 0);
  return `${Math.round(percentOf(waited, whole))} %`;
}

function table(lines: readonly [string, string][]): string {
  const rows = lines.map(([what, value]) => `<tr><th>${escapeHtml(what)}</th><td>${escapeHtml(value)}</td></tr>`);
  return `<table>${rows.join('')}</table>`;
}

function section({ tables, notes, picture }: ReportSection): string[] {
  const text = (line: string) => `<p>${escapeHtml(line)}</p>`;
  return [
    ...tables.flatMap(measureTable),
    ...notes.map(text),
    ...(picture === undefined ? [] : [image(picture.alt, 'image/png', Buffer.from(picture.png))]),
    ...(picture?.about === undefined ? [] : [text(picture.about)]),
  ];
}

function measureTable({ title, head, rows, about, curve }: MeasureTable): string[] {
  const cells = ([first = '', ...rest]: readonly string[], tag: 'th' | 'td') =>
    `<tr><th>${escapeHtml(first)}</th>${rest.map((cell) => `<${tag} class="number">${escapeHtml(cell)}</${tag}>`).join('')}</tr>`;
  const table = `<table>${cells(head, 'th')}${rows.map((row) => cells(row, 'td')).join('')}</table>`;
  return [
    `<h2>${escapeHtml(title)}</h2>`,
    table,
    ...(about === undefined ? [] : [`<p>${escapeHtml(about)}</p>`]),
    ...(curve === undefined ? [] : [curveOf(title, curve)]),
  ];
}

function curveOf(title: string, { across, text, ...points }: NonNullable<MeasureTable['curve']>): string {
  const lines = [{ name: title, ...points }];
  return image(title, 'image/svg+xml', Buffer.from(lineChart({ title, across, lines, textOf: text })));
}

/** Ten rows at equal distances, the last among them. */
function stepTable(rows: readonly Measures[]): string {
  if (rows.length === 0) return '';
  const shown = Math.min(10, rows.length);
  const picked = Array.from({ length: shown }, (_, i) => rows[Math.ceil(((i + 1) * rows.length) / shown) - 1]!);
  const columns: [string, (row: Measures) => string][] = [
    ['step', (row) => String(row.step)],
    ['epoch', (row) => row.epoch.toFixed(2)],
    ['loss', (row) => short(row.loss)],
    ['gradient norm', (row) => short(row.gradNorm)],
    ['parameter norm', (row) => short(row.paramNorm)],
    ['learning rate', (row) => short(row.lr)],
    ['images/s', (row) => short(row.imagesPerSecond)],
    ['data wait, ms', (row) => short(row.dataWaitMs)],
  ];
  const head = columns.map(([title]) => `<th class="number">${title}</th>`).join('');
  const body = picked.map(
    (row) => `<tr>${columns.map(([, cell]) => `<td class="number">${cell(row)}</td>`).join('')}</tr>`,
  );
  return `<table><tr>${head}</tr>${body.join('')}</table>`;
}

function image(alt: string, type: string, bytes: Buffer): string {
  return `<p>${imageTag(alt, type, bytes)}</p>`;
}

function short(value: number): string {
  return Number.isFinite(value) ? String(Number(value.toPrecision(4))) : 'not a number';
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

function duration(seconds: number): string {
  const whole = Math.round(seconds);
  const minutes = Math.floor(whole / 60);
  if (minutes === 0) return `${whole} s`;
  return minutes < 60 ? `${minutes} min ${whole % 60} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
