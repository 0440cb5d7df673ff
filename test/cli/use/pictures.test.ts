import { join, resolve } from 'node:path';
import t from 'tap';
import { nameOf, picturesAt } from '../../../src/cli/use/pictures.ts';
import { writtenSource } from '../../../src/runs/loader/written-source.ts';
import { openSource } from '../../kit/runs/jobs.ts';

t.test('the ending of a word says which source it is', async (t) => {
  const root = t.testdir({ photos: {}, 'folder.csv': {}, 'list.txt': 'a.jpg', 'list.CSV': 'path\na.jpg\n' });
  const at = (name: string) => join(root, name);
  const nameAt = async (word: string) => (await picturesAt(word)).source.name;
  for (const word of ['photos', 'folder.csv']) t.equal(await nameAt(at(word)), 'image-folder', word);
  for (const word of ['list.CSV', 'none.csv', 'none.tsv', 'none.jsonl', 'none.ndjson'])
    t.equal(await nameAt(at(word)), 'manifest', word);
  for (const word of ['none.parquet', 'train-*.parquet', 'train-{0..3}.parquet'])
    t.equal(await nameAt(at(word)), 'parquet', word);
  t.match(writtenSource(await picturesAt('https://example.org/a/b.parquet')), {
    parquet: { path: 'https://example.org/a/b.parquet' },
  });
  t.match(writtenSource(await picturesAt('a/list.csv')), { manifest: { file: resolve('a/list.csv') } });
  await t.rejects(picturesAt(at('none')), { code: 'FOLDER_MISSING' });
  await t.rejects(picturesAt(at('list.txt')), { code: 'FOLDER_FILE' });
  const { definition } = (await picturesAt(at('photos'))).source;
  await t.rejects(openSource(definition, { path: at('list.CSV') }), {
    code: 'FOLDER_FILE',
    text: /by the source `manifest`/,
  });
});

t.test('the name of a word is one for a folder', (t) => {
  t.same(['photos/', './faces.csv', 'https://example.org/a/b.parquet'].map(nameOf), [
    'photos',
    'faces.csv',
    'b.parquet',
  ]);
  t.equal(nameOf('data/train-{0..3}-*.parquet'), 'train-_0..3_-_.parquet');
  t.end();
});
