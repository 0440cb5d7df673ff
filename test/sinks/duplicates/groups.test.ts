import fc from 'fast-check';
import t from 'tap';
import { Groups, howLike, summaryOf } from '../../../src/sinks/duplicates/groups.ts';

const like = (key: string, position: number, likeness = 0.99) => ({ key, position, likeness, bits: 3 });

t.test('what is joined by a third picture is one group; each names its nearest', async (t) => {
  const groups = new Groups();
  groups.add({ key: 'a', position: 0, like: [] });
  groups.add({ key: 'b', position: 1, like: [] });
  groups.add({ key: 'x', position: 2, like: [] });
  groups.add({ key: 'c', position: 3, like: [like('a', 0, 0.97), like('b', 1, 0.98)] });
  t.match(groups.list(), [
    {
      pictures: [
        { key: 'a', nearest: { key: 'c', likeness: 0.97 } },
        { key: 'b', nearest: { key: 'c', likeness: 0.98 } },
        { key: 'c', nearest: { key: 'b', likeness: 0.98 } },
      ],
    },
  ]);
  t.equal(summaryOf(groups.pictures, groups.list()), '1 group of near-duplicates, 3 of 4 pictures');
});

t.test('groups are the connected components, whatever the pairs', (t) => {
  const pairs = fc.uniqueArray(
    fc.tuple(fc.nat(14), fc.nat(14)).filter(([a, b]) => a < b),
    { maxLength: 20 },
  );
  fc.assert(
    fc.property(pairs, (pairs) => {
      const groups = new Groups();
      for (let i = 0; i < 15; i++) {
        groups.add({ key: `k${i}`, position: i, like: pairs.flatMap(([a, b]) => (b === i ? [like(`k${a}`, a)] : [])) });
      }
      // By a label that spreads over pairs until nothing changes.
      const label = Array.from({ length: 15 }, (_, i) => i);
      for (let round = 0; round < 15; round++) {
        for (const [a, b] of pairs) label[a] = label[b] = Math.min(label[a]!, label[b]!);
      }
      const expected = [...new Set(label)]
        .map((one) => label.flatMap((of, i) => (of === one ? [`k${i}`] : [])))
        .filter((group) => group.length > 1);
      const found = groups.list().map(({ pictures }) => pictures.map(({ key }) => key));
      return JSON.stringify(found) === JSON.stringify(expected);
    }),
  );
  t.end();
});

t.test('how alike in words', async (t) => {
  const nearest = { key: 'a.jpg', likeness: 0.985, bits: 2 };
  const box = [0, 0, 0.5, 0.5] as const;
  t.equal(howLike({ key: 'b', nearest }), '0.98, like a.jpg');
  t.equal(howLike({ key: 'b', nearest: { ...nearest, mirrored: true } }), '0.98, like a.jpg, mirrored');
  t.equal(howLike({ key: 'b', nearest: { ...nearest, crop: { of: 'a.jpg', box } } }), '0.98, a crop of a.jpg');
  t.equal(howLike({ key: 'b', nearest: { ...nearest, crop: { of: 'b', box } } }), '0.98, shows more than a.jpg');
});
