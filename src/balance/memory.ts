import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { messageOf, sentence } from '../errors.ts';
import { unless } from '../whole-file.ts';

/** What a run has found for a machine, a backend and a model. */
export interface Found {
  readonly microBatch: number;
  readonly threads: number;
  /** Milliseconds that the trainer then worked per step. */
  readonly busyMs: number;
}

const entry = z.object({
  microBatch: z.int().min(1).max(1_048_576),
  threads: z.int().min(1).max(4096),
  busyMs: z.number().positive(),
  at: z.string(),
});
const format = z.object({ format: z.literal(1), found: z.record(z.string(), entry) });

type Entries = Readonly<Record<string, z.output<typeof entry>>>;

/** Entries that are kept: the oldest go. */
const most = 64;
/** A file larger than that is not ours. */
const largest = 1 << 20;

/**
 * What the tuner has found in earlier runs: `balance.json` in the user's cache folder ($PATCHSTREAM_CACHE, else patchstream in $XDG_CACHE_HOME or ~/.cache).
 * Never needed: a run without it tunes anew, and what cannot be read or written is told in one line. `PATCHSTREAM_CACHE=off` keeps and reads nothing.
 */
export class BalanceMemory {
  readonly #path: string | undefined;
  readonly #line: (text: string) => void;

  constructor(
    line: (text: string) => void,
    environment: Readonly<Record<string, string | undefined>> = process.env,
    home: string = homedir(),
  ) {
    this.#line = line;
    const { PATCHSTREAM_CACHE: own, XDG_CACHE_HOME: xdg } = environment;
    const folder = own || join(xdg || join(home, '.cache'), 'patchstream');
    this.#path = own === 'off' ? undefined : join(folder, 'balance.json');
  }

  /** What was found for this, if anything. @param about everything that the choice depends on, as JSON. */
  get(about: unknown): Found | undefined {
    return this.#read()[keyOf(about)];
  }

  /** Keeps what was found. */
  put(about: unknown, { microBatch, threads, busyMs }: Found): void {
    if (this.#path === undefined) return;
    const at = new Date().toISOString();
    const entries = { ...this.#read(), [keyOf(about)]: { microBatch, threads, busyMs, at } };
    const newest = Object.entries(entries).sort(([, a], [, b]) => (a.at < b.at ? 1 : -1));
    const found = Object.fromEntries(newest.slice(0, most));
    const temporary = `${this.#path}.${process.pid}.tmp`;
    try {
      makeFolders(dirname(this.#path));
      writeFileSync(temporary, `${JSON.stringify({ format: 1, found }, null, 2)}\n`);
      renameSync(temporary, this.#path);
    } catch (error) {
      if (existsSync(temporary)) rmSync(temporary);
      this.#line(sentence(`What was tuned is not remembered: ${messageOf(error)}`));
    }
  }

  #read(): Entries {
    if (this.#path === undefined) return {};
    try {
      const text = readFileSync(this.#path, 'utf8');
      if (text.length > largest) throw new Error('it is too large');
      return format.parse(JSON.parse(text)).found;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
      this.#line(`${this.#path} is passed over, since it is none of ours or broken; it will be written anew.`);
      return {};
    }
  }
}

/** One by one, as `makeFolder` does, which has the reason; at once, since what was tuned is written between two steps. */
function makeFolders(path: string): void {
  if (existsSync(path)) return;
  makeFolders(dirname(path));
  try {
    mkdirSync(path);
  } catch (error) {
    // Another run has made it.
    unless('EEXIST')(error);
  }
}

function keyOf(about: unknown): string {
  return createHash('sha256').update(JSON.stringify(about)).digest('hex').slice(0, 16);
}
