import { type FileHandle, open } from 'node:fs/promises';
import { only } from './system.ts';

/** A file that holds other files, or another file. */
export interface Packed {
  /** What it is: `a gzip file`. */
  readonly what: string;
  readonly advice: string;
}

const unpack = (command: string) => `unpack it, as by \`${command}\`, and name what comes out.`;

/** The forms by how their bytes begin. */
const forms: readonly (readonly [bytes: readonly number[], what: string, advice: string])[] = [
  [[0x1f, 0x8b], 'a gzip file', unpack('gunzip --keep FILE')],
  [[0x42, 0x5a, 0x68], 'a bzip2 file', unpack('bunzip2 --keep FILE')],
  [[0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00], 'an xz file', unpack('unxz --keep FILE')],
  [[0x28, 0xb5, 0x2f, 0xfd], 'a zstd file', unpack('unzstd FILE')],
  [[0x04, 0x22, 0x4d, 0x18], 'an lz4 file', unpack('unlz4 FILE')],
  [[0x50, 0x4b, 0x03, 0x04], 'a zip file', unpack('unzip FILE -d FOLDER')],
  [[0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c], 'a 7z file', unpack('7z x FILE')],
  [[0x52, 0x61, 0x72, 0x21, 0x1a, 0x07], 'a rar file', unpack('unrar x FILE')],
];

/** Bytes that tell what a file is; the mark of a tar is the last. */
const told = 263;

/** What the first bytes of a file say that it is packed as; a tar is read by the source `webdataset`. */
export function packedBytes(bytes: Uint8Array): Packed | undefined {
  for (const [begin, what, advice] of forms) if (begin.every((byte, i) => bytes[i] === byte)) return { what, advice };
  return isTar(bytes) ? { what: 'a tar', advice: 'read it by the source `webdataset`.' } : undefined;
}

export function isTar(bytes: Uint8Array): boolean {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1', 257, 262) === 'ustar';
}

/** The same of a file; nothing where it cannot be read, which its own reading tells. */
export async function packedAs(path: string): Promise<Packed | undefined> {
  let file: FileHandle | undefined;
  try {
    file = await open(path, 'r');
    const { bytesRead, buffer } = await file.read(Buffer.alloc(told), 0, told, 0);
    return packedBytes(buffer.subarray(0, bytesRead));
  } catch (error) {
    return only(['EACCES', 'EPERM', 'EISDIR', 'EIO', 'ENOENT'], undefined)(error);
  } finally {
    await file?.close();
  }
}
