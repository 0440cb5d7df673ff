import { readdir, realpath, stat } from 'node:fs/promises';
import { extname } from 'node:path';
import { PatchstreamError, reasonOf } from '../../errors.ts';
import { readWhole, unlessUnreadable, unreadable } from '../../files/files.ts';
import { type FileSystem, type Listing, listFiles } from '../../files/listing.ts';
import { inTurns } from '../../files/many-files.ts';
import { PassedOver, type PassedOverRow } from '../../files/passed-over.ts';
import { only, systemCode } from '../../files/system.ts';
import type { Stamp, WatchedSource } from '../source.ts';

export interface WatchFolderOptions {
  readonly maxBytes: number;
  readonly signal: AbortSignal;
  readonly progress: (text: string) => void;
  readonly written?: readonly string[] | undefined;
  readonly system?: FileSystem;
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
  { maxBytes, signal, progress, written, system = { readdir, stat, realpath } }: WatchFolderOptions,
): WatchedSource<{ bytes: Uint8Array }> {
  const wanted = (name: string) => endings.has(extname(name).toLowerCase());
  let isBirthTold = false;
  let passedOver: readonly PassedOverRow[] = [];
  let listing: Listing | undefined;
  const pathOf = (key: string) => listing?.path(key) ?? `${root}/${key}`;
  const stampOf = async (key: string): Promise<Stamp | undefined> => {
    try {
      const found = await system.stat(pathOf(key), { bigint: true });
      const born = isBirthTold ? String(found.birthtimeNs) : '';
      // Not its device, whose number may be another when it is there again.
      const changed = found.ctimeNs === undefined ? {} : { changed: String(found.ctimeNs) };
      return { bytes: Number(found.size), written: String(found.mtimeNs), inode: String(found.ino), born, ...changed };
    } catch (error) {
      if (goneCodes.includes(systemCode(error) ?? '')) return undefined;
      throw unreadable(key, reasonOf(error), error);
    }
  };
  return {
    get passedOver() {
      return passedOver;
    },
    async look(known) {
      isBirthTold ||= await tellsBirth(root, system);
      listing = await listFiles(root, wanted, { signal, progress, known, written, system });
      const others = new PassedOver();
      others.join(listing.passedOver);
      const found = new Map<string, Stamp>();
      for (const key of listing.strange.keys()) others.add('kind', key);
      const { strange } = listing;
      const files = listing.files.filter((key) => !strange.has(key));
      for (let from = 0; from < files.length; from += stamped) {
        const keys = files.slice(from, from + stamped);
        // One that cannot be looked at is looked at again; it must not keep the others from coming in.
        const stamps = await inTurns(keys, 16, (key) => stampOf(key).catch(unlessUnreadable(undefined)));
        for (const [i, stamp] of stamps.entries()) {
          if (stamp === undefined) others.add('unseen', keys[i]!);
          else found.set(keys[i]!, stamp);
        }
      }
      passedOver = others.rows;
      return found;
    },
    stamp: stampOf,
    async read(key, signal, memory) {
      try {
        return { bytes: await readWhole(pathOf(key), key, { maxBytes, signal, memory }) };
      } catch (error) {
        const code = error instanceof PatchstreamError ? systemCode(error.cause) : undefined;
        if (code !== undefined && goneCodes.includes(code)) return undefined;
        throw error;
      }
    },
  };
}

/** Whether the file system of a folder tells when a file came to be: where it does not, that is zero, or the time of the last change. */
async function tellsBirth(root: string, { stat }: FileSystem): Promise<boolean> {
  // What is wrong with the folder, its listing tells.
  const found = await stat(root, { bigint: true }).catch(
    only([...goneCodes, 'EACCES', 'EPERM', 'EIO', 'ELOOP'], undefined),
  );
  return found !== undefined && found.birthtimeNs !== 0n && found.birthtimeNs !== found.ctimeNs;
}
