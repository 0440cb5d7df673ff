import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { awake } from '../awake-clock.ts';
import { counted } from '../counts.ts';
import { fail, messageOf, PatchstreamError } from '../errors.ts';
import type { Positioned } from './positioned.ts';

/** How patient reading over http is. */
export interface Patience {
  /** Seconds after which a request has failed that has brought less than 16 KiB meanwhile, or not what is left. Time in which the process stood still counts in neither. */
  readonly timeout: number;
  /** Seconds after which a read has failed, with all its tries. */
  readonly deadline: number;
  /** How often a request is tried again. */
  readonly retries: number;
  /** Milliseconds before the first new try; each further one waits twice as long, at most 10 s. */
  readonly delayMs?: number;
}

/** Options of what reads files behind http: how patient it is (`Patience`). */
export const webOptions = {
  timeout: z
    .number()
    .positive()
    .max(3600)
    .default(30)
    .describe(
      'Seconds after which a request has failed that has brought less than 16 KiB meanwhile, or not the rest of it.',
    ),
  deadline: z
    .number()
    .positive()
    .max(86_400)
    .default(600)
    .describe('Seconds after which reading one piece of a file has failed, with all its tries.'),
  retries: z
    .int()
    .min(0)
    .max(100)
    .default(5)
    .describe('How often a failed request is tried again, from where it stopped.'),
};

/** So many bytes of an answer that broke off are worth a new count of tries. */
const worthwhile = 2 ** 16;
/** So many bytes are progress: a server that lets them trickle is no better than one that says nothing. */
const progressBytes = 2 ** 14;
const longestDelayMs = 10_000;

/** Where an address leads, without what may be secret in it. */
export function addressName(address: string): string {
  const { host, pathname } = new URL(address);
  return `${host}${decoded(pathname)}`;
}

/** A path as people write it; as it is where its escapes are none of text. */
function decoded(path: string): string {
  try {
    return decodeURI(path);
  } catch (error) {
    if (!(error instanceof URIError)) throw error;
    return path;
  }
}

/**
 * A file behind http or https that is read in pieces, by requests for a range. What breaks off is gone on with where it stood; what the server
 * sends beyond what was asked for is refused.
 *
 * @throws WEB_ADDRESS, also for one with a user or password in it; WEB_RANGE, WEB_READ; reading also WEB_CHANGED; the signal's reason
 */
export async function openWeb(address: string, patience: Patience, signal?: AbortSignal): Promise<Positioned> {
  if (!isAddress(address)) throw fail('WEB_ADDRESS', { found: address.split('?')[0]! });
  const name = addressName(address);
  const { username, password } = new URL(address);
  if (username !== '' || password !== '')
    throw fail('WEB_ADDRESS', { found: `one with a user or a password, of ${name}` });
  const first = await tried(patience, { name, from: 0, to: 0 }, signal, async (inner) => {
    const answer = await request(address, { from: 0, to: 0 }, undefined, inner);
    await giveUp(answer);
    return answer;
  });
  const size = Number(/^bytes \d+-\d+\/(\d+)$/.exec(first.headers.get('content-range') ?? '')?.[1] ?? Number.NaN);
  if (first.status !== 206 || !Number.isSafeInteger(size)) {
    throw fail('WEB_RANGE', { found: `${first.status} without a range` }, { where: name });
  }
  const version = { size, ...tagsOf(first) };
  return {
    name,
    size,
    read: (offset, length, signal) => readRange({ address, name, version, patience }, { offset, length }, signal),
  };
}

/** True for an address of http or https. */
export function isAddress(text: string): boolean {
  return /^https?:\/\//i.test(text) && URL.canParse(text);
}

/** What a server says of a file, by which it is known again. */
interface Version {
  readonly size: number;
  readonly etag: string | undefined;
  readonly modified: string | undefined;
}

function tagsOf({ headers }: Response): Pick<Version, 'etag' | 'modified'> {
  // A weak tag promises no equal bytes, and would be answered with the whole file.
  const etag = headers.get('etag')?.replace(/^W\/.*/, '') || undefined;
  return { etag, modified: headers.get('last-modified') ?? undefined };
}

/** True where an answer is about another file than the first one was. */
function isOther(answer: Response, { size, etag, modified }: Version): boolean {
  const total = /\/(\d+)$/.exec(answer.headers.get('content-range') ?? '')?.[1];
  const tags = tagsOf(answer);
  if (answer.status === 416 || (total !== undefined && Number(total) !== size)) return true;
  if (answer.status === 200) return (etag ?? modified) !== undefined;
  // Copies of one file may have other times.
  if (etag !== undefined && tags.etag !== undefined) return tags.etag !== etag;
  return modified !== undefined && tags.modified !== undefined && tags.modified !== modified;
}

