import { CodeIndex } from './code-index.ts';
import { CosineTransform, noiseOf, type Part, thumbnailSide, wholePart } from './cosine-transform.ts';
import { doubled } from './doubled.ts';
import { codesOf, type PartCodes, parts } from './parts.ts';
import { differingBits, signsOf } from './perceptual-hash.ts';
import { PlainPictures } from './plain-pictures.ts';
import { register, type Wanted } from './registration.ts';
import { shapeOf } from './shape.ts';

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

const thumbnailBytes = thumbnailSide ** 2;
const coarseLength = 64;

/**
 * Finds near-duplicates among pictures that come one after the other: each is compared with all before it.
 *
 * Two pictures are near-duplicates if one shows what a part of the other shows, mirrored or not: if its code differs in at most 11 of 63 bits from that of one of the
 * other's `parts`, and it is at least as alike as is asked for once it is laid over the other (`register`), from the part with the nearest code, the first of several.
 * All pairs of which this holds are found. Parts without content are not looked at; pictures without content are compared among each other
 * (`PlainPictures`). Takes about 3.5 KB for each picture.
 */
export class NearDuplicates {
  readonly #above: number;
  #count = 0;
  #thumbnails = new Uint8Array(64 * thumbnailBytes);
  /** The shapes of whole pictures by coarse frequencies. */
  #coarse = new Float32Array(64 * coarseLength);
  readonly #plain = new PlainPictures();
  readonly #wholes = new CodeIndex();
  /** The picture of each entry of `#wholes`. */
  #pictureOf = new Float64Array(64);
  readonly #parts = new CodeIndex();
  /** The picture and part of each entry of `#parts`: picture · parts + part. */
  #partOf = new Float64Array(4096);

  /** @param above how alike near-duplicates are at least, 0 to 1. */
  constructor(above: number) {
    this.#above = above;
  }

  get count(): number {
    return this.#count;
  }

  /** Compares a picture with all before it, and keeps it. @param thumbnail uint8 [32, 32], copied. @returns what it looks like, in the order of `other`. */
  add(thumbnail: Uint8Array): NearDuplicate[] {
    const codes = codesOf(thumbnail);
    const found = codes.content[0] ? this.#compare(thumbnail, codes) : this.#comparePlain(thumbnail);
    this.#keep(thumbnail, codes);
    return found;
  }

  /** Keeps a picture of which it is known what it looks like. */
  keep(thumbnail: Uint8Array): void {
    this.#keep(thumbnail, codesOf(thumbnail));
  }

  #comparePlain(thumbnail: Uint8Array): NearDuplicate[] {
    return this.#plain
      .like(thumbnail, (picture) => this.#thumbnailOf(picture))
      .map((other) => ({ other, likeness: 1, bits: 0, mirrored: false }));
  }

  #compare(thumbnail: Uint8Array, codes: PartCodes): NearDuplicate[] {
    const inThis = this.#wholesIn(codes);
    const inOthers = this.#partsLike(codes);
    const [own, mirrored] = [false, true].map((mirrored) => ({
      thumbnail,
      mirrored,
      coarse: shapeOf(thumbnail, 8, mirrored),
    })) as [Wanted, Wanted];
    const others = [...new Set([...inThis.keys(), ...inOthers.keys()])].sort((a, b) => a - b);
    return others.flatMap((other) => {
      const [here, there] = [inThis.get(other), inOthers.get(other)];
      const fits = [
        here && this.#fit(thumbnail, here, this.#wanted(other, here.mirrored), { other, of: 'this' }),
        there && this.#fit(this.#thumbnailOf(other), there, there.mirrored ? mirrored : own, { other, of: 'other' }),
      ].filter((fit) => fit !== undefined);
      const best = fits.sort((a, b) => b.likeness - a.likeness)[0];
      return best === undefined ? [] : [best];
    });
  }

  /** The earlier pictures that parts of this one may show. */
  #wholesIn({ plain, mirrored, content }: PartCodes): Map<number, Candidate> {
    const found = new Map<number, Candidate>();
    for (let part = 0; part < parts.length; part++) {
      if (!content[part]) continue;
      for (const isMirrored of [false, true]) {
        const codes = isMirrored ? mirrored : plain;
        this.#wholes.near(codes[2 * part]!, codes[2 * part + 1]!, (entry, bits) =>
          nearest(found, this.#pictureOf[entry]!, { bits, part, mirrored: isMirrored }),
        );
      }
    }
    return found;
  }

  /** The earlier pictures of which a part may show this one. */
  #partsLike({ plain, mirrored }: PartCodes): Map<number, Candidate> {
    const found = new Map<number, Candidate>();
    for (const isMirrored of [false, true]) {
      const codes = isMirrored ? mirrored : plain;
      this.#parts.near(codes[0]!, codes[1]!, (entry, bits) => {
        const at = this.#partOf[entry]!;
        const picture = Math.floor(at / parts.length);
        nearest(found, picture, { bits, part: at - picture * parts.length, mirrored: isMirrored });
      });
    }
    return found;
  }

  #fit(
    container: Uint8Array,
    { part: index, mirrored }: Candidate,
    wanted: Wanted,
    { other, of }: { readonly other: number; readonly of: 'this' | 'other' },
  ): NearDuplicate | undefined {
    const found = register(container, parts[index]!, wanted);
    if (found === undefined || found.likeness < this.#above) return undefined;
    const { part, likeness } = found;
    const hashes = [
      signsOf(new CosineTransform(container, 16).of(part), noiseOf(part), false),
      signsOf(new CosineTransform(wanted.thumbnail, 16).of(wholePart), noiseOf(wholePart), mirrored),
    ] as const;
    return { other, likeness, bits: differingBits(...hashes), mirrored, ...(!isWhole(part) && { crop: { of, part } }) };
  }

  #wanted(picture: number, mirrored: boolean): Wanted {
    const kept = this.#coarse.subarray(picture * coarseLength, (picture + 1) * coarseLength);
    const coarse = Float64Array.from(kept, (value, i) => (mirrored && (i & 1) === 1 ? -value : value));
    return { thumbnail: this.#thumbnailOf(picture), mirrored, coarse };
  }

  #keep(thumbnail: Uint8Array, { plain, content }: PartCodes): void {
    const picture = this.#count++;
    if (this.#count * thumbnailBytes > this.#thumbnails.length) {
      this.#thumbnails = doubled(this.#thumbnails);
      this.#coarse = doubled(this.#coarse);
    }
    this.#thumbnails.set(thumbnail, picture * thumbnailBytes);
    if (!content[0]) {
      this.#plain.add(picture, thumbnail);
      return;
    }
    this.#coarse.set(shapeOf(thumbnail, 8, false), picture * coarseLength);
    if (this.#wholes.count === this.#pictureOf.length) this.#pictureOf = doubled(this.#pictureOf);
    this.#pictureOf[this.#wholes.count] = picture;
    this.#wholes.add(plain[0]!, plain[1]!);
    for (let part = 1; part < parts.length; part++) {
      if (!content[part]) continue;
      if (this.#parts.count === this.#partOf.length) this.#partOf = doubled(this.#partOf);
      this.#partOf[this.#parts.count] = picture * parts.length + part;
      this.#parts.add(plain[2 * part]!, plain[2 * part + 1]!);
    }
  }

  #thumbnailOf(picture: number): Uint8Array {
    return this.#thumbnails.subarray(picture * thumbnailBytes, (picture + 1) * thumbnailBytes);
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
