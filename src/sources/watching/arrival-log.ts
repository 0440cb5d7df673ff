import { createReadStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fail } from '../../errors.ts';
import { systemCode } from '../../files/system.ts';
import { cannotWrite, syncFolder } from '../../whole-file.ts';
import type { Stamp } from '../source.ts';

/** The most names that a job knows, each of which is in memory: a set of V8's takes no more than 2²⁴. */
const mostNames = 16_000_000;

/** A file that has come to rest. */
export interface Arrival {
  readonly key: string;
  readonly stamp: Stamp;
}

interface Head {
  readonly format: 1;
  readonly recipe: string;
}

/** A file that has a position; one that was moved and has none of its own; a position whose file could not be read. */
type Row =
  | { readonly key: string; readonly file: string }
  | { readonly key: string; readonly moved: string }
  | { readonly unread: number };

/** The position of a name under which a file was only seen, having come in under another. */
const nobody = -1;

/**
 * `arrivals.jsonl` in the run's folder: the order in which the files of a watched source have arrived, which are the positions of the job. It is
 * brought to the disk before a file is read, so that a position means the same file after every kill. A line that was cut by one counts for nothing.
 */
export class ArrivalLog {
  readonly #path: string;
  readonly #head: Head;
  /** Where the rows that count end in the file; 0 where it is not of this job. */
  #end = 0;
  #handle: FileHandle | undefined;
  #busy: Promise<void> = Promise.resolve();
  readonly #waiting: (readonly (Row | Head)[])[] = [];
  readonly #keys: string[] = [];
  readonly #known = new Map<string, number>();
  /** Keys by what a file is on its disk, and that by position. */
  readonly #files = new Map<string, string>();
  readonly #fileOf: string[] = [];
  /** Positions whose file was gone, or had changed, when it was read. They stay empty, also when it is there again: it then has another position. */
  readonly #gone = new Set<number>();

  #adopted: readonly Row[] = [];
  readonly #limit: number;

  private constructor(path: string, head: Head, limit: number) {
    this.#path = path;
    this.#head = head;
    this.#limit = limit;
  }

