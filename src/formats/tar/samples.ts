import { type ErrorCode, fail, PatchstreamError } from '../../errors.ts';
import { countOf, PassedOver, type PassedOverRow } from '../../files/passed-over.ts';
import type { Positioned } from '../../files/positioned.ts';
import type { OnDamage } from '../shard/reader.ts';
import { type TarEntry, tarEntries } from './entries.ts';
import { isHiddenName, type Parted, sameName, splitLast, splitName } from './names.ts';

/** Where the bytes of a member are. */
export interface Member {
  readonly offset: number;
  readonly size: number;
}

/** The samples of a tar that have a picture, in order, and where their members are. */
export interface TarIndex {
  readonly count: number;
  /** Members that belong to no such sample, or are of no use here. */
  readonly passedOver: readonly PassedOverRow[];
  /** Links that would be pictures, labels or fields, were they files: as for the Python package, they are nothing. */
  readonly links: number;
  /** Samples whose key another had before them: theirs are made others, `x#2`. */
  readonly repeated: number;
  /** Samples whose names are parted at their last dot, `v1.0.jpg`, and the key of one. */
  readonly dotted: { readonly count: number; readonly example: string };
  /** What ended the tar too early, where `damage` lets that pass. */
  readonly damaged?: string;
  key(sample: number): string;
  member(sample: number, which: Which): Member | undefined;
  /** The member that a sample lacks, where it is elsewhere in the tar, or where its name has fewer dots: `a.cls` of `a.left`. */
  apart(sample: number, which: Which): { readonly name: string; readonly isShorter: boolean } | undefined;
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

interface IndexOptions {
  readonly wanted: Wanted;
  readonly windowBytes: number;
  readonly damage: OnDamage;
  readonly signal?: AbortSignal;
  /** Samples that it may have. */
  readonly limit?: number;
}

/**
 * Indexes a tar by one pass over its headers. Neighbouring files of one name up to the first dot are a sample; where none of them is a picture by that
 * (`v1.0.jpg` and `v1.0.cls` would be `0.jpg` and `0.cls` of `v1`), up to the last dot. Of several pictures the first counts. A name that comes again begins another
 * sample, and no two samples have one key. Hidden names, folders and links between them part nothing. Every member is in a sample or passed over.
 *
 * @throws TAR_SAMPLES, TAR_PACKED; TAR_DAMAGED unless `damage` is `skip`; what reading throws.
 */
export async function indexTar(file: Positioned, options: IndexOptions): Promise<TarIndex> {
  const { windowBytes, damage, signal } = options;
  const indexer = new Indexer(file.name, options);
  let damaged: string | undefined;
  try {
    for await (const entry of tarEntries(file, { windowBytes, ...(signal && { signal }) })) indexer.add(entry);
  } catch (error) {
    const code: ErrorCode | undefined = error instanceof PatchstreamError ? error.code : undefined;
    if (damage === 'fail' || code !== 'TAR_DAMAGED') throw error;
    damaged = (error as PatchstreamError).text;
  }
  return indexer.end(damaged);
}

/** A file of the group of names that are alike up to the first dot. */
interface Grouped extends Member {
  readonly name: string;
  readonly first: Parted;
}

class Indexer {
  readonly #tar: string;
  readonly #wanted: Wanted;
  readonly #limit: number;
  readonly #keys: string[] = [];
  // Two numbers for each member of each sample, -1 where it is missing: plain numbers, since there may be millions.
  readonly #places: number[] = [];
  readonly #taken = new Map<string, number>();
  readonly #passedOver = new PassedOver();
  /** The names of labels and fields without a picture, by what they are and by their keys. */
  readonly #alone = members.map(() => new Map<string, string>());
  #links = 0;
  #repeated = 0;
  #dotted = { count: 0, example: '' };
  #seen = 0;
  #used = 0;
  #key: string | undefined;
  #group: Grouped[] = [];
  #names = new Set<string>();

  constructor(tar: string, { wanted, limit = mostSamples }: IndexOptions) {
    this.#tar = tar;
    this.#wanted = wanted;
    this.#limit = limit;
  }

