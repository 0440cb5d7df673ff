/**
 * `npm test [-- files or options of tap]`, with `--long` also test/long. The last line is `N passed, N failed`, and `, N skipped` when there are any, taken
 * from the runner's own totals. The exit code is not 0 when a test failed, none ran, or the runner broke off.
 */
import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isMain } from './lib/main.mjs';
import { filesBelow } from './lib/stamp.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/**
 * Reads the runner's totals from the end of its output. A runner that ended badly without a failed test (a crash, a time-out of a file) counts as one
 * failure: the line must not say that all is well when the exit code does not.
 *
 * @param {string} output
 * @param {number} status
 */
export function readTotals(output, status) {
  const totals = [...output.matchAll(/^# \{ total: (\d+)([^}]*)\}/gm)].at(-1);
  /** @param {string} name */
  const number = (name) => Number(new RegExp(`\\b${name}: (\\d+)`).exec(totals?.[2] ?? '')?.[1] ?? 0);
  const passed = number('pass');
  const skipped = number('skip') + number('todo');
  const broken = status !== 0 || Number(totals?.[1] ?? 0) - skipped === 0;
  const failed = Math.max(number('fail'), broken ? 1 : 0);
  return {
    passed,
    failed,
    skipped,
    line: `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`,
  };
}

/**
 * The test files of a plain `npm test`, or with `long` all of them.
 *
 * @param {string} folder
 * @param {boolean} long
 */
export function testFiles(folder, long) {
  return filesBelow(folder, 'test').filter(
    (name) => name.endsWith('.test.ts') && (long || !name.startsWith('test/long/')),
  );
}

/** @param {string[]} args */
async function main(args) {
  const long = args.includes('--long');
  const passed = args.filter((arg) => arg !== '--long');
  const named = passed.some((arg) => /^[^-].*\.ts$/.test(arg));
  const files = named ? [] : testFiles(root, long);
  const tap = join(root, 'node_modules', 'tap', 'dist', 'esm', 'run.mjs');
  const options = ['--reporter=base', ...(long ? ['--timeout=1200'] : [])];
  const child = spawn(process.execPath, [tap, ...options, ...passed, ...files], {
    cwd: root,
    // A test must not see the production build of anything. CI keeps the reporter from drawing its progress over and over into our pipe.
    env: { OMP_NUM_THREADS: '1', ...process.env, NODE_ENV: 'test', CI: 'true' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.on('data', (chunk) => {
    process.stdout.write(chunk);
    output = (output + chunk).slice(-20_000);
  });
  const status = await new Promise((resolve) => {
    child.on('error', () => resolve(1));
    child.on('close', (code) => resolve(code ?? 1));
    // What a broken test left running may hold our pipe open for ever; the runner itself has said all by then.
    child.on('exit', () => setTimeout(() => child.stdout.destroy(), 2000).unref());
  });
  const { failed, line } = readTotals(output, status);
  process.stdout.write(`\n${line}\n`);
  process.exitCode = failed > 0 ? 1 : 0;
}

if (isMain(import.meta.url)) await main(process.argv.slice(2));
