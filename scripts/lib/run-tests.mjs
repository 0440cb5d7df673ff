/**
 * `node scripts/lib/run-tests.mjs SECONDS FILE…` runs test files by tap, as many at a time as there are cores, each in a process of its own that may take so many seconds, and
 * writes TAP. The command `tap` would do the same behind three module hooks of its own (mocks, coverage, its own compiler), which took a tenth of the
 * processor time of all tests; no test of ours needs them.
 */
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { t } from 'tap';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const typescript = join(root, 'scripts', 'lib', 'typescript.mjs');
const [seconds, ...files] = process.argv.slice(2);

t.jobs = availableParallelism();
t.setTimeout(0);
// Through `env`, since tap hands its hooks on in this variable, to every process that a test starts too.
for (const file of files)
  t.spawn('env', ['-u', 'NODE_OPTIONS', process.execPath, '--import', typescript, file], {
    name: file,
    cwd: root,
    buffered: true,
    timeout: Number(seconds) * 1000,
    env: { ...process.env, TAP_TIMEOUT: String(seconds) },
    at: null,
    stack: '',
  });
