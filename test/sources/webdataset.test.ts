import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import t from 'tap';
import { Header, Pax } from 'tar';
import type { PatchstreamError } from '../../src/errors.ts';
import { indexTar } from '../../src/formats/tar/samples.ts';
import { tarEnd } from '../../src/formats/tar/write.ts';
import { toWebdataset } from '../../src/sinks/to-webdataset.ts';
import { webdataset } from '../../src/sources/webdataset.ts';
import { each } from '../../src/streams/stage.ts';
import { mendTar, tarFile, tarSeeds } from '../kit/files/tars.ts';
import { gradient, jpeg } from '../kit/pictures/pictures.ts';
import { filesOf, openSource, runNumbered } from '../kit/runs/jobs.ts';

const { definition } = webdataset;
const signal = new AbortController().signal;

type Entry = readonly [name: string, bytes: string | Uint8Array, more?: object];

/** A tar as other programs write it. */
function tarOf(entries: readonly Entry[], { end = true } = {}): Buffer {
  const parts = entries.flatMap(([name, content, more = {}]) => {
    const bytes = Buffer.from(content);
    const head = Buffer.alloc(512);
    new Header({ path: name, size: bytes.length, mode: 0o644, type: 'File', ...more }).encode(head);
    return [head, bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)];
  });
  return Buffer.concat([...parts, Buffer.alloc(end ? 1024 : 0)]);
}

async function open(t: import('tap').Test, tar: Uint8Array, more: object = {}) {
  const base = t.testdir({});
  writeFileSync(join(base, 'a.tar'), tar);
  const lines: string[] = [];
  const source = await openSource(
    definition,
    { path: 'a.tar', ...more },
    { base, progress: (line) => lines.push(line) },
  );
  return { source, lines, keys: Array.from({ length: source.count }, (_, i) => source.key(i)) };
}

t.test('links are told and passed over; long names, sizes of GNU and pax headers count', async (t) => {
  const [plain, gnu, linked, global, holes, sparse] = tarSeeds(await jpeg(gradient(8, 6)));
  const long = `a.tar/${'folder/'.repeat(30)}c`;
  t.same((await open(t, plain!)).keys, ['a.tar/a', 'a.tar/dir/b', long]);
  t.same((await open(t, gnu!)).keys, ['a.tar/a', 'a.tar/dir/b', long, 'a.tar/d']);
  const { keys, lines } = await open(t, linked!);
  t.same(keys, [long, 'a.tar/d', 'a.tar/e']);
  t.same(lines, ['a.tar: 3 links are passed over; make the tar with --hard-dereference and -h']);
  t.same((await open(t, global!)).keys, ['a.tar/e', 'a.tar/../../up', 'a.tar/a', 'a.tar/dir/b']);
  for (const seed of [holes!, sparse!]) {
    await t.rejects(open(t, seed), { code: 'TAR_DAMAGED', message: /a sparse file/ });
    t.same((await open(t, seed, { damage: 'skip' })).keys.slice(0, 2), ['a.tar/a', 'a.tar/dir/b']);
  }
});

t.test('no two samples of tars of one name have one key', async (t) => {
  const tar = tarOf([['s.jpg', 'JPEG']]);
  const base = t.testdir({ a: { train: {} }, b: { train: {} }, c: {} });
  for (const path of ['a/train/0.tar', 'b/train/0.tar', 'c/0.tar', 'c/1.tar']) writeFileSync(join(base, path), tar);
  const keysOf = async (path: readonly string[]) => {
    const source = await openSource(definition, { path }, { base });
    return Array.from({ length: source.count }, (_, i) => source.key(i));
  };
  t.same(await keysOf(['a/train/0.tar', 'b/train/0.tar', 'c/0.tar', 'c/1.tar']), [
    'a/train/0.tar/s',
    'b/train/0.tar/s',
    'c/0.tar/s',
    '1.tar/s',
  ]);
  t.same(await keysOf(['c', 'a/train', 'a/train/0.tar', 'c/1.tar']), [
    'c/0.tar/s',
    '1.tar/s',
    'train/0.tar/s',
    'train/0.tar#2/s',
    '1.tar#2/s',
  ]);
});

