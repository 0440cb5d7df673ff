import { escapeHtml } from '../../html.ts';
import {
  area,
  footText,
  gridLines,
  height,
  label,
  linearAxis,
  logAxis,
  page,
  path,
  round,
  type Series,
  text,
  thin,
  width,
} from './chart.ts';

/** A line of a chart of several, by its name. */
export interface NamedLine extends Series {
  readonly name: string;
}

export interface LineChart {
  readonly title: string;
  /** What the horizontal axis counts: `step`, `hours`. */
  readonly across: string;
  readonly lines: readonly NamedLine[];
  /** The values of the vertical axis as text. */
  readonly textOf?: ((value: number) => string) | undefined;
  /** The vertical axis is logarithmic where the largest value is more than five times the smallest. */
  readonly logarithmic?: boolean;
}

/** Colours that stay apart on white, also for colour-blind eyes. Source: Okabe and Ito, Color Universal Design, 2008. */
const colours = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#000000'];
const dashes = ['', '7 4', '2 4'];
/** Lines of few points have each of them marked. */
const mostMarks = 40;
const legendHeight = 18;

/** Several lines in one chart as SVG text, their names below. A line without a finite value is named, and nothing of it is drawn. */
export function lineChart({ title, across, lines, textOf = label, logarithmic = false }: LineChart): string {
  const thinned = lines.map(({ name, ...series }) => ({ name, ...thin(series) }));
  const finite = thinned.flatMap(({ values }) => values.filter(Number.isFinite));
  const name = escapeHtml(title);
  const legend = thinned.map((line, i) => legendText(line.name, i));
  const high = height + legendHeight * lines.length + 6;
  if (finite.length === 0)
    return page(name, text(width / 2, height / 2, 'there is nothing to draw', 'middle'), legend.join('\n'), high);
  const [low, most] = [Math.min(...finite), Math.max(...finite)];
  const vertical = logarithmic && low > 0 && most / low > 5 ? logAxis(low, most) : linearAxis(low, most);
  const ends = thinned.flatMap(({ at }) => [at[0] ?? 0, at.at(-1) ?? 0]);
  const horizontal = linearAxis(Math.min(0, ...ends), Math.max(...ends, Number.MIN_VALUE), true);
  const x = (value: number) => area.left + horizontal.place(value) * (width - area.left - area.right);
  const y = (value: number) => height - area.bottom - vertical.place(value) * (height - area.top - area.bottom);
  const drawn = thinned.map(
    (line, i) => path(line, x, y, colourOf(i), 2, dashesOf(i)) + marks(line, x, y, colourOf(i)),
  );
  const frame = [...gridLines(vertical, y, textOf), ...horizontal.ticks.map((tick) => footText(tick, x))];
  const foot = text((area.left + width - area.right) / 2, height - 8, escapeHtml(across), 'middle');
  return page(name, [...frame, ...drawn].join('\n'), [foot, ...legend].join('\n'), high);
}

/** Charts one below the other, in one file. */
export function stackedCharts(charts: readonly string[]): string {
  let top = 0;
  const placed = charts.map((chart) => {
    const own = Number(/ height="(\d+)"/.exec(chart)?.[1] ?? height);
    const part = chart.replace('<svg ', `<svg y="${top}" `);
    top += own;
    return part;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${top}" width="${width}" height="${top}">\n${placed.join('')}</svg>\n`;
}

const colourOf = (i: number) => colours[i % colours.length]!;
const dashesOf = (i: number) => dashes[Math.floor(i / colours.length) % dashes.length]!;

function marks(
  { at, values }: Series,
  x: (value: number) => number,
  y: (value: number) => number,
  colour: string,
): string {
  if (values.length > mostMarks) return '';
  const dots = values.map((value, i) =>
    Number.isFinite(value) ? `<circle cx="${round(x(at[i]!))}" cy="${round(y(value))}" r="3.5" fill="${colour}"/>` : '',
  );
  return dots.join('');
}

function legendText(name: string, i: number): string {
  const top = height + legendHeight * i + 8;
  const line = { at: [area.left, area.left + 28], values: [top, top] };
  const same = (value: number) => value;
  return path(line, same, same, colourOf(i), 2, dashesOf(i)) + text(area.left + 36, top + 4, escapeHtml(name), 'start');
}