/** Lets go of an answer whose bytes nobody will read: else its connection stays open. Whatever it breaks off with is no failure of what was asked. */
async function giveUp(answer: Response): Promise<void> {
  // Any error is of a connection that is given up.
  await answer.body?.cancel().catch(() => undefined);
}

interface WebFile {
  readonly address: string;
  readonly name: string;
  readonly version: Version;
  readonly patience: Patience;
}

async function readRange(
  { address, name, version, patience }: WebFile,
  { offset, length }: { offset: number; length: number },
  signal?: AbortSignal,
): Promise<Buffer> {
  const bytes = Buffer.allocUnsafeSlow(length);
  if (length === 0) return bytes;
  let got = 0;
  const range = { from: offset, to: offset + length - 1 };
  const refuse = (found: string) => fail('WEB_RANGE', { found }, { where: name });
  await tried(patience, { name, ...range }, signal, async (inner, brought) => {
    // What an earlier try has brought stays.
    const answer = await request(address, { ...range, from: offset + got }, version.etag ?? version.modified, inner);
    const start = /^bytes (\d+)-/.exec(answer.headers.get('content-range') ?? '')?.[1];
    const changed = isOther(answer, version);
    if (changed || answer.status !== 206 || Number(start) !== offset + got) {
      await giveUp(answer);
      throw changed ? fail('WEB_CHANGED', {}, { where: name }) : refuse(`${answer.status} with another range`);
    }
    for await (const chunk of answer.body!) {
      if (chunk.length > length - got) throw refuse('more than was asked for');
      bytes.set(chunk, got);
      got += chunk.length;
      brought(chunk.length);
    }
    if (got < length) throw new Error(`an answer that broke off after ${counted(got, 'byte')}`);
  });
  return bytes;
}

function request(
  address: string,
  { from, to }: { from: number; to: number },
  tag: string | undefined,
  signal: AbortSignal,
): Promise<Response> {
  const headers: Record<string, string> = { range: `bytes=${from}-${to}`, 'accept-encoding': 'identity' };
  if (tag !== undefined) headers['if-range'] = tag;
  return fetch(address, { headers, signal }).then(async (answer) => {
    if (answer.ok || answer.status === 416) return answer;
    await giveUp(answer);
    const error = new Error(`status ${answer.status}`);
    // Not found, or not allowed: that is so the next time too.
    if (answer.status < 500 && ![408, 425, 429].includes(answer.status)) throw new Final(error.message);
    throw error;
  });
}

/** A failure that would be the same the next time. */
class Final extends Error {}

/** Does work that waits for a server: with a time-out that starts anew with every progress, several tries, and an end to all of them. @throws WEB_READ */
async function tried<T>(
  { timeout, deadline, retries, delayMs = 250 }: Patience,
  { name, from, to }: { name: string; from: number; to: number },
  outer: AbortSignal | undefined,
  work: (signal: AbortSignal, brought: (bytes: number) => void) => Promise<T>,
): Promise<T> {
  const late = new AbortController();
  const end = awake.timer(deadline * 1000, () => late.abort(new Final(`no end of it within ${deadline} s`)));
  const signal = outer === undefined ? late.signal : AbortSignal.any([outer, late.signal]);
  let failures = 0;
  const refuse = (error: unknown) =>
    fail('WEB_READ', { from, to, found: reasonOf(error), tries: failures }, { where: name, cause: error });
  try {
    for (;;) {
      outer?.throwIfAborted();
      let fresh = 0;
      let progress = 0;
      const idle = new AbortController();
      const found = () =>
        fresh === 0 ? `nothing for ${timeout} s` : `${counted(fresh - progress, 'byte')} in ${timeout} s`;
      const timer = awake.timer(timeout * 1000, () => idle.abort(new Error(found())));
      try {
        return await work(AbortSignal.any([signal, idle.signal]), (bytes) => {
          fresh += bytes;
          if (fresh - progress < progressBytes) return;
          progress = fresh;
          timer.refresh();
        });
      } catch (error) {
        outer?.throwIfAborted();
        if (error instanceof PatchstreamError) throw error;
        failures = fresh >= worthwhile ? 1 : failures + 1;
        if (late.signal.aborted) throw refuse(late.signal.reason);
        if (error instanceof Final || failures > retries) throw refuse(error);
      } finally {
        timer.clear();
      }
      await delay(Math.min(longestDelayMs, delayMs * 2 ** (failures - 1)), undefined, { signal }).catch(
        (error: unknown) => {
          outer?.throwIfAborted();
          throw late.signal.aborted ? refuse(late.signal.reason) : error;
        },
      );
    }
  } finally {
    end.clear();
  }
}

/** `fetch` says `fetch failed`, and why in its cause. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  return messageOf(cause instanceof Error ? cause : error);
}
