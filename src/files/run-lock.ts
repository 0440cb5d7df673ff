import { createHash, randomUUID } from 'node:crypto';
import { type BigIntStats, closeSync, constants, openSync, readFileSync, readlinkSync, writeSync } from 'node:fs';
import { link, lstat, open, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { counted } from '../counts.ts';
import { fail, PatchstreamError, reasonOf } from '../errors.ts';
import { discard, jsonOf, makeFolder, noLinks, systemCode, unless } from '../whole-file.ts';

/** Who has a lock. What a system does not tell is left out. */
interface Holder {
  readonly pid: number;
  readonly host: string;
  /** Of the boot: after another one, numbers of processes mean others. */
  readonly boot?: string;
  /** In which numbers of processes mean what they do: containers of one machine, that share its name, have one each. */
  readonly namespace?: string;
  /** When the process began, in ticks since the boot: in a container that is begun again the next process has the same number. */
  readonly started?: string;
  readonly token: string;
}

/** A lock as it was found. */
interface Found {
  /** Nothing where it was cut, as by a disk that was full. */
  readonly holder: Partial<Holder> | undefined;
  readonly token: string | undefined;
  /** When it was last touched, by the clock of the file system. */
  readonly touchedMs: number;
  /** Of this very lock: its text, its file, and when it was touched. */
  readonly digest: string;
}

/** What is to be written, and what has become known meanwhile. */
interface Own {
  readonly text: string;
  readonly token: string;
  /** Now, by the clock of the file system: clocks of machines differ. */
  nowMs: number;
}

/** So often a holder shows that it lives, and so long that is believed where its process cannot be looked at. */
const [touchEveryMs, freshMs] = [15_000, 60_000];
/** A lock is tried for so often: each try ends with it, with its holder, or where another process has changed it meanwhile. */
const mostTries = 16;
/** Dead locks of those who died while they took over a dead lock. */
const mostDepth = 4;
/** Locks are far smaller. */
const mostBytes = 4096;
/** A lock that is empty may be one that is being written, where a file system has no second names. */
const emptyMs = 250;

/** The tokens of what this process holds. */
const held = new Set<string>();

/** A file that says that what lies beside it belongs to one run. */
export class RunLock {
  readonly #path: string;
  readonly #token: string;
  readonly #timer: NodeJS.Timeout;

  private constructor(path: string, { text, token }: Own, onLost: () => void) {
    this.#path = path;
    this.#token = token;
    this.#timer = setInterval(() => {
      if (!touch(path, text)) onLost();
    }, touchEveryMs);
    this.#timer.unref();
  }

  /**
   * Takes the lock, also one that was left behind by a run that was killed. It appears whole, or not at all, and is taken within a second, or not. Its folder is made where it is gone.
   *
   * @param where what belongs to one run, for the message. @param onLost hears, while it is held, that the file is gone or another's.
   * @throws RUN_BUSY while another one that lives has it; RUN_LOCK where something else is in its place; an error of the file system.
   */
  static async take(
    path: string,
    where: string,
    { onLost = () => {} }: { readonly onLost?: () => void } = {},
  ): Promise<RunLock> {
    const token = randomUUID();
    const own: Own = { text: JSON.stringify({ ...ownProcess(), token } satisfies Holder), token, nowMs: Date.now() };
    held.add(token);
    try {
      await acquire(path, own, where, 0);
      await sweep(path, own);
      return new RunLock(path, own, onLost);
    } catch (error) {
      held.delete(token);
      throw error;
    }
  }

  /** Gives it back, unless it is that of a run which took this one for dead. */
  async release(): Promise<void> {
    clearInterval(this.#timer);
    held.delete(this.#token);
    const found = await look(this.#path).catch(unlessForeign);
    if (found?.token === this.#token) await rm(this.#path, { force: true });
  }
}

async function acquire(path: string, own: Own, where: string, depth: number): Promise<void> {
  let empty = true;
  for (let tries = 0; tries < mostTries; tries++) {
    if (await written(path, own)) return;
    const found = await look(path);
    if (found === undefined) continue;
    if (found.holder === undefined && empty) {
      empty = false;
      await pause(emptyMs);
      continue;
    }
    if (lives(found, own)) throw fail('RUN_BUSY', { found: nameOf(found.holder), file: path }, { where });
    if (await takenOver(path, found, own, where, depth)) return;
  }
  throw fail('RUN_BUSY', { found: 'a process that begins and ends again and again', file: path }, { where });
}

/** Writes the lock under a name of its own and gives it its name, which only one can have. False where there is one. */
async function written(path: string, own: Own): Promise<boolean> {
  const temporary = `${path}.${own.token}`;
  try {
    await writeFile(temporary, own.text, { flag: 'wx' });
    own.nowMs = (await stat(temporary)).mtimeMs;
    await link(temporary, path);
    return true;
  } catch (error) {
    const code = systemCode(error) ?? '';
    // Another process has swept it away, since this one has been slow; or the folder was that of a start that never began, which has taken it away.
    if (code === 'ENOENT') await makeFolder(dirname(path));
    if (code === 'EEXIST' || code === 'ENOENT') return false;
    if (noLinks.includes(code)) return await writtenInPlace(path, own);
    throw error;
  } finally {
    await discard(temporary);
  }
}

/** On file systems without second names for a file. */
async function writtenInPlace(path: string, { text }: Own): Promise<boolean> {
  const file = await open(path, 'wx').catch(unless('EEXIST'));
  if (file === undefined) return false;
  try {
    await file.writeFile(text);
    return true;
  } catch (error) {
    await discard(path);
    throw error;
  } finally {
    await file.close();
  }
}

/**
 * Puts the own lock in the place of a dead one. Who may do that is told by a lock of this very lock, so that it is one alone, whoever is slow; it
 * becomes the lock by being renamed. Where somebody is killed in between, that lock is dead too, and is taken over in the same way.
 */
async function takenOver(path: string, dead: Found, own: Own, where: string, depth: number): Promise<boolean> {
  if (depth === mostDepth) throw fail('RUN_BUSY', { found: nameOf(dead.holder), file: path }, { where });
  const claim = `${path}.${dead.digest}`;
  await acquire(claim, own, where, depth + 1);
  const now = await look(path).catch(async (error: unknown) => {
    await discard(claim);
    throw error;
  });
  // By the time of the claim: where this process has stood still since the first look, a lock that was touched meanwhile had seemed to be one of the future.
  if (now?.digest === dead.digest && !lives(now, own)) {
    await rename(claim, path);
    return true;
  }
  await rm(claim, { force: true });
  return false;
}

/** Removes what others have left beside the lock when they were killed while they took it: it says itself what it is, and of which process. */
async function sweep(path: string, own: Own): Promise<void> {
  const folder = dirname(path);
  for (const name of await readdir(folder)) {
    if (!name.startsWith(basename(path)) || !leftover.test(name.slice(basename(path).length))) continue;
    const left = join(folder, name);
    const found = await look(left).catch(unlessForeign);
    const cut = found?.holder === undefined;
    if (found === undefined || (cut ? own.nowMs - found.touchedMs < freshMs : lives(found, own))) continue;
    await rm(left, { force: true });
  }
}

/** Locks of dead locks, and names under which locks are written. */
const leftover = /^(\.[0-9a-f]{16}){0,4}\.([0-9a-f]{16}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$/;

/** What is at the path; nothing where nothing is. Never waits, follows or changes anything. @throws RUN_LOCK */
async function look(path: string): Promise<Found | undefined> {
  const found = await lstat(path, { bigint: true }).catch(unless('ENOENT'));
  if (found === undefined) return undefined;
  const refuse = (what: string, cause?: unknown) => fail('RUN_LOCK', { found: what }, { where: path, cause });
  if (!found.isFile()) throw refuse(kindOf(found));
  if (found.size > mostBytes) throw refuse(`a file of ${counted(Number(found.size), 'byte')}`);
  let text: string;
  try {
    const file = await open(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0));
    try {
      text = await file.readFile('utf8');
    } finally {
      await file.close();
    }
  } catch (cause) {
    if (systemCode(cause) === 'ENOENT') return undefined;
    throw refuse(`one that cannot be read (${reasonOf(cause)})`, cause);
  }
  const { dev, ino, mtimeNs, mtimeMs } = found;
  const digest = createHash('sha256').update(`${dev}:${ino}:${mtimeNs}:${text}`).digest('hex').slice(0, 16);
  const holder = holderOf(text);
  if (holder === 'foreign') throw refuse('a file of something else');
  return { holder, token: holder?.token, touchedMs: Number(mtimeMs), digest };
}

function kindOf(found: BigIntStats): string {
  if (found.isDirectory()) return 'a folder';
  if (found.isSymbolicLink()) return 'a symbolic link';
  return found.isFIFO() ? 'a named pipe' : 'a device or a socket';
}

/** The text of a lock; a number alone is one of an earlier version. Nothing for one that was cut, or never came to the disk. */
function holderOf(text: string): Partial<Holder> | undefined | 'foreign' {
  if (/^[\0\s]*$/.test(text)) return undefined;
  const value = jsonOf(text);
  // No JSON: the beginning of a lock, or none.
  if (value === undefined) return text.startsWith('{"pid":') ? undefined : 'foreign';
  if (typeof value === 'number') return { pid: value };
  const holder = (typeof value === 'object' && value !== null ? value : {}) as Partial<Holder>;
  return typeof holder.pid === 'number' ? holder : 'foreign';
}

/** What is none of ours is nobody's to remove. */
function unlessForeign(error: unknown): undefined {
  if (!(error instanceof PatchstreamError && error.code === 'RUN_LOCK')) throw error;
}

function nameOf(holder: Partial<Holder> | undefined): string {
  if (holder?.pid === undefined) return 'a process that is just beginning';
  return `process ${holder.pid}${holder.host === undefined ? '' : ` of ${holder.host}`}`;
}

function lives({ holder, touchedMs }: Found, { nowMs }: Own): boolean {
  if (holder?.pid === undefined) return false;
  const own = ownProcess();
  const near =
    holder.host === undefined ||
    // Earlier versions did not tell the namespace.
    (holder.host === own.host &&
      holder.boot === own.boot &&
      (holder.namespace === undefined || holder.namespace === own.namespace));
  // On another machine, in another container, or in one that was begun anew: only the file tells, and nobody touches it in the future.
  if (!near) return Math.abs(nowMs - touchedMs) < freshMs;
  if (holder.pid === process.pid) return holder.token !== undefined && held.has(holder.token);
  return isThere(holder.pid) && (holder.started === undefined || holder.started === startOf(holder.pid));
}

/**
 * Shows that the holder lives: the same text again, so that the time is that of the file system and not of this machine. False where the lock is gone
 * or another's. One that cannot be written for now, as on a full disk, is tried again.
 */
function touch(path: string, text: string): boolean {
  let file: number | undefined;
  try {
    file = openSync(path, constants.O_RDWR | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0));
    if (readFileSync(file, 'utf8') !== text) return false;
    writeSync(file, text, 0);
  } catch (error) {
    return !['ENOENT', 'ENOTDIR', 'ESTALE', 'EISDIR', 'ELOOP'].includes(systemCode(error) ?? '');
  } finally {
    if (file !== undefined) closeSync(file);
  }
  return true;
}

/** True when there is a process of that number. */
function isThere(pid: number): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemCode(error) === 'EPERM';
  }
}

function ownProcess(): Omit<Holder, 'token'> {
  const boot = unlessUntold(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8'))?.trim();
  const namespace = unlessUntold(() => readlinkSync('/proc/self/ns/pid'));
  const started = startOf(process.pid);
  return {
    pid: process.pid,
    host: hostname(),
    ...(boot && { boot }),
    ...(namespace && { namespace }),
    ...(started && { started }),
  };
}

/** When a process began, where the system says so: the 22nd field, counted behind the name, which may hold anything. */
function startOf(pid: number): string | undefined {
  return unlessUntold(() => readFileSync(`/proc/${pid}/stat`, 'utf8'))
    ?.replace(/^.*\)/s, '')
    .trim()
    .split(' ')[19];
}

/** Not every system says it, and a process may just have ended. */
function unlessUntold(read: () => string): string | undefined {
  try {
    return read();
  } catch (error) {
    return unless('ENOENT', 'ENOTDIR', 'ESRCH', 'EACCES', 'EPERM', 'EINVAL')(error);
  }
}