t.test('no two samples of one tar have one key, whatever they are called', async (t) => {
  const names = ['a', 'b', 'a', 'a#2', 'b', 'a', 'a#2', 'b#2#2'];
  const { keys } = await open(t, tarOf(names.map((name) => [`${name}.jpg`, 'JPEG'])));
  t.same(
    keys,
    ['a', 'b', 'a#2', 'a#2#2', 'b#2', 'a#3', 'a#2#3', 'b#2#2'].map((key) => `a.tar/${key}`),
  );
});

t.test('a tar of more samples than can be known is told', async (t) => {
  const bytes = tarOf(['a', 'b', 'c'].map((name) => [`${name}.jpg`, 'JPEG']));
  const file = {
    name: 'a.tar',
    size: bytes.length,
    read: async (at: number, length: number) => bytes.subarray(at, at + length),
  };
  const wanted = { endings: new Set(['jpg']), label: false, json: false };
  const index = (limit: number) => indexTar(file, { wanted, windowBytes: 512, damage: 'skip', limit });
  t.equal((await index(3)).count, 3);
  await t.rejects(index(2), { code: 'TAR_SAMPLES', message: /a\.tar: .*at most 2 samples/ });
});

t.test('samples are neighbours with one name up to the first dot', async (t) => {
  const tar = tarOf([
    ['readme.txt', 'hello'],
    ['dir/one.jpg', 'JPEG1'],
    ['dir/one.cls', '7\n'],
    ['dir/one.json', '{"box":[1,2,3,4],"confidence":0.5,"matrix":[[1,2],[3,4]]}'],
    ['dir/two.seg.png', 'not the picture'],
    ['dir/two.PNG', 'PNG2'],
    ['dir/two.cls', '0'],
    ['d.o.t/three.webp', 'WEBP3'],
    ['only.cls', '1'],
    ['dir/one.jpg', 'again'],
    ['.hidden', 'x'],
    ['./four.jpeg', 'JPEG4'],
  ]);
  const { source, keys, lines } = await open(t, tar);
  t.same(keys, ['a.tar/dir/one', 'a.tar/dir/two', 'a.tar/d.o.t/three', 'a.tar/dir/one#2', 'a.tar/./four']);
  t.match(lines, [/^a.tar: 1 sample has the name of another/]);
  const bytes = await Promise.all(keys.map(async (_, i) => String((await source.read(i, signal)).bytes)));
  t.same(bytes, ['JPEG1', 'PNG2', 'WEBP3', 'again', 'JPEG4']);
  t.same(Object.keys(await source.read(0, signal)), ['bytes']);
  const fields = {
    box: { dtype: 'int32', shape: [4] },
    confidence: { dtype: 'float32' },
    matrix: { dtype: 'float32', shape: [2, 2] },
  };
  const labelled = await open(t, tar, { labels: true, fields });
  const { bytes: _, ...rest } = await labelled.source.read(0, signal);
  t.same(rest, { label: 7, box: Int32Array.of(1, 2, 3, 4), confidence: 0.5, matrix: Float32Array.of(1, 2, 3, 4) });
  await t.rejects(labelled.source.read(1, signal) as Promise<unknown>, { code: 'FIELD_SHAPE', message: /box/ });
});

t.test('long names, links, folders and devices', async (t) => {
  const long = `${'folder/'.repeat(40)}ü.jpg`;
  const pax = new Pax({ path: long, size: 4 }).encode();
  const gnu = `${'x'.repeat(300)}.jpg`;
  const plain = tarOf([['short.jpg', 'LONG']], { end: false });
  const tar = Buffer.concat([
    tarOf(
      [
        ['dir/', '', { type: 'Directory' }],
        ['link.jpg', '', { type: 'SymbolicLink', linkpath: '/etc/passwd' }],
      ],
      { end: false },
    ),
    pax,
    plain,
    tarOf(
      [
        ['././@LongLink', `${gnu}\0`, { type: 'NextFileHasLongPath' }],
        ['y.jpg', 'GNU'],
      ],
      { end: false },
    ),
    tarOf([
      ['../../up.jpg', 'UP'],
      ['/etc/root.jpg', 'ROOT'],
    ]),
  ]);
  const { source, keys } = await open(t, tar);
  t.same(keys, [`a.tar/${long.slice(0, -4)}`, `a.tar/${'x'.repeat(300)}`, 'a.tar/../../up', 'a.tar//etc/root']);
  const bytes = await Promise.all(keys.map(async (_, i) => String((await source.read(i, signal)).bytes)));
  t.same(bytes, ['LONG', 'GNU', 'UP', 'ROOT'], 'names are names: nothing is opened or written by them');
});

