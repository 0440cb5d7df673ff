import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A row of the kit: what was found, by name. `ok` is there where something was judged. */
export type Row = Readonly<Record<string, unknown>>;

/** Rows could not be written for want of room. */
export class DiskFull extends Error {}

/** Rows as lines of JSON in a file, each there as soon as it is known, and printed. */
export class Rows {
  readonly path: string;
  readonly #began: number;
  readonly #print: (line: string) => void;
  readonly #now: () => number;
  #failed: string[] = [];

  /** @throws DiskFull, and Error for a folder that cannot be written. */
  constructor(
    { folder, name }: { readonly folder: string; readonly name: string },
    { print = console.log, now = Date.now }: { print?: (line: string) => void; now?: () => number } = {},
  ) {
    this.path = join(folder, name);
    this.#print = print;
    this.#now = now;
    this.#began = now();
    written(this.path, () => {
      mkdirSync(folder, { recursive: true });
      writeFileSync(this.path, '');
    });
  }

  /** Seconds since the first. */
  get seconds(): number {
    return (this.#now() - this.#began) / 1000;
  }

  /** What was found wrong so far, by section. */
  get failed(): readonly string[] {
    return this.#failed;
  }

  /** @throws DiskFull */
  write(section: string, row: Row): void {
    if (row.ok === false) this.#failed.push([section, row.what].filter((part) => part !== undefined).join(': '));
    const line = JSON.stringify({ section, at: Number(this.seconds.toFixed(1)), ...row });
    written(this.path, () => appendFileSync(this.path, `${line}\n`));
    this.#print(line);
  }
}

function written(path: string, write: () => void): void {
  try {
    write();
  } catch (error) {
    throw fullDisk(error, path) ?? new Error(`${path} cannot be written: ${(error as Error).message}`);
  }
}

/** The error in the kit's own words where it says that a disk is full. */
export function fullDisk(error: unknown, file?: string): DiskFull | undefined {
  if (error instanceof DiskFull) return error;
  const { code, path } = error as NodeJS.ErrnoException;
  if (code !== 'ENOSPC' && code !== 'EDQUOT') return undefined;
  return new DiskFull(`The disk is full: ${file ?? path ?? 'a file'} cannot be written.`);
}
