import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { fail } from '../../src/errors.ts';
import { PassedOver } from '../../src/files/passed-over.ts';
import { listPlaces, readPaths } from '../../src/files/places.ts';

const list = async (base: string, ...paths: string[]) => {
  const passedOver = new PassedOver();
  const none = (path: string, found: string) => fail('TARS_NONE', { path, found });
  const places = await listPlaces(paths, { base, passedOver, ending: '.tar', none });
  return places.map(({ name }) => name);
};

t.test(
  'files by themselves, of folders, ranges and patterns, each with a name of its own, in their order',
  async (t) => {
    const base = t.testdir({});
    mkdirSync(join(base, 'more'));
    for (const name of ['b-1.tar', 'b-10.tar', 'b-2.tar', 'a[1].tar', 'c.txt', 'more/b-1.tar', '.b-3.tar'])
      writeFileSync(join(base, name), '');
    t.same(await list(base, '.'), ['a[1].tar', 'b-1.tar', 'b-10.tar', 'b-2.tar', 'more/b-1.tar']);
    t.same(await list(base, 'b-*.tar'), ['b-1.tar', 'b-10.tar', 'b-2.tar'], 'of this folder alone');
    t.same(await list(base, 'b-?.tar', 'a[1].tar'), ['b-1.tar', 'b-2.tar', 'a[1].tar']);
    t.same(await list(base, 'a[?].*'), ['a[1].tar'], 'other marks of patterns stand for themselves');
    t.same(await list(base, 'b-{1..2}.tar'), ['b-1.tar', 'b-2.tar']);
    t.same(await list(base, '*.txt', 'c.txt'), ['c.txt', 'c.txt#2']);
    t.same(
      (await list(base, 'b-1.tar', 'more/b-1.tar')).map((name) => name.split('/').slice(-2)[0] !== 'b-1.tar'),
      [true, true],
    );
    t.same(await list(base, 'https://a.example/data/x.tar?token=1'), ['x.tar']);
    for (const path of ['z-*.tar', 'none/*.tar', 'b-{3..1}.tar', 'c.txt/*.tar'])
      await t.rejects(list(base, path), { code: 'TARS_NONE' }, path);
    await t.rejects(list(base, 'ftp://a.example/x.tar'), { code: 'WEB_ADDRESS' });
  },
);

t.test('what must be there for a path to be read', (t) => {
  t.same(readPaths('data/train-*.tar'), ['data']);
  t.same(readPaths('d{1..2}/x.tar'), ['d1/x.tar', 'd2/x.tar']);
  t.same(readPaths('https://a.example/x.tar'), []);
  t.end();
});
