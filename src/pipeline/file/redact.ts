import { createHash } from 'node:crypto';
import { printable } from '../../errors.ts';
import { ownFiles } from './own-files.ts';

/** A value that came from the environment by `${NAME}`: it is used, but neither shown nor written. */
export interface Secret {
  readonly value: string;
  /** `${NAME}` */
  readonly shown: string;
}

/** The longest text that messages quote whole (`found`): of a longer value its beginning. */
const quoted = 60;

/** `text` without the values that came from the environment. A value of one to three characters is replaced where it stands alone. */
export function redact(text: string, secrets: readonly Secret[]): string {
  return replaceIn(text, secrets, () => false);
}

const ownFile = new RegExp(`(?<![\\w.-])(?:${ownFiles.map(literally).join('|')})(?![\\w-])`, 'g');

/** A sentence without the values that came from the environment. The names of a run's own files are known to everybody, and stay whole. */
export function redactProse(text: string, secrets: readonly Secret[]): string {
  return replaceIn(text, secrets, (whole, from, to) =>
    [...whole.matchAll(ownFile)].some(({ index, 0: name }) => index <= from && to <= index + name.length),
  );
}

function replaceIn(
  text: string,
  secrets: readonly Secret[],
  stays: (whole: string, from: number, to: number) => boolean,
): string {
  let safe = text;
  for (const { value, shown } of [...secrets].sort((a, b) => b.value.length - a.value.length)) {
    for (const form of formsOf(value)) {
      const literal = literally(form);
      const alone = form.length > 3 ? literal : `(?<!\\w|\\d\\.)${literal}(?!\\w|\\.\\d)`;
      safe = safe.replace(new RegExp(alone, 'g'), (match: string, at: number, whole: string) =>
        stays(whole, at, at + match.length) ? match : shown,
      );
    }
  }
  return safe;
}

function literally(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

/** A value as it may stand in a text: as it is, escaped for JSON, a page, an address or a terminal, cut off, and line by line. */
function formsOf(value: string): string[] {
  const html = value.replace(/[&<>"']/g, (mark) => `&#${mark.charCodeAt(0)};`);
  const named = value
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
  const cut = value.length > quoted ? [`${value.slice(0, quoted)}…`] : [];
  const lines = value.includes('\n') ? value.split(/\r?\n/).filter((line) => line.length >= 8) : [];
  const web = /\p{Cs}/u.test(value) ? value : encodeURIComponent(value);
  const forms = [value, JSON.stringify(value).slice(1, -1), printable(value), html, named, web, ...cut, ...lines];
  return [...new Set(forms)].filter((form) => form !== '').sort((a, b) => b.length - a.length);
}

/** A plain value with every text in it redacted; a number or truth value that is a secret as a whole is shown as its reference. */
export function redactValue(value: unknown, secrets: readonly Secret[]): unknown {
  if (typeof value === 'string') return redact(value, secrets);
  if (typeof value === 'number' || typeof value === 'boolean') {
    const text = redact(String(value), secrets);
    return text === String(value) ? value : text;
  }
  if (Array.isArray(value)) return value.map((inner) => redactValue(inner, secrets));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, redactValue(inner, secrets)]));
}

/**
 * The secrets that are hidden in what a run says and writes beside its options: all but numbers and truth values as settings have them. `EPOCHS=3` would hide
 * every 3, and tell nobody anything.
 */
export function inProse(secrets: readonly Secret[]): readonly Secret[] {
  return secrets.filter(({ value }) => !/^(true|false|-?\d{0,6}(\.\d*)?(e[-+]?\d+)?)$/i.test(value));
}

/**
 * The fields of a row that programs compare, and that no option has a say in: a sample must be found again by its key, a row by what it is of. `NAME=start`
 * hides none of them.
 */
const data: ReadonlySet<string> = new Set(['key', 'keys', 'digest', 'type', 'event', 'code', 'how', 'kind', 'stage']);

/** A row of a run's files, or an event, with its texts redacted; numbers were measured, and stay. */
export function redactRow<T>(row: T, secrets: readonly Secret[]): T {
  const prose = inProse(secrets);
  const hide = (value: unknown): unknown => {
    if (typeof value === 'string') return redactProse(value, prose);
    if (Array.isArray(value)) return value.map(hide);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(
      Object.entries(value).map(([key, inner]) => [key, data.has(key) ? inner : hide(inner)] as const),
    );
  };
  return prose.length === 0 ? row : (hide(row) as T);
}

/** A text that `redact` has made, as it was: for files of a run that name places. */
export function reveal(text: string, secrets: readonly Secret[]): string {
  return secrets.reduce((whole, { value, shown }) => whole.replaceAll(shown, () => value), text);
}

/**
 * What stands for the true values in a file that others may read: of each secret whose reference stands in `json` a digest, by its reference. Two runs that differ in one alone
 * can be told apart, and what differs be named.
 */
export function sealed(json: unknown, secrets: readonly Secret[]): Readonly<Record<string, string>> {
  const text = JSON.stringify(json) ?? '';
  const used = secrets.filter(({ shown }) => text.includes(shown));
  return Object.fromEntries(
    used.map(({ value, shown }) => [
      shown,
      `sha256:${createHash('sha256').update(`${shown}=${value}`).digest('hex').slice(0, 12)}`,
    ]),
  );
}
