import { type ErrorCode, fail, PatchstreamError } from '../../errors.ts';
import type { Positioned } from '../positioned.ts';
import type { OnDamage } from '../shard/reader.ts';
import { tarEntries } from './entries.ts';
import { splitName } from './names.ts';

/** Where the bytes of a member are. */
export interface Member {
  readonly offset: number;
  readonly size: number;
}

/** The samples of a tar that have a picture, in order, and where their members are. */
export interface TarIndex {
  readonly count: number;
  /** Files that belong to no such sample, or are of no use here. */
  readonly others: number;
  /** Links that would be pictures, labels or fields, were they files: as for the Python package, they are nothing. */
  readonly links: number;
  /** Samples whose key another had before them: theirs are made others, `x#2`. */
  readonly repeated: number;
  /** What ended the tar too early, where `damage` lets that pass. */
  readonly damaged?: string;
  key(sample: number): string;
  member(sample: number, which: Which): Member | undefined;
}

const members = ['picture', 'label', 'json'] as const;
export type Which = (typeof members)[number];

/** What of a sample is looked for: endings of pictures, and whether its label and its fields are. */
export interface Wanted {
  readonly endings: ReadonlySet<string>;
  readonly label: boolean;
  readonly json: boolean;
}

/** The most samples of a tar, of which each is in memory: a map of V8's takes no more than 2²⁴. */
const mostSamples = 16_000_000;

/**
 * Indexes a tar by one pass over its headers. Neighbouring files with one key are a sample; of several pictures the first counts. No two samples have one key.
 *
 * @param limit samples that it may have.
 * @throws TAR_SAMPLES; TAR_DAMAGED unless `damage` is `skip`; what reading throws.
 */
export async function indexTar(
  file: Positioned,
  {
    wanted,
    windowBytes,
    damage,
    signal,
    limit = mostSamples,
  }: {
    readonly wanted: Wanted;
    readonly windowBytes: number;
    readonly damage: OnDamage;
    readonly signal?: AbortSignal;
    readonly limit?: number;
  },
): Promise<TarIndex> {
  const keys: string[] = [];
  // Two numbers for each member of each sample, -1 where it is missing: plain numbers, since there may be millions.
  const places: number[] = [];
  let others = 0;
  let links = 0;
  let repeated = 0;
  const taken = new Map<string, number>();
  let damaged: string | undefined;
  let key: string | undefined;
  let found: (Member | undefined)[] = [];
  const end = () => {
    if (key !== undefined && found[0] !== undefined) {
      const own = unused(key, taken);
      if (own !== key) repeated++;
      if (keys.length === limit) throw fail('TAR_SAMPLES', { limit }, { where: file.name });
      keys.push(own);
      for (const [i] of members.entries()) places.push(found[i]?.offset ?? -1, found[i]?.size ?? -1);
    } else {
      others += found.filter((member) => member !== undefined).length;
    }
    found = [];
  };
  try {
    for await (const { name, offset, size, isLink } of tarEntries(file, { windowBytes, ...(signal && { signal }) })) {
      const parts = splitName(name);
      if (isLink) {
        if (parts !== undefined && memberOf(parts.ending, wanted) !== undefined) links++;
        continue;
      }
      if (parts?.key !== key) {
        end();
        key = parts?.key;
      }
      const which = parts && memberOf(parts.ending, wanted);
      if (which === undefined || found[which] !== undefined) others++;
      else found[which] = { offset, size };
    }
  } catch (error) {
    const code: ErrorCode | undefined = error instanceof PatchstreamError ? error.code : undefined;
    if (damage === 'fail' || code !== 'TAR_DAMAGED') throw error;
    damaged = (error as PatchstreamError).text;
  }
  end();
  return {
    count: keys.length,
    others,
    links,
    repeated,
    ...(damaged !== undefined && { damaged }),
    key: (sample) => keys[sample]!,
    member(sample, which) {
      const at = 2 * (sample * members.length + members.indexOf(which));
      const offset = places[at]!;
      return offset < 0 ? undefined : { offset, size: places[at + 1]! };
    },
  };
}

/**
 * The key, or where another has it, the first of `key#2`, `key#3` … that none has.
 *
 * @param taken the keys that there are, each with the last number that was tried for it: a tar may have one name a million times.
 */
function unused(key: string, taken: Map<string, number>): string {
  let own = key;
  let last = taken.get(key) ?? 1;
  while (taken.has(own)) own = `${key}#${++last}`;
  if (own !== key) taken.set(key, last);
  taken.set(own, 1);
  return own;
}

/** The rank of what a file with this ending is in its sample; nothing for what is not looked for. */
function memberOf(ending: string, { endings, label, json }: Wanted): number | undefined {
  if (endings.has(ending)) return 0;
  if (ending === 'cls' && label) return 1;
  if (ending === 'json' && json) return 2;
  return undefined;
}
