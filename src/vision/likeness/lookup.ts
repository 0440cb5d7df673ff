import { type ImageAddon, imageAddon, isAbsent } from '../../native.ts';
import { CodeIndex, type Radius } from './code-index.ts';
import { basis, type Part, quarters, thumbnailSide } from './cosine-transform.ts';
import { codesOf, leastContent, type PartCodes, parts } from './parts.ts';

/** Codes of two words each, with values. */
export interface Lookup {
  add(codes: Int32Array, values: Int32Array): void;
  /** Calls `found` for each code within the radius of one of `codes`, with the place of that; for the same pair up to some times, in any order. */
  near(codes: Int32Array, radius: Radius, found: (query: number, value: number, bits: number) => void): void;
}

/** How codes are made and looked up. All ways give the same results. */
export interface Codes {
  of(thumbnail: Uint8Array): PartCodes;
  /** @param what whole pictures, or their parts, of which there are many more. */
  lookup(what: 'wholes' | 'parts'): Lookup;
}

/** In JavaScript, for every machine. */
export const plainCodes: Codes = {
  of: codesOf,
  lookup(what) {
    const index = new CodeIndex(what === 'wholes' ? 1 : 7);
    return {
      add(codes, values) {
        for (const [i, value] of values.entries()) index.add(codes[2 * i]!, codes[2 * i + 1]!, value);
      },
      near(codes, radius, found) {
        for (let i = 0; i < codes.length; i += 2)
          index.near(codes[i]!, codes[i + 1]!, radius, (value, bits) => found(i >> 1, value, bits));
      },
    };
  },
};

/** By native/image, where it is there: many times faster. */
export function fastestCodes(): Codes {
  const addon = imageAddon();
  return isAbsent(addon) || addon.openParts === undefined ? plainCodes : nativeCodes(addon);
}

let isOpen = false;

function nativeCodes(addon: ImageAddon): Codes {
  if (!isOpen) openParts(addon);
  isOpen = true;
  return {
    of(thumbnail) {
      const words = 2 * parts.length;
      const codes = new Int32Array(2 * words);
      const [content, coarse, fine] = [new Uint8Array(parts.length), new Float64Array(64), new Float64Array(256)];
      addon.partCodes(thumbnail, codes, content, coarse, fine);
      return { plain: codes.subarray(0, words), mirrored: codes.subarray(words), content, coarse, fine };
    },
    lookup(what) {
      const index = addon.newCodes(what === 'wholes' ? 6 : 4);
      let room = new Int32Array(3 * 4096);
      return {
        add: (codes, values) => addon.addCodes(index, codes, values),
        near(codes, radius, found) {
          let count = addon.nearCodes(index, codes, radius, room);
          if (3 * count > room.length) {
            room = new Int32Array(6 * count);
            count = addon.nearCodes(index, codes, radius, room);
          }
          for (let i = 0; i < 3 * count; i += 3) found(room[i]!, room[i + 1]!, room[i + 2]!);
        },
      };
    },
  };
}

/** Gives the parts to the addon, each interval along a side once. */
function openParts(addon: ImageAddon): void {
  const intervals = new Map<string, readonly [number, number]>();
  const places = parts.flatMap(({ left, right, top, bottom }: Part) => [
    placeOf(intervals, left, right),
    placeOf(intervals, top, bottom),
  ]);
  const edges = [...intervals.values()];
  const waves = edges.flatMap(([from, to]) => wavesOf(from, to, 8));
  const fine = Float64Array.from(wavesOf(0, quarters, 16));
  addon.openParts(Int32Array.from(edges.flat()), Float64Array.from(waves), Int32Array.from(places), leastContent, fine);
}

/** What lies of so many waves in each pixel: [32, count]. */
function wavesOf(from: number, to: number, count: number): readonly number[] {
  const shares = basis(from, to);
  return Array.from({ length: thumbnailSide * count }, (_, i) => {
    const [pixel, wave] = [Math.floor(i / count), i % count];
    return shares[wave * thumbnailSide + pixel]!;
  });
}

function placeOf(intervals: Map<string, readonly [number, number]>, from: number, to: number): number {
  const name = `${from}-${to}`;
  if (!intervals.has(name)) intervals.set(name, [from, to]);
  return [...intervals.keys()].indexOf(name);
}
