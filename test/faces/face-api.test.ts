import { existsSync } from 'node:fs';
import t from 'tap';
import * as tf from '../../src/backends/tf.ts';
import { type FaceApiDetector, faceApiDetector } from '../../src/faces/face-api.ts';
import { overlapOf } from '../../src/faces/faces.ts';
import { openPicture } from '../../src/vision/open.ts';
import { rawPicture } from '../../src/vision/picture.ts';
import { photo, withoutPhotos } from '../kit/pictures/faces.ts';
import * as kit from '../kit/pictures/pictures.ts';

const skip = withoutPhotos;
const detector = () => faceApiDetector() as FaceApiDetector;

t.test('faces of photographs, in pixels of the photo, the surest first', { skip }, async (t) => {
  const [one, three] = await Promise.all([0, 2].map(async (i) => detector().detect(await photo(i), { minSide: 80 })));
  t.ok(one!.length >= 3 && three!.length >= 3, `${one!.length} and ${three!.length} faces`);
  // Where dlib sees the first of them.
  t.ok(one!.some(({ box }) => overlapOf(box, { left: 376, top: 376, width: 216, height: 216 }) > 0.5));
  for (const { box, confidence } of [...one!, ...three!]) {
    t.ok(confidence >= 0.5 && confidence <= 1);
    t.ok(Object.values(box).every(Number.isInteger));
    t.ok(Math.min(box.width, box.height) >= 80);
  }
  t.ok(one!.every(({ confidence }, i) => i === 0 || confidence <= one![i - 1]!.confidence));
  const large = await detector().detect(await photo(0), { minSide: 185 });
  t.same(
    large,
    one!.filter(({ box }) => Math.min(box.width, box.height) >= 185),
    'the least side is kept to',
  );
});

t.test('this thread keeps its tfjs and its backend', { skip }, async (t) => {
  await tf.setBackend('cpu');
  const before = tf.memory().numTensors;
  await detector().detect(await photo(1), { minSide: 80 });
  t.equal(tf.getBackend(), 'cpu');
  t.equal(tf.memory().numTensors, before);
});

t.test('pictures without a face, of any kind; a broken one fails alone', { skip }, async (t) => {
  const flat = (width: number, height: number) =>
    rawPicture({ data: new Uint8Array(width * height).fill(127), width, height, channels: 1 });
  for (const [width, height] of [
    [1, 1],
    [65_500, 1],
    [300, 200],
  ] as const)
    t.same(await detector().detect(flat(width, height), { minSide: 80 }), []);
  t.same(await detector().detect(await openPicture(await kit.cmyk(kit.gradient(64, 48))), { minSide: 20 }), []);
  const broken = await openPicture(await kit.truncated());
  await t.rejects(detector().detect(broken, { minSide: 80 }), { code: 'PICTURE_BROKEN' });
  t.ok((await detector().detect(await photo(1), { minSide: 80 })).length >= 1, 'the next is looked at');
});

t.test('a run that is ended does not wait for its turn', { skip }, async (t) => {
  const abort = new AbortController();
  const answers = [0, 1, 2, 3].map(async () =>
    detector().detect(await photo(1), { minSide: 80, signal: abort.signal }),
  );
  await answers[0];
  abort.abort(new Error('enough'));
  const results = await Promise.allSettled(answers);
  t.equal(results[3]!.status, 'rejected');
  t.match(results[3], { reason: { message: 'enough' } });
});

t.test('without the package it is said what to do', (t) => {
  const found = faceApiDetector();
  const installed = existsSync('node_modules/@vladmandic/face-api/package.json');
  if (installed) t.match(found, { about: /^face-api \d+\.\d+\.\d+ / });
  else t.match(found, { remedy: 'npm install @vladmandic/face-api' });
  t.end();
});
