import {
  appendFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import t from 'tap';
import { Random } from '../../src/random.ts';
import { fileName, images } from '../../src/sinks/images.ts';
import { encoderOf } from '../../src/vision/encode/encoder.ts';
import { rawPicture } from '../../src/vision/picture.ts';
import type { Spec } from '../../src/vision/spec.ts';
import { removeDisk, smallDisk } from '../kit/files/full-disk.ts';
import * as kit from '../kit/pictures/pictures.ts';
import { sinkContext } from '../kit/runs/sinks.ts';

const { definition } = images;
const picture = rawPicture({ ...kit.gradient(16, 16), channels: 3 });
const spec: Spec = {
  fields: {
    picture: 'picture',
    lr: { picture: [4, 4] },
    windows: { dtype: 'int32', shape: [1, 2] },
    masks: { dtype: 'uint8', shape: [1, 4] },
  },
  size: [16, 16],
  grid: { patch: 4, side: 4 },
  windows: { K: 2, M: 1 },
};
const sample = (position: number, more = {}) => ({
  key: `dir/${position}.jpg`,
  position,
  epoch: 0,
  picture,
  lr: picture.settle().resize({ width: 4, height: 4 }),
  windows: Int32Array.of(1, 1),
  masks: Uint8Array.of(1, 0, 0, 1),
  ...more,
});

async function open(output: string, written = {}, chain = spec) {
  return definition.open(definition.options.parse(written), sinkContext(output, { spec: chain }));
}

t.test('pictures, a manifest in order, a sheet', async (t) => {
  const output = t.testdir({});
  const sink = await open(output);
  const written = await Promise.all([
    sink.write(sample(2, { label: 3 })),
    sink.write(sample(5, { key: '../../etc/passwd' })),
  ]);
  for (const one of written) await sink.commit(one);
  const { files = [] } = (await sink.close(true)) ?? {};
  const rows = readFileSync(join(output, 'manifest.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  const cut = { windows: [1, 1], masks: [1, 0, 0, 1] };
  t.same(rows, [
    { position: 2, key: 'dir/2.jpg', file: 'images/000002-dir-2.png', width: 16, height: 16, ...cut, label: 3 },
    { position: 5, key: '../../etc/passwd', file: 'images/000005-etc-passwd.png', width: 16, height: 16, ...cut },
  ]);
  t.same(readdirSync(join(output, 'images')).sort(), ['000002-dir-2.png', '000005-etc-passwd.png']);
  const back = await sharp(join(output, rows[0].file)).raw().toBuffer();
  t.same([...back], [...kit.gradient(16, 16).data], 'PNG keeps every pixel');
  t.same(files, [join(output, 'manifest.jsonl'), join(output, 'sheet.png')]);
  const sheet = await sharp(join(output, 'sheet.png')).metadata();
  t.ok(sheet.width > 4 * 192 && sheet.height > 2 * 192, `${sheet.width}×${sheet.height}: two rows of four columns`);
});

t.test('a face has its box and its confidence in the manifest', async (t) => {
  const output = t.testdir({});
  const sink = await open(output, { sheet: false });
  await sink.commit(await sink.write(sample(0, { box: Int32Array.of(-3, 4, 80, 81), confidence: 0.5 })));
  await sink.close(true);
  t.match(JSON.parse(readFileSync(join(output, 'manifest.jsonl'), 'utf8')), { box: [-3, 4, 80, 81], confidence: 0.5 });
});

t.test('what stages add is in the manifest, and cannot pass for what the sink says', async (t) => {
  const output = t.testdir({});
  const sink = await open(output, { sheet: false });
  const added = {
    brightness: 0.25,
    tags: ['a', 'b'],
    dark: false,
    feature: Float32Array.of(0.1),
    file: '/etc/passwd',
    width: 9,
  };
  await sink.commit(await sink.write(sample(0, added)));
  const itself: unknown[] = [];
  itself.push(itself);
  await t.rejects(async () => sink.write(sample(1, { itself })), { code: 'RECORD_FIELD' });
  await sink.close(true);
  t.match(JSON.parse(readFileSync(join(output, 'manifest.jsonl'), 'utf8')), {
    file: 'images/000000-dir-0.png',
    width: 16,
    brightness: 0.25,
    tags: ['a', 'b'],
    dark: false,
    feature: [0.1],
  });
  t.same(readdirSync(join(output, 'images')), ['000000-dir-0.png'], 'no picture without its row');
  const sheetOnly = await open(join(output, 'b'), { pictures: false, sheet: false });
  await sheetOnly.commit(await sheetOnly.write(sample(1, { itself })));
  await sheetOnly.close(true);
});

t.test('only what is asked for', async (t) => {
  const output = t.testdir({});
  const sink = await open(output, { pictures: false, sheet: { columns: ['masked', 'crop'], rows: 1, scale: 2 } });
  for (const position of [0, 1]) await sink.commit(await sink.write(sample(position)));
  await sink.close(true);
  t.same(readdirSync(output), ['sheet.png', 'written.jsonl']);
  t.ok((await sharp(join(output, 'sheet.png')).metadata()).width < 200);
  const none = await open(join(output, 'b'), { format: 'jpeg', sheet: false, path: 'jpegs' });
  await none.commit(await none.write(sample(0)));
  await none.close(true);
  t.ok(existsSync(join(output, 'b/jpegs/images/000000-dir-0.jpg')));
  const full = await open(join(output, 'c'), { format: 'jpeg', chroma: '4:4:4', optimize: false, sheet: false });
  await full.commit(await full.write(sample(0)));
  await full.close(true);
  const file = readFileSync(join(output, 'c/images/000000-dir-0.jpg'));
  t.equal((await sharp(file).metadata()).chromaSubsampling, '4:4:4');
  const encoding = { format: 'jpeg', quality: 90, chroma: '4:4:4', optimize: false } as const;
  t.same(file, Buffer.from(await encoderOf('jpeg').encode(picture, encoding)));
});

t.test('names are safe, whatever the key', async (t) => {
  const names = [
    'a/b.jpg',
    '../../x',
    'C:\\con.png',
    'a\n\u202eb.png',
    '',
    '…',
    'ключ/ü.webp#3',
    `${'long'.repeat(99)}.png`,
  ].map((key, i) => fileName(key, i));
  t.same(names.slice(0, 7), [
    '000000-a-b',
    '000001-x',
    '000002-C-con',
    '000003-a-b',
    '000004-sample',
    '000005-sample',
    '000006-ключ-ü-3',
  ]);
  t.ok(names[7]!.length < 80);
  t.equal(fileName('a/b.jpg/2', 8), '000008-a-b-2', 'a part of a sample has its number');
  const parts = [1, 2, 12].map((part) => fileName(`${'long'.repeat(99)}.png#2/${part}`, 9));
  t.equal(new Set(parts).size, 3, 'and keeps it');
});

t.test('what cannot be written ends with SINK_WRITE', async (t) => {
  const output = t.testdir({ file: 'in the way' });
  await t.rejects(open(join(output, 'file')), { code: 'SINK_WRITE' });
  const sink = await open(output);
  await rm(join(output, 'images'), { recursive: true });
  await t.rejects(async () => sink.write(sample(0)), { code: 'SINK_WRITE', cause: { code: 'ENOENT' } });
  await sink.close(true);
});

t.test('S5: a full disk says so, and nothing half-written is left', async (t) => {
  const output = join(t.testdir({}), 'disk');
  const reason = smallDisk(output, 32);
  if (reason !== undefined) return void t.pass(reason, { skip: reason });
  const sink = await open(output, { sheet: false });
  const random = new Random(1, 'test', 'noise');
  const data = Uint8Array.from({ length: 3 * 256 * 256 }, () => random.integer(256));
  const large = rawPicture({ data, width: 256, height: 256, channels: 3 });
  await t.rejects(async () => sink.write(sample(0, { picture: large })), {
    code: 'SINK_WRITE',
    message: /got a full disk\. Make room/,
    cause: { code: 'ENOSPC' },
  });
  await sink.close(false);
  t.same(readdirSync(join(output, 'images')), []);
  t.notOk(readdirSync(output).some((name) => name.endsWith('.tmp')));
  removeDisk(output);
});

t.test('L1: only what the record names is removed, when the first sample has come', async (t) => {
  const output = t.testdir({ images: { '000000000139.jpg': 'a photograph' } });
  await t.rejects(open(output), {
    code: 'SHARDS_OTHER',
    message: /000000000139\.jpg.*--fresh does not delete it either/,
  });
  rmSync(join(output, 'images'), { recursive: true });
  const write = async (positions: number[], written = {}) => {
    const sink = await open(output, { sheet: false, ...written });
    for (const position of positions) await sink.commit(await sink.write(sample(position)));
    await sink.close(true);
  };
  await write([0, 1]);
  const idle = await open(output);
  await idle.close(false);
  t.equal(readdirSync(join(output, 'images')).length, 2, 'without a sample all stays');
  writeFileSync(join(output, 'images/notes.txt'), 'mine');
  await write([7]);
  t.same(readdirSync(join(output, 'images')).sort(), ['000007-dir-7.png', 'notes.txt']);
  for (const name of ['images/000009-mine.png', 'images/mine.PNG', 'Sheet.png', 'sheet.png.tmp']) {
    writeFileSync(join(output, name), 'mine');
    await t.rejects(open(output), { code: 'SHARDS_OTHER', message: name });
    t.equal(readFileSync(join(output, name), 'utf8'), 'mine', name);
    rmSync(join(output, name));
  }
});

t.test('L1: a record that names what is elsewhere, or is none, and links under our names', async (t) => {
  const root = t.testdir({ out: {}, 'a.png': 'a photograph', 'b.png': 'another' });
  const output = join(root, 'out');
  const first = await open(output);
  await first.commit(await first.write(sample(0)));
  await first.close(true);
  const record = join(output, 'written.jsonl');
  appendFileSync(record, `${['../a.png', join(root, 'b.png')].map((file) => JSON.stringify({ file })).join('\n')}\n`);
  // The picture that was written is now one file with the photograph.
  rmSync(join(output, 'images/000000-dir-0.png'));
  linkSync(join(root, 'a.png'), join(output, 'images/000000-dir-0.png'));
  const second = await open(output);
  await second.commit(await second.write(sample(0)));
  await second.close(true);
  t.equal(readFileSync(join(root, 'a.png'), 'utf8'), 'a photograph');
  t.equal(readFileSync(join(root, 'b.png'), 'utf8'), 'another');
  writeFileSync(record, '{"files": ["a.png"]}\n');
  await t.rejects(open(output), { code: 'SHARDS_OTHER', message: /written\.jsonl, which no job has written/ });
  // The record of another folder says nothing of this one.
  rmSync(output, { recursive: true });
  mkdirSync(output);
  await (await open(output, { path: join(root, 'elsewhere') })).close(true);
  mkdirSync(join(output, 'images'), { recursive: true });
  writeFileSync(join(output, 'images/000000-dir-0.png'), 'mine');
  await t.rejects(open(output), { code: 'SHARDS_OTHER' });
});

t.test('L1: a file that comes to be there meanwhile is not written over', async (t) => {
  const output = t.testdir({});
  const sink = await open(output);
  await sink.commit(await sink.write(sample(0)));
  writeFileSync(join(output, 'images/000001-dir-1.png'), 'mine');
  await t.rejects(async () => sink.write(sample(1)), { code: 'FILE_EXISTS' });
  await sink.close(true);
  t.equal(readFileSync(join(output, 'images/000001-dir-1.png'), 'utf8'), 'mine');
});

t.test('L3: a folder has one run at a time', async (t) => {
  const output = t.testdir({});
  const sink = await open(output);
  await t.rejects(open(output), { code: 'RUN_BUSY', message: /images\.lock/ });
  await sink.commit(await sink.write(sample(0)));
  await sink.close(true);
  await (await open(output)).close(true);
});

t.test('check: a column needs its field', async (t) => {
  const refusals = [
    ...definition.check!(definition.options.parse({ sheet: { columns: ['crop', 'lr'] } }), {
      fields: { picture: 'picture' },
    }),
  ];
  t.match(refusals, [{ option: 'sheet.columns.1', error: { code: 'SHEET_COLUMN' } }]);
  const chroma = [...definition.check!(definition.options.parse({ chroma: '4:4:4' }), spec)];
  t.match(chroma, [
    { option: 'chroma', error: { code: 'OPTION_VALUE', message: /left out where .* `png`; got `4:4:4`/ } },
  ]);
  for (const options of [
    { format: 'gif' },
    { quality: 0 },
    { sheet: true },
    { sheet: { columns: ['x'] } },
    { sheet: { rows: 0 } },
    { folder: 'x' },
  ]) {
    t.notOk(definition.options.safeParse(options).success);
  }
});
