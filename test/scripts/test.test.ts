import t from 'tap';
import { readTotals, testFiles, testFilesOf } from '../../scripts/test.mjs';

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

t.test('a runner that breaks off keeps the totals of what it had written, and counts as one failure', (t) => {
  const tap = `TAP version 14
# Subtest: test/a.test.ts
    # Subtest: one
        ok 1 - x
        ok 2 - y # SKIP not here
        1..2
    ok 1 - one # time=1ms
    not ok 2 - z
      ---
      found: ok
      ...
    ok 3 - later # TODO
    1..3
not ok 1 - test/a.test.ts # time=2ms

# Subtest: test/b.test.ts
    ok 1 - w
`;
  t.match(readTotals(tap, 137), { passed: 2, failed: 1, skipped: 2 });
  t.match(readTotals(tap.replace('not ok 2 - z', 'ok 2 - z'), 137), { passed: 3, failed: 1, skipped: 2 });
  t.end();
});

t.test('a file that is ended by its limit counts as one failure, and keeps the totals of the rest', (t) => {
  const tap = `ok 1 - test/a.test.ts # time=995ms

not ok 2 - timeout!
  ---
  expired: test/b.test.ts
  ...

# No coverage generated
# { total: 31, pass: 30, fail: 1 }
# time=59221.231ms
`;
  t.match(readTotals(tap, 1), { line: '30 passed, 1 failed' });
  t.end();
});

t.test('test/all is a suite of its own, and its soaks can be left out', (t) => {
  const folder = t.testdir({
    test: {
      'a.test.ts': '',
      'kit.ts': '',
      all: { 'b.test.ts': '', soak: { 'd.test.ts': '' } },
      x: { 'c.test.ts': '' },
    },
  });
  t.same(testFiles(folder), ['test/a.test.ts', 'test/x/c.test.ts']);
  t.same(testFiles(folder, { slow: true }), ['test/all/b.test.ts']);
  t.same(testFilesOf(folder, 'test/x'), ['test/x/c.test.ts']);
  t.same(testFilesOf(folder, 'test/x/c.test.ts'), ['test/x/c.test.ts']);
  t.same(testFilesOf(folder, 'test/all', false), ['test/all/b.test.ts'], 'of test/all, with --slow or without');
  t.same(testFiles(folder, { slow: true, soaks: true }), ['test/all/b.test.ts', 'test/all/soak/d.test.ts']);
  t.end();
});
