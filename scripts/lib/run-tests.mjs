/**
 * `node scripts/lib/run-tests.mjs SECONDS FILE…` runs test files by tap, one process more at a time than there are cores, and writes TAP. A process may take so many seconds; a
 * file has one of its own or shares one (test-processes.mjs). The command `tap` would start files behind three module hooks of its own (mocks, coverage, its own
 * compiler), which took a tenth of the processor time of all tests; no test of ours needs them.
 */
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { t } from 'tap';
import { importedBy, testProcesses } from './test-processes.mjs';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const typescript = join(root, 'scripts', 'lib', 'typescript.mjs');
const together = join(root, 'scripts', 'lib', 'run-together.mjs');
const [seconds, ...files] = process.argv.slice(2);

/**
 * With the C library's defaults a process keeps what its largest pictures took, up to hundreds of MiB and never twice the same. A file that measures what is held (test/kit/runs/memory.ts)
 * runs with limits under which the allocator hands back what was freed.
 */
const handsBack = { MALLOC_MMAP_THRESHOLD_: '65536', MALLOC_TRIM_THRESHOLD_: '131072' };
const memory = join('test', 'kit', 'runs', 'memory.ts');

// One more than cores: tests wait for disks, timers and children.
t.jobs = availableParallelism() + 1;
t.setTimeout(0);
for (const group of testProcesses(root, files)) {
  const [file, ...more] = group;
  if (file === undefined) continue;
  if (more.length === 0) alone(file);
  else sharing(group);
}

/** @param {string} file */
function alone(file) {
  start(file, [file], importedBy(root, file).has(memory) ? handsBack : {});
}

/**
 * The process of several files. Where it dies, the file that it was at has failed, and those behind it run alone.
 *
 * @param {string[]} files
 */
function sharing(files) {
  const [begun, ended] = [new Set(), new Set()];
  const run = start(`${files.length} files in one process`, [together, ...files]);
  run.subtest?.parser.on('child', ({ name }) => begun.add(name));
  run.subtest?.parser.on('assert', ({ name }) => ended.add(name));
  run.then(() => {
    const { exitCode, signal } = run.subtest?.options ?? {};
    for (const file of files)
      if (!begun.has(file)) alone(file);
      else if (!ended.has(file)) t.fail(file, { exitCode, signal, at: null, stack: '' });
  });
}

/**
 * Through `env`, since tap hands its hooks on in this variable, to every process that a test starts too.
 *
 * @param {string} name
 * @param {string[]} args
 * @param {Record<string, string>} [set]
 */
function start(name, args, set = {}) {
  return t.spawn('env', ['-u', 'NODE_OPTIONS', process.execPath, '--import', typescript, ...args], {
    name,
    cwd: root,
    buffered: true,
    timeout: Number(seconds) * 1000,
    env: { ...process.env, ...set, TAP_TIMEOUT: String(seconds) },
    at: null,
    stack: '',
  });
}
