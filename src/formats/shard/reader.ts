import { fail, printable, reasonOf } from '../../errors.ts';
import type { BufferPool } from '../../files/buffer-pool.ts';
import type { FilePool, Positioned } from '../../files/positioned.ts';
import { Window } from '../../files/positioned.ts';
import {
  Damage,
  decodeFrame,
  decodeTail,
  magic,
  mostPayload,
  prefixBytes,
  readHeader,
  readPrefix,
  tailBytes,
} from './frame.ts';
import { decodeIndex, IndexWriter, type ShardIndex } from './index-frame.ts';
import { parseInfo, type ShardInfo } from './info.ts';
import { Layouts } from './layout.ts';
import { decodeRecord, type ShardRecord } from './record.ts';

export interface OpenShard {
  readonly name: string;
  readonly bytes: number;
  /** Absent where damage hides it. */
  readonly info?: ShardInfo;
  readonly index: ShardIndex;
  /** What is wrong with its ends, where `damage` lets that pass: its records are then those in front of the cut. */
  readonly damaged?: string;
  /** Reads and checks a record, into memory of its own or what `memory` lends. @throws SHARD_DAMAGED, FILE_UNREADABLE, FILE_LARGE */
  read(record: number, signal?: AbortSignal, memory?: BufferPool): Promise<ShardRecord>;
}

/** What to do where a shard is damaged: end the run, or leave out what cannot be read. */
export const damages = ['fail', 'skip'] as const;
export type OnDamage = (typeof damages)[number];

interface ReadOptions {
  readonly damage: OnDamage;
  /** The most bytes a record may have. */
  readonly maxBytes: number;
  readonly signal?: AbortSignal;
  /** What the headers of shards that are read together have in common. */
  readonly layouts?: Layouts;
}

/** Most of the time the whole head, and the whole index, of a shard. */
const firstBytes = 2 ** 14;

/**
 * Opens a shard: reads its head and its index, no records.
 *
 * @throws SHARD_FORMAT, SHARD_VERSION, SHARD_DAMAGED, FILE_UNREADABLE
 */
export async function openShard(
  pool: FilePool,
  path: string,
  { name, damage, maxBytes, signal, layouts = new Layouts() }: ReadOptions & { readonly name: string },
): Promise<OpenShard> {
  const file = await pool.file(path, name);
  const head = await file.read(0, Math.min(file.size, firstBytes), signal);
  const problems: string[] = [];
  const damaged = (place: string, error: unknown) => {
    if (!(error instanceof Damage)) throw error;
    if (damage === 'fail') throw shardDamaged(name, place, error, damage);
    problems.push(`${place}: ${error.message}`);
    return undefined;
  };
  if (isCut(head, name)) damaged('its beginning', new Damage('it was cut'));
  const info = await readInfo(file, head, signal).catch((error: unknown) => damaged('its head', error));
  const index =
    (await readIndex(file, signal).catch((error: unknown) => damaged('its end', error))) ??
    (await walk(file, head, signal));
  return {
    name,
    bytes: file.size,
    ...(info && { info }),
    index,
    ...(problems.length > 0 && { damaged: problems.join('; ') }),
    // Each `await` would cost as much as looking at the record.
    read(record, signal, memory) {
      const { offset, bytes } = index.place(record);
      if (bytes > maxBytes) {
        return Promise.reject(fail('FILE_LARGE', { limit: maxBytes, size: bytes }, { where: recordName(record) }));
      }
      return file.frame(offset, bytes, signal, memory).then((frame) => {
        try {
          const read = decodeRecord(frame.bytes, { isSound: frame.isSound, layouts });
          if (read.key !== index.key(record)) throw new Damage('another key than in the index');
          return read;
        } catch (error) {
          if (!(error instanceof Damage)) throw error;
          throw shardDamaged(name, `${recordName(record)}, key ${printable(index.key(record))}`, error, damage);
        }
      });
    },
  };
}

function recordName(record: number): string {
  return `record ${record}`;
}

function shardDamaged(shard: string, place: string, cause: Damage, damage: OnDamage) {
  return fail('SHARD_DAMAGED', { shard, place, found: reasonOf(cause) }, { cause, ends: damage === 'fail' });
}

/** True for what a shard may be cut to: less than it begins with, or zeros where its bytes never came to the disk. @throws SHARD_FORMAT, SHARD_VERSION */
function isCut(head: Buffer, name: string): boolean {
  const found = head.subarray(0, magic.length);
  if (found.equals(magic)) return false;
  if (found.every((byte) => byte === 0)) return true;
  if (found.length < magic.length && found.equals(magic.subarray(0, found.length))) return true;
  const version = /^PSHARD(\d)\n$/.exec(found.toString('latin1'))?.[1];
  if (version !== undefined) throw fail('SHARD_VERSION', { found: version }, { where: name });
  throw fail('SHARD_FORMAT', { found: JSON.stringify(found.toString('latin1')) }, { where: name });
}

async function readInfo(file: Positioned, head: Buffer, signal: AbortSignal | undefined): Promise<ShardInfo> {
  const prefix = readPrefix(head.subarray(magic.length));
  if (magic.length + prefix.bytes > file.size) throw new Damage('no whole head');
  const whole =
    head.length >= magic.length + prefix.bytes
      ? head.subarray(magic.length, magic.length + prefix.bytes)
      : await file.read(magic.length, prefix.bytes, signal);
  return parseInfo(decodeFrame(whole, 'INFO').header);
}

async function readIndex(file: Positioned, signal: AbortSignal | undefined): Promise<ShardIndex> {
  if (file.size < magic.length + prefixBytes + tailBytes) throw new Damage('fewer bytes than a shard has');
  const most = Math.min(file.size, firstBytes);
  const last = await file.read(file.size - most, most, signal);
  const { offset, bytes } = decodeTail(last.subarray(most - tailBytes));
  if (offset + bytes + tailBytes !== file.size) throw new Damage('an end that leads elsewhere');
  const from = offset - (file.size - most);
  const frame = from >= 0 ? last.subarray(from, from + bytes) : await file.read(offset, bytes, signal);
  return decodeIndex(frame, offset);
}

/** The index of what can be read from the front, frame by frame, as far as frames are whole. Only lengths and keys are looked at: reading checks. */
async function walk(file: Positioned, head: Buffer, signal: AbortSignal | undefined): Promise<ShardIndex> {
  // As an index is written: an object for each of tens of millions of records would be more than there is memory for.
  const rows = new IndexWriter(mostPayload);
  const window = new Window(file, firstBytes);
  let at = magic.length;
  let to = 0;
  try {
    at += readPrefix(head.subarray(magic.length)).bytes;
    while (at + prefixBytes <= file.size) {
      const { kind, header, bytes } = readPrefix(await window.at(at, prefixBytes, signal));
      if (kind !== 'RECD' || at + bytes > file.size) break;
      const { key, position } = readHeader(await window.at(at + prefixBytes, header, signal), kind);
      if (typeof key !== 'string' || !Number.isSafeInteger(position)) break;
      // More than any shard has.
      if (!rows.hasRoomFor(key)) break;
      rows.add(key, at, bytes);
      to = (position as number) + 1;
      at += bytes;
    }
  } catch (error) {
    if (!(error instanceof Damage)) throw error;
  }
  return decodeIndex(Buffer.concat(rows.encode(to)), at);
}
