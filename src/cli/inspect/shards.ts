import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { counted } from '../../counts.ts';
import { messageOf, printable } from '../../errors.ts';
import { FilePool } from '../../files/positioned.ts';
import { partTroubles } from '../../formats/shard/parts.ts';
import { type OpenShard, openShard } from '../../formats/shard/reader.ts';
import type { ShardRecord, Stored } from '../../formats/shard/record.ts';
import { sizeText } from '../../pipeline/draw.ts';
import { listShards, shardEnding } from '../../sources/shards.ts';
import { exits } from '../command.ts';
import { type Inspection, twoColumns } from './inspection.ts';

/** So many keys are shown. */
const shownKeys = 5;
/** A record is read whole, up to the most that a frame can have. */
const maxBytes = 2 ** 31;

/** A shard, or a folder of shards: each has its line, and what made them is told of the first. */
export const shardInspection: Inspection = {
  what: 'a shard, or a folder of shards',
  async knows(path, place) {
    if (place === 'folder') return (await readdir(path)).some((name) => name.endsWith(shardEnding));
    return path.endsWith(shardEnding);
  },
  async show(path, given, { stdout, stderr }) {
    const verify = given.flag('verify');
    const pool = new FilePool();
    const seen: Seen[] = [];
    try {
      for (const name of (await listShards(path)).names) {
        const file = name === '' ? path : join(path, name);
        seen.push(await lookInto(pool, file, name || basename(path), verify));
      }
    } finally {
      pool.close();
    }
    const problems = seen.flatMap(({ problems }) => problems);
    if (given.flag('json')) stdout.write(`${JSON.stringify(seen.map(jsonOf), null, 2)}\n`);
    else stdout.write(seen.length === 1 ? about(seen[0]!, verify) : aboutAll(seen, verify));
    for (const problem of given.flag('json') ? [] : problems) stderr.write(`${problem}\n`);
    const troubles = path.endsWith(shardEnding) ? [] : partTroubles(seen.flatMap(({ shard }) => shard ?? []));
    for (const trouble of troubles) stderr.write(`${printable(trouble)}\n`);
    return problems.length > 0 || troubles.length > 0 ? exits.failed : exits.ok;
  },
};

interface Seen {
  readonly name: string;
  readonly shard: OpenShard | undefined;
  readonly first: ShardRecord | undefined;
  readonly problems: readonly string[];
}

async function lookInto(pool: FilePool, path: string, name: string, verify: boolean): Promise<Seen> {
  const problems: string[] = [];
  let first: ShardRecord | undefined;
  try {
    const shard = await openShard(pool, path, { name, damage: 'skip', maxBytes });
    if (shard.damaged !== undefined) problems.push(`${printable(name)} is damaged, ${shard.damaged}`);
    for (let i = 0; i < (verify ? shard.index.count : Math.min(1, shard.index.count)); i++) {
      try {
        const record = await shard.read(i);
        first ??= record;
      } catch (error) {
        problems.push(messageOf(error));
      }
    }
    return { name, shard, first, problems };
  } catch (error) {
    return { name, shard: undefined, first, problems: [messageOf(error)] };
  }
}

function about({ name, shard, first, problems }: Seen, verify: boolean): string {
  if (shard === undefined) return '';
  const { info, index, bytes } = shard;
  const keys = Array.from({ length: Math.min(shownKeys, index.count) }, (_, i) => index.key(i));
  const rows: (readonly [string, string])[] = [[name, `${counted(index.count, 'record')}, ${sizeText(bytes)}`]];
  if (info !== undefined) {
    const part = info.part === undefined ? '' : `, part ${info.part.join(' of ')}`;
    rows.push(['run', `${info.name}, shard ${info.shard}${part}, positions ${info.from} to ${index.to - 1}`]);
    rows.push(['source', `${counted(info.source.count, 'sample')}, keys ${info.source.keys}`]);
    rows.push(['recipe', `${info.recipe.digest} ${JSON.stringify(info.recipe.pipeline)}`]);
    rows.push([
      'versions',
      Object.entries(info.versions)
        .map(([what, version]) => `${what} ${version}`)
        .join(', '),
    ]);
    if (info.classes !== undefined)
      rows.push(['classes', `${info.classes.length}: ${info.classes.slice(0, 10).join(', ')}`]);
  }
  if (first !== undefined) {
    const fields = Object.entries(first.fields).map(([field, stored]) => `${field} ${storedText(stored)}`);
    rows.push(['first', fields.join(', ')]);
  }
  rows.push(['keys', `${keys.join(', ')}${index.count > keys.length ? ', …' : ''}`]);
  if (verify) rows.push(['verified', verdict(index.count, problems.length)]);
  return twoColumns(rows.map(([left, right]) => [printable(left), printable(right)]));
}

function aboutAll(seen: readonly Seen[], verify: boolean): string {
  const rows = seen.map(({ name, shard, problems }): readonly [string, string] => {
    if (shard === undefined) return [printable(name), 'cannot be read'];
    const { index, info, bytes } = shard;
    const positions = info === undefined ? '' : `, positions ${info.from} to ${index.to - 1}`;
    const damaged = problems.length > 0 ? ', damaged' : '';
    return [printable(name), `${counted(index.count, 'record')}, ${sizeText(bytes)}${positions}${damaged}`];
  });
  const records = seen.reduce((sum, { shard }) => sum + (shard?.index.count ?? 0), 0);
  const bytes = seen.reduce((sum, { shard }) => sum + (shard?.bytes ?? 0), 0);
  rows.push([counted(seen.length, 'shard'), `${counted(records, 'record')}, ${sizeText(bytes)}`]);
  if (verify) {
    const wrong = seen.reduce((sum, { problems }) => sum + problems.length, 0);
    rows.push(['verified', verdict(records, wrong)]);
  }
  return twoColumns(rows);
}

function verdict(records: number, problems: number): string {
  return problems === 0 ? `${counted(records, 'record')}, all whole` : counted(problems, 'problem');
}

function storedText(stored: Stored): string {
  if (stored.type === 'encoded') return `a file of ${sizeText(stored.data.length)}`;
  if (stored.type === 'value') return JSON.stringify(stored.value).slice(0, 40);
  return `${stored.type} [${stored.shape.join(', ')}]`;
}

function jsonOf({ name, shard, problems }: Seen): Record<string, unknown> {
  return {
    name,
    problems,
    ...(shard && { bytes: shard.bytes, records: shard.index.count, to: shard.index.to, info: shard.info }),
  };
}
