import { linearAxis, logAxis } from '../../src/vision/draw/chart.ts';

/** Images per second by ghost batch, of one model. */
export interface Curve {
  readonly name: string;
  readonly points: readonly { readonly microBatch: number; readonly rate: number }[];
}

const [width, height] = [720, 360];
const area = { left: 64, right: 96, top: 36, bottom: 44 };
const colours = ['#1f5f99', '#b5542c', '#3d7d3a'];

/** The curves as SVG text: ghost batch on a logarithmic axis, images per second on one that begins at 0. */
export function ghostChart(curves: readonly Curve[]): string {
  const points = curves.flatMap((curve) => curve.points);
  const sizes = [...new Set(points.map(({ microBatch }) => microBatch))].sort((a, b) => a - b);
  const across = logAxis(sizes[0] ?? 1, sizes.at(-1) ?? 2);
  const up = linearAxis(0, Math.max(...points.map(({ rate }) => rate)));
  const x = (size: number) => Math.round(area.left + across.place(size) * (width - area.left - area.right));
  const y = (rate: number) => Math.round(height - area.bottom - up.place(rate) * (height - area.top - area.bottom));
  const text = (at: number, down: number, content: string, anchor: string, colour = '#333') =>
    `<text x="${at}" y="${down}" text-anchor="${anchor}" fill="${colour}">${content}</text>`;
  const grid = up.ticks.map(
    (tick) =>
      `<line x1="${area.left}" x2="${width - area.right}" y1="${y(tick)}" y2="${y(tick)}" stroke="#ddd"/>${text(area.left - 8, y(tick) + 4, String(Number(tick.toPrecision(6))), 'end')}`,
  );
  const feet = sizes.map((size) => text(x(size), height - area.bottom + 18, String(size), 'middle'));
  const lines = curves.map(({ name, points: own }, i) => {
    const colour = colours[i % colours.length]!;
    const path = own.map(({ microBatch, rate }, j) => `${j === 0 ? 'M' : 'L'}${x(microBatch)} ${y(rate)}`).join('');
    const dots = own.map(
      ({ microBatch, rate }) => `<circle cx="${x(microBatch)}" cy="${y(rate)}" r="3" fill="${colour}"/>`,
    );
    const last = own.at(-1)!;
    const label = text(x(last.microBatch) + 8, y(last.rate) + 4, name, 'start', colour);
    return `<path d="${path}" fill="none" stroke="${colour}" stroke-width="2"/>${dots.join('')}${label}`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="sans-serif" font-size="12" role="img" aria-label="Images per second against ghost batch">`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    text(area.left, 22, 'Images per second against ghost batch, at a constant batch', 'start'),
    ...grid,
    ...feet,
    ...lines,
    text(
      (area.left + width - area.right) / 2,
      height - 8,
      'ghost batch: samples per forward and backward pass',
      'middle',
    ),
    '</svg>\n',
  ].join('\n');
}