  add({ name, offset, size, kind }: TarEntry): void {
    this.#seen++;
    if (kind === 'link') {
      const last = splitLast(name);
      if (last !== undefined && this.#rank(last) !== undefined) this.#links++;
      this.#pass('link', name);
      return;
    }
    const first = splitName(name);
    if (kind === 'other' || isHiddenName(name) || first === undefined) {
      if (kind === 'other') this.#pass('kind', name);
      else if (isHiddenName(name)) this.#pass('hidden', name);
      else this.#pass('ending', name, '');
      return;
    }
    const [key, same] = [sameName(first.key), sameName(name)];
    if (key !== this.#key || this.#names.has(same)) this.#endGroup();
    this.#key = key;
    this.#names.add(same);
    this.#group.push({ name, first, offset, size });
  }

  end(damaged: string | undefined): TarIndex {
    this.#endGroup();
    const { rows } = this.#passedOver;
    if (this.#seen !== this.#used + countOf(rows)) {
      const slots = { listed: this.#seen, found: `${this.#used} in samples, ${countOf(rows)} passed over` };
      throw fail('SUM_DIFFERS', slots, { where: this.#tar });
    }
    const [keys, places, alone] = [this.#keys, this.#places, this.#alone];
    return {
      count: keys.length,
      passedOver: rows,
      links: this.#links,
      repeated: this.#repeated,
      dotted: this.#dotted,
      ...(damaged !== undefined && { damaged }),
      key: (sample) => keys[sample]!,
      member(sample, which) {
        const at = 2 * (sample * members.length + members.indexOf(which));
        const offset = places[at]!;
        return offset < 0 ? undefined : { offset, size: places[at + 1]! };
      },
      apart(sample, which) {
        const key = sameName(keys[sample]!).replace(/#\d+$/, '');
        const lonely = alone[members.indexOf(which)]!;
        const name = lonely.get(sameName(keys[sample]!)) ?? lonely.get(key);
        if (name !== undefined) return { name, isShorter: false };
        for (let part = splitLast(key); part !== undefined; part = splitLast(part.key)) {
          const shorter = lonely.get(part.key);
          if (shorter !== undefined) return { name: shorter, isShorter: true };
        }
        return undefined;
      },
    };
  }

  /** The names of the group up to the first dot are one sample, where one of them is a picture by that. */
  #endGroup(): void {
    const group = this.#group;
    this.#group = [];
    this.#names.clear();
    if (group.some(({ first }) => this.#rank(first) === 0)) {
      const [plain, dotted] = apart(group, ({ first }) => !first.ending.includes('.'));
      this.#sample(plain[0]!.first.key, plain, ({ first }) => first);
      for (const { name, first } of dotted) this.#pass('ending', name, `.${first.ending}`);
      return;
    }
    const last = ({ name }: Grouped) => splitLast(name)!;
    for (let from = 0; from < group.length; ) {
      const key = last(group[from]!).key;
      let to = from + 1;
      while (to < group.length && sameName(last(group[to]!).key) === sameName(key)) to++;
      this.#sample(key, group.slice(from, to), last, this.#key);
      from = to;
    }
  }

  /** @param parted how its names are parted. @param whole the key up to the first dot, where that is another. */
  #sample(key: string, group: readonly Grouped[], parted: (member: Grouped) => Parted, whole?: string): void {
    const found: (Grouped | undefined)[] = [];
    for (const member of group) {
      const rank = this.#rank(parted(member));
      if (rank === undefined) this.#pass('ending', member.name, `.${parted(member).ending}`);
      else if (found[rank] === undefined) found[rank] = member;
      else this.#pass('further', member.name);
    }
    if (found[0] === undefined) {
      for (const [rank, member] of found.entries()) {
        if (member === undefined) continue;
        this.#pass('alone', member.name);
        this.#alone[rank]!.set(sameName(key), member.name);
      }
      return;
    }
    if (this.#keys.length === this.#limit) throw fail('TAR_SAMPLES', { limit: this.#limit }, { where: this.#tar });
    const own = unused(key, this.#taken);
    if (own !== key) this.#repeated++;
    if (whole !== undefined && whole !== sameName(key)) {
      this.#dotted = { count: this.#dotted.count + 1, example: this.#dotted.example || key };
    }
    this.#keys.push(own);
    for (const rank of members.keys()) {
      const member = found[rank];
      if (member !== undefined) this.#used++;
      this.#places.push(member?.offset ?? -1, member?.size ?? -1);
    }
  }

  #pass(reason: 'link' | 'kind' | 'hidden' | 'ending' | 'further' | 'alone', name: string, ending?: string): void {
    this.#passedOver.add(reason, `${this.#tar}/${name}`, ending);
  }

  /** The rank of what a file with this ending is in its sample; nothing for what is not looked for. */
  #rank({ ending }: Parted): number | undefined {
    const { endings, label, json } = this.#wanted;
    if (endings.has(ending)) return 0;
    if (ending === 'cls' && label) return 1;
    if (ending === 'json' && json) return 2;
    return undefined;
  }
}

function apart<T>(items: readonly T[], isFirst: (item: T) => boolean): [T[], T[]] {
  return [items.filter(isFirst), items.filter((item) => !isFirst(item))];
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
