import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { readTotals } from '../../scripts/test.mjs';

/** Seconds: far more than a file that only passes takes on a busy machine, since one that hangs is to be the only one that meets the limit. */
const limit = 90;

t.test(
  'a file that hangs is ended by its limit, counts as one failure, and the totals of the rest are kept',
  async (t) => {
    const folder = t.testdir({
      'ends.test.mjs': `import t from 'tap'; t.pass('one'); t.pass('two');`,
      'hangs.test.mjs': `import t from 'tap'; t.test('hangs', async (t) => { t.pass(); await new Promise(() => setInterval(() => {}, 1e6)); });`,
    });
    const output = join(folder, 'output.tap');
    const runner = [
      'node_modules/tap/dist/esm/run.mjs',
      '--reporter=base',
      `--output-file=${output}`,
      `--timeout=${limit}`,
    ];
    const files = ['ends.test.mjs', 'hangs.test.mjs'].map((name) => join(folder, name));
    const { status } = spawnSync(process.execPath, [...runner, ...files], {
      encoding: 'utf8',
      env: { ...process.env, CI: 'true' },
    });
    const { passed, failed, line } = readTotals(readFileSync(output, 'utf8'), status ?? 1);
    t.equal(failed, 1, line);
    t.ok(passed >= 2, line);
  },
);
