import fc from 'fast-check';
import t from 'tap';
import { runs } from '../../../src/formats/parquet/sound.ts';

/** Runs as the format has them, written by hand: groups of eight packed bit by bit, or one number many times. */
function written(numbers: readonly number[], width: number, isPacked: boolean): Uint8Array {
  if (!isPacked) {
    const bytes = (value: number) => Array.from({ length: Math.ceil(width / 8) }, (_, i) => (value >> (8 * i)) & 255);
    return Uint8Array.from(numbers.flatMap((value) => [1 << 1, ...bytes(value)]));
  }
  const groups = Math.ceil(numbers.length / 8);
  const packed = new Uint8Array(groups * width);
  for (const [i, value] of numbers.entries())
    for (let bit = 0; bit < width; bit++) {
      const at = i * width + bit;
      packed[at >> 3]! |= ((value >> bit) & 1) << (at & 7);
    }
  return Uint8Array.of((groups << 1) | 1, ...packed);
}

t.test('property: numbers come out of runs and groups as they went in', (t) => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 20 }),
      fc.array(fc.nat(), { minLength: 1, maxLength: 60 }),
      fc.boolean(),
      (width, drawn, isPacked) => {
        const numbers = drawn.map((number) => number % 2 ** width);
        t.same(runs(written(numbers, width, isPacked), width, numbers.length, 2 ** width), numbers);
      },
    ),
  );
  t.end();
});

t.test('runs that are longer than what is left, end early, are empty, or hold numbers that are none', (t) => {
  t.throws(() => runs(Uint8Array.of(0xfe, 0xff, 0xff, 0xff, 0x0f, 1), 1, 8, 1), /run of 2147483647 where 8 are left/);
  t.throws(() => runs(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff), 1, 8, 1), /no length/);
  t.throws(() => runs(Uint8Array.of(0, 1), 1, 8, 1), /run of 0/);
  t.throws(() => runs(Uint8Array.of(8, 1), 1, 8, 1), /beyond the page/);
  t.throws(() => runs(Uint8Array.of(16, 3), 2, 8, 2), /number 3, where 2 is the most/);
  t.end();
});
