import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import t from 'tap';
import { imageFolder } from '../../src/datasets/index.ts';
import { dlibAddon, isAbsent } from '../../src/native.ts';
import { pipeline } from '../../src/pipeline/define.ts';
import { decode, faceCrop, resize } from '../../src/stages/index.ts';
import { facePhotos, facesFolder, photoBytes, withoutPhotos } from '../kit/faces.ts';
import { writeFiles } from '../kit/folder.ts';
import * as kit from '../kit/pictures.ts';
import { patchstream } from '../kit/terminal.ts';

const addon = dlibAddon();
const skip = isAbsent(addon) ? addon.found : withoutPhotos;

interface Row {
  readonly key: string;
  readonly file: string;
  readonly width: number;
  readonly height: number;
  readonly label?: number;
  readonly box: readonly number[];
  readonly confidence: number;
}

const rowsOf = (output: string) =>
  readFileSync(join(output, 'manifest.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Row);

t.test('faces-quickstart: six photographs become 20 crops of 100 × 100 and a contact sheet', { skip }, async (t) => {
  const output = t.testdir({});
  const { code, err } = await patchstream(['run', 'pipelines/faces-quickstart.yaml', '--set', `output=${output}`]);
  t.equal(code, 0, err);
  const rows = rowsOf(output);
  t.ok(rows.length >= 19, `${rows.length} faces`);
  t.equal(new Set(rows.map(({ file }) => file)).size, rows.length, 'each has a file of its own');
  t.same(
    rows.filter(({ key }) => key.startsWith('sample5')).map(({ key }) => key),
    [1, 2, 3, 4, 5].map((i) => `sample5.jpg/${i}`),
  );
  for (const { width, height, box, confidence, file } of rows) {
    t.same([width, height], [100, 100]);
    t.ok(Math.min(box[2]!, box[3]!) >= 80 && confidence > 0);
    t.match(await sharp(join(output, file)).metadata(), { width: 100, height: 100 });
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
      rowsOf(output).map(({ key, label, box }) => ({ key, label, box })),
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
