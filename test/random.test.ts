import fc from 'fast-check';
import t from 'tap';
import { hashKey, hashStage, murmur3, philox4x32, Random } from '../src/random.ts';

const hex = (words: Iterable<number>) => Array.from(words, (word) => word.toString(16).padStart(8, '0')).join(' ');

t.test('VECTOR: Philox4x32-10 as published with Random123', (t) => {
  const words = new Uint32Array(4);
  const all = 0xffffffff;
  philox4x32([0, 0, 0, 0], [0, 0], words);
  t.equal(hex(words), '6627e8d5 e169c58d bc57ac4c 9b00dbd8');
  philox4x32([all, all, all, all], [all, all], words);
  t.equal(hex(words), '408f276d 41c83b0e a20bc7c6 6d5451fd');
  philox4x32([0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0], words);
  t.equal(hex(words), 'd16cfe09 94fdcceb 5001e420 24126ea1');
  t.end();
});

t.test('VECTOR: MurmurHash3 x86-32', (t) => {
  t.equal(murmur3('', 0), 0);
  t.equal(murmur3('', 1), 0x514e28b7);
  t.equal(murmur3('hello', 0), 0x248bfa47);
  t.equal(murmur3('hello, world', 0), 0x149bbb7f);
  t.equal(murmur3('The quick brown fox jumps over the lazy dog', 0), 0x2e4ff723);
  t.end();
});

t.test('MurmurHash3 of text of every kind and length is that of its UTF-8 bytes', (t) => {
  const reference = (bytes: Uint8Array, seed: number) => {
    const mixed = (k: number) => {
      const first = Math.imul(k, 0xcc9e2d51);
      return Math.imul((first << 15) | (first >>> 17), 0x1b873593);
    };
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    let h = seed;
    let at = 0;
    for (; at + 4 <= bytes.length; at += 4) {
      h ^= mixed(view.getInt32(at, true));
      h = (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) | 0;
    }
    const tail = new DataView(new ArrayBuffer(4));
    for (let i = at; i < bytes.length; i++) tail.setUint8(i - at, bytes[i]!);
    h ^= mixed(tail.getInt32(0, true)) ^ bytes.length;
    h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
    return (h ^ (h >>> 16)) >>> 0;
  };
  const text = fc.oneof(
    fc.string({ maxLength: 40 }),
    fc.string({ unit: 'binary', maxLength: 40 }),
    fc.string({ minLength: 80, maxLength: 2000 }),
    fc.string({ unit: 'grapheme', minLength: 80, maxLength: 400 }),
  );
  fc.assert(
    fc.property(text, fc.nat(), (text, seed) => murmur3(text, seed) === reference(Buffer.from(text, 'utf8'), seed)),
    { seed: 4, numRuns: 500 },
  );
  t.end();
});

t.test('VECTOR: our keys, stage and words', (t) => {
  t.equal(hex(hashKey('cats/one.jpg#0')), '8bf3e620 6d27d106');
  t.equal(hex([hashStage('random-resized-crop')]), 'b6663070');
  const random = new Random(7, 'random-resized-crop', 'cats/one.jpg#0', 0);
  t.equal(
    hex(Array.from({ length: 8 }, () => random.word())),
    '2f19609c 60eb4742 8e9e9f38 7050ecb1 b35b4aec 63fbf5c9 4023e657 c8936aee',
  );
  t.end();
});

t.test('a draw takes words in order', (t) => {
  const words = new Random(1, 'x', 'k');
  const draws = new Random(1, 'x', 'k');
  const w = Array.from({ length: 12 }, () => words.word());
  t.equal(draws.uniform(), w[0]! / 2 ** 32);
  t.equal(draws.integer(1000), Number((BigInt(w[1]!) * 1000n) >> 32n));
  t.equal(draws.between(-1, 3), -1 + (4 * w[2]!) / 2 ** 32);
  const radius = Math.sqrt(-2 * Math.log(1 - w[3]! / 2 ** 32));
  t.equal(draws.normal(), radius * Math.cos((2 * Math.PI * w[4]!) / 2 ** 32));
  // Fisher–Yates from the last down, on 0 1 2 3.
  const expected = [0, 1, 2, 3];
  for (const [step, i] of [3, 2, 1].entries()) {
    const j = Number((BigInt(w[5 + step]!) * BigInt(i + 1)) >> 32n);
    [expected[i], expected[j]] = [expected[j]!, expected[i]!];
  }
  t.strictSame([...draws.permutation(4)], expected);
  t.end();
});

