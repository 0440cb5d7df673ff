import type { Dirent } from 'node:fs';
import { readdir, realpath, stat } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import { counted } from '../counts.ts';
import { fail, nearest, PatchstreamError, reasonOf } from '../errors.ts';
import { nameText, replacement } from './name-text.ts';
import { packedAs } from './packed-as.ts';
import { PassedOver, type PassedOverRow } from './passed-over.ts';
import { kindOf, nothingThere, only, systemCode } from './system.ts';

export interface Listing {
  /** Keys of the files: paths relative to the folder, with forward slashes, in the order of their UTF-16 code units. */
  readonly files: readonly string[];
  /** The names of the first-level folders, empty or not, in the same order. */
  readonly folders: readonly string[];
  /** First-level links that lead nowhere and have no wanted ending. */
  readonly lost: readonly string[];
  /** What else was seen. */
  readonly passedOver: readonly PassedOverRow[];
  /** Listed names that are neither files nor links to files, by key: what they are. They must not be opened. */
  readonly strange: ReadonlyMap<string, string>;
  /** The path of a file for the system: bytes where its name is not UTF-8. */
  path(key: string): string | Buffer;
}

/** What a listing asks of the file system; a test gives its own. */
export interface FileSystem {
  readonly readdir: typeof readdir;
  readonly stat: typeof stat;
  readonly realpath: typeof realpath;
}

export interface ListOptions {
  readonly signal?: AbortSignal | undefined;
  readonly progress?: ((text: string) => void) | undefined;
  /** Wanted files that the caller knows already: neither listed nor passed over. */
  readonly known?: (key: string) => boolean;
  /** The real paths of folders that are written to. What is in them must not be read, whichever link leads there. */
  readonly written?: readonly string[] | undefined;
  readonly system?: FileSystem;
}

/**
 * Lists the files of a folder and of all folders in it whose name `wanted` accepts. Hidden names (`.x`, `__MACOSX`) are passed over. Links are followed:
 * real folders come first, wherever a link to them stands, and a folder is entered once, known by its real path, so that a link to a folder above does
 * not go round for ever. A wanted name that cannot be looked at, as a link that leads nowhere, is listed: reading it tells why. Every name that is seen is listed,
 * entered, or passed over for a reason that is counted.
 *
 * @throws FOLDER_MISSING, FOLDER_FILE; FOLDER_UNREADABLE for any folder that cannot be looked at; OUTPUT_IN_SOURCE for what leads into a folder that is
 * written to.
 */
export async function listFiles(
  root: string,
  wanted: (name: string) => boolean,
  options: ListOptions = {},
): Promise<Listing> {
  const walk = new Walk(root, wanted, options);
  await checkFolder(root, options.system);
  return walk.all();
}

/** Looks whether a folder is there. @throws FOLDER_MISSING, FOLDER_FILE, FOLDER_UNREADABLE */
export async function checkFolder(root: string, { stat }: Pick<FileSystem, 'stat'> = fileSystem): Promise<void> {
  const top = await stat(root, { bigint: true }).catch((error: unknown) => missing(root, error));
  if (top.isDirectory()) return;
  const advice = top.isFile() ? await adviceOn(root) : 'Give a folder.';
  throw fail('FOLDER_FILE', { path: root, advice });
}

const fileSystem: FileSystem = { readdir, stat, realpath };

/** A folder that is to be entered. */
interface Folder {
  /** '' for the one at the top. */
  readonly key: string;
  readonly path: string | Buffer;
  /** Its real path, each byte as a character. */
  readonly real: string;
}

interface Link {
  readonly key: string;
  readonly path: string | Buffer;
}

interface Entry {
  readonly name: string;
  /** The name's bytes, where they are not those of `name`. */
  readonly bytes?: Buffer;
  readonly kind: Dirent;
}

class Walk {
  readonly #root: string;
  readonly #wanted: (name: string) => boolean;
  readonly #options: ListOptions;
  readonly #system: FileSystem;
  readonly #files: string[] = [];
  readonly #folders: string[] = [];
  readonly #lost: string[] = [];
  readonly #passedOver = new PassedOver();
  readonly #strange = new Map<string, string>();
  readonly #bytes = new Map<string, Buffer>();
  readonly #entered = new Set<string>();
  readonly #links: Link[] = [];
  /** Each byte as a character. */
  readonly #written: readonly string[];
  #told = Date.now() + 2000;

