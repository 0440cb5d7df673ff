import { counted } from '../../counts.ts';
import { fail } from '../../errors.ts';
import type { Job } from '../sink.ts';
import { OwnRecord, recordName } from './owned.ts';

/** A finished file of a job. */
export interface LedgerFile {
  readonly file: string;
  readonly bytes: number;
  /** Its positions, the first it may have and one past the last. */
  readonly from: number;
  readonly to: number;
  readonly samples: number;
  /** Positions that these samples are of; earlier versions have not counted them. */
  readonly sources?: number;
  /** Those of `sources` that a part has failed of; absent where there are none. */
  readonly broken?: number;
}

export interface LedgerPlace {
  /** The run's own folder, where the record lies. */
  readonly folder: string;
  /** The folder of the files. */
  readonly target: string;
}

/**
 * The record of a durable job: a line for each file that is begun, and one for each that is finished, brought to the disk before the next is begun.
 */
export class Ledger {
  /** The files that an earlier run of this job has finished, as far as they are there, one behind the other. */
  readonly files: readonly LedgerFile[];
  /** True where the ledger was of this job. */
  readonly ours: boolean;
  readonly #record: OwnRecord;

  private constructor(record: OwnRecord, files: readonly LedgerFile[], ours: boolean) {
    this.#record = record;
    this.files = files;
    this.ours = ours;
  }

  /**
   * Reads what an earlier run has left. Changes nothing.
   *
   * @param sizes the bytes of the files that are there, by name.
   * @throws SHARDS_CHANGED where the job is the same and its source is not; SHARDS_OTHER.
   */
  static async open({ folder, target }: LedgerPlace, job: Job, sizes: ReadonlyMap<string, number>): Promise<Ledger> {
    const record = await OwnRecord.open(folder, target, job);
    const before = record.head;
    if (job.fresh || before?.recipe !== job.recipe.digest) return new Ledger(record, [], false);
    const text = ({ count, keys }: Job['source']) => `${counted(count, 'sample')}, keys ${keys}`;
    if (before.source === undefined || text(before.source) !== text(job.source)) {
      const expected = before.source === undefined ? 'nothing' : text(before.source);
      throw fail('SHARDS_CHANGED', { expected, found: text(job.source) }, { where: `${folder}/${recordName}` });
    }
    const files: LedgerFile[] = [];
    for (const row of record.rows as LedgerFile[]) {
      if ('begun' in row) continue;
      if (sizes.get(row.file) !== row.bytes || row.from !== (files.at(-1)?.to ?? job.from)) break;
      files.push(row);
    }
    return new Ledger(record, files, true);
  }

  /** Whether an earlier run has written a file of that name, or was about to. */
  names(name: string): boolean {
    return this.#record.names(name);
  }

  /** Writes anew what counts, and stays open for more. */
  begin(): Promise<void> {
    return this.#record.begin(this.files);
  }

  /** Before a file is made, so that what a kill leaves of it is known. */
  begun(name: string): Promise<void> {
    return this.#record.add({ begun: name }, { sync: true });
  }

  add(row: LedgerFile): Promise<void> {
    return this.#record.add(row, { sync: true });
  }

  close(): Promise<void> {
    return this.#record.close();
  }
}
