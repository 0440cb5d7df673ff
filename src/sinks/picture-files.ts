import { type FileHandle, open, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fail, type PatchstreamError } from '../errors.ts';
import { Appender } from '../files/appender.ts';
import { RunLock } from '../files/run-lock.ts';
import { cannotWrite, discard, makeFolder, systemCode, temporaryEnding, writeWhole } from '../whole-file.ts';
import { DirectWrites } from './direct-writes.ts';
import { isOther } from './durable/other-job.ts';
import { OwnRecord } from './durable/owned.ts';
import type { Job } from './sink.ts';

export interface PicturePlace {
  readonly folder: string;
  /** The run's own folder, where the record lies. */
  readonly record: string;
  readonly job: Job;
  /** Whether there will be pictures, or the sheet alone. */
  readonly pictures: boolean;
}

const [manifestName, sheetName, folderName] = ['manifest.jsonl', 'sheet.png', 'images'];
/** Bytes of lines of the manifest that may wait to be written. */
const mostWaiting = 2 ** 16;
/** As pictures are called, whoever has made them. */
const picture = /\.(png|jpe?g|webp|gif|tiff?|avif|bmp)$/i;
/** The names that this sink gives. */
const own = /^images\/\d{6,}(-[\p{L}\p{M}\p{N}_.-]+)?\.(png|jpg)$/u;

/**
 * The files of the sink `images`: pictures, the manifest, the contact sheet. Each is in the record before it is made, and only what the record names is
 * removed, when the first sample has come through. Every failure becomes SINK_WRITE; a file that could not be finished is removed.
 */
export class PictureFiles {
  readonly #folder: string;
  readonly #record: OwnRecord;
  readonly #lock: RunLock;
  readonly #pictures: boolean;
  readonly #earlier: readonly string[];
  #begun: Promise<void> | undefined;
  #manifest: FileHandle | undefined;
  readonly #lines = new Appender((text) => this.#append(text));
  readonly #direct = new DirectWrites();
  /** Of a line that nobody waits for. */
  #failure: unknown;

  private constructor(
    { folder, pictures }: PicturePlace,
    record: OwnRecord,
    lock: RunLock,
    earlier: readonly string[],
  ) {
    this.#folder = folder;
    this.#pictures = pictures;
    this.#record = record;
    this.#lock = lock;
    this.#earlier = earlier;
  }

  /**
   * Takes the folder. Changes nothing that is in it.
   *
   * @throws RUN_BUSY while another run writes there; SHARDS_OTHER where the folder holds what no record of this one names; SINK_WRITE.
   */
  static async open(place: PicturePlace): Promise<PictureFiles> {
    const { folder, record: recordFolder, job, pictures } = place;
    let lock: RunLock | undefined;
    try {
      await makeFolder(folder);
      lock = await RunLock.take(join(folder, 'images.lock'), folder);
      const record = await OwnRecord.open(recordFolder, folder, job);
      if (pictures) await makeFolder(join(folder, folderName));
      const inside = pictures ? await readdir(join(folder, folderName)) : [];
      const written = pictures ? [manifestName, sheetName] : [sheetName];
      const there = [
        ...(await readdir(folder)).filter((name) => written.some((one) => isSameName(name, one))),
        ...inside.filter((name) => picture.test(name)).map((name) => `${folderName}/${name}`),
      ];
      const foreign = there.find((name) => !record.names(name) || !(own.test(name) || written.includes(name)));
      if (foreign !== undefined) {
        throw isOther({ folder, output: recordFolder }, `${foreign}, which no record of this run names`, false);
      }
      return new PictureFiles(place, record, lock, there);
    } catch (error) {
      await lock?.release();
      throw cannotWrite(folder, error);
    }
  }

  /**
   * A picture, `images/<name>`, of the bytes that `make` gives. Where it is given a path, it may write them there itself, and gives the microseconds that it
   * took.
   */
  async write(file: string, make: (path?: string) => Promise<Uint8Array | number>): Promise<void> {
    const path = join(this.#folder, file);
    await this.#begin();
    await this.#record.add({ file }, { sync: false });
    const made = await make(this.#direct.isDue() ? path : undefined);
    if (typeof made === 'number') this.#direct.took(made);
    else await writeNew(path, made);
  }

  /** A line of the manifest, which is written soon: what goes wrong then is thrown by the next line, or at the end. */
  async manifest(line: string): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    const added = this.#lines.add(`${line}\n`);
    if (this.#lines.waiting > mostWaiting) return added;
    added.catch((error: unknown) => {
      this.#failure ??= error;
    });
  }

  async #append(text: string): Promise<void> {
    const path = join(this.#folder, manifestName);
    try {
      await this.#begin();
      this.#manifest ??= await open(path, 'wx');
      await this.#manifest.writeFile(text);
    } catch (error) {
      throw taken(path, error);
    }
  }

  /** The contact sheet. Gives its path. */
  async sheet(png: Uint8Array): Promise<string> {
    await this.#begin();
    const path = join(this.#folder, sheetName);
    await writeWhole(path, png);
    return path;
  }

  async close(): Promise<void> {
    try {
      await this.#lines.ended();
      await this.#manifest?.close();
      await this.#record.close();
      if (this.#failure !== undefined) throw this.#failure;
    } finally {
      await this.#lock.release();
    }
  }

  /** Once, whichever sample comes first: what an earlier run has written goes, and what this one writes is recorded. */
  #begin(): Promise<void> {
    this.#begun ??= this.#clear();
    return this.#begun;
  }

  async #clear(): Promise<void> {
    try {
      for (const name of this.#earlier) await rm(join(this.#folder, name), { force: true });
      const rows = this.#pictures ? [{ file: manifestName }] : (this.#record.rows as readonly object[]);
      await this.#record.begin([...rows, { file: sheetName }]);
    } catch (error) {
      throw cannotWrite(this.#folder, error);
    }
  }
}

async function writeNew(path: string, bytes: Uint8Array): Promise<void> {
  let made = false;
  try {
    const handle = await open(path, 'wx');
    made = true;
    try {
      await handle.writeFile(bytes);
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (made) await discard(path);
    throw made ? cannotWrite(path, error) : taken(path, error);
  }
}

/** On many systems capitals do not count, and there one is written over the other. */
function isSameName(a: string, b: string): boolean {
  const name = a.toLowerCase();
  return name === b || name === `${b}${temporaryEnding}`;
}

/** What has come to be there meanwhile is somebody else's. */
function taken(path: string, error: unknown): PatchstreamError {
  return systemCode(error) === 'EEXIST' ? fail('FILE_EXISTS', { path }) : cannotWrite(path, error);
}
