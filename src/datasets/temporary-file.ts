import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fail, messageOf, PatchstreamError } from '../errors.ts';
import { systemCode } from './files.ts';

/** Pieces up to so many bytes are gathered until there are that many. */
const gatherBytes = 2 ** 18;

export const temporaryEnding = '.tmp';

/** A file that has its name only when it is whole and on the disk. */
export class TemporaryFile {
  readonly #path: string;
  readonly #handle: FileHandle;
  readonly #gathered = Buffer.allocUnsafeSlow(gatherBytes);
  #waiting = 0;
  #bytes = 0;

  private constructor(path: string, handle: FileHandle) {
    this.#path = path;
    this.#handle = handle;
  }

  static async open(path: string): Promise<TemporaryFile> {
    try {
      return new TemporaryFile(path, await open(`${path}${temporaryEnding}`, 'w'));
    } catch (error) {
      throw cannotWrite(path, error);
    }
  }

  /** Bytes so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Takes the pieces: afterwards their memory may be used again. */
  async write(pieces: readonly Uint8Array[]): Promise<void> {
    for (const piece of pieces) {
      if (this.#waiting + piece.length > gatherBytes) await this.#flush();
      if (piece.length > gatherBytes) {
        await this.#put(piece);
      } else {
        this.#gathered.set(piece, this.#waiting);
        this.#waiting += piece.length;
      }
      this.#bytes += piece.length;
    }
  }

  async #flush(): Promise<void> {
    await this.#put(this.#gathered.subarray(0, this.#waiting));
    this.#waiting = 0;
  }

  async #put(bytes: Uint8Array): Promise<void> {
    try {
      for (let at = 0; at < bytes.length; ) at += (await this.#handle.write(bytes, at, bytes.length - at)).bytesWritten;
    } catch (error) {
      throw cannotWrite(this.#path, error);
    }
  }

  async finish(): Promise<void> {
    await this.#flush();
    try {
      await this.#handle.sync();
      await this.#handle.close();
      await rename(`${this.#path}${temporaryEnding}`, this.#path);
      await syncFolder(dirname(this.#path));
    } catch (error) {
      throw cannotWrite(this.#path, error);
    }
  }

  async abandon(): Promise<void> {
    await this.#handle.close().catch(() => undefined);
    await rm(`${this.#path}${temporaryEnding}`, { force: true }).catch(() => undefined);
  }
}

/** Brings a folder's entries to the disk. Windows cannot open folders, and has no need to. */
export async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** The error of a file that cannot be written. Errors of the catalogue stay as they are. */
export function cannotWrite(file: string, cause: unknown): PatchstreamError {
  if (cause instanceof PatchstreamError) return cause;
  const full = ['ENOSPC', 'EDQUOT'].includes(systemCode(cause) ?? '');
  const advice = full
    ? 'Make room on the disk, or choose another `output`.'
    : 'Look whose folder it is, or choose another `output`.';
  return fail('SINK_WRITE', { file, reason: full ? 'a full disk' : messageOf(cause), advice }, { cause });
}