/** The labels of all samples, or why there is none. */
async function labelsOf(t: import('tap').Test, tar: Uint8Array) {
  const { source, keys, lines } = await open(t, tar, { labels: true });
  const labels = await Promise.all(
    keys.map((_, i) =>
      Promise.resolve(source.read(i, signal)).then(
        ({ label }) => label,
        (error: PatchstreamError) => error.code,
      ),
    ),
  );
  return { source, lines, samples: keys.map((key, i) => `${key.slice(6)} ${labels[i]}`) };
}

t.test('L6: names with several dots are parted at the last where the first gives no picture', async (t) => {
  const names = ['a0', 'v1.0', 'v1.1', 'v1.2', 'w.x'];
  const tar = tarOf(
    names.flatMap((name, i): Entry[] => [
      [`${name}.jpg`, 'JPEG'],
      [`${name}.cls`, String(i)],
    ]),
  );
  const { samples, lines } = await labelsOf(t, tar);
  t.same(samples, ['a0 0', 'v1.0 1', 'v1.1 2', 'v1.2 3', 'w.x 4']);
  t.same(lines, ['a.tar: 4 samples have dots in the name, which is parted at the last one: v1.0']);
  // Beside a picture of the whole name they are companions, which are counted.
  const companions = tarOf([
    ['s.seg.png', 'x'],
    ['s.jpg', 'JPEG'],
    ['s.depth.png', 'x'],
    ['s.cls', '3'],
  ]);
  const found = await labelsOf(t, companions);
  t.same(found.samples, ['s 3']);
  t.match(found.source.passedOver, [{ reason: 'ending', count: 2, endings: { '.seg.png': 1, '.depth.png': 1 } }]);
});

t.test('L7: a name that comes again is a sample of its own, beside the first or not', async (t) => {
  const picture: Entry = ['a.jpg', 'JPEG'];
  const label: Entry = ['a.cls', '1'];
  const beside = await open(t, tarOf([picture, picture, ['b.jpg', 'x'], picture]));
  t.same(beside.keys, ['a.tar/a', 'a.tar/a#2', 'a.tar/b', 'a.tar/a#3']);
  t.match(beside.lines, [/2 samples have the name of another/]);
  t.same((await labelsOf(t, tarOf([picture, label, picture, ['a.cls', '2']]))).samples, ['a 1', 'a#2 2']);
  const { source } = await open(t, tarOf([picture, ['a.png', 'x']]));
  t.match(source.passedOver, [{ reason: 'further', count: 1, example: 'a.tar/a.png' }]);
});

t.test('L8: hidden members part nothing, and a label that is elsewhere is told to be there', async (t) => {
  const apple = tarOf([
    ['d/._0.jpg', 'x'],
    ['d/0.jpg', 'JPEG'],
    ['d/._0.cls', 'x'],
    ['README', 'x'],
    ['./d/0.cls', '7'],
  ]);
  const { samples, source } = await labelsOf(t, apple);
  t.same(samples, ['d/0 7']);
  t.match(source.passedOver, [
    { reason: 'hidden', count: 2 },
    { reason: 'ending', count: 1, endings: { none: 1 } },
  ]);
  const spelt = tarOf([
    ['caf\u00e9.jpg', 'JPEG'],
    ['cafe\u0301.cls', '4'],
  ]);
  t.same((await labelsOf(t, spelt)).samples, ['caf\u00e9 4']);
  const unsorted = await labelsOf(
    t,
    tarOf([
      ['0.jpg', 'x'],
      ['1.jpg', 'x'],
      ['2.jpg', 'x'],
      ['0.cls', '0'],
      ['1.cls', '1'],
    ]),
  );
  t.same(unsorted.samples, ['0 TAR_APART', '1 TAR_APART', '2 FIELD_SHAPE']);
  await t.rejects(unsorted.source.read(0, signal) as Promise<unknown>, {
    message: /the label of 0 is in the tar, as 0\.cls, but not next to its picture/,
  });
  const pair = tarOf([
    ['d/a.cls', '3'],
    ['d/a.left.jpg', 'x'],
    ['d/a.right.jpg', 'x'],
    ['d/b.left.jpg', 'x'],
  ]);
  const parted = await labelsOf(t, pair);
  t.same(parted.samples, ['d/a.left TAR_PARTED', 'd/a.right TAR_PARTED', 'd/b.left FIELD_SHAPE']);
  await t.rejects(parted.source.read(1, signal) as Promise<unknown>, {
    message: /the label of d\/a\.right may be d\/a\.cls, which is another name/,
  });
});