  constructor(root: string, wanted: (name: string) => boolean, options: ListOptions) {
    this.#root = root;
    this.#wanted = wanted;
    this.#options = options;
    this.#system = options.system ?? fileSystem;
    this.#written = (options.written ?? []).map((path) => Buffer.from(path).toString('latin1'));
  }

  async all(): Promise<Listing> {
    await this.#tree({ key: '', path: this.#root, real: await this.#real({ key: '', path: this.#root }) });
    // Only now: a link must not take the place of the real folder that it leads to.
    for (let link = this.#links.shift(); link !== undefined; link = this.#links.shift()) {
      const real = await this.#real(link);
      if (this.#entered.has(real)) this.#passedOver.add('again', link.key);
      else await this.#tree({ ...link, real });
    }
    return {
      files: this.#files.sort(byCodeUnit),
      folders: this.#folders.sort(byCodeUnit),
      lost: this.#lost.sort(byCodeUnit),
      passedOver: this.#passedOver.rows,
      strange: this.#strange,
      path: (key) => this.#bytes.get(key) ?? `${this.#root}/${key}`,
    };
  }

  /** A folder and the real folders in it; links to folders are left for later, in order. */
  async #tree(top: Folder): Promise<void> {
    const folders = [top];
    const links: Link[] = [];
    for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
      this.#options.signal?.throwIfAborted();
      this.#tell();
      if (this.#entered.has(folder.real)) {
        this.#passedOver.add('again', folder.key);
        continue;
      }
      this.#refuseWritten(folder.key, folder.real);
      this.#entered.add(folder.real);
      if (folder.key !== '' && !folder.key.includes('/')) this.#folders.push(folder.key);
      for (const entry of await this.#entries(folder)) {
        const key = folder.key === '' ? entry.name : `${folder.key}/${entry.name}`;
        const path = pathIn(folder, entry);
        if (isHidden(entry.name)) this.#passedOver.add('hidden', key);
        else if (entry.kind.isFile()) this.#file(key, entry.name, path);
        else if (entry.kind.isDirectory()) folders.push({ key, path, real: `${folder.real}/${latin(entry)}` });
        else if (!entry.kind.isSymbolicLink()) this.#other(key, entry.name, path, entry.kind);
        else if (await this.#follow(key, entry.name, path)) links.push({ key, path });
      }
    }
    this.#links.push(...links.sort((a, b) => byCodeUnit(a.key, b.key)));
  }

  #file(key: string, name: string, path: string | Buffer): void {
    if (!this.#wanted(name)) {
      this.#passedOver.add('ending', key, extname(name));
      return;
    }
    if (typeof path !== 'string') this.#bytes.set(key, path);
    if (!this.#options.known?.(key)) this.#files.push(key);
  }

