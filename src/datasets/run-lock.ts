import { randomUUID } from 'node:crypto';
import { readFileSync, readlinkSync, utimesSync } from 'node:fs';
import { readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { fail } from '../errors.ts';

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

/** So often a holder shows that it lives, and so long that is believed where its process cannot be looked at. */
const [touchEveryMs, freshMs] = [15_000, 60_000];

/** The tokens of what this process holds. */
const held = new Set<string>();

/** A file that says that what lies beside it belongs to one run. */
export class RunLock {
  readonly #path: string;
  readonly #token: string;
  readonly #timer: NodeJS.Timeout;

  private constructor(path: string, token: string) {
    this.#path = path;
    this.#token = token;
    held.add(token);
    this.#timer = setInterval(() => touch(path), touchEveryMs);
    this.#timer.unref();
  }

  /**
   * Takes the lock, also one that was left behind by a run that was killed.
   *
   * @param where what belongs to one run, for the message.
   * @throws RUN_BUSY while another one that lives has it; an error of the file system.
   */
  static async take(path: string, where: string): Promise<RunLock> {
    const token = randomUUID();
    const text = JSON.stringify({ ...ownProcess(), token } satisfies Holder);
    for (;;) {
      try {
        await writeFile(path, text, { flag: 'wx' });
        return new RunLock(path, token);
      } catch (cause) {
        if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause;
      }
      const found = await readFile(path, 'utf8').catch(unlessGone);
      if (found === undefined) continue;
      const holder = holderOf(found);
      if (await lives(holder, path)) throw fail('RUN_BUSY', { found: nameOf(holder), file: path }, { where });
      await putAside(path, `${path}.${token}`, found);
    }
  }

  /** Gives it back. */
  async release(): Promise<void> {
    clearInterval(this.#timer);
    held.delete(this.#token);
    const found = await readFile(this.#path, 'utf8').catch(() => '');
    // Not that of a run which took this one for dead.
    if (holderOf(found)?.token === this.#token) await rm(this.#path, { force: true });
  }
}

/** Removes a dead lock, unless another run was faster and the lock is its own by now: that is put back. */
async function putAside(path: string, aside: string, expected: string): Promise<void> {
  const moved = await rename(path, aside).then(() => true, unlessGone);
  if (!moved) return;
  if ((await readFile(aside, 'utf8')) === expected) await rm(aside, { force: true });
  else await rename(aside, path);
}

/** What is gone meanwhile is no failure. */
function unlessGone(cause: NodeJS.ErrnoException): undefined {
  if (cause.code !== 'ENOENT') throw cause;
}

function touch(path: string): void {
  try {
    const now = new Date();
    utimesSync(path, now, now);
  } catch {
    // A folder that is gone ends the run where it is written.
  }
}

/** The text of a lock; a number alone is one of an earlier version. */
function holderOf(text: string): Partial<Holder> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'number') return { pid: value };
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

function nameOf(holder: Partial<Holder> | undefined): string {
  if (holder?.pid === undefined) return 'a process that is just beginning';
  return `process ${holder.pid}${holder.host === undefined ? '' : ` of ${holder.host}`}`;
}

async function lives(holder: Partial<Holder> | undefined, path: string): Promise<boolean> {
  const own = ownProcess();
  const near =
    holder?.host === undefined ||
    // Earlier versions did not tell the namespace.
    (holder.host === own.host &&
      holder.boot === own.boot &&
      (holder.namespace === undefined || holder.namespace === own.namespace));
  if (holder?.pid === undefined || !near) {
    // On another machine, in another container, or in one that was begun anew: only the file tells.
    const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: 0 }));
    return Date.now() - mtimeMs < freshMs;
  }
  if (holder.pid === process.pid) return holder.token !== undefined && held.has(holder.token);
  return isThere(holder.pid) && (holder.started === undefined || holder.started === startOf(holder.pid));
}

/** True when there is a process of that number. */
function isThere(pid: number): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function ownProcess(): Omit<Holder, 'token'> {
  const boot = told(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8'))?.trim();
  const namespace = told(() => readlinkSync('/proc/self/ns/pid'));
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
  return told(() => readFileSync(`/proc/${pid}/stat`, 'utf8'))
    ?.replace(/^.*\)/s, '')
    .trim()
    .split(' ')[19];
}

function told(read: () => string): string | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
