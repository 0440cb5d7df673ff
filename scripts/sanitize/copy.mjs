/** A copy of the tree whose addons are built with sanitizers, for tests in Node. */
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, cpSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildAddons } from '../lib/addons.mjs';
import { run, start } from '../lib/runner.mjs';
import { sanitizing } from './programs.mjs';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const compiler = process.env.CXX ?? 'g++';
const copied = ['native', 'src', 'test', 'scripts', 'fixtures', 'package.json', 'tsconfig.json'];

/**
 * Copies all but what is built.
 *
 * @param {string} work
 */
export function copyTree(work) {
  for (const name of copied) {
    cpSync(join(root, name), join(work, name), { recursive: true, filter: (path) => !path.endsWith('/build') });
  }
  symlinkSync(join(root, 'node_modules'), join(work, 'node_modules'));
}

/**
 * What Node needs to load an addon that is built with these sanitizers.
 *
 * @param {readonly string[]} libraries their names, as the compiler has them
 */
export const preloaded = (libraries) => ({
  LD_PRELOAD: libraries
    .map((name) => execFileSync(compiler, [`-print-file-name=${name}`], { encoding: 'utf8' }).trim())
    .join(' '),
});

/**
 * Builds addons of the copy as every addon is built, by a compiler that adds the sanitizers.
 *
 * @param {string} work
 * @param {readonly string[]} names
 * @param {string} sanitizers
 * @param {Readonly<Record<string, string>>} environment of Node, which tries each
 */
export async function buildCopy(work, names, sanitizers, environment) {
  const wrapper = join(work, 'compiler');
  writeFileSync(wrapper, `#!/bin/sh\nexec ${compiler} "$@" ${sanitizing.join(' ')} -fsanitize=${sanitizers}\n`);
  chmodSync(wrapper, 0o755);
  const well = await buildAddons(work, {
    env: { ...process.env, CXX: wrapper },
    platform: process.platform,
    runner: run,
    // The trial after the build loads it in Node.
    start: (command, args, options) =>
      start(command, args, command === process.execPath ? { ...options, env: environment } : options),
    say: console.log,
    again: false,
    only: names,
  });
  if (!well) throw new Error(`${names.join(', ')}: not built.`);
}

/**
 * Whether a test of the copy passes; what it says is shown where it does not.
 *
 * @param {string} work
 * @param {string} file
 * @param {Readonly<Record<string, string>>} environment
 */
export function passes(work, file, environment) {
  const typescript = join(work, 'scripts', 'lib', 'typescript.mjs');
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--import', typescript, file], {
    cwd: work,
    encoding: 'utf8',
    env: { ...process.env, ...environment, TAP_TIMEOUT: '3600' },
    maxBuffer: 2 ** 28,
  });
  const failed = stdout.split('\n').filter((line) => /^\s*not ok/.test(line));
  if (status !== 0) console.log([stderr.slice(-20_000), ...failed, `${file} failed.`].join('\n'));
  return status === 0;
}
