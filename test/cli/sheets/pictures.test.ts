import { rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import t from 'tap';
import { z } from 'zod';
import { type PicturesFrom, withPictures } from '../../../src/cli/sheets/pictures.ts';
import { builtin } from '../../../src/pipeline/builtin.ts';
import { writtenSource } from '../../../src/runs/loader/written-source.ts';
import { imageFolder, manifest, mixture, parquet } from '../../../src/sources/index.ts';
import type { SourceDefinition } from '../../../src/sources/source.ts';
import { defineSource, type OpenSource } from '../../../src/sources/source.ts';
import { pictureFolder, writeFiles } from '../../kit/files/folder.ts';

/** Which of the keys are found, which are missing, and which nobody knows. */
async function found(from: PicturesFrom, keys: readonly string[]): Promise<string> {
  const marks: string[] = [];
  await withPictures(from, keys, async (find) => {
    for (const key of keys) {
      const open = find(key);
      if (open === undefined) marks.push('unknown');
      else marks.push((await open())?.width === undefined ? 'missing' : 'found');
    }
  });
  return marks.join(' ');
}

t.test('pictures are found by their keys, whatever source gives them', async (t) => {
  const root = t.testdir({});
  await pictureFolder(join(root, 'photos'), 3);
  writeFiles(root, { 'list.csv': 'path\nphotos/00001.jpg\nphotos/00001.jpg\nphotos/00002.jpg\n' });
  const folder = writtenSource(imageFolder({ path: join(root, 'photos'), repeat: 2 }));
  t.equal(
    await found(folder, ['00000.jpg#0', '00002.jpg#1', '00002.jpg#1/3', 'none.jpg#0']),
    'found found found missing',
  );
  const list = writtenSource(manifest(join(root, 'list.csv')));
  const ofList = ['photos/00001.jpg', 'photos/00001.jpg#2', 'photos/00002.jpg/1', 'photos/00000.jpg'];
  t.equal(await found(list, ofList), 'found found found missing');
  const table = writtenSource(parquet(resolve('fixtures/parquet/test-00000-of-00001.parquet')));
  const name = 'test-00000-of-00001.parquet';
  t.equal(await found(table, [`${name}/0`, `${name}/3`, `${name}/3/1`, `${name}/4`]), 'found found found missing');
  t.equal(await found(join(root, 'photos'), ['00001.jpg']), 'found');
  const parts = [
    { source: imageFolder(join(root, 'photos')), name: 'mine' },
    { source: manifest(join(root, 'list.csv')) },
  ];
  const ofParts = ['mine/00002.jpg', 'mine/00000.jpg/1', 'manifest/photos/00001.jpg#2', 'mine/3.jpg', '00002.jpg'];
  t.equal(await found(writtenSource(mixture({ parts })), ofParts), 'found found found missing missing');
});

t.test('what is gone is missing, and of a source that is not known nobody knows anything', async (t) => {
  const root = t.testdir({});
  await pictureFolder(join(root, 'photos'), 1);
  const folder = writtenSource(imageFolder(join(root, 'photos')));
  rmSync(join(root, 'photos'), { recursive: true });
  t.equal(await found(folder, ['00000.jpg']), 'missing');
  t.equal(await found({ mine: { path: 'x' } }, ['a']), 'unknown');
  t.equal(await found({ 'image-folder': { folder: 'x' } }, ['a']), 'unknown', 'options of another version');
  const parts = [{ source: { mine: { path: 'x' } } }, { source: { 'image-folder': 'y' } }];
  t.equal(await found({ mixture: { parts } }, ['a']), 'unknown', 'a mixture with a source that is not known');
  t.equal(await found(undefined, ['a']), 'unknown');
});

t.test('a fault in the code of a source is no missing picture, and one of its closing hides no other', async (t) => {
  const known = builtin.sources as Map<string, SourceDefinition>;
  const given = (open: () => OpenSource): PicturesFrom => {
    const options = z.strictObject({});
    const source = defineSource({ name: 'faulty', summary: '', options, spec: () => ({ fields: {} }), open });
    known.set('faulty', source.definition as SourceDefinition);
    return { faulty: {} };
  };
  t.teardown(() => known.delete('faulty'));
  const broken = given(() => {
    throw new TypeError('mine');
  });
  await t.rejects(found(broken, ['a']), { code: 'STAGE_BROKEN', message: /source faulty .* its `open` .*mine/ });
  const unclosed = given(() => ({
    count: 1,
    key: () => 'a',
    read: () => {
      throw new Error('first');
    },
    close: () => {
      throw new Error('second');
    },
  }));
  await t.rejects(found(unclosed, ['a']), {
    message: 'first',
    cause: { code: 'STAGE_BROKEN', message: /`close`.*second/ },
  });
  await t.rejects(found(unclosed, []), { code: 'STAGE_BROKEN', message: /source faulty .* its `close` .*second/ });
});
