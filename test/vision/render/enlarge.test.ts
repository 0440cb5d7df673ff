import t from 'tap';
import type { Pixels } from '../../../src/vision/picture.ts';
import { enlarge } from '../../../src/vision/render/enlarge.ts';

const grey = (values: readonly number[], width: number): Pixels => ({
  width,
  height: values.length / width,
  data: Uint8Array.from(values.flatMap((value) => [value, value, value])),
});
const red = ({ data }: Pixels) => data.filter((_, i) => i % 3 === 0);

t.test('a straight ramp stays straight, and a dot stays where it was', (t) => {
  for (const kernel of ['bilinear', 'bicubic', 'lanczos'] as const) {
    const dot = Array.from({ length: 49 }, (_, i) => (i === 24 ? 200 : 0));
    const large = enlarge(grey(dot, 7), { width: 28, height: 21, kernel });
    const values = red(large);
    let [sum, x, y] = [0, 0, 0];
    for (const [i, value] of values.entries()) {
      sum += value;
      x += value * ((i % 28) + 0.5);
      y += value * (Math.floor(i / 28) + 0.5);
    }
    t.ok(Math.abs(x / sum - 14) < 0.05 && Math.abs(y / sum - 10.5) < 0.05, `${kernel}: ${x / sum}, ${y / sum}`);
  }
  const ramp = red(enlarge(grey([0, 40, 80, 120, 160, 200, 240], 7), { width: 14, height: 1, kernel: 'bilinear' }));
  t.same([...ramp.slice(1, -1)], [10, 30, 50, 70, 90, 110, 130, 150, 170, 190, 210, 230]);
  t.end();
});

t.test('a side that gets smaller is averaged, and what is of one colour stays so', (t) => {
  const flat = enlarge(grey(Array(60).fill(77), 20), { width: 3, height: 9, kernel: 'bicubic' });
  t.same([...new Set(flat.data)], [77]);
  const stripes = red(enlarge(grey([0, 200, 0, 200, 0, 200, 0, 200], 8), { width: 2, height: 2, kernel: 'bilinear' }));
  t.ok(
    stripes.every((value) => Math.abs(value - 100) <= 15),
    `${stripes}`,
  );
  t.end();
});

t.test('Pillow’s own values', (t) => {
  // Image.fromarray([[10, 200, 30], [90, 0, 250]]).resize((5, 3), BICUBIC) of Pillow 9.4.
  const found = enlarge(grey([10, 200, 30, 90, 0, 250], 3), { width: 5, height: 3, kernel: 'bicubic' });
  const pillow = [0, 86, 213, 94, 1, 49, 66, 100, 128, 136, 103, 45, 0, 162, 255];
  for (const [i, value] of red(found).entries()) t.ok(Math.abs(value - pillow[i]!) <= 1, `${i}: ${value}`);
  t.end();
});
