import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, watch } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { filesBelow, readIfThere } from '../lib/stamp.mjs';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** Files that hold times, or what is made of them. */
const timed = /^(events\.jsonl|metrics\.jsonl|finished\.json|report\.html|arrivals\.jsonl)$/;

/** @typedef {import('./cases.mjs').Case} Case */
/** @typedef {{ afterMs?: number, afterChanges?: number }} Kill when it comes, from the start of the run on: after a time, or so many changes of files */

/**
 * Runs `one` undisturbed, then killed and begun again until it is done, as often as it takes for `kills` kills.
 *
 * @param {Case} one
 * @param {{ folder: string, kills: number, seed: number, say: (line: string) => unknown }} options
 */
export async function disturb(one, { folder, kills, seed, say }) {
  /** @type {string[]} */
  const differences = [];
  const wanted = await undisturbed(one, join(folder, 'undisturbed'), differences);
  const random = numbers(seed);
  let killed = 0;
  let runs = 0;
  while (killed < kills && differences.length === 0) {
    const home = join(folder, `killed-${runs++}`);
    one.prepare(made(home));
    let starts = 0;
    for (;;) {
      const kill = killed < kills ? nextKill(random, wanted, killed) : undefined;
      // The last run is given all that has not arrived yet.
      const last = kill === undefined ? (one.arrivals ?? 0) : Math.min(starts + 1, one.arrivals ?? 0);
      for (let n = starts; n < last; n++) one.arrive?.(home, n);
      starts++;
      const { code, signal, said } = await run(one, home, kill);
      if (signal !== 'SIGKILL') {
        if (code !== endOf(one)) differences.push(`run ${runs} ended with ${code ?? signal}: ${said.slice(-500)}`);
        break;
      }
      killed++;
      say(`${one.name}: killed ${killed} of ${kills}`);
    }
    differences.push(...(await compared(one, wanted.contents, home)).map((what) => `run ${runs}: ${what}`));
  }
  return { differences, kills: killed, runs };
}

/** The exit code of a good end: what is watched ends by SIGTERM. @param {Case} one */
const endOf = (one) => (one.watched ? 143 : 0);

/** @param {Case} one @param {string} home @param {string[]} differences */
async function undisturbed(one, home, differences) {
  one.prepare(made(home));
  for (let n = 0; n < (one.arrivals ?? 0); n++) one.arrive?.(home, n);
  const { code, said, ms, changes } = await run(one, home);
  if (code !== endOf(one)) differences.push(`the undisturbed run ended with ${code}: ${said.slice(-500)}`);
  return { ms, changes, contents: await contentsOf(one, join(home, 'out')) };
}

/**
 * Every other kill comes at a moment, the others as soon as a file has changed, which is where something may lie there in half.
 *
 * @param {() => number} random
 * @param {{ ms: number, changes: number }} undisturbed how long it takes, and how often a file changes
 * @param {number} n
 * @returns {Kill}
 */
function nextKill(random, { ms, changes }, n) {
  return n % 2 === 0 ? { afterMs: random() * ms } : { afterChanges: 1 + Math.floor(random() * changes) };
}

/**
 * One start, to its end. A kill counts from the event that says that the run has begun; what is watched ends, one way or the other, when all that has arrived
 * is written.
 *
 * @param {Case} one
 * @param {string} home
 * @param {Kill} [kill]
 */
