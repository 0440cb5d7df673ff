/**
 * `npm test [-- FILE…]` runs the quick tests, or the named ones; `npm run test:all` (`--slow`) those of test/all, which install, kill, mutate thousands of
 * times or take minutes, and with them its soaks unless `--no-soaks`. `--snapshot` writes what the tests compare with anew. The last line is
 * `N passed, N failed`, and `, N skipped` when there are any, taken from the runner's own totals. The exit code is not 0 when a test failed, none ran, or the
 * runner broke off.
 */
import { spawn } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isMain } from './lib/main.mjs';
import { filesBelow } from './lib/stamp.mjs';
import { TapLines } from './lib/tap-lines.mjs';
import { sourceOf } from './lib/typescript-hooks.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/**
 * Seconds that a file may take, and one of test/all. A limit ends what hangs for ever, and a slow or busy machine must never meet it: it is many times what
 * the slowest file takes on two idle cores.
 */
const limits = { quick: 900, slow: 3600 };

const flags = ['--slow', '--no-soaks', '--snapshot'];

/**
 * Totals of a run from its TAP output. A runner that ended badly without a failed test (a crash) counts as one failure: the line must not say that
 * all is well when the exit code does not. Where the runner did not come to its totals, the results that it had written are counted.
 *
 * @param {string} tap
 * @param {number} status
 */
export function readTotals(tap, status) {
  const line = [...tap.matchAll(/^# \{ total: (\d+)([^}]*)\}/gm)].at(-1);
  /** @param {string} name */
  const number = (name) => Number(new RegExp(`\\b${name}: (\\d+)`).exec(line?.[2] ?? '')?.[1] ?? 0);
  const { total, passed, skipped, ...counted } =
    line === undefined
      ? countResults(tap)
      : {
          total: Number(line[1]),
          passed: number('pass'),
          failed: number('fail'),
          skipped: number('skip') + number('todo'),
        };
  const broken = status !== 0 || line === undefined || total - skipped === 0;
  const failed = Math.max(counted.failed, broken ? 1 : 0);
  return {
    passed,
    failed,
    skipped,
    line: `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`,
  };
}

/**
 * Counts the results in TAP that breaks off: those that do not close a subtest, whose own results stand above them, indented further.
 *
 * @param {string} tap
 */
function countResults(tap) {
  const counts = { total: 0, passed: 0, failed: 0, skipped: 0 };
  let above = -1;
  for (const [, indent, not, rest] of tap.matchAll(/^( *)(not )?ok\b(.*)$/gm)) {
    const depth = String(indent).length;
    const closes = depth < above;
    above = depth;
    if (closes) continue;
    counts.total++;
    if (/# (skip|todo)\b/i.test(String(rest))) counts.skipped++;
    else if (not !== undefined) counts.failed++;
    else counts.passed++;
  }
  return counts;
}

/**
 * The test files of a suite: the quick ones, or those of test/all, with its soaks or without.
 *
 * @param {string} folder
 * @param {{ slow?: boolean, soaks?: boolean }} [suite]
 */
export function testFiles(folder, { slow = false, soaks = false } = {}) {
  return filesBelow(folder, 'test').filter(
    (name) =>
      name.endsWith('.test.ts') &&
      name.startsWith('test/all/') === slow &&
      (soaks || !name.startsWith('test/all/soak/')),
  );
}

/**
 * A named test file, or those of a folder: the quick ones, or in test/all and below it those that are there.
 *
 * @param {string} folder
 * @param {string} name
 * @param {boolean} [soaks]
 */
export function testFilesOf(folder, name, soaks = true) {
  if (!statSync(join(folder, name)).isDirectory()) return [name];
  const within = join(name, '/');
  return testFiles(folder, { slow: within.startsWith('test/all/'), soaks }).filter((file) => file.startsWith(within));
}

/** @param {string[]} args */
async function main(args) {
  const named = args.filter((arg) => !flags.includes(arg));
  const strange = named.find((arg) => !existsSync(join(root, arg)));
  if (strange !== undefined) {
    process.stderr.write(`${strange}: neither a file or folder of this repository nor one of ${flags.join(', ')}.\n`);
    process.exitCode = 2;
    return;
  }
  const slow = args.includes('--slow');
  const soaks = !args.includes('--no-soaks');
  const files =
    named.length > 0 ? named.flatMap((name) => testFilesOf(root, name, soaks)) : testFiles(root, { slow, soaks });
  // In one process: in a fresh clone each of the hundreds of tests would otherwise load the compiler for the few files that it is the first to meet.
  for (const name of named.length > 0 ? [] : ['src', 'test', 'bench'].flatMap((folder) => filesBelow(root, folder)))
    if (name.endsWith('.ts')) sourceOf(join(root, name));
  const run = await tested(slow ? limits.slow : limits.quick, files, args.includes('--snapshot'));
  const { failed, line } = readTotals(run.tap, run.status);
  process.stdout.write(`\n${line}\n`);
  process.exitCode = failed > 0 ? 1 : 0;
}

/**
 * Runs test files by tap to their end; answers its exit code and what it has said.
 *
 * @param {number} limit
 * @param {string[]} files
 * @param {boolean} snapshot
 * @returns {Promise<{ status: number, tap: string }>}
 */
function tested(limit, files, snapshot) {
  const child = spawn(process.execPath, [join(root, 'scripts', 'lib', 'run-tests.mjs'), String(limit), ...files], {
    cwd: root,
    env: {
      OMP_NUM_THREADS: '1',
      ...process.env,
      // A test must not see the production build of anything, nor what an earlier run has found of this machine.
      NODE_ENV: 'test',
      PATCHSTREAM_CACHE: 'off',
      ...(snapshot ? { TAP_SNAPSHOT: '1' } : {}),
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = new TapLines((line) => process.stdout.write(`${line}\n`));
  let tap = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    tap += text;
    lines.read(text);
  });
  return new Promise((resolve) => {
    child.on('error', () => resolve({ status: 1, tap }));
    child.on('close', (code) => resolve({ status: code ?? 1, tap }));
    // What a broken test left running may hold our pipe open for ever; the runner itself has said all by then.
    child.on('exit', () => setTimeout(() => child.stdout.destroy(), 2000).unref());
  });
}

if (isMain(import.meta.url)) await main(process.argv.slice(2));
