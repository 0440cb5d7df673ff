import { spawnSync } from 'node:child_process';
import { basename, join } from 'node:path';
import { filesBelow } from '../lib/stamp.mjs';

/** So that a fault is seen, told with its place, and ends the program. */
export const sanitizing = ['-g', '-O1', '-fno-omit-frame-pointer', '-fno-sanitize-recover=all'];

/** What of native/image knows JavaScript and threads; the rest is plain functions. */
export const rendererDoors = ['addon.cc', 'pool.cc', 'calls.cc', 'readers.cc'];

/**
 * The sources of a native part.
 *
 * @param {string} folder
 * @param {readonly string[]} without names of files
 */
export function sourcesOf(folder, without = []) {
  return filesBelow(folder, '.')
    .filter((name) => name.endsWith('.cc') && !name.startsWith('build/') && !without.includes(basename(name)))
    .map((name) => join(folder, name));
}

/**
 * What options count, as they were given. One that is no number would count as none: nothing would be done, and end well.
 *
 * @param {Readonly<Record<string, string | undefined>>} given
 * @param {Readonly<Record<string, number>>} least by the options that are to be counts
 */
export function checkCounts(given, least) {
  for (const [name, from] of Object.entries(least)) {
    if (/^\d{1,9}$/.test(given[name] ?? '') && Number(given[name]) >= from) continue;
    throw new Error(`--${name} must be a whole number from ${from}; got: ${given[name]}`);
  }
}

/**
 * Runs a program and answers whether it ended well; says so where it did not.
 *
 * @param {string} program
 * @param {readonly string[]} args
 * @param {Readonly<Record<string, string>>} environment beside the process's own
 */
export function endsWell(program, args, environment) {
  const { status, signal } = spawnSync(program, args, { stdio: 'inherit', env: { ...process.env, ...environment } });
  if (status !== 0) console.log(`${program} ended with ${signal ?? status}.`);
  return status === 0;
}
