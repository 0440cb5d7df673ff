import t from 'tap';
import { TapLines } from '../../scripts/lib/tap-lines.mjs';

const tap = `TAP version 14
# Subtest: test/a.test.ts
    # Subtest: one
        ok 1 - x
        1..1
    ok 1 - one # time=1ms
    1..1
ok 1 - test/a.test.ts # time=2345.6ms

# Subtest: test/b.test.ts
    # Subtest: two
        ok 1 - fine
        not ok 2 - values
          ---
          diff: |
            -1
            +2
          ...
        1..2
        # failed 1 of 2 tests
    not ok 1 - two # time=3ms
    1..1
    # failed 1 test
not ok 2 - test/b.test.ts # time=10ms

ok 3 - test/c.test.ts # SKIP no compiler
not ok 4 - timeout!
  ---
  expired: test/d.test.ts
  ...
`;

const wanted = [
  'PASS  test/a.test.ts  2.3 s',
  'FAIL  test/b.test.ts  0.0 s',
  '              not ok 2 - values',
  '                ---',
  '                diff: |',
  '                  -1',
  '                  +2',
  'SKIP  test/c.test.ts  no compiler',
  'FAIL  timeout!  0.0 s',
  '        ---',
  '        expired: test/d.test.ts',
  '        ...',
];

t.test('a line for each file, and what failed in it, however the text is cut', (t) => {
  for (const size of [1, 7, tap.length]) {
    const lines: string[] = [];
    const reader = new TapLines((line) => lines.push(line));
    for (let at = 0; at < tap.length; at += size) reader.read(tap.slice(at, at + size));
    t.same(lines, wanted);
  }
  t.end();
});

t.test('files whose results stand in braces behind their line', (t) => {
  const lines: string[] = [];
  const reader = new TapLines((line) => lines.push(line));
  reader.read(
    'not ok 1 - test/a.test.ts # time=5ms {\n    not ok 1 - z\n      ---\n      found: 1\n      ...\n    1..1\n}\n',
  );
  t.same(lines, ['FAIL  test/a.test.ts  0.0 s', '          not ok 1 - z', '            ---', '            found: 1']);
  t.end();
});

t.test('a file whose process has died without a failed assert says how', (t) => {
  const lines: string[] = [];
  new TapLines((line) => lines.push(line)).read(
    '    ok 1 - fine # time=1ms\n    1..1\nnot ok 1 - test/a.test.ts # time=5ms\n  ---\n  command: env\n  exitCode: null\n  signal: SIGABRT\n  ...\n\nok 2 - test/b.test.ts # time=5ms\n',
  );
  t.same(lines, [
    'FAIL  test/a.test.ts  0.0 s',
    '          ok 1 - fine # time=1ms',
    '          1..1',
    '        exitCode: null',
    '        signal: SIGABRT',
    'PASS  test/b.test.ts  0.0 s',
  ]);
  t.end();
});

const shared = `TAP version 14
# Subtest: 3 files in one process
    # Subtest: test/a.test.ts
        # Subtest: one
            ok 1 - fine
            1..1
        ok 1 - one # time=1ms
        1..1
    ok 1 - test/a.test.ts # time=1200ms
    # Subtest: test/b.test.ts
        # Subtest: two
            not ok 1 - values
              ---
              found: 1
              ...
            1..1
        not ok 1 - two # time=3ms
        1..1
    not ok 2 - test/b.test.ts # time=20ms
      ---
      at:
        fileName: scripts/lib/run-together.mjs
      ...
`;
const failed = [
  'PASS  test/a.test.ts  1.2 s',
  'FAIL  test/b.test.ts  0.0 s',
  '              not ok 1 - values',
  '                ---',
  '                found: 1',
];

t.test('files that share a process stand as if each had its own', (t) => {
  const linesOf = (text: string) => {
    const lines: string[] = [];
    new TapLines((line) => lines.push(line)).read(text);
    return lines;
  };
  const end = (exit: string, signal: string) =>
    `not ok 1 - 3 files in one process # time=300ms\n  ---\n  command: env\n  exitCode: ${exit}\n  signal: ${signal}\n  ...\n`;
  t.same(linesOf(`${shared}    1..2\n${end('1', 'null')}`), failed);
  const passed =
    '# Subtest: 3 files in one process\n    # Subtest: test/a.test.ts\n    ok 1 - test/a.test.ts # time=1ms\n    1..1\n';
  t.same(linesOf(`${passed}ok 1 - 3 files in one process # time=1ms\n`), ['PASS  test/a.test.ts  0.0 s']);
  t.same(linesOf(`${passed}${end('7', 'null')}`), [
    'PASS  test/a.test.ts  0.0 s',
    'FAIL  3 files in one process',
    '        exitCode: 7',
    '        signal: null',
  ]);
  t.end();
});

t.test('a long failure is cut', (t) => {
  const lines: string[] = [];
  const more = Array.from({ length: 100 }, (_, i) => `      +${i}`).join('\n');
  new TapLines((line) => lines.push(line)).read(
    `    not ok 1 - z\n      ---\n${more}\n      ...\nnot ok 1 - a # time=1ms\n`,
  );
  t.equal(lines.length, 1 + 60 + 1);
  t.match(lines.at(-1), /42 lines more/);
  t.end();
});

t.test('of a file that failed without an assert that did, the end of its output is shown', (t) => {
  const lines: string[] = [];
  new TapLines((line) => lines.push(line)).read(`# Subtest: test/a.test.ts
    ok 1 - fine
    what is no TAP
not ok 1 - test/a.test.ts # time=10ms
`);
  t.same(lines, [
    'FAIL  test/a.test.ts  0.0 s',
    '      # Subtest: test/a.test.ts',
    '          ok 1 - fine',
    '          what is no TAP',
  ]);
  t.end();
});
