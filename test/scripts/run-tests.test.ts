import { spawnSync } from 'node:child_process';
import { join, relative } from 'node:path';
import t from 'tap';
import { TapLines } from '../../scripts/lib/tap-lines.mjs';
import { readTotals } from '../../scripts/test.mjs';

t.test('files run beside each other: one that dies is a failure, and what it and the others said counts', (t) => {
  const folder = t.testdir({
    'dies.test.mjs': "import t from 'tap'; t.ok(true); t.ok(true); process.kill(process.pid, 'SIGKILL');",
    'passes.test.ts':
      "import t from 'tap'; const n: number = 1; t.equal(n, 1); t.test('later', { skip: 'x' }, () => {});",
  });
  const files = ['dies.test.mjs', 'passes.test.ts'].map((name) => join(folder, name));
  const { stdout, status } = spawnSync(process.execPath, ['scripts/lib/run-tests.mjs', '600', ...files], {
    encoding: 'utf8',
    // As a run of its own, not a part of this one.
    env: { PATH: process.env.PATH, TAP_CHILD_ID: '' },
  });
  t.match(readTotals(stdout, status ?? 1), { failed: 1, skipped: 1 });
  t.match(stdout, /^not ok \d - .*dies\.test\.mjs/m);
  t.match(stdout, /^ok \d - .*passes\.test\.ts/m);
  t.equal(status, 1);
  t.end();
});

t.test(
  'files that share a process: each is told, one that dies is a failure, and those behind it run all the same',
  (t) => {
    const passes =
      "import t from 'tap'; t.test('passes', (t) => { t.ok(true); t.ok(t.testdir().endsWith('-passes')); t.end(); });";
    const folder = t.testdir({
      test: {
        'a.test.ts': passes,
        'b.test.ts': "import t from 'tap'; t.test('fails', async (t) => { t.ok(true); t.equal(1, 2); });",
        'c.test.ts':
          "import { spawnSync } from 'node:child_process'; import t from 'tap'; t.ok(true); spawnSync('kill', ['-9', process.pid]);",
        'd.test.ts': passes,
        'e.test.ts': "import t from 'tap'; t.test('more', async (t) => t.ok(true)); throw new Error('broken');",
      },
    });
    const files = ['a', 'b', 'c', 'd', 'e'].map((name) =>
      join(relative(process.cwd(), folder), `test/${name}.test.ts`),
    );
    const { stdout, status } = spawnSync(process.execPath, ['scripts/lib/run-tests.mjs', '600', ...files], {
      encoding: 'utf8',
      env: { PATH: process.env.PATH, TAP_CHILD_ID: '' },
    });
    t.match(readTotals(stdout, status ?? 1), { failed: 3 });
    const lines: string[] = [];
    new TapLines((line) => lines.push(line)).read(stdout);
    t.same(
      lines.filter((line) => /^\S/.test(line)).map((line) => line.replace(/^(\w+) .*(.)\.test\.ts.*$/, '$1 $2')),
      ['PASS a', 'FAIL b', 'FAIL c', 'PASS d', 'FAIL e'],
    );
    t.end();
  },
);

t.test('a file without a test is told as skipped, whether it shares its process or not', (t) => {
  const folder = t.testdir({
    'a.test.ts': "import t from 'tap'; t.ok(true);",
    'b.test.ts': "import 'tap';",
    'c.test.ts': "import t from 'tap'; t.test('later', async (t) => { t.ok(true); });",
  });
  const files = ['a', 'b', 'c'].map((name) => join(relative(process.cwd(), folder), `${name}.test.ts`));
  for (const [named, counts] of [
    [files, { passed: 2, failed: 0, skipped: 1 }],
    [files.slice(1, 2), { passed: 0, skipped: 1 }],
  ] as const) {
    const { stdout, status } = spawnSync(process.execPath, ['scripts/lib/run-tests.mjs', '600', ...named], {
      encoding: 'utf8',
      env: { PATH: process.env.PATH, TAP_CHILD_ID: '' },
    });
    t.match(readTotals(stdout, status ?? 1), counts);
    t.match(stdout, /^ *ok \d - .*b\.test\.ts.* # (time=\S+ )?SKIP no tests found/m);
  }
  t.end();
});

t.test('files that share a process begin on the backend that tfjs has alone', (t) => {
  const begins = `import { createRequire } from 'node:module';
    import t from 'tap';
    const tf = createRequire('${join(process.cwd(), 'scripts')}/')('@tensorflow/tfjs');
    t.not(tf.getBackend(), 'other');
    tf.registerBackend('other', () => new tf.KernelBackend());
    t.ok(await tf.setBackend('other'));`;
  const folder = t.testdir({ 'a.test.ts': begins, 'b.test.ts': begins });
  const files = ['a', 'b'].map((name) => join(relative(process.cwd(), folder), `${name}.test.ts`));
  const { stdout, status } = spawnSync(process.execPath, ['scripts/lib/run-tests.mjs', '600', ...files], {
    encoding: 'utf8',
    env: { PATH: process.env.PATH, TAP_CHILD_ID: '' },
  });
  t.match(stdout, /2 files in one process/);
  t.equal(status, 0, stdout);
  t.end();
});
