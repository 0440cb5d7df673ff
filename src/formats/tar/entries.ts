import { Header, Pax } from 'tar';
import { counted } from '../../counts.ts';
import { fail, messageOf } from '../../errors.ts';
import { nameText } from '../../files/name-text.ts';
import { isTar, packedBytes } from '../../files/packed-as.ts';
import { type Positioned, Window } from '../../files/positioned.ts';

/** What lies in a tar: how it is called there, and where its bytes are. Its name is never made a path of this machine. */
export interface TarEntry {
  /** As UTF-8; a byte that is none of text as `\xE9`. */
  readonly name: string;
  readonly offset: number;
  readonly size: number;
  /** A hard or symbolic link has no bytes of its own; a device or a named pipe is no file at all. */
  readonly kind: 'file' | 'link' | 'other';
}

export const blockBytes = 512;
/** The most bytes of a header that extends another: a name, a comment. */
const mostExtended = 2 ** 20;
/** So much of what is behind the end is looked at in one go. */
const endBytes = 2 ** 16;
/** What describes other entries, or has nothing in it. */
const passing = ['Directory', 'GNUDumpDir', 'Inode', 'SolarisACL', 'TapeVolumeHeader', 'OldExtendedHeader'];
/** Its bytes in the tar are not those of the file. */
const sparse = 'a sparse file; make the tar without -S';

/** Bytes that a file of `size` takes, up to the next block. */
export function padded(size: number): number {
  return Math.ceil(size / blockBytes) * blockBytes;
}

/**
 * The files of a tar, its links, and what else has a name there, by a pass over its headers: what lies between is not read where it is large. Names and
 * sizes of pax and GNU headers count; folders are passed over. A tar ends with zeros, and nothing else is behind them: one that is cut between two
 * files, has a hole, or has another tar behind it is damaged.
 *
 * @param windowBytes what is read at a time; 512 at least.
 * @throws TAR_PACKED; TAR_DAMAGED, after the files in front of the damage.
 */
export async function* tarEntries(
  file: Positioned,
  { windowBytes, signal }: { readonly windowBytes: number; readonly signal?: AbortSignal },
): AsyncGenerator<TarEntry> {
  const window = new Window(file, windowBytes);
  let at = 0;
  let own: Extended = {};
  let global: Extended = {};
  const damaged = (found: string) => fail('TAR_DAMAGED', { at, found }, { where: file.name });
  const bytesOf = async (size: number) => {
    if (size > mostExtended) throw damaged(`a header of ${counted(size, 'byte')}`);
    return window.at(at + blockBytes, size, signal);
  };
  const onlyZeros = async (from: number) => {
    for (let next = from; next < file.size; next += endBytes) {
      const found = await window.at(next, endBytes, signal);
      if (found.some((byte) => byte !== 0)) throw damaged('more after a block of zeros, which should be its end');
    }
  };
  while (at < file.size) {
    const block = await window.at(at, blockBytes, signal);
    if (at === 0) refusePacked(block, file.name);
    const header = block.length < blockBytes ? undefined : parse(block, own, global, damaged);
    if (header === undefined) throw damaged('its end within a header');
    if (header.nullBlock) {
      await onlyZeros(at + blockBytes);
      return;
    }
    if (!header.cksumValid) throw damaged('a header whose checksum does not fit');
    const size = header.size ?? 0;
    if (!Number.isSafeInteger(size) || at + blockBytes + size > file.size) throw damaged('a file longer than the tar');
    // The window may move on while the entry is looked at.
    const name = own.path ?? headerName(block);
    switch (header.type) {
      case 'SparseFile':
        throw damaged(sparse);
      case 'ExtendedHeader':
        own = { ...own, ...extended(await bytesOf(size), damaged) };
        break;
      case 'GlobalExtendedHeader': {
        // Names in a header for all files are of none.
        const { path: _, ...said } = extended(await bytesOf(size), damaged);
        global = { ...global, ...said };
        break;
      }
      case 'NextFileHasLongPath':
      case 'OldGnuLongPath':
        own = { ...own, path: text(await bytesOf(size)) };
        break;
      case 'NextFileHasLongLinkpath':
        break;
      default:
        if (!passing.includes(header.type)) yield { name, offset: at + blockBytes, size, kind: kindOf(header) };
        own = {};
    }
    at += blockBytes + padded(size);
  }
  throw damaged('no zeros at its end: it was cut');
}

/** What headers say of the entry behind them. */
interface Extended {
  readonly path?: string;
  readonly size?: number;
}

function parse(block: Buffer, own: Extended, global: Extended, damaged: (found: string) => Error): Header {
  try {
    return new Header(block, 0, new Pax({ ...own }), new Pax({ ...global }, true));
  } catch (error) {
    throw damaged(messageOf(error));
  }
}

/** What a pax header says. */
function extended(bytes: Buffer, damaged: (found: string) => Error): Extended {
  const words = paxWords(bytes);
  if (words === undefined) throw damaged('a pax header of another form');
  if ([...words.keys()].some((word) => word.startsWith('GNU.sparse.'))) throw damaged(sparse);
  const [path, size] = [words.get('path'), words.get('size')];
  return {
    ...(path !== undefined && { path: text(path) }),
    ...(size !== undefined && { size: Number(size.toString('latin1')) }),
  };
}

/**
 * The words of a pax header. Each is its length in bytes, a blank, `word=value` and a newline; a value may hold anything, newlines too. Nothing where
 * a length does not fit.
 */
function paxWords(bytes: Buffer): ReadonlyMap<string, Buffer> | undefined {
  const words = new Map<string, Buffer>();
  for (let at = 0; at < bytes.length && bytes[at] !== 0; ) {
    const blank = bytes.indexOf(' ', at);
    const digits = blank < 0 || blank - at > 8 ? '' : bytes.toString('latin1', at, blank);
    const end = at + (/^\d+$/.test(digits) ? Number(digits) : Number.POSITIVE_INFINITY);
    const equals = bytes.indexOf('=', blank);
    if (end > bytes.length || bytes[end - 1] !== 0x0a || equals < blank || equals >= end) return undefined;
    words.set(bytes.toString('utf8', blank + 1, equals), bytes.subarray(equals + 1, end - 1));
    at = end;
  }
  return words;
}

/** The name in a header itself: of POSIX with the folders that are written apart. */
function headerName(block: Buffer): string {
  const name = text(block.subarray(0, 100));
  if (block.toString('latin1', 257, 265) !== 'ustar\x0000') return name;
  // Where times follow, as star writes them, there is room for fewer.
  const folders = text(block.subarray(345, block[475] === 0 ? 475 : 500));
  return folders === '' ? name : `${folders}/${name}`;
}

/** Text up to a zero. */
function text(bytes: Buffer): string {
  const end = bytes.indexOf(0);
  return nameText(end < 0 ? bytes : bytes.subarray(0, end));
}

/** A type that nobody knows is a file, as POSIX says. */
function kindOf({ type }: Header): TarEntry['kind'] {
  if (type === 'Link' || type === 'SymbolicLink') return 'link';
  return ['CharacterDevice', 'BlockDevice', 'FIFO', 'ContinuationFile'].includes(type) ? 'other' : 'file';
}

/** @throws TAR_PACKED */
function refusePacked(block: Buffer, name: string): void {
  const packed = packedBytes(block);
  if (packed !== undefined && !isTar(block)) throw fail('TAR_PACKED', { found: packed.what }, { where: name });
}