  /** A pipe, a socket, a device: with a wanted ending it is listed, and its reading fails. */
  #other(key: string, name: string, path: string | Buffer, found: Parameters<typeof kindOf>[0]): void {
    if (!this.#wanted(name)) {
      this.#passedOver.add('kind', key);
      return;
    }
    this.#strange.set(key, kindOf(found));
    this.#file(key, name, path);
  }

  /** Takes a link to a file; answers whether it leads to a folder. */
  async #follow(key: string, name: string, path: string | Buffer): Promise<boolean> {
    try {
      const found = await this.#system.stat(path, { bigint: true });
      if (found.isDirectory()) return true;
      if (found.isFile()) {
        if (this.#written.length > 0 && this.#wanted(name)) this.#refuseWritten(key, await this.#real({ key, path }));
        this.#file(key, name, path);
      } else this.#other(key, name, path, found);
    } catch (error) {
      if (error instanceof PatchstreamError) throw error;
      if (this.#wanted(name)) this.#file(key, name, path);
      else if (!nothingThere.includes(systemCode(error) ?? '')) throw this.#unreadable(key, error);
      else {
        this.#passedOver.add('nowhere', key);
        if (!key.includes('/')) this.#lost.push(key);
      }
    }
    return false;
  }

  /** The next run would read what this one writes, and may remove what is read. */
  #refuseWritten(key: string, real: string): void {
    const output = this.#written.find((folder) => real === folder || real.startsWith(`${folder}/`));
    if (output === undefined) return;
    const slots = { output: Buffer.from(output, 'latin1').toString(), source: this.#root };
    throw fail('OUTPUT_IN_SOURCE', slots, { where: `${this.#root}/${key}, a link that leads there` });
  }

  async #real({ key, path }: Link): Promise<string> {
    try {
      const real = await this.#system.realpath(path, { encoding: 'buffer' });
      return real.toString('latin1');
    } catch (error) {
      throw this.#unreadable(key, error);
    }
  }

  /** What is in a folder, in order. */
  async #entries({ key, path }: Folder): Promise<Entry[]> {
    try {
      const found = await this.#system.readdir(path, { withFileTypes: true });
      const isText = !found.some(({ name }) => name.includes(replacement));
      const entries = isText ? found.map((kind) => ({ name: kind.name, kind })) : await this.#named(path);
      return entries.sort((a, b) => byCodeUnit(a.name, b.name));
    } catch (error) {
      throw this.#unreadable(key, error);
    }
  }

  /** The same, where the bytes of a name are perhaps none of text. */
  async #named(path: string | Buffer): Promise<Entry[]> {
    const found = (await this.#system.readdir(path, { withFileTypes: true, encoding: 'buffer' })) as Dirent<Buffer>[];
    const named = found.map((entry) => ({
      kind: entry as never as Dirent,
      bytes: entry.name,
      name: nameText(entry.name),
    }));
    const isText = ({ name, bytes }: { name: string; bytes: Buffer }) => bytes.equals(Buffer.from(name));
    const taken = new Set(named.filter(isText).map(({ name }) => name));
    return named.map((entry) => {
      if (isText(entry)) return { name: entry.name, kind: entry.kind };
      let { name } = entry;
      // Another name may be the very text that stands for these bytes.
      while (taken.has(name)) name = `\\${name}`;
      taken.add(name);
      return { ...entry, name };
    });
  }

  #unreadable(key: string, error: unknown): Error {
    return unreadable(key === '' ? this.#root : `${this.#root}/${key}`, error);
  }

  #tell(): void {
    if (Date.now() <= this.#told) return;
    this.#options.progress?.(`listing ${this.#root}: ${counted(this.#files.length, 'file')} so far`);
    this.#told = Date.now() + 5000;
  }
}

/** What an operating system lays beside photos for itself. */
function isHidden(name: string): boolean {
  return name.startsWith('.') || name === '__MACOSX';
}

function pathIn({ path }: Folder, { name, bytes }: Entry): string | Buffer {
  if (typeof path === 'string' && bytes === undefined) return `${path}/${name}`;
  return Buffer.concat([Buffer.from(path), Buffer.from('/'), bytes ?? Buffer.from(name)]);
}

function latin({ name, bytes }: Entry): string {
  return (bytes ?? Buffer.from(name)).toString('latin1');
}

function unreadable(path: string, cause: unknown): Error {
  return fail('FOLDER_UNREADABLE', { path, reason: reasonOf(cause) }, { cause });
}

export function byCodeUnit(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

async function missing(path: string, cause: unknown): Promise<never> {
  if (systemCode(cause) !== 'ENOENT' && systemCode(cause) !== 'ENOTDIR') throw unreadable(path, cause);
  const beside = await readdir(dirname(path)).catch(only([...nothingThere, 'EACCES', 'EPERM'], []));
  const meant = nearest(basename(path), beside);
  const advice =
    meant === undefined
      ? 'Look at the path: in a pipeline file, relative ones start at the file.'
      : `Did you mean ${join(dirname(path), meant)}?`;
  throw fail('FOLDER_MISSING', { path, advice }, { cause });
}

/** What to do with a file in the place of a folder. */
async function adviceOn(path: string): Promise<string> {
  const packed = await packedAs(path);
  if (packed !== undefined) return `It is ${packed.what}: ${packed.advice}`;
  if (/\.(csv|tsv|jsonl|ndjson)$/i.test(path)) return 'A list is read by the source `manifest`.';
  if (/\.parquet$/i.test(path)) return 'A table is read by the source `parquet`.';
  return 'Give the folder it lies in.';
}
