import { readFileSync } from 'node:fs';
import t from 'tap';
import { errorsPage } from '../../scripts/docs.mjs';
import { catalogue } from '../../src/errors.ts';

t.test('codes are words in capitals', (t) => {
  t.same(
    Object.keys(catalogue).filter((code) => !/^[A-Z_]+$/.test(code)),
    [],
  );
  t.end();
});

t.test('docs/errors.md is the catalogue (npm run docs writes it)', (t) => {
  t.equal(readFileSync('docs/errors.md', 'utf8'), errorsPage(catalogue));
  t.end();
});
