import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs/promises';
import { chmod, mkdir, symlink, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import t from 'tap';
import { readWhole } from '../../src/files/files.ts';
import { listFiles } from '../../src/files/listing.ts';
import { passedOverText } from '../../src/files/passed-over.ts';
import { classDifference } from '../../src/sources/classes.ts';
import { imageFolder } from '../../src/sources/image-folder.ts';
import type { OpenSource } from '../../src/sources/source.ts';
import { watchFolder } from '../../src/sources/watching/watch-folder.ts';
import * as kit from '../kit/pictures/pictures.ts';

const { definition } = imageFolder;
const signal = new AbortController().signal;
const open = async (written: Record<string, unknown>): Promise<OpenSource> =>
  definition.open(definition.options.parse(written), { base: '/', signal, progress() {} });
const keys = (source: OpenSource) => Array.from({ length: source.count }, (_, i) => source.key(i));

async function folder(t: import('tap').Test, files: readonly string[]): Promise<string> {
  const root = t.testdir({});
  const bytes = await kit.png(kit.ramp);
  for (const file of files) {
    await mkdir(join(root, file, '..'), { recursive: true });
    await writeFile(join(root, file), bytes);
  }
  return root;
}

t.test('nested files in the order of code units; hidden and other files are passed over', async (t) => {
  const path = await folder(t, [
    'b.jpg',
    'B.JPEG',
    'a/z.png',
    'a.webp',
    'a/é.png',
    'a/Z.png',
    '.hidden.jpg',
    '.git/x.jpg',
    'notes.txt',
    'a/b/c/d.jpg',
    'x.gif',
  ]);
  const source = await open({ path });
  t.same(keys(source), ['B.JPEG', 'a.webp', 'a/Z.png', 'a/b/c/d.jpg', 'a/z.png', 'a/é.png', 'b.jpg']);
  t.equal(Buffer.compare((await source.read(1, signal)).bytes as Uint8Array, await kit.png(kit.ramp)), 0);
  t.equal((await open({ path, formats: ['gif'] })).key(0), 'x.gif');
});

t.test('repeat passes over the files again, with keys of their own', async (t) => {
  const source = await open({ path: await folder(t, ['a.jpg', 'b.jpg']), repeat: 3 });
  t.same(keys(source), ['a.jpg#0', 'b.jpg#0', 'a.jpg#1', 'b.jpg#1', 'a.jpg#2', 'b.jpg#2']);
  t.same((await source.read(5, signal)).bytes, (await source.read(1, signal)).bytes);
});

t.test('labels: the first-level folders are the classes', async (t) => {
  const source = await open({
    path: await folder(t, ['cats/1.jpg', 'Ants/1.jpg', 'cats/deep/2.jpg', 'dogs/1.jpg']),
    labels: true,
  });
  t.same(source.classNames, ['Ants', 'cats', 'dogs']);
  t.same(await Promise.all([0, 1, 2, 3].map(async (i) => (await source.read(i, signal)).label)), [0, 1, 1, 2]);
  await t.rejects(open({ path: await folder(t, ['cats/1.jpg', 'stray.jpg']), labels: true }), {
    code: 'FOLDER_CLASSES',
    message: /stray\.jpg/,
  });
});

t.test('links are followed once, loops end, and a link to nothing is a sample that fails (L5)', async (t) => {
  const path = await folder(t, ['a/1.jpg', 'b/2.jpg']);
  await symlink('..', join(path, 'a/up'));
  await symlink('../b', join(path, 'a/other'));
  await symlink('/nowhere', join(path, 'gone.jpg'));
  await symlink('1.jpg', join(path, 'a/same.jpg'));
  await symlink('/nowhere', join(path, 'latest'));
  const source = await open({ path });
  t.same(keys(source), ['a/1.jpg', 'a/same.jpg', 'b/2.jpg', 'gone.jpg']);
  await t.rejects(source.read(3, signal) as Promise<unknown>, {
    code: 'FILE_UNREADABLE',
    message: /gone\.jpg .*a link that leads nowhere, to \/nowhere/,
  });
  t.same(source.passedOver, [
    { reason: 'nowhere', count: 1, example: 'latest' },
    { reason: 'again', count: 2, example: 'a/other' },
  ]);
});

t.test('a folder that cannot be used says so', async (t) => {
  const path = await folder(t, ['photos/a.jpg', 'texts/a.txt']);
  await mkdir(join(path, 'empty'));
  await t.rejects(open({ path: join(path, 'photo') }), { code: 'FOLDER_MISSING', message: /Did you mean .*photos\?/ });
  await t.rejects(open({ path: join(path, 'photos/a.jpg') }), { code: 'FOLDER_FILE' });
  await t.rejects(open({ path: join(path, 'photos/a.jpg/b') }), { code: 'FOLDER_MISSING' });
  await t.rejects(open({ path: join(path, 'empty') }), { code: 'FOLDER_EMPTY', message: /got an empty folder/ });
  await t.rejects(open({ path: join(path, 'texts') }), {
    code: 'FOLDER_EMPTY',
    message: /1 with another ending \(\.txt 1; as a\.txt\)/,
  });
});

t.test('an unreadable folder', { skip: process.getuid?.() === 0 && 'root may read everything' }, async (t) => {
  const path = await folder(t, ['a/1.jpg']);
  await chmod(join(path, 'a'), 0);
  await t.rejects(open({ path }), { code: 'FOLDER_UNREADABLE' });
  await chmod(join(path, 'a'), 0o755);
});

t.test('a file that is gone or too large fails alone', async (t) => {
  const path = await folder(t, ['a.jpg', 'b.jpg']);
  const source = await open({ path, maxBytes: 200 });
  await writeFile(join(path, 'b.jpg'), Buffer.alloc(201));
  await t.resolves(source.read(0, signal) as Promise<unknown>);
  await t.rejects(source.read(1, signal) as Promise<unknown>, { code: 'FILE_LARGE' });
  await unlink(join(path, 'a.jpg'));
  await t.rejects(source.read(0, signal) as Promise<unknown>, { code: 'FILE_UNREADABLE', message: /a\.jpg/ });
});

t.test('spec and options', async (t) => {
  t.same(definition.spec(definition.options.parse({ path: 'x', labels: true })).fields, {
    bytes: 'bytes',
    label: { dtype: 'int32', shape: [] },
  });
  t.same(imageFolder('./photos').source.options, { path: './photos' });
  for (const options of [
    {},
    { path: '' },
    { path: 'x', repeat: 0 },
    { path: 'x', labels: 'auto' },
    { path: 'x', formats: ['svg'] },
    { path: 'x', size: 3 },
  ]) {
    t.notOk(definition.options.safeParse(options).success, JSON.stringify(options));
  }
});

t.test('L4: inode numbers above 2^53 that differ in their last bits are of different files and folders', async (t) => {
  const names = Array.from({ length: 40 }, (_, i) => `class-${i}`);
  const path = await folder(
    t,
    names.flatMap((name) => [`${name}/0.jpg`, `${name}/1.jpg`]),
  );
  let next = 2n ** 53n;
  const numbers = new Map<string, bigint>();
  const stat = async (file: string, options: unknown) => {
    const found = await fs.stat(file, options as { bigint: true });
    if (!numbers.has(file)) numbers.set(file, next++);
    // As a caller that asks for plain numbers would get it.
    const ino = (options as { bigint?: boolean } | undefined)?.bigint ? numbers.get(file)! : Number(numbers.get(file));
    return Object.assign(found, { ino });
  };
  const system = { ...fs, stat } as never;
  const { files, folders } = await listFiles(path, (name) => name.endsWith('.jpg'), { system });
  t.same([files.length, folders.length], [80, 40]);
  const options = { maxBytes: 100, signal, progress() {}, system };
  const stamps = await watchFolder(path, new Set(['.jpg']), options).look(() => false);
  t.equal(new Set([...stamps.values()].map(({ inode }) => inode)).size, 80);
});

t.test('L5: what is listed and cannot be looked at is a sample that fails, and a folder ends the run', async (t) => {
  const path = await folder(t, ['a.jpg']);
  await symlink('loop.jpg', join(path, 'loop.jpg'));
  execFileSync('mkfifo', [join(path, 'pipe.jpg')]);
  const source = await open({ path });
  t.same(keys(source), ['a.jpg', 'loop.jpg', 'pipe.jpg']);
  await t.rejects(source.read(1, signal) as Promise<unknown>, {
    code: 'FILE_UNREADABLE',
    message: /loop\.jpg .*links that lead in a circle/,
  });
  await t.rejects(source.read(2, signal) as Promise<unknown>, { code: 'FILE_UNREADABLE', message: /a named pipe/ });
  // Not listed as one, and become one since.
  await t.rejects(readWhole(join(path, 'pipe.jpg'), 'pipe.jpg', { maxBytes: 9 }), { message: /a named pipe/ });

  const denied = Object.assign(new Error('EACCES: permission denied, stat'), { code: 'EACCES', syscall: 'stat' });
  const stat = (file: string, options: object) =>
    file.endsWith('behind') ? Promise.reject(denied) : fs.stat(file, options);
  await symlink('/elsewhere', join(path, 'behind'));
  await t.rejects(
    listFiles(path, (name) => name.endsWith('.jpg'), { system: { ...fs, stat } as never }),
    {
      code: 'FOLDER_UNREADABLE',
      message: /behind must be readable; got no permission/,
    },
  );
});

t.test('L9: what is passed over is counted by reason and ending, and never opened', async (t) => {
  const path = await folder(t, [
    'a.jpg',
    'b.bmp',
    'c.bmp',
    'd',
    'x.jpg_large',
    '.hidden.jpg',
    '.git/1.jpg',
    '__MACOSX/0.jpg',
  ]);
  const { passedOver } = await open({ path });
  t.same(passedOver, [
    { reason: 'hidden', count: 3, example: '.git' },
    { reason: 'ending', count: 4, example: 'b.bmp', endings: { '.bmp': 2, none: 1, '.jpg_large': 1 } },
  ]);
  t.equal(
    passedOverText(passedOver!),
    '3 hidden (.git), 4 with other endings (.bmp 2, none 1, .jpg_large 1; as b.bmp)',
  );
  const many = await folder(t, ['a.jpg', ...Array.from({ length: 30 }, (_, i) => `x.\u001b[${i}m`)]);
  const row = (await open({ path: many })).passedOver![0]!;
  t.equal(Object.keys(row.endings!).length, 21, 'the rest is one');
  t.notMatch(passedOverText([row]), '\u001b');
});

t.test('L10: classes are the first-level folders, empty or not, by NFC names, real ones before links', async (t) => {
  const path = await folder(t, ['cafe\u0301/1.jpg', 'caf\u00e9s/1.jpg', 'zoo/1.jpg', 'zoo/deep/2.jpg']);
  await mkdir(join(path, 'empty'));
  await symlink('zoo', join(path, 'animals'));
  await symlink('zoo/deep', join(path, 'deeper'));
  const source = await open({ path, labels: true });
  t.same(source.classNames, ['caf\u00e9', 'caf\u00e9s', 'empty', 'zoo']);
  t.same(keys(source), ['cafe\u0301/1.jpg', 'caf\u00e9s/1.jpg', 'zoo/1.jpg', 'zoo/deep/2.jpg']);
  t.same(await Promise.all([0, 1, 2, 3].map(async (i) => (await source.read(i, signal)).label)), [0, 1, 3, 3]);
  t.same(source.passedOver, [{ reason: 'again', count: 2, example: 'animals' }]);

  const alike = await folder(t, ['cafe\u0301/1.jpg', 'caf\u00e9/1.jpg']);
  await t.rejects(open({ path: alike, labels: true }), {
    code: 'FOLDER_ALIKE',
    message: /cafe\\u\{301\} and caf\\u\{e9\}/,
  });
  const gone = await folder(t, ['cats/1.jpg']);
  await symlink('/nowhere', join(gone, 'dogs'));
  await t.rejects(open({ path: gone, labels: true }), { code: 'FOLDER_UNREADABLE', message: /dogs .*leads nowhere/ });

  t.equal(classDifference(['bar', 'caf\u00e9'], ['bar', 'cafe\u0301']), undefined);
  t.match(classDifference(['a', 'b', 'c'], ['a', 'c']), /missing: b/);
  t.match(classDifference(['a', 'b'], ['b', 'a']), /another order, from number 0 on: b, not a/);
  t.match(classDifference(['bar', 'foo'], ['bar\u200b', 'foo']), /only there: "bar\\u\{200b\}"; .*missing: "bar"/);
});

t.test('M6: a file in the place of a folder is told by what it is', async (t) => {
  const path = t.testdir({ 'a.gz': gzipSync('x'), 'a.zip': 'PK\u0003\u0004', 'a.jpg': 'x' });
  const refused = (name: string, message: RegExp) =>
    t.rejects(open({ path: join(path, name) }), { code: 'FOLDER_FILE', message });
  await refused('a.gz', /It is a gzip file: unpack it, as by `gunzip --keep FILE`/);
  await refused('a.zip', /It is a zip file/);
  await refused('a.jpg', /Give the folder it lies in/);
});
