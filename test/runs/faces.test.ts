import { join } from 'node:path';
import sharp from 'sharp';
import t from 'tap';
import { landmarkCount } from '../../src/faces/landmarks.ts';
import { dlibAddon, isAbsent } from '../../src/native.ts';
import { pipeline } from '../../src/runs/loader/define.ts';
import { imageFolder, shards } from '../../src/sources/index.ts';
import { decode, faceCrop, resize } from '../../src/stages/index.ts';
import { writeFiles } from '../kit/files/folder.ts';
import { facePhotos, facesFolder, photoBytes, withoutPhotos } from '../kit/pictures/faces.ts';
import { withoutLandmarks } from '../kit/pictures/landmarks.ts';
import * as kit from '../kit/pictures/pictures.ts';
import { patchstream } from '../kit/runs/terminal.ts';

const addon = dlibAddon();
const skip = isAbsent(addon) ? addon.found : withoutPhotos;

/** What lies in the shards of a run, with the pixels of every picture. */
async function rowsOf(output: string, labels = false) {
  const fields = {
    box: { dtype: 'int32' as const, shape: [4] },
    confidence: { dtype: 'float32' as const, shape: [] },
  };
  const rows: { key: string; size: number[]; box: number[]; confidence: number; label: number; bright: number }[] = [];
  for await (const sample of pipeline(shards({ path: join(output, 'shards'), labels, fields })).samples()) {
    const { key, picture, box, confidence, label } = sample as typeof sample & {
      readonly box: Int32Array;
      readonly confidence: number;
      readonly label?: number;
    };
    const { data } = await picture.pixels();
    const bright = Math.max(...data) - Math.min(...data);
    rows.push({ key, size: [picture.width, picture.height], box: [...box], confidence, label: label ?? -1, bright });
  }
  return rows;
}

t.test('faces-quickstart: six photographs become 20 crops of 100 × 100 and a contact sheet', { skip }, async (t) => {
  const output = t.testdir({});
  const { code, err } = await patchstream(['run', 'pipelines/faces-quickstart.yaml', '--set', `output=${output}`]);
  t.equal(code, 0, err);
  const rows = await rowsOf(output);
  t.ok(rows.length >= 19, `${rows.length} faces`);
  t.equal(new Set(rows.map(({ key }) => key)).size, rows.length, 'each has a key of its own');
  t.same(
    rows.filter(({ key }) => key.startsWith('sample5')).map(({ key }) => key),
    [1, 2, 3, 4, 5].map((i) => `sample5.jpg/${i}`),
  );
  for (const { size, box, confidence, bright } of rows) {
    t.same(size, [100, 100]);
    t.ok(Math.min(box[2]!, box[3]!) >= 80 && confidence > 0);
    t.ok(bright > 60, 'a picture, not a plain colour');
  }
  t.ok((await sharp(join(output, 'sheet.png')).metadata()).height > rows.length * 100);
});

t.test(
  'expw-faces: the face that the list means, with its label; the others are dropped and counted',
  { skip },
  async (t) => {
    const root = t.testdir({});
    const expw = join(root, 'expw');
    const line = (name: string, face: number, [left, top, width, height]: readonly number[], label: number) =>
      `${name} ${face} ${top} ${left} ${left! + width!} ${top! + height!} 50 ${label}`;
    writeFiles(expw, {
      'image/origin/one.jpg': Buffer.from(photoBytes(3)),
      'image/origin/none.jpg': await kit.jpeg(kit.gradient(400, 300)),
      'label/label.lst': [
        line('one.jpg', 0, [1219, 184, 200, 200], 3),
        line('one.jpg', 1, [600, 100, 230, 230], 6),
        line('one.jpg', 2, [100, 900, 200, 200], 0),
        line('none.jpg', 0, [100, 100, 100, 100], 1),
      ].join('\n'),
    });
    const output = join(root, 'out');
    const given = ['--set', `source.expw.path=${expw}`, '--set', `output=${output}`];
    const { code, out, err } = await patchstream(['run', 'pipelines/expw-faces.yaml', ...given]);
    t.equal(code, 0, err);
    t.match(
      (await rowsOf(output, true)).map(({ key, label, box }) => ({ key, label, box })),
      [
        { key: 'one.jpg/0', label: 3, box: [1229, 194, 180, 180] },
        { key: 'one.jpg/1', label: 6, box: [615, 113, 216, 216] },
      ],
    );
    t.match(`${out}${err}`, /2 .*no face/s, 'the two without such a face are counted');
  },
);

