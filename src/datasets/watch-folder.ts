import { stat } from 'node:fs/promises';
import { extname } from 'node:path';
import { PatchstreamError } from '../errors.ts';
import { listFiles, readWhole, systemCode } from './files.ts';
import { inTurns } from './many-files.ts';
import type { Stamp, WatchedSource } from './source.ts';

export interface WatchFolderOptions {
  readonly maxBytes: number;
  readonly signal: AbortSignal;
  readonly progress: (text: string) => void;
}

/**
 * The files of a folder and of all folders in it, as they arrive. It is listed anew at each look, in the same way as by a job that is not watched: that
 * works on every file system, networks and containers included, misses nothing, and takes a second for a million files. Keys are relative paths.
 */
export function watchFolder(
  root: string,
  endings: ReadonlySet<string>,
  { maxBytes, signal, progress }: WatchFolderOptions,
): WatchedSource<{ bytes: Uint8Array }> {
  const stampOf = async (key: string): Promise<Stamp | undefined> => {
    const found = await stat(`${root}/${key}`, { bigint: true }).catch(() => undefined);
    if (found === undefined) return undefined;
    // Not its device, whose number may be another when it is there again.
    return { bytes: Number(found.size), written: String(found.mtimeNs), inode: String(found.ino) };
  };
  return {
    async look(known) {
      const wanted = (name: string) => endings.has(extname(name).toLowerCase());
      const { files } = await listFiles(root, wanted, { signal, progress });
      const fresh = files.filter((key) => !known(key));
      const stamps = new Map<string, Stamp>();
      await inTurns(fresh, 16, async (key) => {
        const stamp = await stampOf(key);
        if (stamp !== undefined) stamps.set(key, stamp);
      });
      // In listing order, whatever came first.
      return new Map(fresh.flatMap((key) => (stamps.has(key) ? [[key, stamps.get(key)!] as const] : [])));
    },
    async isThere(key, { bytes, written, inode }) {
      const found = await stampOf(key);
      return found?.bytes === bytes && found.written === written && found.inode === inode;
    },
    async read(key, signal, memory) {
      try {
        return { bytes: await readWhole(`${root}/${key}`, key, { maxBytes, signal, memory }) };
      } catch (error) {
        const code = error instanceof PatchstreamError ? systemCode(error.cause) : undefined;
        if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
        throw error;
      }
    },
  };
}
