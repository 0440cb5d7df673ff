import fc from 'fast-check';
import t from 'tap';
import type { VectorSet } from '../../../src/formats/vectors/vector-set.ts';
import { Nearest, type Product } from '../../../src/runs/search/nearest.ts';
import { searchVectors } from '../../../src/runs/search/search.ts';
import { vectorOf } from '../../kit/vectors.ts';

/** Multiplies in float32 sums, in an order of its own, and is off by up to `error` besides. */
function roughProduct(columns: Float32Array, width: number, error: number): Product {
  const count = columns.length / width;
  return {
    error: error + 2 ** -24 * (width + 16),
    async multiply(rows, n) {
      const products = new Float32Array(n * count);
      const lengths = new Float32Array(n);
      for (let row = 0; row < n; row++)
        for (let q = 0; q < count; q++) {
          let sum = 0;
          let length = 0;
          for (let i = width - 1; i >= 0; i--) {
            sum = Math.fround(sum + Math.fround(rows[row * width + i]! * columns[i * count + q]!));
            length += rows[row * width + i]! ** 2;
          }
          products[row * count + q] = sum + ((row + q) % 3 === 0 ? -error : error) * Math.sqrt(length);
          lengths[row] = Math.sqrt(length) * (row % 2 === 0 ? 1 - error : 1 + error);
        }
      return { products, lengths };
    },
  };
}

/** By definition: all of them, sorted. */
function expected(questions: Float32Array, keys: readonly string[], values: Float32Array, width: number, top: number) {
  const dot = (a: Float32Array, b: Float32Array) => a.reduce((sum, one, i) => sum + one * b[i]!, 0);
  return Array.from({ length: questions.length / width }, (_, q) => {
    const question = questions.subarray(q * width, (q + 1) * width);
    const all = keys.map((key, row) => {
      const vector = values.subarray(row * width, (row + 1) * width);
      const product = Math.sqrt(dot(question, question)) * Math.sqrt(dot(vector, vector));
      return { key, row, similarity: product === 0 ? 0 : Math.max(-1, Math.min(1, dot(question, vector) / product)) };
    });
    const order = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
    return all.sort((a, b) => b.similarity - a.similarity || order(a.key, b.key) || a.row - b.row).slice(0, top);
  });
}

// Few values, so that many are equally similar; some too small or large for squares in float32.
const numbers = fc.constantFrom(0, 1, -1, 0.5, 3, 1e-30, 1e30, 0.1);

t.test('the nearest are those of the definition, ties by key, whatever multiplies and however they come', async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 4 }).chain((width) =>
        fc.record({
          width: fc.constant(width),
          questions: fc.array(fc.array(numbers, { minLength: width, maxLength: width }), {
            minLength: 1,
            maxLength: 3,
          }),
          rows: fc.array(fc.array(numbers, { minLength: width, maxLength: width }), { minLength: 1, maxLength: 30 }),
        }),
      ),
      fc.integer({ min: 1, max: 5 }),
      fc.integer({ min: 1, max: 9 }),
      async ({ width, questions, rows }, top, step) => {
        const asked = Float32Array.from(questions.flat());
        const values = Float32Array.from(rows.flat());
        // Not in the order of the rows, and some twice.
        const keys = rows.map((_, i) => `k${(i * 7) % 20}`);
        const right = expected(asked, keys, values, width, top);
        for (const error of [undefined, 0, 0.01]) {
          const nearest = new Nearest({ width, values: asked }, top);
          const product = error === undefined ? undefined : roughProduct(nearest.columns(), width, error);
          for (let at = 0; at < rows.length; at += step)
            await nearest.add(
              { keys: keys.slice(at, at + step), values: values.slice(at * width, (at + step) * width) },
              product,
            );
          t.same(nearest.found(), right);
        }
      },
    ),
    { numRuns: 60 },
  );
});

/** A set in memory. */
function setOf(count: number, width: number): VectorSet {
  return {
    path: 'memory',
    width,
    async *batches() {
      for (let at = 0; at < count; at += 1000) {
        const rows = Array.from({ length: Math.min(1000, count - at) }, (_, i) => at + i);
        const values = new Float32Array(rows.length * width);
        for (const [i, row] of rows.entries()) values.set(vectorOf(row, width), i * width);
        yield { keys: rows.map((row) => `${row}`), values };
      }
    },
  };
}

t.test('many vectors are compared on the backend, with the same neighbours to the last bit', async (t) => {
  const [count, width, asked] = [3000, 256, 600];
  const questions = new Float32Array(asked * width);
  for (let q = 0; q < asked; q++) questions.set(vectorOf(q * 5 + 0.5, width), q * width);
  const set = setOf(count, width);
  const { neighbours } = await searchVectors(set, { width, values: questions }, { top: 4 });
  const alone = new Nearest({ width, values: questions.slice(0, 20 * width) }, 4);
  for await (const batch of set.batches()) await alone.add(batch);
  t.same(neighbours.slice(0, 20), alone.found());
  await t.rejects(searchVectors(set, { width: 3, values: new Float32Array(3) }), {
    message: /VECTORS_OTHER.*256.*got those of \[3\]/,
  });
});

t.test("a question's own row is no answer; others of its key are", async (t) => {
  const nearest = new Nearest({ width: 1, values: Float32Array.of(1), without: [1] }, 5);
  await nearest.add({ keys: ['a', 'b', 'b'], values: Float32Array.of(1, 1, 1) });
  t.same(
    nearest.found()[0]?.map(({ row }) => row),
    [0, 2],
  );
});
