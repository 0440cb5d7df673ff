/**
 * Chance as an argument: a counter-based generator (Philox4x32-10, Salmon et al. 2011) keyed by (seed, stage) and counted by
 * (sample key, epoch, block). The numbers of a sample depend on nothing else: not on concurrency, order or resuming.
 * The layout is fixed, so that native code can draw the same: docs/chance.md.
 */
/**
 * Ten rounds of Philox4x32. `out` receives four unsigned words.
 * Source: J. Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011; vectors in test/random.test.ts.
 */
export declare function philox4x32(counter: readonly [number, number, number, number], key: readonly [number, number], out: Uint32Array): void;
/** MurmurHash3 x86-32 of the UTF-8 bytes of `text`. Source: A. Appleby, public domain; vectors in test/random.test.ts. */
export declare function murmur3(text: string, seed: number): number;
/** Two 32-bit hashes of a sample key: the first two words of the counter. */
export declare function hashKey(key: string): readonly [number, number];
/** The hash of a stage's id (`mask`, `mask#2`, or an explicit id): the second word of the generator's key. */
export declare function hashStage(id: string): number;
/** A stream of random words for one sample (or batch) at one stage. Each draw takes words in order; nothing is thrown away. */
export declare class Random {
    #private;
    /** @param seed the run's seed, an unsigned 32-bit integer. @param stage the stage's id, or its hash. @param sample a key, or its `hashKey`. */
    constructor(seed: number, stage: string | number, sample: string | readonly [number, number], epoch?: number);
    /** The next unsigned 32-bit word. */
    word(): number;
    /** Uniform in [0, 1): word · 2⁻³². One word. */
    uniform(): number;
    /** Uniform in [low, high). One word. */
    between(low: number, high: number): number;
    /** An integer in 0 … n − 1: ⌊word · n / 2³²⌋, exact for every n up to 2³² − 1. One word. */
    integer(n: number): number;
    /** Standard normal, Box–Muller's cosine on (1 − u₁, u₂). Two words. */
    normal(): number;
    /** Gamma with this shape, above 0 and finite, and scale 1; NaN for any other, which takes no words. */
    gamma(shape: number): number;
    /** Beta(a, b), both above 0 and finite: of two gammas, of a and then of b, the share of the first. In [0, 1]; NaN for any other. */
    beta(a: number, b: number): number;
    /** A permutation of 0 … n − 1, Fisher–Yates from the last down. n − 1 words. Uint32 [n]. */
    permutation(n: number): Uint32Array;
}
