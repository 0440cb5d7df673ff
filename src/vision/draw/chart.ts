/** One line of a chart: `values[i]` stands at `at[i]`; what is not finite leaves a gap. */
export interface Series {
  readonly at: readonly number[];
  readonly values: readonly number[];
}

/** A chart's sides, and what is left around its plot, in pixels. */
export const width = 720;
export const height = 360;
export const area = { left: 64, right: 16, top: 36, bottom: 44 };
/** More points than pixels tell nothing: longer runs are drawn as means of equal stretches. */
const mostPoints = 600;

/**
 * The loss of a run over its steps as SVG text: every step faint, a running mean strong. The vertical axis is logarithmic when the
 * smallest value is above zero and the largest is more than five times as large. Nothing in it comes from outside but numbers.
 */
export function lossChart({ at, values }: Series): string {
  const each = thin({ at, values });
  const mean = thin({ at, values: runningMean(values) });
  const finite = [...each.values, ...mean.values].filter(Number.isFinite);
  if (finite.length === 0)
    return page('Loss', '', text(width / 2, height / 2, 'no finite loss was measured', 'middle'));
  const low = Math.min(...finite);
  const high = Math.max(...finite);
  const logarithmic = low > 0 && high / low > 5;
  const vertical = logarithmic ? logAxis(low, high) : linearAxis(low, high);
  const horizontal = linearAxis(at[0] ?? 0, Math.max((at[0] ?? 0) + 1, at.at(-1) ?? 1), true);
  const x = (value: number) => area.left + horizontal.place(value) * (width - area.left - area.right);
  const y = (value: number) => height - area.bottom - vertical.place(value) * (height - area.top - area.bottom);

  const frame = [...gridLines(vertical, y, label), ...horizontal.ticks.map((tick) => footText(tick, x))];
  const faint = path(each, x, y, '#9bbcdc', 1);
  const strong = path(mean, x, y, '#1f5f99', 2);
  const title = logarithmic
    ? 'Loss per step (logarithmic), and its running mean'
    : 'Loss per step, and its running mean';
  const foot = text((area.left + width - area.right) / 2, height - 8, 'step', 'middle');
  return page(title, [...frame, faint, strong].join('\n'), foot);
}

/** A line across the plot for each tick, with its value in front of it. */
export function gridLines({ ticks }: Axis, y: (value: number) => number, textOf: (value: number) => string): string[] {
  return ticks.map((tick) => {
    const line = `<line x1="${area.left}" x2="${width - area.right}" y1="${round(y(tick))}" y2="${round(y(tick))}" stroke="#ddd"/>`;
    return line + text(area.left - 8, y(tick) + 4, textOf(tick), 'end');
  });
}

/** The value of a tick below the plot. */
export function footText(tick: number, x: (value: number) => number): string {
  return text(x(tick), height - area.bottom + 18, label(tick), 'middle');
}

export interface Axis {
  readonly ticks: readonly number[];
  /** 0 at the axis' beginning, 1 at its end. */
  place(value: number): number;
}

/** Ticks at 1, 2 or 5 times a power of ten, four to ten of them. `tight`: the axis begins and ends with the data, not with a tick. */
export function linearAxis(low: number, high: number, tight = false): Axis {
  const span = high > low ? high - low : Math.max(1, Math.abs(low));
  const raw = span / 5;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = power * ([1, 2, 5].find((factor) => factor * power >= raw) ?? 10);
  const first = tight ? Math.ceil(low / step) : Math.floor(low / step);
  const last = tight ? Math.floor((low + span) / step) : Math.ceil((low + span) / step);
  const ticks = Array.from({ length: last - first + 1 }, (_, i) => (first + i) * step);
  const [begin, end] = tight ? [low, low + span] : [first * step, last * step];
  return { ticks, place: (value) => (value - begin) / (end - begin) };
}

/** Ticks at 1, 2 and 5 times powers of ten, or at powers alone where the range is wide. */
export function logAxis(low: number, high: number): Axis {
  const from = Math.floor(Math.log10(low));
  const to = Math.ceil(Math.log10(high));
  const factors = to - from > 3 ? [1] : [1, 2, 5];
  const all = Array.from({ length: to - from + 1 }, (_, i) =>
    factors.map((factor) => factor * 10 ** (from + i)),
  ).flat();
  const begin = Math.max(...all.filter((tick) => tick <= low));
  const end = Math.min(...all.filter((tick) => tick >= high), 10 ** to);
  const ticks = all.filter((tick) => tick >= begin && tick <= end);
  const span = Math.log(end / begin);
  return { ticks, place: (value) => Math.log(value / begin) / span };
}

/** Mean over the last twentieth of the steps so far; what is not finite is left out. */
export function runningMean(values: readonly number[]): number[] {
  const length = Math.max(1, Math.round(values.length / 20));
  let sum = 0;
  let count = 0;
  return values.map((value, i) => {
    const left = values[i - length];
    if (Number.isFinite(value)) [sum, count] = [sum + value, count + 1];
    if (left !== undefined && Number.isFinite(left)) [sum, count] = [sum - left, count - 1];
    return count === 0 ? Number.NaN : sum / count;
  });
}

/** At most `mostPoints` points: the means of equal stretches. */
export function thin({ at, values }: Series): Series {
  if (values.length <= mostPoints) return { at, values };
  const thinned = { at: [] as number[], values: [] as number[] };
  for (let i = 0; i < mostPoints; i++) {
    const from = Math.floor((i * values.length) / mostPoints);
    const to = Math.floor(((i + 1) * values.length) / mostPoints);
    const stretch = values.slice(from, to).filter(Number.isFinite);
    thinned.at.push(at[from]!);
    thinned.values.push(stretch.reduce((sum, value) => sum + value, 0) / stretch.length);
  }
  return thinned;
}

/** A line as SVG; what is not finite leaves a gap. @param dashes as `stroke-dasharray` has them. */
export function path(
  { at, values }: Series,
  x: (at: number) => number,
  y: (value: number) => number,
  colour: string,
  thickness: number,
  dashes = '',
) {
  let pen = 'M';
  const parts = values.map((value, i) => {
    if (!Number.isFinite(value)) {
      pen = 'M';
      return '';
    }
    const part = `${pen}${round(x(at[i]!))} ${round(y(value))}`;
    pen = 'L';
    return part;
  });
  return `<path d="${parts.join('')}" fill="none" stroke="${colour}" stroke-width="${thickness}" stroke-linejoin="round" stroke-linecap="round"${dashes === '' ? '' : ` stroke-dasharray="${dashes}"`}/>`;
}

/** A chart as SVG. @param title safe to stand in it, as everything. @param high its height, where there is more below the plot. */
export function page(title: string, body: string, rest: string, high = height): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${high}" width="${width}" height="${high}" font-family="sans-serif" font-size="12" fill="#333" role="img" aria-label="${title}">`,
    `<rect width="${width}" height="${high}" fill="#fff"/>`,
    text(area.left, 22, title, 'start'),
    body,
    rest,
    '</svg>\n',
  ].join('\n');
}

export function text(x: number, y: number, content: string, anchor: 'start' | 'middle' | 'end'): string {
  return `<text x="${round(x)}" y="${round(y)}" text-anchor="${anchor}">${content}</text>`;
}

export function round(value: number): number {
  return Math.round(value * 100) / 100;
}

export function label(value: number): string {
  const magnitude = Math.abs(value);
  if (magnitude !== 0 && (magnitude >= 1e6 || magnitude < 1e-3)) return value.toExponential(0);
  return String(Number(value.toPrecision(6)));
}