async function run(one, home, kill) {
  const output = made(join(home, 'out'));
  const before = startsOf(output);
  const child = spawn(
    process.execPath,
    [
      join(root, 'bin', 'patchstream.mjs'),
      'run',
      join(home, 'pipeline.yaml'),
      '--json',
      '--set',
      `output=${output}`,
    ].concat(one.args ?? []),
    // One thread, as floating-point sums depend on how many there are; what earlier runs have found of this machine is no part of it.
    { env: { ...process.env, OMP_NUM_THREADS: '1', PATCHSTREAM_CACHE: 'off' }, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let said = '';
  let complete = false;
  let began = 0;
  let changes = 0;
  /** @type {NodeJS.Timeout | undefined} */
  let timer;
  const watcher = watch(output, { recursive: true }, () => {
    if (began === 0) {
      if (startsOf(output) === before) return;
      began = performance.now();
      if (kill?.afterMs !== undefined) timer = setTimeout(() => child.kill('SIGKILL'), kill.afterMs);
    }
    if (++changes === kill?.afterChanges) child.kill('SIGKILL');
  });
  // A folder may go while it is looked at.
  watcher.on('error', () => {});
  createInterface(child.stdout).on('line', (line) => {
    said += `${line}\n`;
    if (!one.watched) return;
    // What an earlier start has written to the last file says nothing more of it: there is nothing left to wait for.
    const { type, code, written } = JSON.parse(line);
    complete ||= code === 'WATCH_WRITTEN' || (type === 'started' && written === one.total?.(home));
    // A second signal would end it at once.
    if (complete && began > 0 && !child.killed) child.kill(kill === undefined ? 'SIGTERM' : 'SIGKILL');
  });
  child.stderr.setEncoding('utf8').on('data', (text) => {
    said += text;
  });
  const [code, signal] = await new Promise((resolve) => child.on('close', (...ended) => resolve(ended)));
  clearTimeout(timer);
  watcher.close();
  return { code, signal, said, ms: performance.now() - began, changes };
}

/** How many runs have begun in the folder. @param {string} output */
function startsOf(output) {
  return readIfThere(join(output, 'events.jsonl')).split('"event":"start"').length - 1;
}

/**
 * What differs between what the killed run has left in `home` and `wanted`.
 *
 * @param {Case} one
 * @param {Map<string, Uint8Array | string>} wanted
 * @param {string} home
 */
async function compared(one, wanted, home) {
  const found = await contentsOf(one, join(home, 'out'));
  const differences = [];
  for (const [name, content] of wanted) {
    const ours = found.get(name);
    if (ours === undefined) differences.push(`${name} is missing`);
    else if (digest(ours) !== digest(content)) differences.push(`${name} differs`);
  }
  for (const name of found.keys()) if (!wanted.has(name)) differences.push(`${name} is left over`);
  return differences;
}

/**
 * Names and contents of all that a run has left. Of files that hold times the name counts alone, of a training's metrics what each step was given.
 *
 * @param {Case} one
 * @param {string} output
 * @returns {Promise<Map<string, Uint8Array | string>>}
 */
async function contentsOf(one, output) {
  const files = filesBelow(output, '.').map((name) => name.replace(/^\.\//, ''));
  /** @type {Map<string, Uint8Array | string>} */
  const contents = new Map(
    files
      // What is compared by its contents may lie in other files.
      .filter((name) => one.contents === undefined || !name.includes('/'))
      .map((name) => [name, one.contents !== undefined || timed.test(name) ? '' : readFileSync(join(output, name))]),
  );
  // The record of a sink names what a kill has cut short, too: of that nothing is left.
  if (contents.get('written.jsonl') !== undefined && one.contents === undefined)
    contents.set('written.jsonl', finishedIn(join(output, 'written.jsonl')));
  if (contents.has('metrics.jsonl')) contents.set('metrics.jsonl', stepsOf(join(output, 'metrics.jsonl')));
  for (const [name, content] of (await one.contents?.(output)) ?? []) contents.set(`record ${name}`, content);
  return contents;
}

/** The rows of a sink's record that name a finished file. @param {string} path */
function finishedIn(path) {
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter((row) => row.includes('"file":'))
    .join('\n');
}

/** Step, samples and loss of each row: every step once, with the samples that it had without a kill. @param {string} path */
function stepsOf(path) {
  // A run that has failed before its first step leaves none.
  const rows = readFileSync(path, 'utf8')
    .split('\n')
    .filter((row) => row !== '')
    .map((row) => JSON.parse(row));
  return rows.map(({ step, keys, loss, gradNorm }) => `${step} ${keys} ${loss} ${gradNorm}\n`).join('');
}

/** @param {Uint8Array | string} content */
const digest = (content) =>
  createHash('sha256')
    .update(typeof content === 'string' ? content : new Uint8Array(content))
    .digest('hex');

/** @param {string} folder */
function made(folder) {
  mkdirSync(folder, { recursive: true });
  return folder;
}

/** Numbers in [0, 1), the same for the same seed: mulberry32. @param {number} seed */
function numbers(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
