import fc from 'fast-check';
import t from 'tap';
import { Random } from '../../../src/random.ts';
import { hiddenInWindow, hiddenOnGrid, sampleBlockMasks, sampleMasks } from '../../../src/vision/masks.ts';
import { centralBox, sampleResizedCrop } from '../../../src/vision/render/resized-crop.ts';
import { groupWindows, officialWindows, sampleWindows } from '../../../src/vision/windows.ts';

const random = (key = 'a.jpg') => new Random(7, 'test', key);
const seeds = fc.nat().map((seed) => new Random(seed, 'property', 'x'));

t.test('hidden counts are the published ones', async (t) => {
  const ratios = [0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.9];
  const table: Record<number, number[]> = {
    5: [7, 10, 12, 15, 17, 18, 20, 22],
    7: [14, 19, 24, 29, 34, 36, 39, 44],
    9: [24, 32, 40, 48, 56, 60, 64, 72],
    11: [36, 48, 60, 72, 84, 90, 96, 108],
    14: [58, 78, 98, 117, 137, 147, 156, 176],
  };
  for (const [K, counts] of Object.entries(table)) {
    t.same(
      ratios.map((ratio) => hiddenInWindow(Number(K), ratio)),
      counts,
      `K ${K}`,
    );
  }
  t.same(
    [196, 576, 784].map((n) => n - hiddenOnGrid(n, 0.75)),
    [49, 144, 196],
    'MAE keeps',
  );
});

t.test('windows have distinct tops and lefts inside the grid', async () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 30 }), fc.nat(), fc.nat(), seeds, (g, k, m, random) => {
      const K = 1 + (k % g);
      const M = 1 + (m % (g - K + 1));
      const windows = sampleWindows(g, K, M, random);
      const tops = windows.filter((_, i) => i % 2 === 0);
      const lefts = windows.filter((_, i) => i % 2 === 1);
      return (
        windows.length === 2 * M &&
        new Set(tops).size === M &&
        new Set(lefts).size === M &&
        windows.every((at) => at >= 0 && at <= g - K)
      );
    }),
    { seed: 1 },
  );
});

t.test('groups: everybody of a group shares; official pairs as the published code', async (t) => {
  const place = (position: number, group = 256) => ({ seed: 3, stage: 'windows', position, group });
  const shared = groupWindows(14, 7, 4, place(0));
  t.same(groupWindows(14, 7, 4, place(255)), shared);
  t.not(String(groupWindows(14, 7, 4, place(256))), String(shared));
  const distinct = (position: number, M: number, group: number) => {
    const windows = officialWindows(28, 7, M, place(position, group));
    return new Set(Array.from({ length: M }, (_, i) => `${windows[2 * i]},${windows[2 * i + 1]}`)).size;
  };
  for (const position of [0, 1, 5, 300]) {
    t.same(
      [distinct(position, 4, 256), distinct(position, 6, 256), distinct(position, 9, 256), distinct(position, 4, 255)],
      [1, 3, 9, 4],
    );
  }
  t.same(
    [...officialWindows(14, 7, 4, place(2))],
    Array(4)
      .fill([...shared.subarray(4, 6)])
      .flat(),
  );
});

t.test('masks hide exactly as many as asked, each patch equally often', async (t) => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 5 }),
      fc.integer({ min: 1, max: 60 }),
      fc.nat(),
      seeds,
      (count, n, h, random) => {
        const hidden = h % (n + 1);
        const masks = sampleMasks(count, n, hidden, random);
        return Array.from({ length: count }, (_, i) =>
          masks.subarray(i * n, (i + 1) * n).reduce((a, b) => a + b, 0),
        ).every((sum) => sum === hidden);
      },
    ),
    { seed: 1 },
  );
  const often = new Array<number>(25).fill(0);
  for (let i = 0; i < 4000; i++) {
    for (const [at, bit] of sampleMasks(1, 25, 15, random(`${i}`)).entries()) often[at]! += bit;
  }
  t.ok(
    often.every((count) => Math.abs(count - 2400) < 160),
    'five standard deviations',
  );
});

const beit = { min: 16, aspect: [0.3, 1 / 0.3] } as const;
const rowsOf = (mask: Uint8Array, side: number) =>
  Array.from({ length: side }, (_, row) => mask.subarray(row * side, (row + 1) * side).join('')).join(' ');

t.test('VECTOR: masks in blocks, as worked out apart from this code', async (t) => {
  const mask = () => new Random(7, 'mask', 'cats/one.jpg#0');
  t.equal(
    rowsOf(sampleBlockMasks(1, 14, 75, { ...beit, exact: false }, mask()), 14),
    '00000000000000 00000000000000 00001111111110 00001111111110 00001111111100 00001111111100 00001111111100 ' +
      '00001111111100 00001111111110 00001111111100 00001111111100 00000000000000 00000000000000 00000000000000',
  );
  t.equal(
    rowsOf(sampleBlockMasks(1, 7, 24, { ...beit, min: 4, exact: true }, mask()), 7),
    '0000000 0111111 0011111 0011111 0011110 0011110 0000000',
  );
});

