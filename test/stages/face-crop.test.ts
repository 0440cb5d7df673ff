import t from 'tap';
import { dlibAddon, isAbsent } from '../../src/native.ts';
import { faceCrop, type WithFace } from '../../src/stages/face-crop.ts';
import { Drop, type Sample } from '../../src/streams/sample.ts';
import { overlapOf } from '../../src/vision/faces.ts';
import { type Box, type Picture, rawPicture } from '../../src/vision/picture.ts';
import { photo, withoutPhotos } from '../kit/faces.ts';
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
  t.match(await cut({ none: 'keep' }, { picture: empty, label: 1 }), [
    { picture: empty, box: Int32Array.of(0, 0, 300, 200), confidence: 0, label: 1 },
  ]);
  await t.rejects(cut({ none: 'fail' }, { picture: empty }), { code: 'FACES_NONE', message: /80 px/ });
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

t.test('spec and options', async (t) => {
  const { output } = stageOf(faceCrop, { minSide: 100 }, { ...picturesOf(300), classes: 7 });
  t.same(output, {
    fields: { bytes: 'bytes', picture: 'picture', box: boxSpec, confidence: { dtype: 'float32', shape: [] } },
    classes: 7,
  });
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
    { side: 3 },
  ])
    t.ok(refuses(faceCrop, wrong), JSON.stringify(wrong));
});
