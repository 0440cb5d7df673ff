import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

/** How long a folder has everyone wait: in every open and every read, and in one open of `every` so long instead. */
export interface Wait {
  readonly ms: number;
  readonly every?: number;
  readonly longer?: number;
  /** Nothing of a file that stays open is kept in memory, as where files are larger than that. */
  readonly keepsNothing?: boolean;
}

/** A folder that shows another one, read-only, and has whoever reads wait. */
export interface SlowFolder {
  readonly path: string;
  close(): void;
}

/** Compiles slow_folder.c. @throws Error where there is no compiler or no FUSE. */
export function compileSlowFolder(folder: string): string {
  const program = join(folder, 'slow_folder');
  const source = fileURLToPath(new URL('slow_folder.c', import.meta.url));
  try {
    const flags = execFileSync('pkg-config', ['--cflags', '--libs', 'fuse3'], { encoding: 'utf8' }).trim().split(/\s+/);
    execFileSync(process.env.CC ?? 'cc', ['-O2', '-o', program, source, ...flags], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    statSync('/dev/fuse');
  } catch (cause) {
    throw new Error('It needs FUSE: apt-get install gcc pkg-config fuse3 libfuse3-dev, and /dev/fuse.', { cause });
  }
  return program;
}

/** @param program that `compileSlowFolder` has made. @throws Error where it may not be mounted. */
export async function openSlowFolder(program: string, from: string, at: string, wait: Wait): Promise<SlowFolder> {
  mkdirSync(at, { recursive: true });
  const before = statSync(at).dev;
  const { ms, every = 0, longer = 0, keepsNothing = false } = wait;
  const numbers = [ms, every, longer, keepsNothing ? 0 : 1].map(String);
  const child: ChildProcess = spawn(program, [from, at, ...numbers], { stdio: ['ignore', 'ignore', 'inherit'] });
  while (statSync(at).dev === before) {
    if (child.exitCode !== null) throw new Error(`${at} may not be mounted here.`);
    await pause(50);
  }
  return { path: at, close: () => void execFileSync('fusermount3', ['-u', '-z', at]) };
}
