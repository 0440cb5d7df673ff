import { CosineTransform, type Part, thumbnailSide, wholePart } from './cosine-transform.ts';
import { type Codes, fastestCodes, type Lookup } from './lookup.ts';
import { type PartCodes, parts } from './parts.ts';
import { differingBits, hashBytes, signsOf, zero } from './perceptual-hash.ts';
import { isPlain, PlainPictures } from './plain-pictures.ts';
import { register, type Wanted } from './registration.ts';
import { Rows } from './rows.ts';
import { likenessFrom, shapeFrom, shapeOf } from './shape.ts';

/** An earlier picture that one looks like. */
export interface NearDuplicate {
  /** Its number, in the order in which pictures were added, from 0. */
  readonly other: number;
  /** The cosine of what both show where they lie over each other: 1 for the same. */
  readonly likeness: number;
  /** Of the 255 bits of their hashes, how many differ there. */
  readonly bits: number;
  /** Whether one is the mirror image of the other. */
  readonly mirrored: boolean;
  /** The part of one of the two that the other one shows; nothing where they show the same. */
  readonly crop?: { readonly of: 'this' | 'other'; readonly part: Part };
}

/** Where one picture may lie in another one. */
interface Candidate {
  readonly bits: number;
  readonly part: number;
  readonly mirrored: boolean;
}

/** What is computed of a picture once. */
interface Known {
  readonly thumbnail: Uint8Array;
  readonly hash: Uint8Array;
  readonly codes: PartCodes;
}

/** How alike near-duplicates are. */
export interface Bounds {
  /** Pictures that show the same as they are: the bits of 255 in which their hashes may differ. */
  readonly within: number;
  /** Mirror images, and pictures of which one shows a part of the other: their likeness at least. */
  readonly above: number;
}

/**
 * Finds near-duplicates among pictures that come one after the other: each is compared with all before it. Two pictures are near-duplicates
 *
 * 1. as they are, if their hashes differ in at most `within` bits of 255, and of these the 63 of their codes in at most 19;
 * 2. if one shows a part of the other, or of its mirror image: if its code differs in at most 11 bits of 63 from that of one of the other's `parts`, and their likeness is at least
 *    `above` when it is laid over the other (`register`) from the part with the nearest code, the first of several. Parts without content are not looked at.
 * 3. if both are of one colour, and of the same (`PlainPictures`).
 *
 * All pairs of which this holds are found. Takes about 5.5 KB for each picture.
 */
export class NearDuplicates {
  readonly #bounds: Bounds;
  #count = 0;
  readonly #thumbnails = new Rows(thumbnailSide ** 2, (length) => new Uint8Array(length));
  readonly #hashes = new Rows(hashBytes, (length) => new Uint8Array(length));
  /** The shapes of whole pictures by coarse frequencies. */
  readonly #coarse = new Rows(64, (length) => new Float32Array(length));
  readonly #plain = new PlainPictures();
  /** Whole pictures with content, and those without, which are no part of others. */
  readonly #wholes: Lookup;
  readonly #faint: Lookup;
  /** Values are picture · parts + part. */
  readonly #parts: Lookup;
  readonly #codes: Codes;

  constructor(bounds: Bounds, codes: Codes = fastestCodes()) {
    this.#bounds = bounds;
    this.#codes = codes;
    this.#wholes = codes.lookup('wholes');
    this.#faint = codes.lookup('wholes');
    this.#parts = codes.lookup('parts');
  }

  get count(): number {
    return this.#count;
  }

  /** Compares a picture with all before it, and keeps it. @param thumbnail uint8 [32, 32], copied. @returns what it looks like, in the order of `other`. */
  add(thumbnail: Uint8Array): NearDuplicate[] {
    const known = this.#knownOf(thumbnail);
    const found = isPlain(thumbnail) ? this.#comparePlain(thumbnail) : this.#compare(known);
    this.#keep(known);
    return found;
  }

  /** Keeps a picture of which it is known what it looks like. */
  keep(thumbnail: Uint8Array): void {
    this.#keep(this.#knownOf(thumbnail));
  }

