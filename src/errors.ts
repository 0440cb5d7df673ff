import { counted } from './counts.ts';
import { dataErrors } from './errors/data.ts';
import { pipelineErrors } from './errors/pipeline.ts';
import { streamsErrors } from './errors/streams.ts';
import { tablesErrors } from './errors/tables.ts';
import { trainErrors } from './errors/train.ts';

/**
 * Every error that patchstream makes on purpose: one code, one message. A message says what was expected, what was found and what
 * to do; `where` says the place (file:line:column, stage, sample). `{slots}` are filled and escaped by `fail`; `{limit:byte}` is a number with what it counts.
 * A code is never reused after its removal. `docs/errors.md` is made from this list, and a test holds the two together.
 */
export const catalogue = { ...streamsErrors, ...trainErrors, ...pipelineErrors, ...dataErrors, ...tablesErrors };

export type ErrorCode = keyof typeof catalogue;

type SlotNames<T extends string> = T extends `${string}{${infer Name}}${infer Rest}`
  ?
      | (Name extends `${string} ${string}` ? never : Name extends `${infer Slot}:${string}` ? Slot : Name)
      | SlotNames<Rest>
  : never;

/** `{limit}`; `{limit:byte}` or `{n:patch/patches}` for a number with what it counts. With the full stop behind it, where one ends the sentence. */
const slot = /\{(\w+)(?::(\w+)(?:\/(\w+))?)?\}(\.(?=\s|$))?/g;

/** A text that ends a sentence by itself, as the message of another error does. */
const sentenceEnd = /[\p{L}\p{N})\]'"`\u201d][.!?]$|\u2026$/u;

/** The values that fill a template. */
export type SlotsOf<Template extends string> = { [K in SlotNames<Template>]: string | number };

/** The values that fill the message of a code. */
export type Slots<C extends ErrorCode> = SlotsOf<(typeof catalogue)[C]>;

/** An error of the catalogue. `code` is stable and for programs, `message` is for people, `where` names the place, `cause` keeps the original. */
export class PatchstreamError extends Error {
  readonly code: ErrorCode;
  readonly where: string | undefined;
  /** The message without code and place. */
  readonly text: string;
  /** True where it ends the run, whatever may fail: a sample of a source that is told to stop at the first damage. */
  readonly ends: boolean;

  constructor(code: ErrorCode, text: string, where?: string, cause?: unknown, ends = false) {
    super(`${code}: ${where === undefined ? '' : `${where}: `}${text}`, cause === undefined ? undefined : { cause });
    this.name = 'PatchstreamError';
    this.ends = ends;
    this.code = code;
    this.where = where;
    this.text = text;
  }
}

/** A rule that an option breaks, found without opening data. `option` is a path into the options (`size`, `size.0`), for the line and column in the file. */
export interface ValidationIssue {
  readonly option?: string;
  readonly error: PatchstreamError;
}

/** Makes the error of `code`; does not throw it, so that call sites read `throw fail(…)`. Slot values are escaped by `printable`. */
export function fail<C extends ErrorCode>(
  code: C,
  slots: Slots<C>,
  { where, cause, ends }: { where?: string | undefined; cause?: unknown; ends?: boolean } = {},
): PatchstreamError {
  const text = filled(catalogue[code], slots);
  return new PatchstreamError(code, text, where === undefined ? undefined : printable(where), cause, ends);
}

/** A template with its slots filled; the values are escaped by `printable`. A value that is a sentence keeps its own end: one full stop, never two. */
export function filled(template: string, values: Readonly<Record<string, string | number>>): string {
  const text = template.replace(slot, (whole, name: string, one?: string, many?: string, stop = '') => {
    const value = values[name];
    if (value === undefined) return whole;
    if (one === undefined) return `${printable(String(value))}${sentenceEnd.test(String(value)) ? '' : stop}`;
    if (typeof value === 'number') return `${counted(value, one, many)}${stop}`;
    return `${printable(value)} ${value === '1' ? one : (many ?? `${one}s`)}${stop}`;
  });
  return text.trim();
}

