import fc from 'fast-check';
import t from 'tap';
import { sharesOf, turnsOf } from '../../../src/sources/mixture/turns.ts';
import type { PartShare } from '../../../src/sources/open-source.ts';

const weights = fc.array(fc.double({ min: 1e-3, max: 1e6, noNaN: true }), { minLength: 2, maxLength: 8 });

t.test('shares are whole, are all samples together, and are less than one from the exact ones', (t) => {
  fc.assert(
    fc.property(weights, fc.integer({ min: 1, max: 1_000_000 }), (weights, samples) => {
      const shares = sharesOf(weights, samples);
      const whole = weights.reduce((sum, weight) => sum + weight, 0);
      return (
        shares.reduce((sum, share) => sum + share, 0) === samples &&
        shares.every(
          (share, i) => Number.isInteger(share) && Math.abs(share - (samples * weights[i]!) / whole) < 1 + 1e-6,
        )
      );
    }),
  );
  t.same(sharesOf([3, 1], 100), [75, 25]);
  t.same(sharesOf([1, 1, 1], 10), [4, 3, 3], 'of equals the first');
  t.same(sharesOf([1, 1e9], 10), [0, 10]);
  t.end();
});

const shares = fc.array(fc.record({ count: fc.integer({ min: 1, max: 30 }), share: fc.integer({ min: 1, max: 70 }) }), {
  minLength: 2,
  maxLength: 5,
});
const named = (list: readonly Omit<PartShare, 'name'>[]) => list.map((share, i) => ({ ...share, name: `part-${i}` }));

t.test(
  'every epoch has the shares; no sample of a part is met twice before all are met; none twice as the same',
  (t) => {
    fc.assert(
      fc.property(shares, fc.integer({ min: 1, max: 6 }), (list, epochs) => {
        const parts = named(list);
        const samples = parts.reduce((sum, { share }) => sum + share, 0);
        const place = turnsOf(parts);
        const met = parts.map(({ count }) => new Array<number>(count).fill(0));
        for (let epoch = 0; epoch < epochs; epoch++) {
          const seen = new Set<string>();
          const found = parts.map(() => 0);
          for (let i = 0; i < samples; i++) {
            const { part, index, again } = place(epoch * samples + i);
            found[part]!++;
            seen.add(`${part}/${index}#${again}`);
            met[part]![index]!++;
            // After each sample: as often as the others, but for one time.
            const [least, most] = [Math.min(...met[part]!), Math.max(...met[part]!)];
            if (most - least > 1) return false;
          }
          if (seen.size !== samples || found.some((count, i) => count !== parts[i]!.share)) return false;
        }
        return true;
      }),
      { numRuns: 200 },
    );
    t.pass('any shares and epochs');
    t.end();
  },
);

t.test('a place is a pure function: asked for in any order, the same', (t) => {
  const parts = named([
    { count: 7, share: 3 },
    { count: 4, share: 9 },
  ]);
  const all = Array.from({ length: 60 }, (_, i) => turnsOf(parts)(i));
  const place = turnsOf(parts);
  for (const i of [59, 0, 31, 30, 12, 59]) t.same(place(i), all[i]);
  t.same(place(1e12 * 12 + 3).part, 1, 'of an epoch that is far away');
  t.end();
});

t.test('VECTOR: parts of 5 and 2 samples, 3 and 4 of them in an epoch', (t) => {
  const place = turnsOf([
    { name: 'c', count: 5, share: 3 },
    { name: 'd', count: 2, share: 4 },
  ]);
  const text = (i: number) => {
    const { part, index, again } = place(i);
    return `${'cd'[part]}${index}${'#'.repeat(again)}`;
  };
  t.equal(Array.from({ length: 14 }, (_, i) => text(i)).join(' '), 'c1 c3 c4 d0 d1 d0# d1# c0 c2 c1# d0 d1 d0# d1#');
  t.end();
});
