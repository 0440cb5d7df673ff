/**
 * Chance as an argument: a counter-based generator (Philox4x32-10, Salmon et al. 2011) keyed by (seed, stage) and counted by
 * (sample key, epoch, block). The numbers of a sample depend on nothing else: not on concurrency, order or resuming.
 * The layout is fixed, so that native code can draw the same: docs/chance.md.
 */

const M0 = 0xd2511f53;
const M1 = 0xcd9e8d57;
const W0 = 0x9e3779b9;
const W1 = 0xbb67ae85;

/** The upper 32 bits of the 64-bit product of two unsigned 32-bit integers. All parts are integers of 32 bits, which processors multiply at once. */
function mulHigh(a: number, b: number): number {
  const aHigh = a >>> 16;
  const aLow = a & 0xffff;
  const bHigh = b >>> 16;
  const bLow = b & 0xffff;
  // Neither sum leaves 32 bits: (2^16 - 1)^2 + 2^16 - 1 < 2^32.
  const middle = (Math.imul(aHigh, bLow) + (Math.imul(aLow, bLow) >>> 16)) | 0;
  const middle2 = (Math.imul(aLow, bHigh) + (middle & 0xffff)) | 0;
  return (Math.imul(aHigh, bHigh) + (middle >>> 16) + (middle2 >>> 16)) >>> 0;
}

/**
 * Ten rounds of Philox4x32. `out` receives four unsigned words.
 * Source: J. Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011; vectors in test/random.test.ts.
 */
export function philox4x32(
  counter: readonly [number, number, number, number],
  key: readonly [number, number],
  out: Uint32Array,
): void {
  let c0 = counter[0] | 0;
  let c1 = counter[1] | 0;
  let c2 = counter[2] | 0;
  let c3 = counter[3] | 0;
  let k0 = key[0] | 0;
  let k1 = key[1] | 0;
  for (let round = 0; round < 10; round++) {
    const high0 = mulHigh(M0, c0);
    const low0 = Math.imul(M0, c0);
    const high1 = mulHigh(M1, c2);
    const low1 = Math.imul(M1, c2);
    c0 = high1 ^ c1 ^ k0;
    c1 = low1;
    c2 = high0 ^ c3 ^ k1;
    c3 = low0;
    k0 = (k0 + W0) | 0;
    k1 = (k1 + W1) | 0;
  }
  out[0] = c0;
  out[1] = c1;
  out[2] = c2;
  out[3] = c3;
}

const utf8 = new TextEncoder();

/** MurmurHash3 x86-32 of the UTF-8 bytes of `text`. Source: A. Appleby, public domain; vectors in test/random.test.ts. */
export function murmur3(text: string, seed: number): number {
  const length = writeText(text);
  return hashText(length, seed);
}

// Keys are short and hashed one after another: they share this memory, in which text that is ASCII needs no encoder.
let textBytes = new Uint8Array(256);

/** Writes the UTF-8 bytes of `text` where `hashText` reads them; returns how many. */
function writeText(text: string): number {
  const { length } = text;
  // At most three bytes for each unit of UTF-16.
  if (3 * length > textBytes.length) textBytes = new Uint8Array(6 * length);
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i);
    if (code > 0x7f) return utf8.encodeInto(text, textBytes).written;
    textBytes[i] = code;
  }
  return length;
}

