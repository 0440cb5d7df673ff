import t from 'tap';
import { Random } from '../../../src/random.ts';
import { CosineTransform, quarters, thumbnailSide, wholePart } from '../../../src/vision/likeness/cosine-transform.ts';
import {
  differingBits,
  hashBytes,
  ones,
  perceptualHash,
  signsOf,
} from '../../../src/vision/likeness/perceptual-hash.ts';

const random = new Random(5, 'thumbnail', 'test');
const thumbnail = Uint8Array.from({ length: thumbnailSide ** 2 }, () => random.integer(256));
const mirrored = thumbnail.map((_, i) => thumbnail[i - (i % thumbnailSide) + thumbnailSide - 1 - (i % thumbnailSide)]!);

/** The sum as the definition has it, over the pixels of a part whose edges are those of pixels. */
function direct(left: number, top: number, side: number, u: number, v: number): number {
  let sum = 0;
  const wave = (n: number, x: number) => {
    // The mean of the wave over the pixel.
    const at = (x: number) => (n === 0 ? x : (side / (Math.PI * n)) * Math.sin((Math.PI * n * x) / side));
    return at(x + 1) - at(x);
  };
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) sum += thumbnail[(top + y) * thumbnailSide + left + x]! * wave(u, x) * wave(v, y);
  }
  return sum;
}

t.test('coefficients of the whole and of a part are the sums of their definition', async (t) => {
  const transform = new CosineTransform(thumbnail, 8);
  const close = (a: number, b: number) => Math.abs(a - b) < 1e-6 * (1 + Math.abs(b));
  const whole = transform.of(wholePart);
  for (const [u, v] of [
    [0, 0],
    [3, 0],
    [0, 5],
    [7, 7],
  ] as const)
    t.ok(close(whole[v * 8 + u]!, direct(0, 0, 32, u, v)));
  const part = transform.of({ left: 4 * 5, right: 4 * 25, top: 4 * 2, bottom: 4 * 22 });
  for (const [u, v] of [
    [1, 0],
    [2, 6],
    [7, 7],
  ] as const)
    t.ok(close(part[v * 8 + u]!, direct(5, 2, 20, u, v)));
});

t.test('a hash has a bit for each frequency, and does not see brightness or contrast', async (t) => {
  const hash = perceptualHash(thumbnail);
  t.equal(hash.length, hashBytes);
  t.equal(hash[0]! & 1, 0);
  const paler = Float64Array.from(thumbnail, (value) => 60 + value / 2);
  t.ok(differingBits(hash, perceptualHash(Uint8Array.from(paler, Math.round))) <= 12);
  t.same(perceptualHash(new Uint8Array(thumbnailSide ** 2).fill(77)), new Uint8Array(hashBytes));
});

t.test('the hash of the mirrored picture follows from the signs of the picture', async (t) => {
  const coefficients = new CosineTransform(thumbnail, 16).of(wholePart);
  t.same(signsOf(coefficients, 1, true), signsOf(new CosineTransform(mirrored, 16).of(wholePart), 1, false));
  t.ok(differingBits(perceptualHash(thumbnail), perceptualHash(mirrored)) > 64);
});

t.test('bits are counted', async (t) => {
  t.same([0, 1, 0xff, -1, 0x80000001].map(ones), [0, 1, 8, 32, 2]);
  t.equal(quarters, 4 * thumbnailSide);
});
