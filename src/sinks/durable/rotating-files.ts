import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fail } from '../../errors.ts';
import { inTurns } from '../../files/many-files.ts';
import { RunLock } from '../../files/run-lock.ts';
import { TemporaryFile } from '../../files/temporary-file.ts';
import { type Origin, readOrigin, writeOrigin } from '../../formats/part-origin.ts';
import { isSame } from '../../formats/shard/parts.ts';
import type { Encoder } from '../../vision/encode/encoder.ts';
import type { EncodedFormat } from '../../vision/encode/encoding.ts';
import { cannotWrite, makeFolder } from '../../whole-file.ts';
import type { Job, OpenSink } from '../sink.ts';
import { besideName, fileName, originName, ownStem, sortNames, wholeName } from './file-names.ts';
import { Ledger, type LedgerFile } from './ledger.ts';
import { isOther, ofEarlier } from './other-job.ts';

/** Where a file of a job begins. */
export interface FileStart {
  /** Its number among the files of the job, from 0. */
  readonly number: number;
  /** The first position that may be in it. */
  readonly from: number;
}

/** A sample that is ready to be written. */
export interface Entry {
  readonly position: number;
  /** About how many bytes it adds to a file. */
  readonly bytes: number;
}

/** The format of one file: what it begins with, what each sample adds, what it ends with. One per file. */
export interface Form<W extends Entry> {
  head(): readonly Uint8Array[];
  /** @param at where in the file it will lie, in bytes. */
  entry(written: W, at: number): readonly Uint8Array[];
  /** Whether it cannot take a further sample, however many bytes it has. */
  isFull?(written: W): boolean;
  /** @param at bytes so far. @param to one past the last position that is in the file. */
  tail(at: number, to: number): readonly Uint8Array[];
  /** What takes the place of the first bytes in the end, where they count what comes after them. */
  finalHead?(): Uint8Array;
  /** What is written to the file beside, in a run that has such: what it begins with, and what each sample adds. */
  besideHead?(): Uint8Array;
  besideEntry?(written: W): Uint8Array;
}

export interface RollingOptions<W extends Entry> {
  readonly folder: string;
  /** The run's own folder, where the list of finished files lies. */
  readonly output: string;
  /** What the names begin with, and their ending: `faces`, `.shard`. */
  readonly stem: string;
  readonly ending: string;
  /** The ending of a second file that lies beside each, of the same name: it is whole before the first has its name. */
  readonly beside?: string;
  /** A file is closed before it has more bytes than this, unless the parts of one sample alone have. */
  readonly limit: number;
  readonly job: Job;
  /** The format of the files that are made of pictures, if any are. */
  readonly encodes?: EncodedFormat | undefined;
  form(start: FileStart): Form<W>;
  /** What a file of another part says of its job; nothing where it cannot be read. Where files say nothing, it is written beside them. */
  origin?(path: string): Promise<Origin | undefined>;
}

/**
 * The files of a durable job, one after the other: `<stem>-00000<ending>`, or `<stem>-2of8-00000<ending>` of the second of eight parts. Each is
 * written under a temporary name, brought to the disk, renamed, and then entered in the ledger: from there a killed job goes on. A file ends where
 * a position does, so that the parts of a sample stay together. As the samples are the same and in the same order in every run, so are the files.
 */
export class RollingFiles<W extends Entry> {
  readonly #options: RollingOptions<W>;
  readonly #ledger: Ledger;
  readonly #lock: RunLock;
  readonly #files: LedgerFile[];
  /** What goes when the first sample has come. */
  readonly #leftovers: readonly string[];
  #begun = false;
  #current: Current<W> | undefined;
  #busy: Promise<void> = Promise.resolve();
  #closed = false;

  private constructor(options: RollingOptions<W>, ledger: Ledger, lock: RunLock, leftovers: readonly string[]) {
    this.#options = options;
    this.#lock = lock;
    this.#leftovers = leftovers;
    this.#ledger = ledger;
    this.#files = [...ledger.files];
  }

