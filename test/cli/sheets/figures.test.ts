import { join } from 'node:path';
import t from 'tap';
import { Figures } from '../../../src/cli/sheets/figures.ts';
import { pictureAt } from '../../../src/cli/sheets/pictures.ts';
import { pictureFolder, writeFiles } from '../../kit/files/folder.ts';

t.test('what a page cannot show is counted and said, in the page too', async (t) => {
  const root = t.testdir({});
  await pictureFolder(root, 1);
  writeFiles(root, { 'broken.jpg': 'no picture' });
  const figures = new Figures();
  const at = (name: string) => figures.figure(name, pictureAt(join(root, name)), 'a <b>', '0.5');
  t.match(await at('00000.jpg'), /^<figure><img .*00000\.jpg<br>a &lt;b&gt;<br>0\.5<\/figcaption>/);
  t.same(figures.lines(), []);
  t.notMatch(await at('broken.jpg'), /<img/);
  for (const name of ['gone', 'lost', 'away']) await at(name);
  t.same(figures.lines(), ['The page is without 4 pictures that cannot be read: broken.jpg, gone, lost, and 1 more.']);
  await figures.figure('x', undefined);
  figures.left(3);
  t.match(figures.lines().slice(1), [
    /without 1 picture whose folder is not known.*--photos/,
    /at most 2,000 pictures: it is without 3 more/,
  ]);
  t.equal(figures.html().length, 3);
});
