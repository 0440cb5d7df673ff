import t from 'tap';
import { linearAxis, logAxis, lossChart, runningMean } from '../../../src/vision/draw/chart.ts';

const steps = (values: number[]) => ({ at: values.map((_, i) => i), values });

t.test('ticks are round numbers that hold the data', (t) => {
  t.same(linearAxis(0, 10).ticks, [0, 2, 4, 6, 8, 10]);
  t.equal(linearAxis(0, 10).place(5), 0.5);
  t.ok(linearAxis(3, 3).ticks.length > 1, 'a flat line has an axis');
  t.same(linearAxis(0, 899, true).ticks, [0, 200, 400, 600, 800]);
  t.same(logAxis(0.3, 4).ticks, [0.2, 0.5, 1, 2, 5]);
  t.equal(logAxis(0.1, 10).place(1), 0.5);
  t.same(logAxis(1e-6, 1).ticks.length, 7, 'powers of ten alone over a wide range');
  t.end();
});

t.test('a running mean over a twentieth of the run, gaps left out', (t) => {
  const values = Array.from({ length: 40 }, (_, i) => (i === 3 ? Number.NaN : i));
  t.same(runningMean(values).slice(0, 6), [0, 0.5, 1.5, 2, 4, 4.5]);
  t.same(runningMean([1, 2, 3]), [1, 2, 3]);
  t.end();
});

t.test('the chart: linear or logarithmic by the range, whole for every input', (t) => {
  t.match(lossChart(steps([1, 0.9, 0.8])), /Loss per step, and/);
  t.match(lossChart(steps([10, 1, 0.1])), /logarithmic/);
  t.notMatch(lossChart(steps([10, 1, -0.1])), /logarithmic/);
  for (const values of [
    [],
    [1],
    [Number.NaN],
    [1, Number.NaN, 2],
    [0, 0, 0],
    Array.from({ length: 5000 }, (_, i) => 1 / (i + 1)),
  ]) {
    const svg = lossChart(steps(values));
    t.match(svg, /^<svg [\s\S]*<\/svg>\n$/);
    t.notMatch(svg, /NaN|Infinity|undefined/);
    t.ok(svg.length < 40_000);
  }
  t.match(lossChart(steps([1, 2, Number.NaN, 2, 1])), /M[^M]*L[^M]*M/, 'a gap lifts the pen');
  t.end();
});
