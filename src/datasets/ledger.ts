import { type FileHandle, open, readFile, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fail } from '../errors.ts';
import type { Job } from './sink.ts';
import { syncFolder } from './temporary-file.ts';

/** A finished file of a job. */
export interface LedgerFile {
  readonly file: string;
  readonly bytes: number;
  /** Its positions, the first it may have and one past the last. */
  readonly from: number;
  readonly to: number;
  readonly samples: number;
}

interface Head {
  readonly format: 1;
  readonly recipe: string;
  /** Of all parts together; earlier versions have none. */
  readonly job?: string;
  readonly source: Job['source'];
}

/**
 * `written.jsonl` in the run's folder: of which job the files are, then a line for each that is finished, brought to the disk before the next is
 * begun. A line that was cut by a kill counts for nothing.
 */
export class Ledger {
  /** The files that an earlier run of this job has finished, as far as they are there, one behind the other. */
  readonly files: readonly LedgerFile[];
  /** True where the ledger was of this job. */
  readonly ours: boolean;
  readonly #path: string;
  readonly #head: Head;
  #handle: FileHandle | undefined;

  private constructor(path: string, head: Head, files: readonly LedgerFile[], ours: boolean) {
    this.#path = path;
    this.#head = head;
    this.files = files;
    this.ours = ours;
  }

  /**
   * Reads what an earlier run has left. Changes nothing.
   *
   * @param sizes the bytes of the files that are there, by name.
   * @throws SHARDS_CHANGED where the job is the same and its source is not.
   */
  static async open(folder: string, job: Job, sizes: ReadonlyMap<string, number>): Promise<Ledger> {
    const path = join(folder, 'written.jsonl');
    const head: Head = { format: 1, recipe: job.recipe.digest, job: job.recipe.job, source: job.source };
    const [first, ...rest] = job.fresh ? [] : await readRows(path);
    const before = first as Partial<Head> | undefined;
    if (before?.format !== 1 || before.recipe !== head.recipe) return new Ledger(path, head, [], false);
    const text = ({ count, keys }: Job['source']) => `${count} samples, keys ${keys}`;
    if (before.source === undefined || text(before.source) !== text(job.source)) {
      const expected = before.source === undefined ? 'nothing' : text(before.source);
      throw fail('SHARDS_CHANGED', { expected, found: text(job.source) }, { where: path });
    }
    const files: LedgerFile[] = [];
    for (const row of rest as LedgerFile[]) {
      if (sizes.get(row.file) !== row.bytes || row.from !== (files.at(-1)?.to ?? job.from)) break;
      files.push(row);
    }
    return new Ledger(path, head, files, true);
  }

  /** Writes anew what counts, and stays open for more. */
  async begin(): Promise<void> {
    const handle = await open(`${this.#path}.tmp`, 'w');
    this.#handle = handle;
    await handle.writeFile([this.#head, ...this.files].map((row) => `${JSON.stringify(row)}\n`).join(''));
    await handle.sync();
    await rename(`${this.#path}.tmp`, this.#path);
    await syncFolder(dirname(this.#path));
  }

  async add(row: LedgerFile): Promise<void> {
    await this.#handle!.writeFile(`${JSON.stringify(row)}\n`);
    await this.#handle!.sync();
  }

  async close(): Promise<void> {
    await this.#handle?.close();
  }
}

/** The whole lines of a file of JSON; none where there is no file. */
async function readRows(path: string): Promise<unknown[]> {
  const text = await readFile(path, 'utf8').catch(() => '');
  const rows: unknown[] = [];
  for (const line of text.split('\n').slice(0, -1)) {
    try {
      rows.push(JSON.parse(line));
    } catch {
      break;
    }
  }
  return rows;
}
