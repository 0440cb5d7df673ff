import { fstatSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, join } from 'node:path';
import { unless } from '../whole-file.ts';
import type { Output, Terminal } from './command.ts';

/** A terminal whose readers may leave. */
export interface Outputs {
  readonly terminal: Terminal;
  /** Whether something was written to stdout that nobody reads. Asked at the end: a pipe tells it a moment later. */
  unread(): Promise<boolean>;
}

/**
 * Outlives who reads: a pager that was closed, `| head`, an ended ssh, a disk that is full under a log. What is written from then on goes nowhere, and no
 * verb ends of it; `gone` hears of it once, when it is stdout.
 */
export function enduring(terminal: Terminal, gone: (reason: string) => void): Outputs {
  let unread = false;
  const stderr = quiet(terminal.stderr, () => {});
  const stdout = quiet(terminal.stdout, (reason) => {
    unread = true;
    gone(reason);
  });
  const own: Terminal = {
    stdout,
    stderr,
    env: terminal.env,
    on: (signal, listener) => terminal.on(signal, listener),
    off: (signal, listener) => terminal.off(signal, listener),
    exit: (code) => terminal.exit(code),
    ...(terminal.pid !== undefined && { pid: terminal.pid, kill: (pid, signal) => terminal.kill?.(pid, signal) }),
  };
  return {
    terminal: own,
    async unread() {
      await new Promise((resolve) => setImmediate(resolve));
      return unread;
    },
  };
}

function quiet(output: Output, gone: (reason: string) => void): Output {
  let open = true;
  const close = (error: unknown) => {
    if (open) gone((error as NodeJS.ErrnoException).code ?? 'closed');
    open = false;
  };
  output.on?.('error', close);
  return {
    get isTTY() {
      return output.isTTY;
    },
    get columns() {
      return output.columns;
    },
    write(text) {
      // Whatever the reason: nobody is left to be told.
      try {
        return open && output.write(text);
      } catch (error) {
        close(error);
        return false;
      }
    },
  };
}

/**
 * Whether the end of the terminal is not to end this process, as `nohup` says. Node gives every signal its default when it starts, so that this is read from
 * what is left of it: who was started by a shell knows its command as `_`; a parent that hears no hang-ups starts none that do; and `nohup` gives
 * a process that was in a terminal an input that cannot be read, and `nohup.out` as output.
 */
export function hangupsIgnored(env: Terminal['env'], parent = process.ppid): boolean {
  if (process.platform === 'win32') return false;
  if (basename(env._ ?? '') === 'nohup') return true;
  return parentIgnores(parent) || readsNothing() || writesNohup(env.HOME ?? homedir());
}

function parentIgnores(parent: number): boolean {
  const mask = /^SigIgn:\s*([0-9a-f]+)$/m.exec(textOf(`/proc/${parent}/status`) ?? '')?.[1];
  return mask !== undefined && (BigInt(`0x${mask}`) & 1n) === 1n;
}

/** Standard input is /dev/null, opened to be written to. */
function readsNothing(): boolean {
  const flags = /^flags:\s*([0-7]+)$/m.exec(textOf('/proc/self/fdinfo/0') ?? '')?.[1];
  if (flags === undefined || (Number.parseInt(flags, 8) & 3) !== 1) return false;
  try {
    return readlinkSync('/proc/self/fd/0') === '/dev/null';
  } catch (error) {
    return unless('ENOENT', 'EACCES')(error) ?? false;
  }
}

function writesNohup(home: string): boolean {
  try {
    const own = fstatSync(1, { bigint: true });
    if (!own.isFile()) return false;
    const files = ['nohup.out', join(home, 'nohup.out')].map((path) =>
      statSync(path, { bigint: true, throwIfNoEntry: false }),
    );
    return files.some((file) => file?.ino === own.ino && file.dev === own.dev);
  } catch (error) {
    return unless('EBADF', 'EACCES', 'ENOTDIR')(error) ?? false;
  }
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    // Systems without /proc, and processes of others.
    return unless('ENOENT', 'ENOTDIR', 'EACCES', 'ESRCH', 'EPERM', 'EBADF')(error);
  }
}
