import { type FileHandle, open, readFile, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { fail } from '../../errors.ts';
import { RunLock } from '../../files/run-lock.ts';
import { Groups } from '../../sinks/duplicates/groups.ts';
import { cannotWrite, jsonOf, lockName, makeFolder, unlessGone, writeWhole } from '../../whole-file.ts';

/** The file of a folder in which it stands what was compared. */
const fileName = 'compared.jsonl';

/** Two vectors that are alike, as it is written: key and row of the later one and of the earlier one, and their likeness. */
export type Join = readonly [key: string, row: number, earlier: string, earlierRow: number, likeness: number];

/** A line: some vectors were compared with all before them. */
export interface ComparedBlock {
  /** How many vectors are compared by now. */
  readonly rows: number;
  /** Of all of them, keys and numbers. */
  readonly digest: string;
  /** What has changed the groups. */
  readonly joins: readonly Join[];
}

/** What vectors must have in common with those of an earlier run. */
export interface ComparedHead {
  readonly width: number;
  readonly above: number;
  /** Of the model that has made them, where they name it. */
  readonly fingerprint?: string;
}

/**
 * The record of vectors that were compared, so that a later run compares only those that are new: a line for each block, brought to the disk when all its pairs are found. A line that a
 * kill has cut is as if it had not been written: its block is compared again, and so each pair counts once.
 */
export class Compared {
  readonly groups: Groups;
  #rows: number;
  #digest: string;
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #lock: RunLock;

  private constructor(path: string, { file, lock, known }: { file: FileHandle; lock: RunLock; known: Known }) {
    this.#path = path;
    this.#file = file;
    this.#lock = lock;
    this.groups = known.groups;
    this.#rows = known.rows;
    this.#digest = known.digest;
  }

  /** Vectors that are compared, and their digest. */
  get rows(): number {
    return this.#rows;
  }

  get digest(): string {
    return this.#digest;
  }

  /**
   * Opens the record in a folder, which belongs to this process until `close`.
   *
   * @param fresh begin anew; only a record of ours is replaced. @throws COMPARED_OTHER where the folder's is of other vectors; RUN_BUSY, RUN_LOCK, FILE_WRITE
   */
  static async open(
    folder: string,
    head: ComparedHead,
    { fresh = false }: { readonly fresh?: boolean } = {},
  ): Promise<Compared> {
    const path = join(folder, fileName);
    await makeFolder(folder).catch((cause) => {
      throw cannotWrite(folder, cause, 'FILE_WRITE');
    });
    const lock = await RunLock.take(join(folder, lockName), folder);
    try {
      const before = await recordIn(path, { fresh });
      if (before !== undefined && !fresh) mustFit(path, before.head, head);
      const known = before?.known ?? new Known();
      if (known.bytes === 0) await writeWhole(path, `${JSON.stringify(head)}\n`);
      else await truncate(path, known.bytes);
      return new Compared(path, { file: await open(path, 'a'), lock, known });
    } catch (error) {
      await lock.release();
      throw cannotWrite(path, error, 'FILE_WRITE');
    }
  }

  /** Writes down a block whose pairs are in the groups. @throws FILE_WRITE */
  async add(block: ComparedBlock): Promise<void> {
    try {
      await this.#file.writeFile(`${JSON.stringify(block)}\n`);
      await this.#file.sync();
    } catch (error) {
      throw cannotWrite(this.#path, error, 'FILE_WRITE');
    }
    this.#rows = block.rows;
    this.#digest = block.digest;
  }

  async close(): Promise<void> {
    await this.#file.close();
    await this.#lock.release();
  }
}

/** The groups that a folder's record has; nothing where it has none. @throws COMPARED_OTHER */
export async function comparedGroups(folder: string): Promise<Groups | undefined> {
  return (await recordIn(join(folder, fileName)))?.known.groups;
}

/** What the whole lines of a record say. */
class Known {
  readonly groups = new Groups();
  rows = 0;
  digest = '';
  /** Of the lines that are whole. */
  bytes = 0;
}

/** @param fresh with nothing known. */
async function recordIn(
  path: string,
  { fresh = false }: { readonly fresh?: boolean } = {},
): Promise<{ head: ComparedHead; known: Known } | undefined> {
  const text = await readFile(path, 'utf8').catch(unlessGone);
  if (text === undefined) return undefined;
  const known = new Known();
  // What follows the last end of a line was cut.
  const [first, ...lines] = text.split('\n').slice(0, -1);
  const head = jsonOf(first ?? '') as Partial<ComparedHead> | undefined;
  if (typeof head?.width !== 'number' || typeof head.above !== 'number') throw notOurs(path, 1, first);
  if (fresh) return { head: head as ComparedHead, known };
  known.bytes = Buffer.byteLength(`${first}\n`);
  for (const [i, line] of lines.entries()) {
    const block = jsonOf(line) as ComparedBlock | undefined;
    if (!isBlock(block) || block.rows < known.rows) throw notOurs(path, i + 2, line);
    for (const [key, position, earlier, earlierRow, likeness] of block.joins)
      known.groups.join({ key, position }, { key: earlier, position: earlierRow, likeness });
    known.groups.see(block.rows - known.rows);
    known.rows = block.rows;
    known.digest = block.digest;
    known.bytes += Buffer.byteLength(line) + 1;
  }
  return { head: head as ComparedHead, known };
}

function isBlock(block: Partial<ComparedBlock> | undefined): block is ComparedBlock {
  return Number.isSafeInteger(block?.rows) && typeof block?.digest === 'string' && Array.isArray(block.joins);
}

function notOurs(path: string, line: number, found: string | undefined) {
  const what = `line ${line}: ${(found ?? '').slice(0, 60) || 'nothing'}`;
  return fail('COMPARED_OTHER', { expected: 'lines as `duplicates` writes them', found: what }, { where: path });
}

function mustFit(path: string, before: ComparedHead, now: ComparedHead): void {
  const text = ({ width, above, fingerprint }: ComparedHead) =>
    `${width} numbers, --above ${above}${fingerprint === undefined ? '' : `, model ${fingerprint}`}`;
  if (text(before) === text(now)) return;
  throw fail('COMPARED_OTHER', { expected: text(before), found: text(now) }, { where: path });
}
