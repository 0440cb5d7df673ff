import { type FileHandle, lstat, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fail } from '../errors.ts';
import { cannotWrite, discard, syncFolder, temporaryEnding, unlessGone } from '../whole-file.ts';

/** Pieces up to so many bytes are gathered until there are that many. */
const gatherBytes = 2 ** 18;

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
      const temporary = `${path}${temporaryEnding}`;
      // Made anew: never what a link at that name leads to.
      await rm(temporary, { force: true });
      return new TemporaryFile(path, await open(temporary, 'wx'));
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

  /** Puts bytes in the place of the first ones. */
  async replaceHead(bytes: Uint8Array): Promise<void> {
    await this.#flush();
    try {
      for (let at = 0; at < bytes.length; )
        at += (await this.#handle.write(bytes, at, bytes.length - at, at)).bytesWritten;
    } catch (error) {
      throw cannotWrite(this.#path, error);
    }
  }

  async finish(): Promise<void> {
    await this.#flush();
    try {
      await this.#handle.sync();
      await this.#handle.close();
      // What has come to be there meanwhile is somebody else's.
      if ((await lstat(this.#path).catch(unlessGone)) !== undefined) throw fail('FILE_EXISTS', { path: this.#path });
      await rename(`${this.#path}${temporaryEnding}`, this.#path);
      await syncFolder(dirname(this.#path));
    } catch (error) {
      throw cannotWrite(this.#path, error);
    }
  }

  async abandon(): Promise<void> {
    // The run ends for another cause, which is the one to be heard.
    await Promise.allSettled([this.#handle.close()]);
    await discard(`${this.#path}${temporaryEnding}`);
  }
}
