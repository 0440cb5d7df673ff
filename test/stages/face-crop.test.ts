import t from 'tap';
import { overlapOf } from '../../src/faces/faces.ts';
import { eyesOf, landmarkCount } from '../../src/faces/landmarks.ts';
import { dlibAddon, isAbsent } from '../../src/native.ts';
import { faceCrop, type WithFace } from '../../src/stages/face-crop.ts';
import { Drop, type Sample } from '../../src/streams/sample.ts';
import { type Box, type Picture, rawPicture } from '../../src/vision/picture.ts';
import { photo, withoutPhotos } from '../kit/pictures/faces.ts';
import { withoutLandmarks } from '../kit/pictures/landmarks.ts';
import { anyPictures, picturesOf, refuses, stageOf } from '../kit/stages.ts';

const addon = dlibAddon();
const skip = isAbsent(addon) ? addon.found : withoutPhotos;
const boxSpec = { dtype: 'int32', shape: [4] } as const;
const labelled = { ...anyPictures, fields: { ...anyPictures.fields, box: boxSpec } };
const empty = rawPicture({ data: new Uint8Array(300 * 200 * 3), width: 300, height: 200, channels: 3 });

type Face = Sample & WithFace & { readonly label?: number };

/** What the stage makes of a picture: samples, or a Drop. */
async function cut(
  written: object,
  fields: { picture: Picture; box?: Int32Array; label?: number },
): Promise<Face[] | Drop> {
  const made = (await stageOf(faceCrop, written, labelled).run(fields)) as unknown as Face | Face[] | Drop;
  return made instanceof Drop || Array.isArray(made) ? made : [made];
}

const faces = async (written: object, fields: { picture: Picture; box?: Int32Array; label?: number }) =>
  (await cut(written, fields)) as Face[];
const boxOf = ({ box }: WithFace): Box => ({ left: box[0]!, top: box[1]!, width: box[2]!, height: box[3]! });

t.test('all faces of a photo, the surest first, with box, confidence and what the sample had', { skip }, async (t) => {
  const picture = await photo(3);
  const all = await faces({ minSide: 80 }, { picture, label: 4 });
  t.equal(all.length, 3);
  for (const face of all) {
    t.match(face, { label: 4, key: 'cats/one.jpg', position: 0 });
    t.ok(face.confidence > 0 && face.box instanceof Int32Array);
    t.same([face.picture.width, face.picture.height], [face.box[2], face.box[3]]);
    t.equal(face.picture.bytes, picture.bytes, 'the crop is of the file, not of pixels');
  }
  t.ok(all[0]!.confidence >= all[1]!.confidence);
  const rendered = await all[0]!.picture.resize({ width: 100, height: 100 }).pixels();
  t.equal(rendered.data.length, 30_000);
});

t.test('one of several faces: the best, the largest, the one that a label means', { skip }, async (t) => {
  const picture = await photo(2);
  const all = await faces({ minSide: 80 }, { picture });
  const [best] = await faces({ minSide: 80, faces: 'best' }, { picture });
  t.same(best!.box, all[0]!.box);
  const [largest] = await faces({ minSide: 80, faces: 'largest' }, { picture });
  t.equal(largest!.box[2], Math.max(...all.map(({ box }) => box[2]!)));
  t.not(largest!.box[2], best!.box[2], 'which is another');
  for (const { box } of all) {
    const near = Int32Array.of(box[0]! + 20, box[1]! - 20, box[2]!, box[3]!);
    const [match] = await faces({ minSide: 80, faces: 'matching' }, { picture, box: near, label: 2 });
    t.match(match, { box, label: 2 });
  }
  const beside = Int32Array.of(0, 900, 200, 200);
  t.match(await cut({ minSide: 80, faces: 'matching' }, { picture, box: beside }), { reason: 'no face' });
  const half = Int32Array.from(all[0]!.box);
  half[2] = half[2]! / 2;
  t.equal((await faces({ faces: 'matching', overlap: 0.4 }, { picture, box: half })).length, 1);
  t.ok((await cut({ faces: 'matching', overlap: 0.6 }, { picture, box: half })) instanceof Drop);
});

