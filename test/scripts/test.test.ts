import t from 'tap';
import { readTotals, testFiles } from '../../scripts/test.mjs';

t.test('the last line is made from the totals of the runner', (t) => {
  t.match(readTotals('# { total: 12, pass: 12 }\n', 0), { failed: 0, line: '12 passed, 0 failed' });
  t.match(readTotals('# { total: 9, pass: 5, fail: 2, todo: 1, skip: 1 }\n', 1), {
    line: '5 passed, 2 failed, 2 skipped',
  });
  t.match(readTotals('# { total: 1, pass: 1 }\nmore\n# { total: 3, pass: 3 }\n', 0), { line: '3 passed, 0 failed' });
  t.end();
});

t.test('no totals, no tests and a bad end are failures', (t) => {
  t.match(readTotals('', 0), { line: '0 passed, 1 failed' });
  t.match(readTotals('# { total: 0 }\n', 0), { line: '0 passed, 1 failed' });
  t.match(readTotals('# { total: 2, skip: 2 }\n', 0), { line: '0 passed, 1 failed, 2 skipped' });
  t.match(readTotals('# { total: 4, pass: 4 }\n', 1), { line: '4 passed, 1 failed' });
  t.end();
});

t.test('long tests run only when they are asked for', (t) => {
  const folder = t.testdir({
    test: { 'a.test.ts': '', 'kit.ts': '', long: { 'b.test.ts': '' }, x: { 'c.test.ts': '' } },
  });
  t.same(testFiles(folder, false), ['test/a.test.ts', 'test/x/c.test.ts']);
  t.same(testFiles(folder, true), ['test/a.test.ts', 'test/long/b.test.ts', 'test/x/c.test.ts']);
  t.end();
});
