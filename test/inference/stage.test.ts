import t from 'tap';
import { cutOf, slotOf } from '../../src/inference/stage.ts';
import { rawPicture } from '../../src/vision/picture.ts';
import { gradient } from '../kit/pictures/pictures.ts';

const sample = (position: number, key = 'a.jpg') => ({ key, position, epoch: 0 });
const raw = (width: number, height: number) => rawPicture({ ...gradient(width, height), channels: 3 });

t.test('a slot is a pure function of the sample: its position, and for a part its number', (t) => {
  t.same(
    [0, 1, 31, 32, 33].map((position) => slotOf(sample(position), 32)),
    [0, 1, 31, 0, 1],
  );
  const parts = Array.from({ length: 32 }, (_, i) => slotOf(sample(5, `a.jpg/${i + 1}`), 32));
  t.equal(parts[0], 5, 'the only part of most pictures');
  t.ok(new Set(parts).size >= 16, `${new Set(parts).size} of 32 slots`);
  t.equal(slotOf(sample(12, 'train/000012'), 32), 12, 'no part: its number has zeros in front');
  const long = slotOf(sample(5, 'a.jpg/999999999'), 7);
  t.ok(long >= 0 && long < 7);
  t.equal(slotOf(sample(3), 1), 0);
  t.end();
});

t.test('a picture is given the cut that the model was trained on', (t) => {
  const stages = [
    { name: 'decode', options: {} },
    { name: 'face-crop', options: {} },
    { name: 'resize', options: { size: [40, 60], fit: 'fill' } },
    { name: 'center-crop', options: { size: 32 } },
  ];
  const cut = cutOf({ stages, size: [32, 32] });
  const made = cut(raw(100, 50));
  t.same([made.width, made.height], [32, 32]);
  const by = raw(100, 50)
    .resize({ width: 60, height: 40, fit: 'fill' })
    .crop({ left: 14, top: 4, width: 32, height: 32 });
  t.same(JSON.stringify(made.from), JSON.stringify(by.from), 'resized and cut, as in the training');
  const sized = raw(32, 32);
  t.equal(cut(sized), sized, 'one of its size stays as it is');
  for (const other of [
    null,
    [],
    [
      { name: 'resize', options: { size: 8 } },
      { name: 'own', options: {} },
    ],
  ]) {
    const one = cutOf({ stages: other, size: [24, 20] })(raw(100, 50));
    t.same([one.height, one.width], [24, 20], 'without a cut it is resized');
  }
  t.end();
});
