import { chmod, mkdir, symlink, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { imageFolder } from '../../src/datasets/image-folder.ts';
import type { OpenSource } from '../../src/datasets/source.ts';
import * as kit from '../kit/pictures.ts';

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

t.test('links are followed once, loops end, links to nothing are passed over', async (t) => {
  const path = await folder(t, ['a/1.jpg', 'b/2.jpg']);
  await symlink('..', join(path, 'a/up'));
  await symlink('../b', join(path, 'a/other'));
  await symlink('/nowhere', join(path, 'gone.jpg'));
  await symlink('1.jpg', join(path, 'a/same.jpg'));
  t.same(keys(await open({ path })), ['a/1.jpg', 'a/same.jpg', 'b/2.jpg']);
});

t.test('a folder that cannot be used says so', async (t) => {
  const path = await folder(t, ['photos/a.jpg', 'texts/a.txt']);
  await mkdir(join(path, 'empty'));
  await t.rejects(open({ path: join(path, 'photo') }), { code: 'FOLDER_MISSING', message: /Did you mean .*photos\?/ });
  await t.rejects(open({ path: join(path, 'photos/a.jpg') }), { code: 'FOLDER_FILE' });
  await t.rejects(open({ path: join(path, 'photos/a.jpg/b') }), { code: 'FOLDER_MISSING' });
  await t.rejects(open({ path: join(path, 'empty') }), { code: 'FOLDER_EMPTY', message: /got an empty folder/ });
  await t.rejects(open({ path: join(path, 'texts') }), { code: 'FOLDER_EMPTY', message: /1 files with other endings/ });
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
