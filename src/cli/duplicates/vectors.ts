import { existsSync, readdirSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fail } from '../../errors.ts';
import { hasVectors, openVectors } from '../../formats/vectors/open.ts';
import type { VectorSet } from '../../formats/vectors/vector-set.ts';
import type { WrittenSource } from '../../runs/loader/written-source.ts';
import { Compared } from '../../runs/search/compared.ts';
import { jobOf } from '../../runs/search/questions.ts';
import { similarVectors } from '../../runs/search/similar.ts';
import { watchedVectors } from '../../runs/search/watch-vectors.ts';
import { Groups, summaryOf } from '../../sinks/duplicates/groups.ts';
import { exits, type Given, type Terminal } from '../command.ts';
import { signals } from '../run.ts';
import { isTable, nameOf } from '../use/pictures.ts';

/**
 * Whether a path is a file of vectors, or a folder with such files or of a job that has written some. A file that could be a list or a table of pictures as well is one of vectors where it has their field.
 *
 * @throws what reading such a file throws
 */
export async function isVectors(path: string): Promise<boolean> {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) return false;
  if (!found.isDirectory()) return !isTable(path) || hasVectors(path);
  const hasFolder = ['parquet', 'npy', 'shards', 'jsonl'].some((name) => existsSync(join(path, name)));
  const isJob = existsSync(join(path, 'pipeline.json')) && hasFolder;
  return isJob || readdirSync(path).some((name) => /\.(parquet|npy|shard)$/.test(name));
}

export interface FoundGroups {
  readonly groups: Groups;
  /** Where its pictures came from, where that is known. */
  readonly source: WrittenSource | undefined;
  readonly code: number;
}

/**
 * Groups vectors. With `--output` or `--watch` what was compared is kept, and a later run compares only new ones.
 *
 * @throws ARGUMENT, VECTORS_NONE, COMPARED_OTHER, COMPARED_CHANGED and what reading the set throws
 */
export async function ofVectors(path: string, given: Given, terminal: Terminal): Promise<FoundGroups> {
  const above = aboveOf(given);
  const { source } = jobOf(path);
  if (given.flag('watch')) return { ...(await watched(path, above, given, terminal)), source };
  const set = await openVectors(path);
  if (given.text('output') === undefined) return { groups: await similarVectors(set, above), source, code: exits.ok };
  const compared = await open(set, above, given);
  try {
    return { groups: await similarVectors(set, above, { compared }), source, code: exits.ok };
  } finally {
    await compared.close();
  }
}

/** Compares what arrives with all before it, until a signal. */
async function watched(path: string, above: number, given: Given, terminal: Terminal) {
  const stop = signals(terminal, (text) => terminal.stderr.write(`\n${text}\n`));
  let compared: Compared | undefined;
  try {
    for await (const set of watchedVectors(path, { signal: stop.signal })) {
      compared ??= await open(set, above, given);
      const before = compared.rows;
      await similarVectors(set, above, { compared, signal: stop.signal });
      if (compared.rows > before) terminal.stderr.write(`${summaryOf(compared.rows, compared.groups.list())}\n`);
    }
  } catch (error) {
    // A signal comes while vectors are being read: the block is compared by the next run.
    if (!stop.signal.aborted || error !== stop.signal.reason) throw error;
  } finally {
    stop.forget();
    await compared?.close();
  }
  return { groups: compared?.groups ?? new Groups(), code: exits[stop.received() ?? 'ok'] };
}

function open({ width, origin }: VectorSet, above: number, given: Given): Promise<Compared> {
  const folder = resolve(given.text('output') ?? join('duplicates', nameOf(given.words[0]!)));
  const head = { width, above, ...(origin && { fingerprint: origin.fingerprint }) };
  return Compared.open(folder, head, { fresh: given.flag('fresh') });
}

/** @throws ARGUMENT */
function aboveOf(given: Given): number {
  const above = Number(given.text('above') ?? 0.9);
  if (above > 0 && above <= 1) return above;
  const advice = 'The cosine of vectors is asked for: a number above 0, at most 1.';
  throw fail('ARGUMENT', { command: 'patchstream duplicates', found: `--above ${given.text('above')}`, advice });
}