  #knownOf(thumbnail: Uint8Array): Known {
    const codes = this.#codes.of(thumbnail);
    return { thumbnail, hash: signsOf(codes.fine, zero, false), codes };
  }

  #comparePlain(thumbnail: Uint8Array): NearDuplicate[] {
    return this.#plain
      .like(thumbnail, (picture) => this.#thumbnails.at(picture))
      .map((other) => ({ other, likeness: 1, bits: 0, mirrored: false }));
  }

  #compare(picture: Known): NearDuplicate[] {
    const found = this.#same(picture);
    if (picture.codes.content[0]) this.#partsOf(picture, found);
    return [...found.values()].sort((a, b) => a.other - b.other);
  }

  /** Those that show the same as they are. */
  #same({ hash, codes: { plain, fine } }: Known): Map<number, NearDuplicate> {
    const found = new Map<number, NearDuplicate>();
    const code = plain.subarray(0, 2);
    for (const lookup of [this.#wholes, this.#faint]) {
      lookup.near(code, 19, (_, other) => {
        const bits = differingBits(hash, this.#hashes.at(other));
        if (bits > this.#bounds.within || found.has(other)) return;
        const likeness = likenessFrom(fine, shapeOf(this.#thumbnails.at(other), 16, false));
        found.set(other, { other, likeness, bits, mirrored: false });
      });
    }
    return found;
  }

  /** Adds those of which one shows a part of the other. */
  #partsOf({ thumbnail, codes }: Known, found: Map<number, NearDuplicate>): void {
    const inThis = this.#wholesIn(codes);
    const inOthers = this.#partsLike(codes);
    const [own, mirrored] = [false, true].map((mirrored) => ({
      thumbnail,
      mirrored,
      coarse: shapeFrom(codes.coarse, mirrored),
    })) as [Wanted, Wanted];
    for (const other of new Set([...inThis.keys(), ...inOthers.keys()])) {
      if (found.has(other)) continue;
      const [here, there] = [inThis.get(other), inOthers.get(other)];
      const fits = [
        here && this.#fit(thumbnail, here, this.#wanted(other, here.mirrored), { other, of: 'this' }),
        there && this.#fit(this.#thumbnails.at(other), there, there.mirrored ? mirrored : own, { other, of: 'other' }),
      ].filter((fit) => fit !== undefined);
      const best = fits.sort((a, b) => b.likeness - a.likeness)[0];
      if (best !== undefined) found.set(other, best);
    }
  }

  /** The earlier pictures that parts of this one may show. */
  #wholesIn({ plain, mirrored, content }: PartCodes): Map<number, Candidate> {
    const found = new Map<number, Candidate>();
    const [wanted, withContent] = [new Int32Array(4 * parts.length), new Uint8Array(parts.length)];
    let count = 0;
    for (let part = 0; part < parts.length; part++) {
      if (!content[part]) continue;
      for (const [i, codes] of [plain, mirrored].entries()) {
        wanted[4 * count + 2 * i] = codes[2 * part]!;
        wanted[4 * count + 2 * i + 1] = codes[2 * part + 1]!;
      }
      withContent[count++] = part;
    }
    this.#wholes.near(wanted.subarray(0, 4 * count), 11, (query, picture, bits) =>
      nearest(found, picture, { bits, part: withContent[query >> 1]!, mirrored: (query & 1) === 1 }),
    );
    return found;
  }

  /** The earlier pictures of which a part may show this one. */
  #partsLike({ plain, mirrored }: PartCodes): Map<number, Candidate> {
    const found = new Map<number, Candidate>();
    this.#parts.near(Int32Array.of(plain[0]!, plain[1]!, mirrored[0]!, mirrored[1]!), 11, (query, at, bits) => {
      const picture = Math.floor(at / parts.length);
      nearest(found, picture, { bits, part: at - picture * parts.length, mirrored: query === 1 });
    });
    return found;
  }

  #fit(
    container: Uint8Array,
    { part: index, mirrored }: Candidate,
    wanted: Wanted,
    { other, of }: { readonly other: number; readonly of: 'this' | 'other' },
  ): NearDuplicate | undefined {
    const found = register(container, parts[index]!, wanted);
    if (found === undefined || found.likeness < this.#bounds.above) return undefined;
    const { part, likeness } = found;
    const hashes = [
      signsOf(new CosineTransform(container, 16).of(part), zero, false),
      signsOf(new CosineTransform(wanted.thumbnail, 16).of(wholePart), zero, mirrored),
    ] as const;
    return { other, likeness, bits: differingBits(...hashes), mirrored, ...(!isWhole(part) && { crop: { of, part } }) };
  }

  #wanted(picture: number, mirrored: boolean): Wanted {
    const coarse = Float64Array.from(this.#coarse.at(picture), (value, i) =>
      mirrored && (i & 1) === 1 ? -value : value,
    );
    return { thumbnail: this.#thumbnails.at(picture), mirrored, coarse };
  }

  #keep({ thumbnail, hash, codes: { plain, content, coarse } }: Known): void {
    const picture = this.#count++;
    this.#thumbnails.add(thumbnail);
    this.#coarse.add(shapeFrom(coarse, false));
    this.#hashes.add(hash);
    if (isPlain(thumbnail)) {
      this.#plain.add(picture, thumbnail);
      return;
    }
    (content[0] ? this.#wholes : this.#faint).add(plain.subarray(0, 2), Int32Array.of(picture));
    const [codes, values] = [new Int32Array(2 * parts.length), new Int32Array(parts.length)];
    let count = 0;
    for (let part = 1; part < parts.length; part++) {
      if (!content[part]) continue;
      codes[2 * count] = plain[2 * part]!;
      codes[2 * count + 1] = plain[2 * part + 1]!;
      values[count++] = picture * parts.length + part;
    }
    this.#parts.add(codes.subarray(0, 2 * count), values.subarray(0, count));
  }
}

/** Keeps the candidate with the fewest bits; of equal ones that of the first part, and the one that is not mirrored. */
function nearest(candidates: Map<number, Candidate>, other: number, found: Candidate): void {
  const known = candidates.get(other);
  if (known === undefined || rank(found) < rank(known)) candidates.set(other, found);
}

const rank = ({ bits, part, mirrored }: Candidate) => (bits * parts.length + part) * 2 + (mirrored ? 1 : 0);

function isWhole({ left, right, top, bottom }: Part): boolean {
  return left === 0 && top === 0 && right === wholePart.right && bottom === wholePart.bottom;
}
