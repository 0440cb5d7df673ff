import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import t from 'tap';
import { imageAddon, isAbsent } from '../../../src/native.ts';
import { Random } from '../../../src/random.ts';
import { type Codes, fastestCodes, plainCodes } from '../../../src/vision/likeness/lookup.ts';
import { NearDuplicates } from '../../../src/vision/likeness/near-duplicates.ts';
import { openPicture } from '../../../src/vision/open.ts';
import { renderGrey } from '../../../src/vision/render/render.ts';

const addon = imageAddon();
const skip = isAbsent(addon) ? `without native/image: ${addon.found}` : false;
const native = fastestCodes();

/** The same with the vector code of the processor, and without. */
const ways = [0, 1] as const;
const inWay = (on: number) => isAbsent(addon) || addon.setPortable(on);
t.teardown(() => inWay(0));

const folder = fileURLToPath(new URL('../../../fixtures/photos', import.meta.url));
const photos = readdirSync(folder)
  .filter((name) => name.endsWith('.jpg'))
  .sort()
  .slice(0, 30);

async function thumbnailOf(name: string, part = 1): Promise<Uint8Array> {
  const picture = await openPicture(readFileSync(join(folder, name)));
  const [width, height] = [Math.round(picture.width * part), Math.round(picture.height * part)];
  const cut = picture.crop({ left: 0, top: 0, width, height });
  return renderGrey(cut.resize({ width: 32, height: 32, fit: 'fill', kernel: 'bilinear' }));
}

const random = new Random(3, 'thumbnail', 'test');
const noise = Array.from({ length: 20 }, (_, i) => Uint8Array.from({ length: 1024 }, () => random.integer(1 + 13 * i)));

t.test('codes and coefficients are those of JavaScript, to the last bit', { skip }, async (t) => {
  t.not(native, plainCodes);
  const thumbnails = [...noise, ...(await Promise.all(photos.map((name) => thumbnailOf(name))))];
  for (const way of ways) {
    inWay(way);
    for (const thumbnail of thumbnails) t.strictSame(native.of(thumbnail), plainCodes.of(thumbnail));
  }
});

const word = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const code = fc.tuple(word, word).map(([low, high]) => [low & ~1, high] as const);
/** Bits that are changed; the lowest one stays 0. */
const flips = fc.uniqueArray(fc.integer({ min: 1, max: 63 }), { maxLength: 22 });

function flipped([low, high]: readonly [number, number], bits: readonly number[]): [number, number] {
  const words = Int32Array.of(low, high);
  for (const bit of bits) words[bit >> 5]! ^= 1 << (bit & 31);
  return [words[0]!, words[1]!];
}

function foundBy(codes: Codes, what: 'wholes' | 'parts', stored: Int32Array, wanted: Int32Array, radius: 11 | 19) {
  const lookup = codes.lookup(what);
  // In two goes, so that lists grow.
  const half = stored.length >> 2;
  const values = Int32Array.from({ length: stored.length / 2 }, (_, i) => 7 * i);
  lookup.add(stored.subarray(0, 2 * half), values.subarray(0, half));
  lookup.add(stored.subarray(2 * half), values.subarray(half));
  const found = new Set<string>();
  lookup.near(wanted, radius, (query, value, bits) => found.add(`${query} ${value} ${bits}`));
  return [...found].sort();
}

t.test('the same codes are found', { skip }, async () => {
  fc.assert(
    fc.property(
      fc.array(code, { minLength: 1, maxLength: 4 }),
      fc.array(flips, { maxLength: 60 }),
      fc.constantFrom(11 as const, 19 as const),
      fc.constantFrom('wholes' as const, 'parts' as const),
      fc.constantFrom(...ways),
      (wanted, changes, radius, what, way) => {
        inWay(way);
        const stored = Int32Array.from(changes.flatMap((bits, i) => flipped(wanted[i % wanted.length]!, bits)));
        const given = [what, stored, Int32Array.from(wanted.flat()), radius] as const;
        return JSON.stringify(foundBy(native, ...given)) === JSON.stringify(foundBy(plainCodes, ...given));
      },
    ),
    { numRuns: 40 },
  );
});

t.test('more are found than there was room for', { skip }, async (t) => {
  const stored = new Int32Array(2 * 5000).fill(8);
  inWay(0);
  t.equal(foundBy(native, 'wholes', stored, Int32Array.of(8, 8), 11).length, 5000);
});

t.test('the same near-duplicates are found', { skip }, async (t) => {
  const thumbnails: Uint8Array[] = [...noise, new Uint8Array(1024).fill(9)];
  for (const name of photos) thumbnails.push(await thumbnailOf(name), await thumbnailOf(name, 0.8));
  const finders = [native, plainCodes].map((codes) => new NearDuplicates({ within: 60, above: 0.97 }, codes));
  let count = 0;
  for (const thumbnail of thumbnails) {
    const [ours, plain] = finders.map((finder) => finder.add(thumbnail));
    t.strictSame(ours, plain);
    count += plain!.length;
  }
  t.ok(count >= 25, `${count} pairs`);
});

t.test('what does not fit is refused by the addon', { skip }, async (t) => {
  if (isAbsent(addon)) return;
  const index = addon.newCodes(4);
  t.throws(() => addon.newCodes(2), /out of range/);
  t.throws(() => addon.addCodes(index, new Int32Array(3), new Int32Array(1)), /two words/);
  t.throws(() => addon.addCodes(index, new Int32Array(2), new Int32Array(2)), /a value of each/);
  t.throws(() => addon.nearCodes({} as typeof index, new Int32Array(2), 11, new Int32Array(9)), /an index is needed/);
  const made = [new Int32Array(4 * 83), new Uint8Array(83), new Float64Array(64), new Float64Array(256)] as const;
  t.throws(() => addon.partCodes(new Uint8Array(9), ...made), /a thumbnail is needed/);
  t.throws(() => addon.partCodes(new Uint8Array(1024), new Int32Array(4), made[1], made[2], made[3]), /do not fit/);
});
