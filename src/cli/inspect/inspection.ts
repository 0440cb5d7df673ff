import type { Given, Terminal } from '../command.ts';
import { padded, widthOf } from '../figures/width.ts';

/** A kind of thing that `inspect` can look into. */
export interface Inspection {
  /** As in `a shard`. */
  readonly what: string;
  /** True where the path is one. */
  knows(path: string, place: Place): Promise<boolean>;
  /** Shows it and returns the exit code. */
  show(path: string, given: Given, terminal: Terminal): Promise<number>;
}

/** What is at a path. */
export type Place = 'file' | 'folder' | 'device' | 'nothing';

/** Rows of a name and what is said of it, in columns. */
export function twoColumns(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([name]) => widthOf(name)));
  return rows.map(([name, text]) => `${padded(name, width)}  ${text}\n`).join('');
}
