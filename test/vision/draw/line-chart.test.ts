import sharp from 'sharp';
import t from 'tap';
import { lineChart, stackedCharts } from '../../../src/vision/draw/line-chart.ts';

const line = (name: string, values: number[], at = values.map((_, i) => i)) => ({ name, at, values });
const counted = (svg: string, tag: string) => svg.split(`<${tag} `).length - 1;

t.test('lines with their names; few points are marked, what is not finite is a gap', (t) => {
  const many = Array.from({ length: 50 }, (_, i) => 2 - i / 50);
  const svg = lineChart({
    title: 'k-NN <top-1>',
    across: 'hours',
    lines: [line('a <b>', [0.5, Number.NaN, 0.7, 0.8]), line('long', many), line('none', [])],
    textOf: (value) => `${100 * value} %`,
  });
  t.match(svg, /^<svg [\s\S]*<\/svg>\n$/);
  t.match(svg, /k-NN &lt;top-1&gt;[\s\S]*>hours<[\s\S]*a &lt;b&gt;<[\s\S]*>long<[\s\S]*>none</);
  t.match(svg, />100 %</, 'ticks in the words of the measure');
  t.notMatch(svg, /NaN|Infinity|undefined/);
  t.equal(counted(svg, 'circle'), 3, 'marks of the short line alone');
  t.match(svg, /M64 \d+(\.\d+)?M\d/, 'a gap begins a new stroke');
  t.end();
});

t.test('the axis is logarithmic where it is asked for and the range is wide', (t) => {
  const chart = (values: number[], logarithmic = true) =>
    lineChart({ title: 'Loss', across: 'steps', lines: [line('a', values)], logarithmic });
  // The middle of three decades of values lies in the middle of the plot.
  const middle = (svg: string) => [...svg.matchAll(/cy="([\d.]+)"/g)].map(([, y]) => Number(y))[1]!;
  t.equal(middle(chart([1, 0.1, 0.01])), (36 + 316) / 2);
  t.ok(middle(chart([1, 0.1, 0.01], false)) > 280);
  t.ok(Math.abs(middle(chart([1, 0, -1])) - (36 + 316) / 2) < 1, 'not below zero');
  t.end();
});

t.test('every input makes a whole chart, and more lines than colours are told apart', async (t) => {
  for (const lines of [
    [],
    [line('a', [Number.NaN])],
    [line('a', [1])],
    [line('a', [0, 0])],
    [line('a', [3, 3], [2, 2])],
  ]) {
    const svg = lineChart({ title: 'x', across: 'y', lines });
    t.notMatch(svg, /NaN|Infinity|undefined/, JSON.stringify(lines));
    t.equal((await sharp(Buffer.from(svg)).metadata()).width, 720);
  }
  const svg = lineChart({ title: 'x', across: 'y', lines: Array.from({ length: 15 }, (_, i) => line(`${i}`, [i, 1])) });
  const strokes = [...svg.matchAll(/stroke="(#\w+)" stroke-width="2"[^>]*?(stroke-dasharray="[^"]*")?\/>/g)];
  t.equal(new Set(strokes.map(([, colour, dash]) => `${colour} ${dash}`)).size, 15);
});

t.test('charts one below the other are one file', async (t) => {
  const one = lineChart({ title: 'one', across: 'x', lines: [line('a', [1, 2])] });
  const two = lineChart({ title: 'two', across: 'x', lines: [line('a', [1, 2]), line('b', [2, 1])] });
  const { width, height } = await sharp(Buffer.from(stackedCharts([one, two]))).metadata();
  t.same([width, height], [720, 360 + 18 + 6 + 360 + 36 + 6]);
});
