import { createReadStream } from 'node:fs';
import { counted } from '../../counts.ts';
import { fail, messageOf, printable, reasonOf } from '../../errors.ts';
import { broken } from './vector-set.ts';

/** No line of a vector is longer. */
const mostBytes = 2 ** 26;

export interface JsonLine {
  readonly json: object;
  /** From 1. */
  readonly number: number;
}

/** The lines of a file of JSON, one at a time, each a map. @throws VECTORS_BROKEN, FILE_UNREADABLE; the signal's reason */
export async function* jsonLines(path: string, signal?: AbortSignal): AsyncGenerator<JsonLine> {
  let number = 0;
  for await (const line of linesOf(path, signal)) {
    number++;
    yield { json: parsed(line, path, number), number };
  }
}

function parsed(line: Buffer, path: string, number: number): object {
  const place = `in line ${number}`;
  let json: unknown;
  try {
    json = JSON.parse(line.toString('utf8'));
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause;
    throw broken(path, place, `no JSON: ${printable(messageOf(cause))}`, cause);
  }
  if (typeof json === 'object' && json !== null && !Array.isArray(json)) return json;
  throw broken(path, place, 'no map of fields');
}

async function* linesOf(path: string, signal: AbortSignal | undefined): AsyncGenerator<Buffer> {
  let rest: Buffer[] = [];
  let length = 0;
  const stream = createReadStream(path, { highWaterMark: 2 ** 18, ...(signal && { signal }) });
  try {
    for await (const piece of stream as AsyncIterable<Buffer>) {
      let from = 0;
      for (let to = piece.indexOf(10); to >= 0; to = piece.indexOf(10, from)) {
        yield Buffer.concat([...rest, piece.subarray(from, to)]);
        rest = [];
        length = 0;
        from = to + 1;
      }
      const last = piece.subarray(from);
      length += last.length;
      if (length > mostBytes) throw broken(path, 'in its longest line', `more than ${counted(mostBytes, 'byte')}`);
      if (last.length > 0) rest.push(last);
    }
  } catch (cause) {
    if (signal?.aborted) throw signal.reason;
    if ((cause as NodeJS.ErrnoException).syscall === undefined) throw cause;
    throw fail('FILE_UNREADABLE', { file: path, reason: reasonOf(cause) }, { cause });
  }
  if (rest.length > 0) yield Buffer.concat(rest);
}