t.test('L9: every member of a tar is in a sample or counted', async (t) => {
  const tar = tarOf([
    ['dir/', '', { type: 'Directory' }],
    ['a.JPG', 'JPEG'],
    ['a.txt', 'x'],
    ['b.jpg', '', { type: 'Link', linkpath: 'a.JPG' }],
    ['c.jpg', '', { type: 'FIFO' }],
    ['d.cls', '1'],
    ['e.jpg', ''],
  ]);
  const { source, keys } = await open(t, tar, { labels: true });
  t.same(keys, ['a.tar/a', 'a.tar/e']);
  t.same(
    source.passedOver!.map(({ reason, count }) => [reason, count]),
    [
      ['link', 1],
      ['kind', 1],
      ['ending', 1],
      ['alone', 1],
    ],
  );
});

t.test('L5: names of pax headers may hold newlines, and bytes that are no text', async (t) => {
  const strange = 'x'.repeat(120);
  const tar = Buffer.concat([
    new Pax({ path: `${strange}\n1.jpg` }).encode(),
    tarOf([['short', 'ONE']], { end: false }),
    ...tarFile('\u00e9.jpg', Buffer.from('TWO')).map((part, i) => {
      if (i === 0) Buffer.from(part.buffer).write('\xe9.jpg\0', 0, 'latin1');
      return part;
    }),
    tarEnd,
  ]);
  mendTar(tar);
  t.same((await open(t, tar)).keys, [`a.tar/${strange}\n1`, 'a.tar/\\xE9']);
});

t.test('M6: a packed tar is told by what it is', async (t) => {
  const packed = gzipSync(tarOf([['a.jpg', 'JPEG']]));
  await t.rejects(open(t, packed), { code: 'TAR_PACKED', message: /got a gzip file\. Unpack it once/ });
  const base = t.testdir({});
  writeFileSync(join(base, 'a.tar.gz'), packed);
  writeFileSync(join(base, 'plain'), tarOf([['a.jpg', 'JPEG']]));
  await t.rejects(openSource(definition, { path: 'a.tar.gz' }, { base }), { code: 'TAR_PACKED' });
  t.equal((await openSource(definition, { path: 'plain' }, { base })).count, 1, 'whatever a tar is called');
  await t.rejects(openSource(definition, { path: '.' }, { base }), { code: 'TARS_NONE', message: /\.gz 1/ });
});