  /** Reads the list of an earlier run of this job, if there is one. Changes nothing. @throws SINK_WRITE where it cannot be read */
  static async open(folder: string, recipe: string, fresh: boolean, limit: number = mostNames): Promise<ArrivalLog> {
    const path = join(folder, 'arrivals.jsonl');
    const arrivals = new ArrivalLog(path, { format: 1, recipe }, limit);
    if (fresh) return arrivals;
    try {
      for await (const { row, end } of wholeLines(path)) {
        if (arrivals.#end > 0) arrivals.#enter(row as Row);
        else if (!isHead(row, recipe)) break;
        arrivals.#end = end;
      }
    } catch (error) {
      // As it is where there was no earlier run.
      if (systemCode(error) !== 'ENOENT') throw cannotWrite(path, error);
    }
    return arrivals;
  }

  /** Takes out what does not count, and stays open for more. @throws SINK_WRITE */
  async begin(): Promise<void> {
    try {
      this.#handle = await open(this.#path, this.#end === 0 ? 'w' : 'a');
      if (this.#end > 0) await this.#handle.truncate(this.#end);
      else await this.#append([this.#head]);
      if (this.#adopted.length > 0) {
        await this.#handle.appendFile(this.#adopted.map((row) => `${JSON.stringify(row)}\n`).join(''));
        await this.#handle.sync();
        this.#adopted = [];
      }
      await syncFolder(dirname(this.#path));
    } catch (error) {
      throw cannotWrite(this.#path, error);
    }
  }

  /** Takes files for the first that have arrived: an earlier run has worked on them in this order. They are on the disk when `begin` answers. */
  adopt(files: readonly Arrival[]): void {
    this.#adopted = files.map(({ key, stamp }) => ({ key, file: fileOf(stamp) }));
    for (const row of this.#adopted) this.#enter(row);
  }

  /** The keys of the first positions. */
  keys(count: number): readonly string[] {
    return this.#keys.slice(0, count);
  }

  /** How many files have a position. */
  get count(): number {
    return this.#keys.length;
  }

  key(position: number): string {
    return this.#keys[position]!;
  }

  has(key: string): boolean {
    return this.#known.has(key);
  }

  /** The key under which this very file has arrived. */
  keyOf(stamp: Stamp): string | undefined {
    return this.#files.get(this.#knownAs(stamp));
  }

  /** Whether the file of a position stands as it did when it arrived. */
  isAsArrived(position: number, { bytes, written }: Stamp): boolean {
    const [, size, time] = this.#fileOf[position]!.split(':');
    return size === String(bytes) && time === written;
  }

  /** What this file is on its disk, as it was said when it arrived. */
  #knownAs(stamp: Stamp): string {
    const file = fileOf(stamp);
    // Earlier versions, and some file systems, did not say when it came to be.
    return this.#files.has(file) ? file : fileOf({ ...stamp, born: '' });
  }

  /** Gives positions to files, and none to those that were only moved. They are on the disk when it answers. @throws WATCH_FILES, SINK_WRITE */
  async add(fresh: readonly Arrival[], moved: readonly Arrival[]): Promise<void> {
    if (fresh.length === 0 && moved.length === 0) return;
    if (this.#known.size + fresh.length + moved.length > this.#limit) throw fail('WATCH_FILES', { limit: this.#limit });
    await this.#append([
      ...fresh.map(({ key, stamp }) => ({ key, file: fileOf(stamp) })),
      ...moved.map(({ key, stamp }) => ({ key, moved: this.#knownAs(stamp) })),
    ]);
  }

  /** Whether the file of a position was gone, or another. */
  isGone(position: number): boolean {
    return this.#gone.has(position);
  }

  /** The file of a position was gone, or another: wherever it is, or comes to be, it is a new one. @throws SINK_WRITE */
  unread(position: number): Promise<void> {
    return this.#append([{ unread: position }]);
  }

  async close(): Promise<void> {
    // Whether it failed, and by whatever, the caller of `add` or `unread` has heard.
    await this.#busy.catch(() => undefined);
    await this.#handle?.close();
  }

  /** What comes while an earlier write is under way is written together, behind it: thousands of files may be gone at once. */
  #append(rows: readonly (Row | Head)[]): Promise<void> {
    this.#waiting.push(rows);
    if (this.#waiting.length === 1) {
      this.#busy = this.#busy.then(() => this.#write(this.#waiting.splice(0).flat()));
    }
    return this.#busy;
  }

  async #write(rows: readonly (Row | Head)[]): Promise<void> {
    try {
      await this.#handle!.appendFile(rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
      await this.#handle!.sync();
    } catch (error) {
      throw cannotWrite(this.#path, error);
    }
    for (const row of rows) if (!('format' in row)) this.#enter(row);
  }

  #enter(row: Row): void {
    if ('unread' in row) {
      const file = this.#fileOf[row.unread];
      if (file === undefined || this.#gone.has(row.unread)) return;
      this.#gone.add(row.unread);
      // Its own name, and that under which it was seen since.
      this.#known.delete(this.#keys[row.unread]!);
      const seen = this.#files.get(file);
      // A link to the same file may have come in under a position of its own, and stays.
      const owner = seen === undefined ? undefined : this.#known.get(seen);
      if (owner !== undefined && owner !== nobody) return;
      this.#known.delete(seen ?? '');
      this.#files.delete(file);
      return;
    }
    if ('moved' in row) {
      // Not where its position was found to be gone after the look that saw the move, and before this.
      if (!this.#files.has(row.moved)) return;
      if (!this.#known.has(row.key)) this.#known.set(row.key, nobody);
      this.#files.set(row.moved, row.key);
      return;
    }
    this.#known.set(row.key, this.#keys.length);
    this.#files.set(row.file, row.key);
    this.#fileOf.push(row.file);
    this.#keys.push(row.key);
  }
}

function fileOf({ bytes, written, inode, born }: Stamp): string {
  return `${inode}:${bytes}:${written}${born && `:${born}`}`;
}

function isHead(row: unknown, recipe: string): boolean {
  const { format, recipe: found } = (row ?? {}) as Partial<Head>;
  return format === 1 && found === recipe;
}

/** The rows of a file of JSON up to the first that is not whole, each with where in the file it ends, in bytes. */
async function* wholeLines(path: string): AsyncGenerator<{ readonly row: unknown; readonly end: number }> {
  let end = 0;
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of createReadStream(path, { highWaterMark: 2 ** 18 }) as AsyncIterable<Buffer>) {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let from = 0;
    for (let at = bytes.indexOf('\n'); at >= 0; at = bytes.indexOf('\n', from)) {
      let row: unknown;
      try {
        row = JSON.parse(bytes.toString('utf8', from, at));
      } catch (error) {
        if (!(error instanceof SyntaxError)) throw error;
        return;
      }
      if (typeof row !== 'object' || row === null) return;
      end += at + 1 - from;
      from = at + 1;
      yield { row, end };
    }
    rest = bytes.subarray(from);
  }
}
