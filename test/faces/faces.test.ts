import fc from 'fast-check';
import t from 'tap';
import { stepsFor } from '../../src/faces/dlib.ts';
import { aboutDetector, chooseDetector } from '../../src/faces/face-detector.ts';
import { overlapOf } from '../../src/faces/faces.ts';
import { boxAround } from '../../src/vision/face-box.ts';
import type { Box } from '../../src/vision/picture.ts';

const box = (left: number, top: number, width: number, height: number): Box => ({ left, top, width, height });
const boxes = fc.record({
  left: fc.integer({ min: -60, max: 400 }),
  top: fc.integer({ min: -60, max: 400 }),
  width: fc.integer({ min: 1, max: 300 }),
  height: fc.integer({ min: 1, max: 300 }),
});

t.test('overlap: intersection over union', (t) => {
  t.equal(overlapOf(box(0, 0, 10, 10), box(0, 0, 10, 10)), 1);
  t.equal(overlapOf(box(0, 0, 10, 10), box(5, 0, 10, 10)), 1 / 3);
  t.equal(overlapOf(box(0, 0, 10, 10), box(10, 0, 10, 10)), 0, 'neighbours');
  t.equal(overlapOf(box(0, 0, 10, 10), box(2, 2, 5, 4)), 0.2, 'one in the other');
  fc.assert(
    fc.property(boxes, boxes, (a, b) => {
      const overlap = overlapOf(a, b);
      return overlap === overlapOf(b, a) && overlap >= 0 && overlap <= 1;
    }),
    { seed: 5 },
  );
  t.end();
});

t.test('what is cut out for a face: worked out by hand', (t) => {
  const picture = { width: 100, height: 60 };
  const plain = { margin: 0, shape: 'found', border: 'move' } as const;
  t.same(boxAround(box(10, 20, 30, 20), picture, plain), box(10, 20, 30, 20));
  t.same(boxAround(box(10, 20, 30, 20), picture, { ...plain, margin: 0.1 }), box(7, 17, 36, 26));
  t.same(boxAround(box(10, 20, 30, 20), picture, { ...plain, shape: 'square' }), box(10, 15, 30, 30));
  t.same(boxAround(box(-8, 50, 30, 20), picture, plain), box(0, 40, 30, 20), 'moved inside');
  t.same(boxAround(box(-8, 50, 30, 20), picture, { ...plain, border: 'pad' }), box(-8, 50, 30, 20), 'left as it is');
  t.same(boxAround(box(20, -10, 80, 80), picture, plain), box(20, 0, 80, 60), 'no longer than the picture');
  t.same(
    boxAround(box(20, -10, 80, 80), picture, { ...plain, shape: 'square' }),
    box(30, 0, 60, 60),
    'and still square',
  );
  t.end();
});

t.test('what is cut out for any face in any picture', (t) => {
  const sizes = fc.record({ width: fc.integer({ min: 1, max: 400 }), height: fc.integer({ min: 1, max: 400 }) });
  const options = fc.record({
    margin: fc.double({ min: 0, max: 4, noNaN: true }),
    shape: fc.constantFrom('square' as const, 'found' as const),
    border: fc.constantFrom('move' as const, 'pad' as const),
  });
  fc.assert(
    fc.property(boxes, sizes, options, (face, picture, how) => {
      const { left, top, width, height } = boxAround(face, picture, how);
      t.ok([left, top, width, height].every(Number.isInteger) && width > 0 && height > 0, 'whole pixels');
      if (how.shape === 'square') t.equal(width, height);
      const inside = left >= 0 && top >= 0 && left + width <= picture.width && top + height <= picture.height;
      if (how.border === 'move') t.ok(inside, 'all of it lies in the picture');
      t.ok(overlapOf(box(left, top, width, height), box(0, 0, picture.width, picture.height)) > 0, 'some of it does');
    }),
    { seed: 5, numRuns: 300 },
  );
  t.end();
});

t.test('the scale of a scan: whole steps of the pyramid, and none between 80 and 95 px', (t) => {
  for (const minSide of [80, 81, 95]) t.equal(stepsFor(minSide), 0);
  t.equal(stepsFor(96), 1);
  t.equal(stepsFor(120), 2);
  t.equal(stepsFor(79), -1, 'below 80 px the picture is enlarged');
  fc.assert(
    fc.property(fc.integer({ min: 20, max: 65535 }), (minSide) => {
      const seen = 80 * 1.2 ** stepsFor(minSide);
      return seen <= minSide * (1 + 1e-9) && seen * 1.2 > minSide * (1 - 1e-9);
    }),
    { seed: 5 },
  );
  t.end();
});

t.test('a detector by name, and what is said of the choice', (t) => {
  for (const name of ['dlib', 'face-api'] as const) {
    const about = aboutDetector(name);
    if (/missing/.test(about)) t.throws(() => chooseDetector(name), { code: 'FACES_DETECTOR' });
    else t.equal(chooseDetector(name).name, name);
  }
  t.match(aboutDetector('auto'), /^(dlib|face-api) \d/);
  t.ok(aboutDetector('auto').startsWith(chooseDetector('auto').about));
  t.end();
});
