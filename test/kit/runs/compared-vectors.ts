import type { VectorSet } from '../../../src/formats/vectors/vector-set.ts';
import { Random } from '../../../src/random.ts';
import { Compared } from '../../../src/runs/search/compared.ts';
import { similarVectors } from '../../../src/runs/search/similar.ts';

const width = 6;
const random = new Random(4, 'vectors', 'test');
const centres = Array.from({ length: 5 }, () => Array.from({ length: width }, () => random.normal()));
/** 90 vectors around five centres. */
export const vectors = Array.from({ length: 90 }, (_, i) =>
  Float32Array.from(centres[i % 5]!, (value) => value + 0.3 * random.normal()),
);
export const head = { width, above: 0.95 };

/** The first `count` of them, some at a time. */
export function firstOf(count: number, some: number, from = vectors): VectorSet {
  return {
    path: 'none',
    width,
    async *batches() {
      for (let at = 0; at < count; at += some) {
        const rows = from.slice(at, Math.min(count, at + some));
        yield { keys: rows.map((_, i) => `v${at + i}`), values: Float32Array.from(rows.flatMap((row) => [...row])) };
      }
    },
  };
}

/** Compares what was not compared in `folder` yet, 16 at a time. */
export async function compareTo(folder: string, set: VectorSet, options: { readonly fresh?: boolean } = {}) {
  const compared = await Compared.open(folder, head, options);
  try {
    const groups = await similarVectors(set, head.above, { compared, size: 16 });
    return { groups: groups.list(), pictures: groups.pictures };
  } finally {
    await compared.close();
  }
}

export const compareNumbered = (folder: string) => compareTo(folder, firstOf(90, 7));
