import t from 'tap';
import type { VectorSet } from '../../../src/formats/vectors/vector-set.ts';
import { Random } from '../../../src/random.ts';
import { similarVectors } from '../../../src/runs/search/similar.ts';

const width = 6;

/** Vectors around a few centres, a copy of the first at half its length, one of zeros and a very long one. */
const random = new Random(3, 'vectors', 'test');
const centres = Array.from({ length: 5 }, () => Array.from({ length: width }, () => random.normal()));
const rows = Array.from({ length: 90 }, (_, i) => centres[i % 5]!.map((value) => value + 0.25 * random.normal()));
rows[40] = rows[0]!.map((value) => value / 2);
rows[50] = rows[0]!.map(() => 0);
rows[60] = rows[1]!.map((value) => value * 1e20);
const vectors = rows.map((row) => Float32Array.from(row));

/** In batches of 7, so that blocks and slices begin within them. */
const set: VectorSet = {
  path: 'none',
  width,
  async *batches() {
    for (let at = 0; at < vectors.length; at += 7) {
      const some = vectors.slice(at, at + 7);
      yield { keys: some.map((_, i) => `v${at + i}`), values: Float32Array.from(some.flatMap((row) => [...row])) };
    }
  },
};

/** By the definition: all pairs in float64, and a label that spreads over them. */
function expected(above: number): string[][] {
  const length = (row: Float32Array) => Math.sqrt(row.reduce((sum, value) => sum + value * value, 0));
  const label = vectors.map((_, i) => i);
  for (let round = 0; round < vectors.length; round++) {
    for (const [a, one] of vectors.entries()) {
      for (const [b, other] of vectors.entries()) {
        const product = length(one) * length(other);
        const dot = one.reduce((sum, value, i) => sum + value * other[i]!, 0);
        if (a !== b && product > 0 && dot / product >= above) label[a] = label[b] = Math.min(label[a]!, label[b]!);
      }
    }
  }
  const groups = [...new Set(label)].map((one) => label.flatMap((of, i) => (of === one ? [`v${i}`] : [])));
  return groups.filter((group) => group.length > 1);
}

t.test('groups of all pairs, whatever the blocks, by the backend or without', async (t) => {
  for (const above of [0.9, 0.97, 0.995]) {
    const wanted = expected(above);
    t.ok(wanted.length > 0);
    for (const options of [{}, { size: 16 }, { size: 16, alone: 0 }, { alone: 0 }]) {
      const groups = await similarVectors(set, above, options);
      t.equal(groups.pictures, vectors.length);
      t.same(
        groups.list().map(({ pictures }) => pictures.map(({ key }) => key)),
        wanted,
        `${above} ${JSON.stringify(options)}`,
      );
    }
  }
});

t.test('a copy of another length is as alike as can be', async (t) => {
  const [group] = (await similarVectors(set, 0.999)).list();
  t.match(group!.pictures[0], { key: 'v0', nearest: { key: 'v40', likeness: 1 } });
});
