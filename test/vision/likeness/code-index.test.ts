import fc from 'fast-check';
import t from 'tap';
import { CodeIndex, codeRadius } from '../../../src/vision/likeness/code-index.ts';

/** The ones of a word, bit by bit. */
const onesOf = (word: number) =>
  Array.from({ length: 32 }, (_, i) => (word >>> i) & 1).reduce((sum, bit) => sum + bit, 0);

const code = fc.tuple(fc.integer({ min: 0, max: 2 ** 32 - 1 }), fc.integer({ min: 0, max: 2 ** 32 - 1 }));
/** A code with some bits of it changed. */
const flips = fc.uniqueArray(fc.integer({ min: 0, max: 63 }), { maxLength: 14 });

function flipped([low, high]: readonly [number, number], bits: readonly number[]): [number, number] {
  const words = Uint32Array.of(low, high);
  for (const bit of bits) words[bit >> 5]! ^= 1 << (bit & 31);
  return [words[0]!, words[1]!];
}

t.test('all codes within the radius are found, and no others, as a look at each would', (t) => {
  fc.assert(
    fc.property(code, fc.array(flips, { maxLength: 40 }), (wanted, changes) => {
      const index = new CodeIndex();
      const codes = changes.map((bits) => flipped(wanted, bits));
      for (const [low, high] of codes) index.add(low, high);
      const found = new Map<number, number>();
      index.near(...wanted, (entry, bits) => found.set(entry, bits));
      const expected = codes.flatMap(([low, high], entry) => {
        const bits = onesOf(low ^ wanted[0]) + onesOf(high ^ wanted[1]);
        return bits <= codeRadius ? [[entry, bits]] : [];
      });
      return JSON.stringify([...found].sort(([a], [b]) => a - b)) === JSON.stringify(expected);
    }),
    { numRuns: 200 },
  );
  t.end();
});

t.test('it grows', async (t) => {
  const index = new CodeIndex();
  for (let i = 0; i < 3000; i++) index.add(i, ~i);
  t.equal(index.count, 3000);
  const found: number[] = [];
  index.near(2999, ~2999, (entry, bits) => bits === 0 && found.push(entry));
  t.same([...new Set(found)], [2999]);
});