function hashText(length: number, seed: number): number {
  const bytes = textBytes;
  const blocks = length >>> 2;
  let h = seed | 0;
  for (let i = 0; i < blocks; i++) {
    const at = i * 4;
    const k = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    h ^= scramble(k);
    h = (h << 13) | (h >>> 19);
    h = (Math.imul(h, 5) + 0xe6546b64) | 0;
  }
  const tail = length & 3;
  if (tail > 0) {
    let k = 0;
    for (let i = tail - 1; i >= 0; i--) k = (k << 8) | bytes[blocks * 4 + i]!;
    h ^= scramble(k);
  }
  h ^= length;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

function scramble(k: number): number {
  const mixed = Math.imul(k, 0xcc9e2d51);
  return Math.imul((mixed << 15) | (mixed >>> 17), 0x1b873593);
}

/** Two 32-bit hashes of a sample key: the first two words of the counter. */
export function hashKey(key: string): readonly [number, number] {
  // Stages that draw for the same sample come one after another, as a rule.
  if (key !== lastKey) {
    const length = writeText(key);
    lastHash = [hashText(length, 0), hashText(length, 1)];
    lastKey = key;
  }
  return lastHash;
}

let lastKey = '';
let lastHash: readonly [number, number] = [murmur3('', 0), murmur3('', 1)];

const stageHashes = new Map<string, number>();

/** The hash of a stage's id (`mask`, `mask#2`, or an explicit id): the second word of the generator's key. */
export function hashStage(id: string): number {
  let hash = stageHashes.get(id);
  if (hash === undefined) {
    hash = murmur3(id, 0);
    stageHashes.set(id, hash);
  }
  return hash;
}

/** What `philox4x32` writes, until it is taken from here: every sample has several generators, and memory of its own for each would be most of their cost. */
const drawn = new Uint32Array(4);

/** A stream of random words for one sample (or batch) at one stage. Each draw takes words in order; nothing is thrown away. */
export class Random {
  readonly #seed: number;
  readonly #stage: string | number;
  readonly #sample: string | readonly [number, number];
  readonly #epoch: number;
  // Of the first draw: every stage is given a generator, and most draw nothing.
  #key: readonly [number, number] | undefined;
  #counter: [number, number, number, number] | undefined;
  /** The last three words of a draw; the first is given away at once. */
  #second = 0;
  #third = 0;
  #fourth = 0;
  #left = 0;

  /** @param seed the run's seed, an unsigned 32-bit integer. @param stage the stage's id, or its hash. @param sample a key, or its `hashKey`. */
  constructor(seed: number, stage: string | number, sample: string | readonly [number, number], epoch = 0) {
    this.#seed = seed;
    this.#stage = stage;
    this.#sample = sample;
    this.#epoch = epoch;
  }

  /** The next unsigned 32-bit word. */
  word(): number {
    switch (this.#left) {
      case 3:
        this.#left = 2;
        return this.#second;
      case 2:
        this.#left = 1;
        return this.#third;
      case 1:
        this.#left = 0;
        return this.#fourth;
      default:
        return this.#draw();
    }
  }

  #draw(): number {
    if (this.#counter === undefined) {
      const hashes = typeof this.#sample === 'string' ? hashKey(this.#sample) : this.#sample;
      this.#key = [this.#seed >>> 0, typeof this.#stage === 'string' ? hashStage(this.#stage) : this.#stage];
      this.#counter = [hashes[0], hashes[1], this.#epoch, 0];
    }
    philox4x32(this.#counter, this.#key!, drawn);
    this.#counter[3]++;
    this.#second = drawn[1]!;
    this.#third = drawn[2]!;
    this.#fourth = drawn[3]!;
    this.#left = 3;
    return drawn[0]!;
  }

  /** Uniform in [0, 1): word · 2⁻³². One word. */
  uniform(): number {
    return this.word() * 2 ** -32;
  }

  /** Uniform in [low, high). One word. */
  between(low: number, high: number): number {
    return low + (high - low) * this.uniform();
  }

  /** An integer in 0 … n − 1: ⌊word · n / 2³²⌋, exact for every n up to 2³² − 1. One word. */
  integer(n: number): number {
    return mulHigh(this.word(), n);
  }

  /** Standard normal, Box–Muller's cosine on (1 − u₁, u₂). Two words. */
  normal(): number {
    const u1 = 1 - this.uniform();
    const u2 = this.uniform();
    return Math.sqrt(-2 * Math.log(u1)) * Math.cos(2 * Math.PI * u2);
  }

  /** Standard Gumbel: −ln(−ln((w + ½) · 2⁻³²)), from −3.1 to 22.9. One word. */
  gumbel(): number {
    return -Math.log(-Math.log((this.word() + 0.5) * 2 ** -32));
  }

  /** Gamma with this shape, above 0 and finite, and scale 1; NaN for any other, which takes no words. */
  gamma(shape: number): number {
    return Math.exp(this.#logGamma(shape));
  }

  /** Beta(a, b), both above 0 and finite: of two gammas, of a and then of b, the share of the first. In [0, 1]; NaN for any other. */
  beta(a: number, b: number): number {
    const first = this.#logGamma(a);
    return 1 / (1 + Math.exp(this.#logGamma(b) - first));
  }

  /**
   * The logarithm of a gamma, for small shapes have values below all numbers. For shapes below 1 first one uniform u, by which a gamma of shape + 1
   * becomes smaller: + ln(1 − u)/shape. Then tries of a normal and a uniform until one is taken. Source: Marsaglia and Tsang 2000.
   */
  #logGamma(shape: number): number {
    if (!(shape > 0 && shape < Number.POSITIVE_INFINITY)) return Number.NaN;
    if (shape < 1) {
      const smaller = Math.max(-Number.MAX_VALUE, Math.log(1 - this.uniform()) / shape);
      return smaller + this.#logGamma(shape + 1);
    }
    const d = shape - 1 / 3;
    const c = 1 / Math.sqrt(9 * d);
    for (;;) {
      const x = this.normal();
      const u = 1 - this.uniform();
      const v = (1 + c * x) ** 3;
      if (v > 0 && Math.log(u) < (x * x) / 2 + d - d * v + d * Math.log(v)) return Math.log(d * v);
    }
  }

  /** A permutation of 0 … n − 1, Fisher–Yates from the last down. n − 1 words. Uint32 [n]. */
  permutation(n: number): Uint32Array {
    const order = Uint32Array.from({ length: n }, (_, i) => i);
    for (let i = n - 1; i > 0; i--) {
      const j = this.integer(i + 1);
      const swapped = order[i]!;
      order[i] = order[j]!;
      order[j] = swapped;
    }
    return order;
  }
}