  /**
   * Makes the folder and finds where to go on. Removes nothing: what was half-written goes, and what is begun anew, when the first sample has come.
   *
   * @throws SINK_WRITE; RUN_BUSY while another run writes these files; SHARDS_OTHER where the folder holds what is not of this job; SHARDS_CHANGED,
   * ENCODER_OTHER.
   */
  static async open<W extends Entry>(options: RollingOptions<W>): Promise<RollingFiles<W>> {
    const { folder, output, job } = options;
    let lock: RunLock | undefined;
    try {
      await makeFolder(folder);
      // The run's own folder does not tell: another one may have the same target.
      lock = await RunLock.take(join(folder, `${ownStem(options)}${options.ending}.lock`), folder);
      const {
        own,
        others,
        origins,
        origin: said,
        temporary,
        beside,
        foreign,
      } = sortNames(await readdir(folder), options);
      if (foreign !== undefined) throw isOther(options, foreign, false);
      // Begun anew are all parts, one after the other.
      const { origin } = options;
      if (!job.fresh) await checkParts(origin === undefined ? origins : others, origin ?? readOrigin, options);
      const sizes = new Map<string, number>();
      for (const name of [...own, ...beside]) sizes.set(name, (await stat(join(folder, name))).size);
      const ledger = await Ledger.open({ folder: output, target: folder, encodes: options.encodes }, job, sizes);
      const kept = new Set(ledger.files.flatMap(({ file, beside }) => [file, beside?.file]));
      const more = [...own, ...beside].filter((name) => !kept.has(name));
      // Without a line of the ledger they are somebody's work, whatever they are called.
      const nobodys = [...more, ...temporary, ...said].find((name) => !ledger.names(wholeName(name)));
      if (nobodys !== undefined) throw isOther(options, nobodys, false);
      // Renamed and not yet entered when the run was killed: they are written again. Those of another job are what it has made.
      if (more.length > 0 && !ledger.ours && !job.fresh) throw isOther(options, ofEarlier(more[0]!, job), true);
      return new RollingFiles(options, ledger, lock, [...temporary, ...more]);
    } catch (error) {
      await lock?.release();
      throw cannotWrite(folder, error);
    }
  }

  /** Makes the files of pictures, where any are made: the encoder that the job was begun with. */
  get encoder(): Encoder | undefined {
    return this.#ledger.encoder;
  }

  /** The files that are finished, one after the other. */
  get paths(): readonly string[] {
    return this.#files.map(({ file }) => join(this.#options.folder, file));
  }

  /** As a sink has it. */
  get resumed(): Required<NonNullable<OpenSink['resumed']>> {
    const sum = (of: (file: LedgerFile) => number) => this.#files.reduce((sum, file) => sum + of(file), 0);
    const position = this.#files.at(-1)?.to ?? this.#options.job.from;
    return {
      position,
      samples: sum(({ samples }) => samples),
      sources: sum((file) => file.sources ?? file.samples),
      broken: sum((file) => file.broken ?? 0),
    };
  }

  /** Adds a sample. To be called in the order of positions. @throws SINK_WRITE; SINK_SAMPLE where one has become more than a file can take */
  add(written: W): Promise<void> {
    this.#busy = this.#busy.then(() => this.#add(written));
    return this.#busy;
  }

