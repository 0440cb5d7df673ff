import { counted } from '../../counts.ts';
import { fail } from '../../errors.ts';
import { type Encoder, encoderNamed, encoderOf } from '../../vision/encode/encoder.ts';
import type { EncodedFormat } from '../../vision/encode/encoding.ts';
import type { Job } from '../sink.ts';
import { OwnRecord, recordName } from './owned.ts';

/** A finished file of a job. */
export interface LedgerFile {
  readonly file: string;
  readonly bytes: number;
  /** The file that lies beside it, where there is one. */
  readonly beside?: { readonly file: string; readonly bytes: number };
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
  /** The format of the files that are made of pictures, if any are. */
  readonly encodes?: EncodedFormat | undefined;
}

/**
 * The record of a durable job: a line for each file that is begun, and one for each that is finished, brought to the disk before the next is begun.
 */
export class Ledger {
  /** The files that an earlier run of this job has finished, as far as they are there, one behind the other. */
  readonly files: readonly LedgerFile[];
  /** True where the ledger was of this job. */
  readonly ours: boolean;
  /** Makes the files of pictures, where any are made: a job that goes on keeps the encoder that it was begun with. */
  readonly encoder: Encoder | undefined;
  readonly #record: OwnRecord;

  private constructor(record: OwnRecord, { files, ours, encoder }: Pick<Ledger, 'files' | 'ours' | 'encoder'>) {
    this.#record = record;
    this.files = files;
    this.ours = ours;
    this.encoder = encoder;
  }

  /**
   * Reads what an earlier run has left. Changes nothing.
   *
   * @param sizes the bytes of the files that are there, by name.
   * @throws SHARDS_CHANGED where the job is the same and its source is not; ENCODER_OTHER where its files of pictures were made by an encoder that is not here;
   * SHARDS_OTHER.
   */
  static async open(
    { folder, target, encodes }: LedgerPlace,
    job: Job,
    sizes: ReadonlyMap<string, number>,
  ): Promise<Ledger> {
    const record = await OwnRecord.open(folder, target, job);
    const before = record.head;
    const text = ({ count, keys }: Job['source']) => `${counted(count, 'sample')}, keys ${keys}`;
    const { resumes } = job;
    const isUnwatched =
      resumes !== undefined &&
      before?.recipe === resumes.recipe &&
      before.source !== undefined &&
      text(before.source) === text(resumes.source);
    if (job.fresh || (before?.recipe !== job.recipe.digest && !isUnwatched)) {
      return new Ledger(record, { files: [], ours: false, encoder: encodes && encoderOf(encodes) });
    }
    if (!isUnwatched && (before?.source === undefined || text(before.source) !== text(job.source))) {
      const expected = before?.source === undefined ? 'nothing' : text(before.source);
      throw fail('SHARDS_CHANGED', { expected, found: text(job.source) }, { where: `${folder}/${recordName}` });
    }
    const files: LedgerFile[] = [];
    for (const row of record.rows as LedgerFile[]) {
      if ('begun' in row) continue;
      if (![row, ...(row.beside ? [row.beside] : [])].every(({ file, bytes }) => sizes.get(file) === bytes)) break;
      if (row.from !== (files.at(-1)?.to ?? job.from)) break;
      files.push(row);
    }
    const encoder = encodes && (files.length > 0 ? encoderAgain(before?.encoder, encodes, folder) : encoderOf(encodes));
    return new Ledger(record, { files, ours: true, encoder });
  }

  /** Whether an earlier run has written a file of that name, or was about to. */
  names(name: string): boolean {
    return this.#record.names(name);
  }

  /** Writes anew what counts, and stays open for more. */
  begin(): Promise<void> {
    return this.#record.begin(this.files, this.encoder?.name);
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

/** The encoder that has made the files so far. @throws ENCODER_OTHER */
function encoderAgain(recorded: string | undefined, format: EncodedFormat, folder: string): Encoder {
  const encoder = encoderNamed(recorded, format);
  if (encoder !== undefined) return encoder;
  const slots = { expected: String(recorded), found: encoderOf(format).name };
  throw fail('ENCODER_OTHER', slots, { where: `${folder}/${recordName}` });
}
