import { existsSync, readFileSync } from 'node:fs';
import t from 'tap';

const door = 'src/index.ts';

t.test('the public names', { skip: existsSync(door) ? false : 'src/index.ts is not there yet' }, (t) => {
  const text = readFileSync(door, 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, '');
  t.notMatch(text, /export \*/, 'names are listed by hand');
  t.notMatch(text, /export default/, 'named exports only');
  const names = [...text.matchAll(/export (type )?\{([^}]*)\}/g)].flatMap(([, type, list]) =>
    (list ?? '')
      .split(',')
      .map((name) => name.trim())
      .filter((name) => name !== '')
      .map((name) => {
        const isType = type !== undefined || name.startsWith('type ');
        return `${isType ? 'type ' : ''}${name.replace(/^type /, '').replace(/^.* as /, '')}`;
      }),
  );
  t.matchSnapshot(names.sort().join('\n'));
  t.end();
});
