import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import t from 'tap';
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