  async #add(written: W): Promise<void> {
    if (this.#closed) return;
    const { position, bytes } = written;
    const before = this.#current;
    const isFull = before?.form.isFull?.(written) ?? false;
    if (before !== undefined && position !== before.position) {
      if (isFull || before.file.bytes + bytes > this.#options.limit) await this.#finish();
    } else if (isFull) {
      throw fail('SINK_SAMPLE', { position }, { where: this.#options.folder });
    }
    if (!this.#begun) await this.#start();
    this.#current ??= await this.#begin(position);
    const { file, form } = this.#current;
    await file.write(form.entry(written, file.bytes));
    await this.#current.beside?.write([form.besideEntry!(written)]);
    if (this.#current.position !== position) {
      this.#leave(this.#current);
      this.#current.sources++;
      this.#current.position = position;
    }
    this.#current.samples++;
  }

  /** Closes the file that has been begun, if there is one; nothing that is added later has a position before `to`. @throws SINK_WRITE */
  flush(to: number): Promise<void> {
    this.#busy = this.#busy.then(async () => {
      if (!this.#closed && this.#current !== undefined) await this.#finish(to);
    });
    return this.#busy;
  }

  /** Ends with the last file closed where the run is `complete`; else what is half-written goes. Gives the names of the files that are finished. */
  async close(complete: boolean): Promise<{ readonly files: readonly string[]; readonly samples: number }> {
    // What was under way when the run was cancelled ends first; whether it failed, its caller has heard.
    await Promise.allSettled([this.#busy]);
    this.#closed = true;
    try {
      if (complete && this.#current !== undefined) await this.#finish();
    } finally {
      await this.#current?.file.abandon();
      await this.#current?.beside?.abandon();
      await this.#ledger.close();
      await this.#lock.release();
    }
    return { files: this.paths, samples: this.resumed.samples };
  }

  /** The run is sure to begin: what does not count goes. */
  async #start(): Promise<void> {
    const { folder, job, origin } = this.#options;
    try {
      for (const name of this.#leftovers) await rm(join(folder, name), { force: true });
      await this.#ledger.begin();
      if (job.part !== undefined && origin === undefined) {
        await this.#ledger.begun(originName(this.#options));
        await writeOrigin(join(folder, originName(this.#options)), job);
      }
    } catch (error) {
      throw cannotWrite(folder, error);
    }
    this.#begun = true;
  }

  async #begin(position: number): Promise<Current<W>> {
    const start = { number: this.#files.length, from: this.resumed.position };
    const form = this.#options.form(start);
    const name = fileName(this.#options, start.number);
    await this.#ledger.begun(name);
    const file = await TemporaryFile.open(join(this.#options.folder, name));
    let beside: TemporaryFile | undefined;
    try {
      await file.write(form.head());
      beside = await this.#beginBeside(start.number, form);
    } catch (error) {
      await file.abandon();
      throw error;
    }
    return { file, ...(beside && { beside }), form, from: start.from, position, samples: 0, sources: 1, broken: 0 };
  }

  async #beginBeside(number: number, form: Form<W>): Promise<TemporaryFile | undefined> {
    if (this.#options.beside === undefined) return undefined;
    const name = besideName(this.#options, number);
    await this.#ledger.begun(name);
    const file = await TemporaryFile.open(join(this.#options.folder, name));
    try {
      await file.write([form.besideHead!()]);
    } catch (error) {
      await file.abandon();
      throw error;
    }
    return file;
  }

  /** No sample of its position will come any more: what has failed of it is known. */
  #leave(current: Current<W>): void {
    if (this.#options.job.failed?.(current.position)) current.broken++;
  }

  async #finish(to = this.#current!.position + 1): Promise<void> {
    this.#leave(this.#current!);
    const { file, beside, form, from, samples, sources, broken } = this.#current!;
    await file.write(form.tail(file.bytes, to));
    const head = form.finalHead?.();
    if (head !== undefined) await file.replaceHead(head);
    await beside?.finish();
    await file.finish();
    this.#current = undefined;
    const number = this.#files.length;
    const row = {
      ...{ file: fileName(this.#options, number), bytes: file.bytes, from, to, samples, sources },
      ...(beside && { beside: { file: besideName(this.#options, number), bytes: beside.bytes } }),
      ...(broken > 0 && { broken }),
    };
    await this.#ledger.add(row);
    this.#files.push(row);
  }
}

interface Current<W extends Entry> {
  readonly file: TemporaryFile;
  readonly beside?: TemporaryFile;
  readonly form: Form<W>;
  readonly from: number;
  position: number;
  samples: number;
  sources: number;
  broken: number;
}

/** Holds what other parts have written to the recipe and the source of this one. @throws SHARDS_OTHER */
async function checkParts<W extends Entry>(
  others: readonly string[],
  origin: (path: string) => Promise<Origin | undefined>,
  options: RollingOptions<W>,
): Promise<void> {
  const { folder, job } = options;
  await inTurns(others, 8, async (name) => {
    const found = await origin(join(folder, name));
    if (found === undefined) return;
    if (!isSame(found.job, job.recipe.job)) throw isOther(options, `${name}, which was made by another recipe`, true);
    if (found.source.keys === job.source.keys && found.source.count === job.source.count) return;
    throw isOther(options, `${name}, which was made of another source`, true);
  });
}