t.test('a tar that is cut or broken is told, or read up to there', async (t) => {
  const whole = tarOf([
    ['a.jpg', 'x'.repeat(600)],
    ['b.jpg', 'y'.repeat(600)],
  ]);
  const sparse = tarOf([['s.jpg', 'x'.repeat(600), { type: 'SparseFile' }]]);
  const said = (line: string) => `${line.length + 4} ${line}\n`;
  const paxSparse = tarOf([
    ['PaxHeaders/s.jpg', `${said('comment=xxxxx')}${said('GNU.sparse.major=1')}`, { type: 'ExtendedHeader' }],
    ['GNUSparseFile.0/s.jpg', 'x'.repeat(600)],
  ]);
  for (const [bytes, found] of [
    [whole.subarray(0, 2300), /a file longer than the tar/],
    [whole.subarray(0, 1600), /its end within a header/],
    [Buffer.concat([whole.subarray(0, 1536), Buffer.alloc(512, 1)]), /checksum/],
    [whole.subarray(0, 1536), /at byte 1536: no zeros at its end/],
    [whole.subarray(0, 1400), /no zeros at its end/],
    // A hole of one block, of many, and a second tar behind the end of the first.
    [Buffer.concat([whole.subarray(0, 1536), Buffer.alloc(512), whole.subarray(1536)]), /more after a block of zeros/],
    [Buffer.concat([whole.subarray(0, 1536), Buffer.alloc(512 * 300), whole.subarray(1536)]), /more after/],
    [Buffer.concat([whole.subarray(0, 1536), Buffer.alloc(1024), Buffer.from([1])]), /more after/],
    [Buffer.concat([whole.subarray(0, 1536), sparse]), /a sparse file; make the tar without -S/],
    [Buffer.concat([whole.subarray(0, 1536), paxSparse]), /a sparse file; make the tar without -S/],
  ] as const) {
    await t.rejects(open(t, bytes), { code: 'TAR_DAMAGED', message: found });
    const { keys, lines } = await open(t, bytes, { damage: 'skip' });
    t.same(keys, ['a.tar/a']);
    t.match(lines, [/a\.tar is damaged: /]);
  }
  for (const zeros of [1, 512, 700, 1024, 10_240, 200_000]) {
    const { keys } = await open(t, Buffer.concat([whole.subarray(0, 3072), Buffer.alloc(511 + zeros)]));
    t.same(keys, ['a.tar/a', 'a.tar/b'], `${zeros} zeros`);
  }
  await t.rejects(open(t, Buffer.alloc(0)), { code: 'TAR_DAMAGED' });
  await t.rejects(open(t, Buffer.from('hello')), { code: 'TAR_DAMAGED' });
  await t.rejects(open(t, tarOf([['x', 'y', { type: 'ExtendedHeader', size: 2 ** 22 }]])), { code: 'TAR_DAMAGED' });
  await t.rejects(open(t, tarOf([['a.txt', 'x']])), { code: 'TARS_EMPTY', message: /1 with another ending \(\.txt 1/ });
});

t.test('labels, fields and sizes that are wrong fail their sample', async (t) => {
  const read = async (entries: readonly Entry[], more: object) =>
    (await open(t, tarOf(entries), more)).source.read(0, signal);
  const picture: Entry = ['a.jpg', 'JPEG'];
  for (const label of ['cat', '-1', '1.5', '', '99999999999'])
    await t.rejects(read([picture, ['a.cls', label]], { labels: true }), { code: 'TAR_LABEL' }, label);
  await t.rejects(read([picture, ['a.cls', '1'.repeat(100)]], { labels: true }), { code: 'FILE_LARGE' });
  await t.rejects(read([picture], { labels: true }), { code: 'FIELD_SHAPE' });
  const fields = { box: { dtype: 'int32', shape: [2] } };
  for (const json of ['{', '[]', 'null'])
    await t.rejects(read([picture, ['a.json', json]], { fields }), { code: 'TAR_JSON' }, json);
  for (const json of ['{"box":[1]}', '{"box":["a","b"]}', '{"__proto__":{"box":[1,2]}}'])
    await t.rejects(read([picture, ['a.json', json]], { fields }), { code: 'FIELD_SHAPE' }, json);
  for (const [dtype, list, found] of [
    ['uint8', '[300,1]', /got 300/],
    ['uint8', '[-1,1]', /got -1/],
    ['int32', '[1.5,1]', /got 1\.5/],
    ['int32', '[1,2147483648]', /got 2147483648/],
    ['float32', '[1e300,1]', /got 1e\+300/],
  ] as const)
    await t.rejects(
      read([picture, ['a.json', `{"box":${list}}`]], { fields: { box: { dtype, shape: [2] } } }),
      { code: 'FIELD_SHAPE', message: found },
      `${dtype} ${list}`,
    );
  await t.rejects(read([picture, ['a.json', '{"box":300}']], { fields: { box: { dtype: 'uint8' } } }), {
    code: 'FIELD_SHAPE',
    message: /got 300/,
  });
  const square = { box: { dtype: 'float32', shape: [2, 2] } };
  for (const list of ['[[1,2,3],[4]]', '[[1,2],3,4]', '[[1],[2],[3],[4]]', '[[[1,2]],[[3,4]]]', '[[1,2,3,4]]'])
    await t.rejects(
      read([picture, ['a.json', `{"box":${list}}`]], { fields: square }),
      { code: 'FIELD_SHAPE', message: /lists of other lengths/ },
      list,
    );
  for (const list of ['[[0.1,2],[3,4]]', '[0.1,2,3,4]'])
    t.same(
      (await read([picture, ['a.json', `{"box":${list}}`]], { fields: square })).box,
      Float32Array.of(0.1, 2, 3, 4),
    );
  await t.rejects(read([picture], { maxBytes: 3 }), { code: 'FILE_LARGE' });
});

t.test('paths: a list, a folder, a range', async (t) => {
  const base = t.testdir({});
  mkdirSync(join(base, 'tars/deep'), { recursive: true });
  for (const name of ['x-08', 'x-09', 'x-10', 'deep/y'])
    writeFileSync(join(base, `tars/${name}.tar`), tarOf([[`${name.at(-1)}.jpg`, name]]));
  const keys = async (path: string | string[]) => {
    const source = await openSource(definition, { path }, { base });
    return Array.from({ length: source.count }, (_, i) => source.key(i));
  };
  t.same(await keys('tars'), ['deep/y.tar/y', 'x-08.tar/8', 'x-09.tar/9', 'x-10.tar/0']);
  t.same(await keys('tars/x-{08..10}.tar'), ['x-08.tar/8', 'x-09.tar/9', 'x-10.tar/0']);
  t.same(await keys(['tars/deep', 'tars/x-09.tar']), ['y.tar/y', 'x-09.tar/9']);
  await t.rejects(keys('tars/x-{1..999999999}.tar'), { code: 'TARS_NONE' });
  await t.rejects(keys('tars/x-{9..1}.tar'), { code: 'TARS_NONE' });
  await t.rejects(keys('nothing.tar'), { code: 'FILE_UNREADABLE' });
  await t.rejects(keys('ftp://host/a.tar'), { code: 'WEB_ADDRESS' });
  t.equal(readdirSync(base).length, 1, 'nothing was unpacked');
});

t.test('what the sink writes: names without dots, twice the same, and back again', async (t) => {
  const output = t.testdir({});
  const file = await jpeg(gradient(8, 8));
  const more = each((sample) => {
    const fields = { ...sample, picture: undefined, bytes: file, score: Float32Array.of(0.1, 3) };
    return [fields, { ...fields, mark: 'second' }];
  });
  const sink = toWebdataset({ pictures: 'file', shardBytes: 30_000 });
  await runNumbered(join(output, 'a'), sink, { count: 12, name: '../n.v1', stages: [more] });
  await runNumbered(join(output, 'b'), sink, { count: 12, name: '../n.v1', stages: [more] });
  const tars = filesOf(join(output, 'a/webdataset'));
  t.ok(Object.keys(tars).length > 1);
  t.same(filesOf(join(output, 'b/webdataset')), tars, 'byte for byte');
  const list = spawnSync('tar', ['tf', join(output, 'a/webdataset/job-00000.tar')], { encoding: 'utf8' });
  t.same(list.stdout.split('\n').slice(0, 6), [
    '000000000-n-v1-0-1.jpg',
    '000000000-n-v1-0-1.cls',
    '000000000-n-v1-0-1.json',
    '000000000_0001-n-v1-0-2.jpg',
    '000000000_0001-n-v1-0-2.cls',
    '000000000_0001-n-v1-0-2.json',
  ]);
  const fields = { score: { dtype: 'float32', shape: [2] } };
  const source = await openSource(definition, { path: join(output, 'a/webdataset'), labels: true, fields });
  t.equal(source.count, 24);
  t.same(await source.read(23, signal), { bytes: file, label: 1, score: Float32Array.of(0.1, 3) });
  const json = readFileSync(join(output, 'a/webdataset/job-00000.tar'), 'utf8').match(
    /\{"key":"\.\.\/n\.v1\/0\.png\/2".*?\}/,
  )?.[0];
  t.same(JSON.parse(json ?? ''), { key: '../n.v1/0.png/2', position: 0, label: 0, score: [0.1, 3], mark: 'second' });
});

t.test('options', (t) => {
  t.same(definition.spec(definition.options.parse({ path: 'x', labels: true })), {
    fields: { bytes: 'bytes', label: { dtype: 'int32', shape: [] } },
    formats: ['jpeg', 'png', 'webp'],
  });
  for (const wrong of [{}, { path: [] }, { path: 'x', timeout: 0 }, { path: 'x', retries: -1 }])
    t.notOk(definition.options.safeParse(wrong).success);
  t.notOk(toWebdataset.definition.options.safeParse({ pictures: 'raw' }).success);
  t.end();
});
