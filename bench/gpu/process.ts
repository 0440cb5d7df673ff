import { spawn } from 'node:child_process';
import { appendFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Row } from './rows.ts';

/** How a process ended. */
export interface Ending {
  /** Ended by us, when its time was over. */
  readonly cut: boolean;
  /** 0 when it ended well. */
  readonly code: number;
  /** The last line that it wrote beside its rows. */
  readonly last: string;
}

/** A process that was asked to stop by its deadline gets so long to do so. */
const graceMs = 4000;

/**
 * Runs a program that writes rows as lines of JSON, and ends it with all that it has started when its time is over. What else it writes goes to `log`.
 */
export function runProcess(
  [command = '', ...args]: readonly string[],
  {
    env,
    seconds,
    log,
    row,
  }: {
    readonly env: NodeJS.ProcessEnv;
    readonly seconds: number;
    readonly log: string;
    row(row: Row): void;
  },
): Promise<Ending> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    let [last, cut] = ['', false];
    let failure: unknown;
    const end = () => {
      try {
        process.kill(-child.pid!, 'SIGKILL');
      } catch {
        // It has ended by itself.
      }
    };
    // Whoever stops the script stops what it has started.
    process.once('exit', end);
    const timer = setTimeout(
      () => {
        cut = true;
        end();
      },
      seconds * 1000 + graceMs,
    );
    const other = (line: string) => {
      if (line.trim() !== '') last = line.trim();
      try {
        appendFileSync(log, `${line}\n`);
      } catch {
        // The rows say that the disk is full.
      }
    };
    createInterface({ input: child.stderr }).on('line', other);
    createInterface({ input: child.stdout }).on('line', (line) => {
      const found = rowOf(line);
      if (found === undefined) return other(line);
      try {
        row(found);
      } catch (error) {
        failure ??= error;
        end();
      }
    });
    const settle = (code: number) => {
      clearTimeout(timer);
      process.off('exit', end);
      // What it has started may still run.
      end();
      if (failure !== undefined) reject(failure);
      else resolve({ cut, code, last });
    };
    child.on('error', (error) => {
      last = error.message;
      settle(127);
    });
    child.on('close', (code, signal) => settle(code ?? (signal === null ? 1 : 128)));
    // What it has left running may hold the pipe open.
    child.on('exit', () => setTimeout(() => child.stdout.destroy(), 1000).unref());
  });
}

function rowOf(line: string): Row | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    return JSON.parse(line) as Row;
  } catch {
    return undefined;
  }
}