t.test('margin, shape and border', { skip }, async (t) => {
  const picture = await photo(1);
  const [plain] = await faces({}, { picture });
  const [wider] = await faces({ margin: 0.25 }, { picture });
  t.same(wider!.box, plain!.box, 'the box is the face');
  t.equal(wider!.picture.width, Math.round(plain!.box[2]! * 1.5));
  const part = picture.crop({ left: plain!.box[0]! + 20, top: plain!.box[1]! - 100, width: 380, height: 400 });
  const [inside] = await faces({ margin: 1 }, { picture: part });
  const [padded] = await faces({ margin: 1, border: 'pad' }, { picture: part });
  t.equal(inside!.picture.width, 380, 'as much as the picture has');
  t.equal(padded!.picture.width, padded!.box[2]! * 3);
  const { width, data } = await padded!.picture.pixels();
  t.same([...data.subarray(0, 3), ...data.subarray(width * 3 - 3, width * 3)], [0, 0, 0, 0, 0, 0], 'black around it');
  t.ok(overlapOf(boxOf(inside!), boxOf(padded!)) === 1);
});

t.test('a picture without a face: dropped, kept, or a failure', { skip }, async (t) => {
  t.match(await cut({}, { picture: empty }), { reason: 'no face' });
  t.match(await cut({ onNoFace: 'keep' }, { picture: empty, label: 1 }), [
    { picture: empty, box: Int32Array.of(0, 0, 300, 200), confidence: 0, label: 1 },
  ]);
  await t.rejects(cut({ onNoFace: 'fail' }, { picture: empty }), { code: 'FACES_NONE', message: /80 px/ });
  const small = (await photo(1)).resize({ width: 192, height: 137, fit: 'fill' });
  t.match(await cut({}, { picture: small }), { reason: 'no face' }, 'one that is too small is none');
  t.equal(
    (await faces({ minSide: 20 }, { picture: (await photo(1)).resize({ width: 960, height: 684 }) })).length >= 1,
    true,
  );
});

t.test('a detector that is asked for by name', { skip }, async (t) => {
  t.equal((await faces({ detector: 'dlib' }, { picture: await photo(1) })).length, 1);
});

/** How far two eyes are from level, in degrees. */
function slope(landmarks: Float32Array): number {
  const [left, right] = eyesOf(landmarks);
  return (Math.atan2(right.y - left.y, right.x - left.x) * 180) / Math.PI;
}

t.test(
  'aligned: the eyes that are found again lie level and in their places, on photographs',
  { skip: skip || withoutLandmarks },
  async (t) => {
    const options = { minConfidence: 0.1, landmarks: true };
    let steepest = 0;
    let sum = 0;
    let count = 0;
    for (const i of [0, 1, 2, 3, 4, 5]) {
      for (const face of await faces(
        { ...options, align: 'eyes', margin: 0.5, border: 'pad' },
        { picture: await photo(i) },
      )) {
        const seen = face.picture.resize({ width: 240, height: 240 });
        const [again] = await faces({ ...options, faces: 'largest' }, { picture: seen });
        if (again === undefined) continue;
        count++;
        const before = Math.abs(slope(face.landmarks!));
        const after = Math.abs(slope(again.landmarks!));
        // Of a face that is turned far, what the model finds is itself a little off.
        t.ok(after < (before < 20 ? 2 : 3), `photo ${i}: ${before}° → ${after}°`);
        sum += after;
        steepest = Math.max(steepest, before);
        for (const [j, { x, y }] of eyesOf(again.landmarks!).entries()) {
          const place = { x: 240 * (j === 0 ? 0.4 : 0.6), y: 240 * 0.4 };
          t.ok(Math.hypot(x - place.x, y - place.y) < 7, `eye ${j} at ${x}, ${y}`);
        }
      }
    }
    t.ok(count >= 17, `${count} faces were found again`);
    t.ok(sum / count < 1, `level to ${sum / count}° on average`);
    t.ok(steepest > 25, `and some were turned before, by up to ${steepest}°`);
  },
);

t.test(
  'aligned: the same face, box and confidence; inside of the picture or padded',
  { skip: skip || withoutLandmarks },
  async (t) => {
    const picture = await photo(0);
    const [plain, inside, padded] = [
      await faces({}, { picture, label: 3 }),
      await faces({ align: 'eyes', margin: 2 }, { picture, label: 3 }),
      await faces({ align: 'eyes', margin: 2, border: 'pad' }, { picture, label: 3 }),
    ];
    for (const [i, face] of plain.entries()) {
      for (const other of [inside[i]!, padded[i]!]) {
        t.match(other, { box: face.box, confidence: face.confidence, label: 3, key: face.key });
        t.equal(other.landmarks, undefined, 'which were not asked for');
        t.equal(other.picture.width, other.picture.height);
        t.equal(other.picture.bytes, picture.bytes, 'of the file, not of pixels');
      }
      const { data } = await inside[i]!.picture.resize({ width: 64, height: 64 }).pixels();
      t.same(data, (await inside[i]!.picture.resize({ width: 64, height: 64 }).pixels()).data, 'the same again');
    }
    t.ok(
      inside.some(({ picture }, i) => picture.width < padded[i]!.picture.width),
      'made smaller where the picture ends',
    );
  },
);

