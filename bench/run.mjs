/**
 * `npm run bench -- NAME`: runs `bench/NAME.ts`, prints its table and writes `bench/results/NAME.json`; without a name, the list.
 * A bench exports `run()`, which measures both sides in one go on this machine. `patchstream` in it is the built library.
 */
import { existsSync, mkdirSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isMain } from '../scripts/lib/main.mjs';

/**
 * One comparison. `ratio` is above 1 when ours is better, whichever way the unit counts.
 *
 * @typedef {{ what: string, ours: number, theirs: number, unit: string, ratio: number }} Row
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
 * @param {readonly Row[]} rows
 */
export function table(rows) {
  const lines = [
    ['what', 'ours', 'theirs', 'unit', 'ratio'],
    ...rows.map(({ what, ours, theirs, unit, ratio }) => [
      what,
      number(ours),
      number(theirs),
      unit,
      `${ratio.toFixed(2)}×`,
    ]),
  ];
  const widths = lines[0]?.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0))) ?? [];
  const right = new Set([1, 2, 4]);
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

/** @param {string | undefined} name */
async function main(name) {
  if (name === undefined || !existsSync(join(folder, `${name}.ts`))) {
    console.log(`npm run bench -- NAME, where NAME is one of: ${benches().join(', ') || '(none yet)'}`);
    return name === undefined ? 0 : 1;
  }
  const { createJiti } = await import('jiti');
  // The sources inside `../src/` and the library are then two copies of one code: a bench uses the one or the other.
  const jiti = createJiti(import.meta.url, { alias: { patchstream: join(folder, '..', 'dist', 'index.js') } });
  /** @type {{ run?: () => Promise<{ rows: Row[] }> }} */
  const bench = await jiti.import(join(folder, `${name}.ts`));
  if (bench.run === undefined) throw new Error(`bench/${name}.ts must export run(); it does not.`);
  const { rows } = await bench.run();
  console.log(table(rows));
  const results = join(folder, 'results');
  mkdirSync(results, { recursive: true });
  const path = join(results, `${name}.json`);
  writeFileSync(`${path}.tmp`, `${JSON.stringify({ name, machine: machine(), rows }, null, 2)}\n`);
  renameSync(`${path}.tmp`, path);
  console.log(`\nbench/results/${name}.json`);
  return 0;
}

if (isMain(import.meta.url)) process.exitCode = await main(process.argv[2]);
