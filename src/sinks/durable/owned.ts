import { type FileHandle, open, readFile, realpath, rename, rm } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { fail } from '../../errors.ts';
import { Appender } from '../../files/appender.ts';
import { cannotWrite, discard, FolderGuard, syncFolder, temporaryEnding, unlessGone } from '../../whole-file.ts';
import type { Job } from '../sink.ts';

/** The first line of the record: of which job the files are, and where they lie. */
export interface RecordHead {
  readonly format: 1;
  readonly recipe: string;
  /** Of all parts together; earlier versions have none. */
  readonly job?: string;
  readonly source: Job['source'];
  /** The folder of the files as seen from the record's, so that both can be moved; earlier versions have none. */
  readonly folder?: string;
  /** What makes the files of pictures, where any are made; earlier versions have none. */
  readonly encoder?: string;
}

/** The name of the record in the run's folder. */
export const recordName = 'written.jsonl';

/**
 * Who owns a file that a sink writes: `written.jsonl` in the run's folder, which names each before it is made. Only what it names is ever removed or
 * replaced, whatever a file is called. Its first line says of which job and in which folder the files are; a line that was cut by a kill counts for
 * nothing.
 */
export class OwnRecord {
  /** What an earlier run has written there, if it has written to this folder. */
  readonly head: Partial<RecordHead> | undefined;
  readonly rows: readonly unknown[];
  readonly #path: string;
  readonly #guard: FolderGuard;
  readonly #own: RecordHead;
  readonly #names: ReadonlySet<string>;
  #handle: FileHandle | undefined;
  readonly #lines = new Appender((text) => this.#append(text));
  /** Whether a row that waits to be written is to be brought to the disk. */
  #sync = false;

  private constructor(path: string, own: RecordHead, head: Partial<RecordHead> | undefined, rows: readonly unknown[]) {
    this.#path = path;
    this.#guard = new FolderGuard(dirname(path));
    this.#own = own;
    this.head = head;
    this.rows = rows;
    this.#names = new Set(rows.flatMap(nameIn));
  }

  /**
   * Reads what an earlier run has left. Changes nothing.
   *
   * @param folder the run's own, where the record lies. @param target the folder of the files. Both are there.
   * @throws SHARDS_OTHER where the file is no record; SINK_WRITE where it cannot be read.
   */
  static async open(folder: string, target: string, { recipe, source }: Job): Promise<OwnRecord> {
    const path = join(folder, recordName);
    try {
      const place = relative(await realpath(folder), await realpath(target));
      const own: RecordHead = { format: 1, recipe: recipe.digest, job: recipe.job, source, folder: place };
      const text = await readFile(path, 'utf8').catch(unlessGone);
      if (text === undefined || text === '') return new OwnRecord(path, own, undefined, []);
      const [head, ...rows] = wholeRows(text) as [Partial<RecordHead> | undefined, ...unknown[]];
      if (head?.format !== 1 || typeof head.recipe !== 'string') throw noRecord(path);
      // An earlier version wrote to another folder only under another recipe.
      const here = head.folder === undefined ? head.recipe === own.recipe : head.folder === place;
      return here ? new OwnRecord(path, own, head, rows) : new OwnRecord(path, own, undefined, []);
    } catch (error) {
      throw cannotWrite(path, error);
    }
  }

  /** Whether an earlier run of whatever job has written a file of that name, or was about to. */
  names(name: string): boolean {
    return this.#names.has(name);
  }

  /** Writes the record anew, with these rows, and stays open for more. @throws SINK_WRITE */
  async begin(rows: readonly object[], encoder?: string): Promise<void> {
    const head: RecordHead = { ...this.#own, ...(encoder !== undefined && { encoder }) };
    const temporary = `${this.#path}${temporaryEnding}`;
    try {
      await rm(temporary, { force: true });
      this.#handle = await open(temporary, 'wx');
      await this.#handle.writeFile([head, ...rows].map((row) => `${JSON.stringify(row)}\n`).join(''));
      await this.#handle.sync();
      await rename(temporary, this.#path);
      await syncFolder(dirname(this.#path));
    } catch (error) {
      await discard(temporary);
      throw cannotWrite(this.#path, error);
    }
  }

  /** @param sync brought to the disk, else handed to the system, which keeps it over the end of this process. @throws SINK_WRITE, OUTPUT_GONE */
  add(row: object, { sync }: { readonly sync: boolean }): Promise<void> {
    this.#sync ||= sync;
    return this.#lines.add(`${JSON.stringify(row)}\n`);
  }

  async #append(text: string): Promise<void> {
    const sync = this.#sync;
    this.#sync = false;
    try {
      // Open, it would be written to wherever the folder has been moved.
      this.#guard.check();
      await this.#handle!.writeFile(text);
      if (sync) await this.#handle!.sync();
    } catch (error) {
      throw cannotWrite(this.#path, error);
    }
  }

  async close(): Promise<void> {
    await this.#lines.ended();
    await this.#handle?.close();
    this.#handle = undefined;
  }
}

function noRecord(path: string) {
  const slots = {
    found: `${recordName}, which no job has written`,
    advice: 'Choose another `output`, or move it away: --fresh does not delete it either.',
  };
  return fail('SHARDS_OTHER', slots, { where: dirname(path) });
}

/** Of a finished file its name, and that of the one beside it; of one that was about to be made its name too. */
function nameIn(row: unknown): string[] {
  const { file, begun, beside } = (row ?? {}) as {
    readonly file?: unknown;
    readonly begun?: unknown;
    readonly beside?: { readonly file?: unknown } | null;
  };
  return [file, begun, beside?.file].filter((name) => typeof name === 'string');
}

/** Of which job the files are that a run's folder names, if it names any. */
export async function recordHead(folder: string): Promise<Partial<RecordHead> | undefined> {
  const text = await readFile(join(folder, recordName), 'utf8').catch(unlessGone);
  const [head] = wholeRows(text ?? '') as [Partial<RecordHead> | undefined];
  return head?.format === 1 ? head : undefined;
}

/** The lines of a file of JSON up to the first that is not whole. */
function wholeRows(text: string): unknown[] {
  const rows: unknown[] = [];
  for (const line of text.split('\n').slice(0, -1)) {
    try {
      rows.push(JSON.parse(line));
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      break;
    }
  }
  return rows;
}