t.test(
  'landmarks as a field: of each face, not a number where none was found',
  { skip: skip || withoutLandmarks },
  async (t) => {
    for (const face of await faces({ landmarks: true }, { picture: await photo(3) })) {
      const { left, top, width, height } = boxOf(face);
      t.equal(face.landmarks!.length, 2 * landmarkCount);
      for (const { x, y } of eyesOf(face.landmarks!)) {
        t.ok(x > left && x < left + width && y > top && y < top + height / 2, 'eyes in the upper half of the box');
      }
    }
    const [kept] = await faces({ onNoFace: 'keep', landmarks: true, align: 'eyes' }, { picture: empty });
    t.equal(kept!.picture, empty);
    t.ok(kept!.landmarks!.length === 2 * landmarkCount && kept!.landmarks!.every(Number.isNaN));
  },
);

t.test("aligned after face-api's landmarks", { skip: skip || withoutLandmarks }, async (t) => {
  const [face] = await faces(
    { align: 'eyes', detector: 'face-api', margin: 0.5, border: 'pad', faces: 'largest' },
    { picture: await photo(1) },
  );
  const [again] = await faces({ landmarks: true }, { picture: face!.picture.resize({ width: 240, height: 240 }) });
  t.ok(Math.abs(slope(again!.landmarks!)) < 4, `dlib sees them at ${slope(again!.landmarks!)}°`);
});

t.test('without a model, what needs landmarks does not begin, and says how to get it', { skip }, async (t) => {
  const before = process.env.PATCHSTREAM_LANDMARKS;
  process.env.PATCHSTREAM_LANDMARKS = '/nowhere/model.dat';
  try {
    for (const option of [{ align: 'eyes' }, { landmarks: true }]) {
      t.throws(() => stageOf(faceCrop, { detector: 'dlib', ...option }, anyPictures).run({ picture: empty }), {
        code: 'FACES_LANDMARKS',
        message: /\/nowhere\/model\.dat.*apt-get install libdlib-data/,
      });
    }
    t.equal((await faces({}, { picture: await photo(1) })).length, 1, 'what needs none works');
  } finally {
    if (before === undefined) delete process.env.PATCHSTREAM_LANDMARKS;
    else process.env.PATCHSTREAM_LANDMARKS = before;
  }
});

t.test('spec and options', async (t) => {
  const { output } = stageOf(faceCrop, { minSide: 100 }, { ...picturesOf(300), classes: 7 });
  t.same(output, {
    fields: { bytes: 'bytes', picture: 'picture', box: boxSpec, confidence: { dtype: 'float32', shape: [] } },
    classes: 7,
  });
  const { fields } = stageOf(faceCrop, { landmarks: true }, anyPictures).output;
  t.same(fields.landmarks, { dtype: 'float32', shape: [68, 2] });
  t.equal(stageOf(faceCrop, { align: 'eyes' }, anyPictures).output.fields.landmarks, undefined);
  t.same(stageOf(faceCrop, { align: 'eyes', shape: 'found' }, anyPictures).codes, ['FACES_ALIGN_SHAPE']);
  t.same(stageOf(faceCrop, { faces: 'matching' }, anyPictures).codes, ['FACES_LABEL']);
  t.same(stageOf(faceCrop, { faces: 'matching' }, labelled).codes, []);
  t.same(stageOf(faceCrop, { faces: 'matching' }, { ...anyPictures, open: true }).codes, []);
  t.same(stageOf(faceCrop, {}, { ...picturesOf(4), grid: { patch: 2, side: 2 } }).codes, ['STAGE_ORDER']);
  for (const wrong of [
    { minSide: 19 },
    { minSide: 80.5 },
    { faces: 'first' },
    { overlap: 0 },
    { margin: -1 },
    { align: 'nose' },
    { landmarks: 68 },
    { side: 3 },
  ])
    t.ok(refuses(faceCrop, wrong), JSON.stringify(wrong));
});
