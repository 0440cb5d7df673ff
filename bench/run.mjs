/**
 * `npm run bench -- NAME`: runs `bench/NAME.ts`, prints its table and writes `bench/results/NAME.json`; without a name, the list.
 * A bench exports `run(args, kept)`, which measures both sides in one go on this machine; further arguments are its own: of a table that they
 * made smaller, the rows take the place of those before. A long one has what it measured so far kept: `kept.rows` are those of today, `kept.keep(rows, notes)` writes. Without rows nothing is
 * written. It may export `figures(rows, machine)`, which draws what all rows that are kept have measured.
 * `patchstream` in it is the built library.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { isMain } from '../scripts/lib/main.mjs';

/**
 * One comparison. `ratio` is above 1 when ours is better, whichever way the unit counts.
 *
 * @typedef {{ what: string, ours: number, theirs: number, unit: string, ratio: number, more?: string }} Row
 */

/**
 * One check of numbers: the run fails where the error is above the tolerance.
 *
 * @typedef {{ what: string, error: number, tolerance: number, where?: string }} Check
 */

/**
 * What could not be measured, and why.
 *
 * @typedef {{ what: string, missing: string }} Missing
 */

const folder = dirname(fileURLToPath(import.meta.url));

/** The names of all benches. */
function benches() {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts'))
    .map((name) => name.slice(0, -3));
}

/** What the numbers were measured on. */
function machine() {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    node: process.versions.node,
    date: new Date().toISOString().slice(0, 10),
  };
}

/** @param {number} value */
function number(value) {
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

/**
 * The rows as text, in aligned columns.
 *
 * @param {readonly (Row | Check | Missing)[]} rows
 */
export function table(rows) {
  const checks = rows.some((row) => 'tolerance' in row);
  const head = checks ? ['what', 'error', 'tolerance', 'where'] : ['what', 'ours', 'theirs', 'unit', 'ratio'];
  const lines = [head, ...rows.map(cells)];
  const widths = lines[0]?.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0))) ?? [];
  const right = new Set(checks ? [1, 2] : [1, 2, 4]);
  return lines
    .map((line) =>
      line
        .map((cell, column) =>
          right.has(column) ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** @param {Row | Check | Missing} row */
function cells(row) {
  if ('missing' in row) return [row.what, '', '', '', '', `not measured: ${row.missing}`];
  if ('tolerance' in row) {
    const { what, error, tolerance, where = '' } = row;
    return [what, error.toExponential(1), tolerance.toExponential(0), failed(row) ? `${where} FAILED`.trim() : where];
  }
  const { what, ours, theirs, unit, ratio, more } = row;
  return [what, number(ours), number(theirs), unit, `${ratio.toFixed(2)}×`, ...(more === undefined ? [] : [more])];
}

/** @param {Row | Check | Missing} row */
function failed(row) {
  return 'tolerance' in row && !(row.error <= row.tolerance);
}

/**
 * Results with the rows of a run of part of the bench in the place of those they repeat. One table never mixes two machines, or two days: rows of another day stay only in
 * tables (`kind`) of which this run has measured nothing, and say the day; those of another machine are dropped.
 *
 * @template {{ what: string, kind?: string, date?: string }} R
 * @template {{ machine: { date: string }, rows: readonly R[] }} T
 * @param {T} before
 * @param {T} fresh
 * @returns {T}
 */
export function merged(before, fresh) {
  const { date } = before.machine;
  const today = fresh.machine.date;
  if (JSON.stringify({ ...before.machine, date: today }) !== JSON.stringify(fresh.machine)) return fresh;
  const renewed = new Map(fresh.rows.map((row) => [row.what, row]));
  const touched = new Set(fresh.rows.map(({ kind }) => kind));
  const rows = before.rows
    .map((row) => renewed.get(row.what) ?? (date === today ? row : { date, ...row }))
    .filter((row) => row.date === undefined || row.date === today || !touched.has(row.kind));
  const present = new Set(rows.map(({ what }) => what));
  return { ...fresh, rows: [...rows, ...fresh.rows.filter(({ what }) => !present.has(what))] };
}

/** @typedef {{ rows: readonly any[], keep: (rows: readonly any[], notes: readonly string[]) => void }} Kept */

/**
 * @param {string | undefined} name
 * @param {readonly string[]} args
 */
async function main(name, args) {
  if (name === undefined || !existsSync(join(folder, `${name}.ts`))) {
    console.log(`npm run bench -- NAME, where NAME is one of: ${benches().join(', ') || '(none yet)'}`);
    return name === undefined ? 0 : 1;
  }
  // The sources inside `../src/` and the library are two copies of one code: a bench uses the one or the other.
  await import('../scripts/lib/typescript.mjs');
  /**
   * @type {{
   *   run?: (args: readonly string[], kept: Kept) => Promise<{ rows: (Row | Check | Missing)[], notes?: readonly string[] }>,
   *   figures?: (rows: readonly (Row | Check | Missing)[], machine: object) => Readonly<Record<string, string>>,
   * }}
   */
  const bench = await import(pathToFileURL(join(folder, `${name}.ts`)).href);
  if (bench.run === undefined) throw new Error(`bench/${name}.ts must export run(); it does not.`);
  const path = join(folder, 'results', `${name}.json`);
  const before = existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : undefined;
  const here = machine();
  /** @type {(rows: readonly (Row | Check | Missing)[], notes: readonly string[], whole: boolean) => { rows: (Row | Check | Missing)[] }} */
  const keep = (rows, notes, whole) => {
    const fresh = { name, machine: here, notes, rows };
    const results = whole || before === undefined ? fresh : merged(before, fresh);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(`${path}.tmp`, `${JSON.stringify(results, null, 2)}\n`);
    renameSync(`${path}.tmp`, path);
    return results;
  };
  const ofToday =
    JSON.stringify(before?.machine) === JSON.stringify(here)
      ? before.rows.filter((/** @type {{ date?: string }} */ { date = here.date }) => date === here.date)
      : [];
  const { rows, notes = [] } = await bench.run(args, {
    rows: ofToday,
    keep: (rows, notes) => void keep(rows, notes, false),
  });
  if (rows.length > 0) console.log(table(rows));
  for (const note of notes) console.log(note);
  if (rows.length === 0) return 0;
  const status = rows.some(failed) ? 1 : 0;
  const kept = keep(rows, notes, args.length === 0);
  console.log(`\nbench/results/${name}.json`);
  for (const [figure, text] of Object.entries(bench.figures?.(kept.rows, here) ?? {})) {
    writeFileSync(join(folder, '..', figure), text);
    console.log(figure);
  }
  return status;
}

if (isMain(import.meta.url)) process.exitCode = await main(process.argv[2], process.argv.slice(3));
