import type { Entry, Form } from './rotating-files.ts';

/** A line of a file, UTF-8, its newline included. */
export interface Line extends Entry {
  readonly line: Uint8Array;
}

/** A file of lines needs nothing around them. */
export const lineForm: Form<Line> = {
  head: () => [],
  entry: ({ line }) => [line],
  tail: () => [],
};

/** A value as a line of JSON. @param json of the sample at that position. */
export function jsonLine(position: number, json: string): Line {
  const line = Buffer.from(`${json}\n`);
  return { position, line, bytes: line.length };
}
