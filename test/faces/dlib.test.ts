import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import t from 'tap';
import { type DlibDetector, dlibDetector } from '../../src/faces/dlib.ts';
import { overlapOf } from '../../src/faces/faces.ts';
import { dlibAddon, isAbsent } from '../../src/native.ts';
import { openPicture } from '../../src/vision/open.ts';
import { rawPicture } from '../../src/vision/picture.ts';
import { facePhotos, photo, withoutPhotos } from '../kit/pictures/faces.ts';
import * as kit from '../kit/pictures/pictures.ts';
import { recordedFaces, sameBoxes } from '../kit/pictures/plain-dlib.ts';

const addon = dlibAddon();
const absent = isAbsent(addon) ? addon.found : false;
const skip = absent || withoutPhotos;
const detector = () => dlibDetector() as DlibDetector;
const folder = mkdtempSync(join(tmpdir(), 'patchstream-faces-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));

// All photographs and sizes, and parts of them, beside the program itself: test/all/faces.test.ts.
t.test('the boxes are those of a plain program on dlib at full resolution, to the pixel', { skip }, (t) =>
  sameBoxes(t, recordedFaces(), [0, 1, 3], [80, 200]),
);

t.test(
  'where the picture is made larger or smaller first: the same faces, in pixels of the photo',
  { skip },
  async (t) => {
    for (const minSide of [60, 300]) {
      for (const i of [1, 3]) {
        const picture = await photo(i);
        const [full, scaled] = [
          (await detector().detect(picture, { minSide: 80 })).filter(({ box }) => box.width >= minSide),
          await detector().detect(picture, { minSide }),
        ];
        for (const { box } of full)
          t.ok(
            scaled.some((other) => overlapOf(box, other.box) > 0.6),
            `${minSide} px, photo ${i}`,
          );
        t.ok(
          scaled.every(({ box }) => Math.min(box.width, box.height) >= minSide),
          'none is smaller',
        );
      }
    }
  },
);

t.test('a turned photo is looked at upright, a part of one as what it is', { skip }, async (t) => {
  const upright = await photo(1);
  const [face] = await detector().detect(upright, { minSide: 120 });
  const stored = await sharp(facePhotos[1])
    .rotate(90)
    .withMetadata({ orientation: 8 })
    .jpeg({ quality: 95 })
    .toBuffer();
  const turned = await openPicture(stored);
  t.same([turned.width, turned.height], [upright.width, upright.height]);
  const [again] = await detector().detect(turned, { minSide: 120 });
  t.ok(overlapOf(face!.box, again!.box) > 0.8);
  const { left, top, width, height } = face!.box;
  const part = upright.crop({ left: left - 100, top: top - 80, width: width + 200, height: height + 200 });
  const [inside] = await detector().detect(part, { minSide: 120 });
  // Of another grid of cells and levels: a level more or less is 0.69.
  t.ok(overlapOf(inside!.box, { left: 100, top: 80, width, height }) > 0.6);
});

t.test('the surest come first; a higher least leaves out the unsure', { skip }, async (t) => {
  const all = await detector().detect(await photo(0), { minSide: 80 });
  const confidences = all.map(({ confidence }) => confidence);
  t.same(
    confidences,
    confidences.toSorted((a, b) => b - a),
  );
  const sure = await detector().detect(await photo(0), { minSide: 80, minConfidence: 1.5 });
  t.same(
    sure,
    all.filter(({ confidence }) => confidence >= 1.5),
  );
  const more = await detector().detect(await photo(0), { minSide: 80, minConfidence: -1 });
  t.ok(more.length > all.length && more.every(({ confidence }) => confidence >= -1));
});

t.test('pictures in which no face can be', { skip: absent }, async (t) => {
  const flat = (width: number, height: number) =>
    rawPicture({ data: new Uint8Array(width * height).fill(127), width, height, channels: 1 });
  for (const [width, height] of [
    [1, 1],
    [1, 700],
    [65_500, 1],
    [79, 79],
    [80, 80],
    [65_500, 100],
  ] as const) {
    for (const minSide of [80, 250]) t.same(await detector().detect(flat(width, height), { minSide }), []);
  }
  t.same(await detector().detect(flat(300, 200), { minSide: 20 }), []);
  t.same(await detector().detect(await openPicture(await kit.cmyk(kit.gradient(320, 240))), { minSide: 80 }), []);
  t.same(await detector().detect(await openPicture(await kit.grey(kit.gradient(320, 240))), { minSide: 80 }), []);
});

t.test(
  'what must fail: too many pixels for the limit, a broken file; the next picture is looked at',
  { skip: absent },
  async (t) => {
    const wide = rawPicture({ data: new Uint8Array(65_500 * 200), width: 65_500, height: 200, channels: 1 });
    await t.rejects(detector().detect(wide, { minSide: 40 }), { code: 'FACES_LARGE', message: /Raise `minSide`/ });
    const broken = await openPicture(await kit.truncated());
    await t.rejects(detector().detect(broken, { minSide: 80 }), { code: 'PICTURE_BROKEN' });
    t.same(await detector().detect(rawPicture({ ...kit.ramp, channels: 3 }), { minSide: 80 }), []);
  },
);

t.test('a run that is ended waits for no picture', { skip }, async (t) => {
  const warnings: Error[] = [];
  const warned = (warning: Error) => warnings.push(warning);
  process.on('warning', warned);
  t.teardown(() => process.off('warning', warned));
  const abort = new AbortController();
  const picture = await photo(5);
  const answers = Array.from({ length: 12 }, () => detector().detect(picture, { minSide: 80, signal: abort.signal }));
  const first = Promise.race(answers.map((answer) => answer.catch(() => undefined)));
  await first;
  abort.abort(new Error('enough'));
  const results = await Promise.allSettled(answers);
  const ended = results.filter(({ status }) => status === 'rejected') as PromiseRejectedResult[];
  t.ok(ended.length > 0 && ended.length < 12, `${ended.length} of 12 were not looked at`);
  t.ok(ended.every(({ reason }) => reason.message === 'enough'));
  await t.rejects(detector().detect(picture, { minSide: 80, signal: abort.signal }), { message: 'enough' });
  t.equal((await detector().detect(picture, { minSide: 200 })).length, 4, 'others are still looked at');
  t.same(warnings, [], 'more than ten at a time are no leak');
});