t.test('masks in blocks hide exactly as many as asked, or never more', async () => {
  const numbers = fc.record({
    side: fc.integer({ min: 2, max: 16 }),
    share: fc.double({ min: 0.01, max: 0.99, noNaN: true }),
    min: fc.integer({ min: 1, max: 40 }),
    max: fc.option(fc.integer({ min: 40, max: 80 }), { nil: undefined }),
    aspect: fc.constantFrom<[number, number]>([0.3, 1 / 0.3], [0.01, 100], [2, 2]),
    exact: fc.boolean(),
  });
  fc.assert(
    fc.property(numbers, seeds, ({ side, share, ...blocks }, random) => {
      const hidden = 1 + Math.floor(share * (side ** 2 - 1));
      const masks = sampleBlockMasks(3, side, hidden, blocks, random);
      return Array.from({ length: 3 }, (_, i) =>
        masks.subarray(i * side ** 2, (i + 1) * side ** 2).reduce((a, b) => a + b, 0),
      ).every((sum) => (blocks.exact ? sum === hidden : sum <= hidden));
    }),
    { seed: 1 },
  );
});

t.test('blocks: 75 of 196 as BEiT hides them, side by side, and smaller ones where they must be', async (t) => {
  const masks = Array.from({ length: 500 }, (_, i) =>
    sampleBlockMasks(1, 14, 75, { ...beit, exact: false }, random(`${i}`)),
  );
  const sums = masks.map((mask) => mask.reduce((a, b) => a + b, 0));
  const mean = sums.reduce((a, b) => a + b, 0) / sums.length;
  // 74.49 over 2,000 masks of a program of its own.
  t.ok(mean > 74.2 && mean < 74.8, `${mean} hidden on average`);
  t.ok(Math.max(...sums) === 75 && Math.min(...sums) < 75, 'sometimes fewer');
  /** The share of hidden patches whose right neighbour is hidden as well. */
  const together = (mask: Uint8Array) => {
    let [pairs, both] = [0, 0];
    for (const [at, bit] of mask.entries()) {
      if (bit === 0 || at % 14 === 13) continue;
      pairs++;
      both += mask[at + 1]!;
    }
    return both / pairs;
  };
  const average = (of: readonly Uint8Array[]) => of.reduce((sum, mask) => sum + together(mask), 0) / of.length;
  const single = Array.from({ length: 500 }, (_, i) => sampleMasks(1, 196, 75, random(`${i}`)));
  const small = Array.from({ length: 500 }, (_, i) =>
    sampleBlockMasks(1, 14, 75, { min: 2, max: 4, aspect: [1, 1], exact: true }, random(`${i}`)),
  );
  t.ok(average(masks) > 0.8, `blocks ${average(masks)}`);
  t.ok(average(single) < 0.45, `single patches ${average(single)}`);
  t.ok(average(small) > 0.45 && average(small) < 0.75, `blocks of at most 4 ${average(small)}`);
});

t.test('the same key draws the same', async (t) => {
  t.same([...sampleWindows(8, 5, 2, random())], [...sampleWindows(8, 5, 2, random())]);
  t.matchSnapshot({
    windows: [...sampleWindows(8, 5, 2, random())],
    masks: [...sampleMasks(2, 9, 5, random())].join(''),
    crop: sampleResizedCrop(500, 375, { scale: [0.2, 1], ratio: [3 / 4, 4 / 3] }, random()),
  });
});

t.test('resized crops lie inside and keep area and proportion', async (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 900 }), fc.integer({ min: 1, max: 900 }), seeds, (width, height, random) => {
      const box = sampleResizedCrop(width, height, { scale: [0.2, 1], ratio: [3 / 4, 4 / 3] }, random);
      return (
        box.left >= 0 &&
        box.top >= 0 &&
        box.width >= 1 &&
        box.height >= 1 &&
        box.left + box.width <= width &&
        box.top + box.height <= height
      );
    }),
    { seed: 1 },
  );
  const proportions: number[] = [];
  const areas = Array.from({ length: 3000 }, (_, i) => {
    const { width, height } = sampleResizedCrop(400, 400, { scale: [0.2, 1], ratio: [3 / 4, 4 / 3] }, random(`${i}`));
    proportions.push(width / height);
    return (width * height) / 160_000;
  });
  t.ok(Math.min(...proportions) > 0.74 && Math.max(...proportions) < 1.35);
  t.ok(Math.min(...areas) > 0.19 && Math.min(...areas) < 0.22);
  t.same(
    sampleResizedCrop(1000, 10, { scale: [1, 1], ratio: [3 / 4, 4 / 3] }, random()),
    { left: 493, top: 0, width: 13, height: 10 },
    'ten tries, then the centre',
  );
  t.same(centralBox(30, 40, [1, 1]), { left: 0, top: 5, width: 30, height: 30 });
});