t.test('integers are exact for every n', (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 0xffffffff }), fc.string(), (n, key) => {
      const word = new Random(3, 'x', key).word();
      return new Random(3, 'x', key).integer(n) === Number((BigInt(word) * BigInt(n)) >> 32n);
    }),
  );
  t.pass('any n and key');
  t.end();
});

t.test('seed, stage, key and epoch each change the words', (t) => {
  const words = [
    new Random(1, 'a', 'k', 0),
    new Random(2, 'a', 'k', 0),
    new Random(1, 'b', 'k', 0),
    new Random(1, 'a', 'l', 0),
    new Random(1, 'a', 'k', 1),
  ].map((random) => random.word());
  t.equal(new Set(words).size, words.length);
  t.end();
});

/** Mean and variance of as many draws, each from a key of its own. */
function moments(draw: (random: Random) => number, count = 20_000) {
  const values = Array.from({ length: count }, (_, i) => draw(new Random(9, 'moments', `key-${i}`)));
  const mean = values.reduce((sum, value) => sum + value, 0) / count;
  return { mean, variance: values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / count, values };
}

t.test('gamma and beta have the mean and the spread of theirs', (t) => {
  for (const shape of [0.3, 1, 2.5, 40]) {
    const { mean, variance } = moments((random) => random.gamma(shape));
    t.ok(Math.abs(mean / shape - 1) < 0.05, `gamma ${shape}: mean ${mean}`);
    t.ok(Math.abs(variance / shape - 1) < 0.1, `gamma ${shape}: variance ${variance}`);
  }
  for (const [a, b] of [
    [0.2, 0.2],
    [0.8, 0.8],
    [1, 1],
    [2, 5],
  ] as const) {
    const { mean, variance, values } = moments((random) => random.beta(a, b));
    const expected = (a * b) / ((a + b) ** 2 * (a + b + 1));
    t.ok(Math.abs(mean - a / (a + b)) < 0.01, `beta ${a}, ${b}: mean ${mean}`);
    t.ok(Math.abs(variance / expected - 1) < 0.05, `beta ${a}, ${b}: variance ${variance}`);
    t.ok(values.every((value) => value >= 0 && value <= 1));
  }
  const uniform = moments((random) => random.beta(1, 1)).values.sort((a, b) => a - b);
  const apart = Math.max(...uniform.map((value, i) => Math.abs(value - i / uniform.length)));
  t.ok(apart < 0.015, `beta 1, 1 is uniform: at most ${apart} from it`);
  t.end();
});

t.test('beta of shapes whose gammas are below all numbers is still one', (t) => {
  const { values } = moments((random) => random.beta(1e-4, 1e-4), 500);
  t.ok(values.every((value) => value >= 0 && value <= 1));
  t.ok(values.some((value) => value < 0.01) && values.some((value) => value > 0.99));
  t.ok(moments((random) => random.beta(Number.MIN_VALUE, Number.MIN_VALUE), 50).values.every((v) => v >= 0 && v <= 1));
  for (const wrong of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
    const random = new Random(1, 'x', 'k');
    t.same([random.gamma(wrong), random.beta(wrong, wrong)], [Number.NaN, Number.NaN]);
    t.equal(random.word(), new Random(1, 'x', 'k').word(), 'no words were taken');
  }
  t.end();
});

t.test('gamma takes its words in the documented order', (t) => {
  const marsaglia = (random: Random, shape: number) => {
    const d = shape - 1 / 3;
    for (;;) {
      const x = random.normal();
      const u = 1 - random.uniform();
      const v = (1 + x / Math.sqrt(9 * d)) ** 3;
      if (v > 0 && Math.log(u) < x ** 2 / 2 + d * (1 - v + Math.log(v))) return d * v;
    }
  };
  for (let i = 0; i < 200; i++) {
    const [words, other] = [new Random(2, 'g', `k${i}`), new Random(2, 'g', `k${i}`)];
    const smaller = (1 - words.uniform()) ** (1 / 0.8);
    const first = smaller * marsaglia(words, 1.8);
    const second = marsaglia(words, 3);
    t.ok(Math.abs(other.beta(0.8, 3) / (first / (first + second)) - 1) < 1e-9);
    t.equal(other.word(), words.word(), 'as many words');
  }
  t.end();
});
