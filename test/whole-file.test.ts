import {
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { FolderGuard, makeFolder, removeEmpty, unless, writeOnce, writeWhole } from '../src/whole-file.ts';
import { fullLayer } from './kit/files/full-disk.ts';

t.test('a file is whole or as it was, and nothing else is left', async (t) => {
  const root = t.testdir({ a: 'before' });
  const path = join(root, 'a');
  await t.rejects(
    writeWhole(path, 'after', { layer: fullLayer }),
    {
      code: 'FILE_WRITE',
      message: /a must be written whole; got a full disk\. Make room/,
      cause: { code: 'ENOSPC' },
    },
    'S5',
  );
  t.same([readdirSync(root), readFileSync(path, 'utf8')], [['a'], 'before']);
  await writeWhole(path, [Buffer.from('af'), Buffer.from('ter')]);
  t.same([readdirSync(root), readFileSync(path, 'utf8')], [['a'], 'after']);
  await t.rejects(writeWhole(join(root, 'none/a'), ''), {
    code: 'FILE_WRITE',
    message: /Make the folder that it lies in/,
    cause: { code: 'ENOENT' },
  });
});

t.test('L1: what links lead to is never written', async (t) => {
  const root = t.testdir({ photo: 'a photograph', photo2: 'another' });
  symlinkSync('photo', join(root, 'a'));
  symlinkSync('photo', join(root, 'a.tmp'));
  linkSync(join(root, 'photo2'), join(root, 'b'));
  await writeWhole(join(root, 'a'), 'ours');
  await writeWhole(join(root, 'b'), 'ours');
  t.equal(readFileSync(join(root, 'photo'), 'utf8'), 'a photograph');
  t.equal(readFileSync(join(root, 'photo2'), 'utf8'), 'another');
});

t.test('L1: what is written once replaces nothing', async (t) => {
  const root = t.testdir({ a: 'mine', link: t.fixture('symlink', 'nowhere') });
  for (const name of ['a', 'link']) await t.rejects(writeOnce(join(root, name), 'ours'), { code: 'FILE_EXISTS' });
  await t.rejects(writeOnce(join(root, 'b'), 'ours', { layer: fullLayer }), { code: 'FILE_WRITE' });
  await writeOnce(join(root, 'b'), 'ours');
  t.same(readdirSync(root), ['a', 'b', 'link']);
  t.same([readFileSync(join(root, 'a'), 'utf8'), readFileSync(join(root, 'b'), 'utf8')], ['mine', 'ours']);
});

t.test('L15: a folder that is moved, removed or another is not the one of the run', (t) => {
  const root = t.testdir({ run: { 'run.lock': 'one' } });
  const folder = join(root, 'run');
  const guard = new FolderGuard(folder);
  guard.check();
  renameSync(folder, join(root, 'moved'));
  t.throws(() => guard.check(), { code: 'OUTPUT_GONE', where: folder });
  mkdirSync(folder);
  t.throws(() => guard.check(), { code: 'OUTPUT_GONE' }, 'another one of that name');
  writeFileSync(join(folder, 'run.lock'), 'two');
  t.throws(() => guard.check(), { code: 'OUTPUT_GONE' }, 'of another run');
  writeFileSync(join(folder, 'run.lock'), 'one');
  guard.check();
  rmSync(folder, { recursive: true });
  t.throws(() => guard.check(), { code: 'OUTPUT_GONE' });
  t.end();
});

t.test('an error that is not expected is thrown again', (t) => {
  const error = Object.assign(new Error('EIO'), { code: 'EIO' });
  t.throws(() => unless('ENOENT')(error), error);
  t.equal(unless('EIO')(error), undefined);
  t.end();
});

t.test('a folder is made with those that it lies in, and taken away with them as far as they are empty', async (t) => {
  const root = t.testdir({
    file: '',
    there: {},
    nowhere: t.fixture('symlink', 'gone'),
    link: t.fixture('symlink', 'there'),
  });
  const at = (name: string) => join(root, name);
  t.equal(await makeFolder(at('there')), undefined);
  t.equal(await makeFolder(at('link/a')), at('link/a'));
  t.equal(await makeFolder(at('there/a/b/c')), at('there/a/b'));
  t.equal(await makeFolder(at('new/b/c')), at('new'));
  await removeEmpty(at('new/b/c'), at('new'));
  await removeEmpty(at('there/a/b/c'), at('there/a/b'));
  t.same([readdirSync(root).includes('new'), readdirSync(at('there'))], [false, ['a']]);
  await t.rejects(makeFolder(at('file')), { code: 'EEXIST' });
  await t.rejects(makeFolder(at('file/a')), { code: 'ENOTDIR' });
  await t.rejects(makeFolder(at('nowhere')), { code: 'EEXIST' });
  await t.rejects(makeFolder(at('nowhere/a')), /ENOENT|EEXIST/);
});

t.test(
  'where a file system has no place for a folder, that is an error, and ends',
  { skip: process.platform === 'linux' ? false : 'there is no /proc' },
  async (t) => {
    await t.rejects(makeFolder('/proc/none'), { code: 'ENOENT' });
    await t.rejects(makeFolder('/proc/none/at/all'), { code: 'ENOENT' });
  },
);
