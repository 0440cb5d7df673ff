import t from 'tap';
import { Random } from '../../../src/random.ts';
import { meanDistance, meanOf } from '../../../src/runs/figures/attend.ts';
import { fieldsOf, maskOf, windowOf } from '../../../src/runs/figures/model.ts';
import { sampleBlockMasks } from '../../../src/vision/masks.ts';

/** Drawn with seed 0 for `one.jpg`. */
const windowVector = { topPatch: 7, leftPatch: 6 };
const maskVector = '0101001000111011110111101';

t.test('the mean over heads, and how far away what is attended to lies', (t) => {
  const heads = [Float32Array.of(0.5, 0, 0, 0.25), Float32Array.of(0, 0.5, 0.5, 0)];
  const { weights, other } = meanOf({ heads, others: [0.25, 0] });
  t.same([...weights], [0.25, 0.25, 0.25, 0.125]);
  t.equal(other, 0.125);
  t.equal(meanDistance(Float32Array.of(0, 0.2, 0.2, 0), 0, 2), 1, 'weighed by the share of the patches alone');
  t.equal(meanDistance([0, 0, 0, 1], 0, 2), Math.SQRT2);
  t.equal(meanDistance([0, 0, 0, 0], 0, 2), 0);
  t.end();
});

t.test('windows and masks of a photograph hang on its name alone, and those that hide more hide the same', (t) => {
  // As docs/chance.md has them.
  t.same(windowOf('one.jpg', 14, 7), windowVector);
  const maskAt = (path: string, hidden: number) => maskOf(path, { side: 5, hidden, of: 'picture' }, {});
  t.equal(maskAt('one.jpg', 15).join(''), maskVector);
  t.same(maskAt('/some/where/one.jpg', 15), maskAt('one.jpg', 15));
  t.not(maskAt('two.jpg', 15).join(''), maskVector);
  const [few, many] = [maskAt('one.jpg', 10), maskAt('one.jpg', 20)];
  t.ok(few.every((hidden, i) => hidden <= many[i]!));
  t.equal(few.filter((hidden) => hidden === 1).length, 10);
  t.end();
});

t.test('a photograph is masked in blocks where the training was, by the stage’s own draw', (t) => {
  const aspect = [1, 1] as [number, number];
  const draw = (hidden: number, of: 'window' | 'picture', blocks: { min?: number; exact: boolean }) =>
    maskOf('one.jpg', { side: 6, hidden, of }, { masks: { blocks: { aspect, ...blocks } } });
  const whole = draw(16, 'picture', { exact: true });
  t.same(whole, sampleBlockMasks(1, 6, 16, { min: 16, aspect, exact: true }, new Random(0, 'mask', 'one.jpg')));
  const rows = [0, 1, 2, 3, 4, 5].map((row) => whole.subarray(6 * row, 6 * row + 6).join(''));
  t.equal(new Set(rows.filter((row) => row.includes('1'))).size, 1, `one square: ${rows.join(' ')}`);
  const small = draw(4, 'window', { exact: true });
  t.same(small, sampleBlockMasks(1, 6, 4, { min: 4, aspect, exact: true }, new Random(0, 'mask', 'one.jpg')));
  const count = (mask: Uint8Array) => mask.filter((hidden) => hidden === 1).length;
  t.equal(count(draw(7, 'picture', { exact: true })), 7);
  t.ok(count(draw(7, 'picture', { exact: false })) <= 7, 'and may be fewer where it had fewer');
  t.ok(
    count(draw(2, 'picture', { min: 9, exact: true })) === 2,
    'less than a block of the training is hidden all the same',
  );
  t.end();
});

t.test('a photograph as a micro-batch of its own', (t) => {
  const pixels = { width: 4, height: 2, data: new Uint8Array(24) };
  const photo = { path: 'a.jpg', pixels, lr: { width: 2, height: 1, data: new Uint8Array(6) } };
  const shapes = (fields: ReturnType<typeof fieldsOf>) =>
    Object.fromEntries(Object.entries(fields).map(([name, { shape }]) => [name, shape]));
  t.same(shapes(fieldsOf(photo, new Uint8Array(8), undefined)), {
    picture: [1, 2, 4, 3],
    masks: [1, 8],
    lr: [1, 1, 2, 3],
  });
  const { lr: _, ...plain } = photo;
  const windowed = fieldsOf(plain, new Uint8Array(4), { topPatch: 1, leftPatch: 2 });
  t.same(shapes(windowed), { picture: [1, 2, 4, 3], masks: [1, 1, 4], windows: [1, 1, 2] });
  t.same([...windowed.windows!.data], [1, 2]);
  t.end();
});