// Control characters, line and paragraph separators, zero-width and bidirectional overrides: all that can move a cursor or lie about order.
const unprintable = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/** Text from outside (a file name, a key, a value) made safe to show in a terminal, log or label: what does not print becomes \u{…}. */
export function printable(text: string): string {
  return text.replace(unprintable, (char) => (char === '\n' ? '\\n' : `\\u{${char.codePointAt(0)?.toString(16)}}`));
}

/** What an operating system has found, by the code of its error. */
const systemWords: Readonly<Record<string, string>> = {
  EACCES: 'no permission',
  EBUSY: 'something that is in use',
  EDQUOT: 'a full disk',
  EEXIST: 'something of this name',
  EFBIG: 'a file that is too large',
  EIO: 'an error of the disk',
  EISDIR: 'a folder',
  ELOOP: 'links that lead in a circle',
  EMFILE: 'too many open files',
  ENAMETOOLONG: 'a name that is too long',
  ENFILE: 'too many open files',
  ENOENT: 'nothing of this name',
  ENOSPC: 'a full disk',
  ENOTDIR: 'a file in the place of a folder',
  ENOTEMPTY: 'a folder that is not empty',
  EPERM: 'no permission',
  EROFS: 'a disk that cannot be written to',
  ESTALE: 'a file that its server no longer knows',
};

/** What a system has found, in words, where `error` is one of its errors about a file. */
function systemWord(error: Error): string | undefined {
  const { code, syscall } = error as NodeJS.ErrnoException;
  return syscall === undefined ? undefined : systemWords[code ?? ''];
}

/** The message of anything thrown, in one line that is safe to show; an error of the system about a file in words, with its path. */
export function messageOf(error: unknown): string {
  if (error instanceof PatchstreamError) return error.message;
  if (!(error instanceof Error)) return printable(String(error));
  const word = systemWord(error);
  if (word === undefined) return printable(error.message || error.name);
  const { path } = error as NodeJS.ErrnoException;
  return printable(path === undefined ? word : `${word}: ${path}`);
}

/** As `messageOf`, for a sentence that names the path itself. */
export function reasonOf(error: unknown): string {
  return (error instanceof Error && systemWord(error)) || messageOf(error);
}

/** A value that is not what was expected, as messages name it: never its whole text, as that of a function would be. */
export function valueText(value: unknown): string {
  if (typeof value === 'function') {
    const kind = /^class\b/.test(Function.prototype.toString.call(value)) ? 'class' : 'function';
    return value.name === '' ? `a ${kind}` : `the ${kind} ${value.name}`;
  }
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === 'object' && value !== null) return 'an object';
  const text = String(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

/** A text as a sentence: with one full stop at its end, unless it has an end of its own. */
export function sentence(text: string): string {
  return sentenceEnd.test(text) ? text : `${text}.`;
}

/** A message up to its first line end, real or as `messageOf` shows it: parsers and loaders append excerpts and stacks. */
export function firstLine(message: string): string {
  return message.split(/\n|\\n/, 1)[0]!;
}

/** The nearest of `names` to `name` by edit distance when it is near enough to be a slip, for suggestions. */
export function nearest(name: string, names: Iterable<string>): string | undefined {
  let best: string | undefined;
  let least = Math.max(1, Math.floor(name.length / 3)) + 1;
  for (const candidate of names) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (distance < least) [best, least] = [candidate, distance];
  }
  return best;
}

// Two neighbours that changed places are one slip: `trian`, `winodws`.
function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      row[j] = Math.min(previous[j]! + 1, row[j - 1]! + 1, previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1));
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) row[j] = Math.min(row[j]!, before[j - 2]! + 1);
    }
    [before, previous] = [previous, row];
  }
  return previous[b.length]!;
}
