import { Header, Pax } from 'tar';
import { fail, messageOf } from '../../errors.ts';
import { type Positioned, Window } from '../positioned.ts';

/** A file in a tar: what it is called there, and where its bytes are. Its name is never made a path of this machine. */
export interface TarEntry {
  readonly name: string;
  readonly offset: number;
  readonly size: number;
  /** It is no file of its own, but a hard or symbolic link to another: it has no bytes. */
  readonly isLink: boolean;
}

export const blockBytes = 512;
/** The most bytes of a header that extends another: a name, a comment. */
const mostExtended = 2 ** 20;
/** So much of what is behind the end is looked at in one go. */
const endBytes = 2 ** 16;
/** Its bytes in the tar are not those of the file. */
const sparse = 'a sparse file; make the tar without -S';

/** Bytes that a file of `size` takes, up to the next block. */
export function padded(size: number): number {
  return Math.ceil(size / blockBytes) * blockBytes;
}

/**
 * The plain files of a tar and its links, by a pass over its headers: what lies between is not read where it is large. Names and sizes of pax and GNU headers
 * count; folders and devices are passed over. A tar ends with zeros, and nothing else is behind them: one that is cut between two files, has a
 * hole, or has another tar behind it is damaged.
 *
 * @param windowBytes what is read at a time; 512 at least.
 * @throws TAR_DAMAGED, after the files in front of the damage.
 */
export async function* tarEntries(
  file: Positioned,
  { windowBytes, signal }: { readonly windowBytes: number; readonly signal?: AbortSignal },
): AsyncGenerator<TarEntry> {
  const window = new Window(file, windowBytes);
  let at = 0;
  let own: Pax | undefined;
  let global: Pax | undefined;
  const damaged = (found: string) => fail('TAR_DAMAGED', { at, found }, { where: file.name });
  const text = async (size: number) => {
    if (size > mostExtended) throw damaged(`a header of ${size} bytes`);
    return (await window.at(at + blockBytes, size, signal)).toString('utf8');
  };
  const onlyZeros = async (from: number) => {
    for (let next = from; next < file.size; next += endBytes) {
      const found = await window.at(next, endBytes, signal);
      if (found.some((byte) => byte !== 0)) throw damaged('more behind a block of zeros, which should be its end');
    }
  };
  while (at < file.size) {
    const block = await window.at(at, blockBytes, signal);
    if (block.length < blockBytes) throw damaged('its end within a header');
    const header = parse(block, own, global, damaged);
    if (header.nullBlock) {
      await onlyZeros(at + blockBytes);
      return;
    }
    if (!header.cksumValid) throw damaged('a header whose checksum does not fit');
    const size = header.size ?? 0;
    if (!Number.isSafeInteger(size) || at + blockBytes + size > file.size) throw damaged('a file longer than the tar');
    switch (header.type) {
      case 'SparseFile':
        throw damaged(sparse);
      case 'ExtendedHeader': {
        const said = await text(size);
        if (/^\d+ GNU\.sparse\./m.test(said)) throw damaged(sparse);
        own = Pax.parse(said, own, false);
        break;
      }
      case 'GlobalExtendedHeader':
        global = Pax.parse(await text(size), global, true);
        break;
      case 'NextFileHasLongPath':
      case 'OldGnuLongPath':
        own = new Pax({ ...own, path: (await text(size)).replace(/\0.*$/s, '') });
        break;
      case 'NextFileHasLongLinkpath':
        break;
      default:
        if (isPlain(header) || isLink(header)) {
          yield { name: header.path ?? '', offset: at + blockBytes, size, isLink: isLink(header) };
        }
        own = undefined;
    }
    at += blockBytes + padded(size);
  }
  throw damaged('no zeros at its end: it was cut');
}

function parse(
  block: Buffer,
  own: Pax | undefined,
  global: Pax | undefined,
  damaged: (found: string) => Error,
): Header {
  try {
    return new Header(block, 0, own, global);
  } catch (error) {
    throw damaged(messageOf(error));
  }
}

function isPlain({ type }: Header): boolean {
  return type === 'File' || type === 'OldFile' || type === 'ContiguousFile';
}

function isLink({ type }: Header): boolean {
  return type === 'Link' || type === 'SymbolicLink';
}

/** A file as it lies in a tar: header, bytes, and zeros up to the next block. Of no time and no owner, so that the same files make the same tar. */
export function tarFile(name: string, bytes: Uint8Array): Uint8Array[] {
  const header = new Header({ path: name, size: bytes.length, mode: 0o644, mtime: new Date(0), type: 'File' });
  const block = Buffer.alloc(blockBytes);
  header.encode(block);
  const rest = padded(bytes.length) - bytes.length;
  return rest === 0 ? [block, bytes] : [block, bytes, new Uint8Array(rest)];
}

/** What a tar ends with. */
export const tarEnd: Uint8Array = new Uint8Array(2 * blockBytes);
