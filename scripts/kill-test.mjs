/**
 * `npm run kill-test -- [--kills N] [--seed S] [--only NAME]`: trainings and jobs that are killed N times each, at any moment after they have begun, and begun
 * again until they are done, beside the same ones undisturbed. What they leave must be equal bit for bit. The last line is `N passed, N failed`.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { cases } from './kill-test/cases.mjs';
import { disturb } from './kill-test/disturb.mjs';
import { isMain } from './lib/main.mjs';

/**
 * Kills each case `kills` times and compares. Answers what differs, by case; nothing where nothing does.
 *
 * @param {{ kills: number, seed?: number, only?: string | undefined, say?: (line: string) => unknown, skip?: (line: string) => unknown }} options
 * @returns {Promise<{ name: string, differences: string[], kills: number, runs: number }[]>}
 */
export async function killTest({ kills, seed = 7, only, say = () => {}, skip = say }) {
  const results = [];
  for (const one of cases) {
    if (only !== undefined && only !== one.name) continue;
    const missing = one.missing();
    if (missing !== undefined) {
      skip(`${one.name}: skipped, ${missing}`);
      continue;
    }
    const folder = mkdtempSync(join(tmpdir(), 'patchstream-kills-'));
    try {
      const result = { name: one.name, ...(await disturb(one, { folder, kills, seed, say })) };
      results.push(result);
      say(`${one.name}: ${result.kills} kills in ${result.runs} runs, ${result.differences.length} differences`);
      for (const difference of result.differences) say(`  ${difference}`);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
  return results;
}

async function main() {
  const { values } = parseArgs({
    options: {
      kills: { type: 'string', default: '10' },
      seed: { type: 'string', default: '7' },
      only: { type: 'string' },
    },
  });
  const kills = Number(values.kills);
  const seed = Number(values.seed);
  const names = cases.map(({ name }) => name);
  if (!Number.isInteger(kills) || kills < 1 || !Number.isInteger(seed)) {
    throw new Error(
      `--kills must be a whole number from 1, --seed a whole number; got ${values.kills}, ${values.seed}`,
    );
  }
  if (values.only !== undefined && !names.includes(values.only)) {
    throw new Error(`--only must be one of ${names.join(', ')}; got ${values.only}`);
  }
  const results = await killTest({ kills, seed, only: values.only, say: (line) => console.log(line) });
  const failed = results.filter(({ differences }) => differences.length > 0).length;
  console.log(`\n${results.length - failed} passed, ${failed} failed`);
  process.exitCode = failed > 0 || results.length === 0 ? 1 : 0;
}

if (isMain(import.meta.url)) await main();
