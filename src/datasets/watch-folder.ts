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

/** So many files are looked at, and noted, before everything else has its turn. */
const stamped = 2048;

/** What a file system says of a file that is not where it was; over NFS, of one that was replaced meanwhile. */
const goneCodes = ['ENOENT', 'ENOTDIR', 'ESTALE'];

/**
 * The files of a folder and of all folders in it, as they arrive. It is listed anew at each look, in the same way as by a job that is not watched: that
 * works on every file system, networks and containers included, misses nothing, and takes a second for a million files. Keys are relative paths.
 */
export function watchFolder(
  root: string,
  endings: ReadonlySet<string>,
  { maxBytes, signal, progress }: WatchFolderOptions,
): WatchedSource<{ bytes: Uint8Array }> {
  let isBirthTold = false;
  const stampOf = async (key: string): Promise<Stamp | undefined> => {
    const found = await stat(`${root}/${key}`, { bigint: true }).catch(() => undefined);
    if (found === undefined) return undefined;
    const born = isBirthTold ? String(found.birthtimeNs) : '';
    // Not its device, whose number may be another when it is there again.
    return { bytes: Number(found.size), written: String(found.mtimeNs), inode: String(found.ino), born };
  };
  return {
    async look(known) {
      isBirthTold ||= await tellsBirth(root);
      const wanted = (name: string, key: string) => endings.has(extname(name).toLowerCase()) && !known(key);
      const { files } = await listFiles(root, wanted, { signal, progress });
      const found = new Map<string, Stamp>();
      for (let from = 0; from < files.length; from += stamped) {
        const keys = files.slice(from, from + stamped);
        const stamps = await inTurns(keys, 16, stampOf);
        for (const [i, stamp] of stamps.entries()) if (stamp !== undefined) found.set(keys[i]!, stamp);
      }
      return found;
    },
    stamp: stampOf,
    async read(key, signal, memory) {
      try {
        return { bytes: await readWhole(`${root}/${key}`, key, { maxBytes, signal, memory }) };
      } catch (error) {
        const code = error instanceof PatchstreamError ? systemCode(error.cause) : undefined;
        if (code !== undefined && goneCodes.includes(code)) return undefined;
        throw error;
      }
    },
  };
}

/** Whether the file system of a folder tells when a file came to be: where it does not, that is zero, or the time of the last change. */
async function tellsBirth(root: string): Promise<boolean> {
  const found = await stat(root, { bigint: true }).catch(() => undefined);
  return found !== undefined && found.birthtimeNs !== 0n && found.birthtimeNs !== found.ctimeNs;
}