t.test(
  'in a program: parts in the order of the photos, whatever the threads; a run may be left early',
  { skip },
  async (t) => {
    const chain = () =>
      pipeline(imageFolder({ path: facesFolder, formats: ['jpeg'] }), decode(), faceCrop({ minSide: 200 }), resize(32));
    const keys: string[] = [];
    for await (const { key } of chain().samples()) keys.push(key);
    t.same(keys, keys.toSorted());
    t.ok(keys.length > facePhotos.length);
    for await (const { key, confidence } of chain().samples()) {
      t.same([key, typeof confidence], ['sample1.jpg/1', 'number']);
      break;
    }
    for await (const { fields, keys } of chain().batches(5)) {
      t.same(fields.picture.shape, [5, 32, 32, 3]);
      t.same([fields.box.shape, fields.confidence.shape], [[5, 4], [5]]);
      t.equal(keys.length, 5);
      break;
    }
  },
);

t.test(
  'aligned crops with their landmarks go into shards and come back; the same again is the same',
  { skip: skip || withoutLandmarks },
  async (t) => {
    const runs: { key: string; pixels: Uint8Array; landmarks: number[] }[][] = [];
    for (const name of ['one', 'two']) {
      const output = join(t.testdir({}), name);
      const asked = ['align=eyes', 'landmarks=true'].flatMap((option) => ['--set', `stages.1.face-crop.${option}`]);
      const given = ['run', 'pipelines/faces-quickstart.yaml', '--set', `output=${output}`, ...asked];
      const { code, err } = await patchstream(given);
      t.equal(code, 0, err);
      const fields = { landmarks: { dtype: 'float32' as const, shape: [landmarkCount, 2] } };
      const rows = [];
      for await (const sample of pipeline(shards({ path: join(output, 'shards'), fields })).samples()) {
        const { key, picture, landmarks } = sample as typeof sample & { readonly landmarks: Float32Array };
        rows.push({ key, pixels: (await picture.pixels()).data, landmarks: [...landmarks] });
      }
      runs.push(rows);
    }
    const [one, two] = runs;
    t.ok(one!.length >= 19 && one!.every(({ landmarks }) => landmarks.length === 2 * landmarkCount));
    t.same(one, two);
  },
);

t.test('a run without a sound model ends, before the first photo or at it', { skip }, async (t) => {
  const root = t.testdir({ 'model.dat': 'what is no model' });
  const before = process.env.PATCHSTREAM_LANDMARKS;
  try {
    for (const file of ['missing.dat', 'model.dat']) {
      process.env.PATCHSTREAM_LANDMARKS = join(root, file);
      const chain = pipeline(
        imageFolder({ path: facesFolder, formats: ['jpeg'] }),
        decode(),
        faceCrop({ align: 'eyes', detector: 'dlib', maxFailures: 100 }),
        resize(32),
      );
      await t.rejects(
        async () => {
          for await (const { key } of chain.samples()) t.fail(`${key} came`);
        },
        { code: 'FACES_LANDMARKS', message: /libdlib-data/ },
        file,
      );
    }
  } finally {
    if (before === undefined) delete process.env.PATCHSTREAM_LANDMARKS;
    else process.env.PATCHSTREAM_LANDMARKS = before;
  }
});
