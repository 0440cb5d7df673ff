import fc from 'fast-check';
import t from 'tap';
import { CodeIndex } from '../../../src/vision/likeness/code-index.ts';

/** The ones of a word, bit by bit. */
const onesOf = (word: number) =>
  Array.from({ length: 32 }, (_, i) => (word >>> i) & 1).reduce((sum, bit) => sum + bit, 0);

const code = fc.tuple(fc.integer({ min: 0, max: 2 ** 32 - 1 }), fc.integer({ min: 0, max: 2 ** 32 - 1 }));
/** A code with some bits of it changed. */
const flips = fc.uniqueArray(fc.integer({ min: 0, max: 63 }), { maxLength: 22 });

function flipped([low, high]: readonly [number, number], bits: readonly number[]): [number, number] {
  const words = Uint32Array.of(low, high);
  for (const bit of bits) words[bit >> 5]! ^= 1 << (bit & 31);
  return [words[0]!, words[1]!];
}

t.test('all codes within the radius are found, and no others, as a look at each would', (t) => {
  fc.assert(
    fc.property(
      code,
      fc.array(flips, { maxLength: 40 }),
      fc.constantFrom(11 as const, 19 as const),
      (wanted, changes, radius) => {
        const index = new CodeIndex(7);
        const codes = changes.map((bits) => flipped(wanted, bits));
        for (const [i, [low, high]] of codes.entries()) index.add(low, high, i);
        const found = new Map<number, number>();
        index.near(...wanted, radius, (entry, bits) => found.set(entry, bits));
        const expected = codes.flatMap(([low, high], entry) => {
          const bits = onesOf(low ^ wanted[0]) + onesOf(high ^ wanted[1]);
          return bits <= radius ? [[entry, bits]] : [];
        });
        return JSON.stringify([...found].sort(([a], [b]) => a - b)) === JSON.stringify(expected);
      },
    ),
    { numRuns: 200 },
  );
  t.end();
});

t.test('lists grow over many blocks, pages too', async (t) => {
  const index = new CodeIndex(7);
  for (let i = 0; i < 3000; i++) index.add(i, ~i, i);
  const found: number[] = [];
  index.near(2999, ~2999, 11, (entry, bits) => bits === 0 && found.push(entry));
  t.same([...new Set(found)], [2999]);
  const all = new CodeIndex(7);
  for (let i = 0; i < 40_000; i++) all.add(7, 7, i);
  let calls = 0;
  all.near(7, 7, 19, () => calls++);
  t.equal(calls, 4 * 40_000);
});
