import type { Test } from 'tap';
import { Constants } from '../../../src/backends/constants.ts';
import { composedOnly, type FusedKernel, hasFused } from '../../../src/backends/fused.ts';
import {
  attention,
  conv3x3,
  gatherTokens,
  gelu,
  layerNorm,
  linear,
  linearGelu,
  pairBuckets,
  prelu,
  residual,
  rowBuckets,
  softCrossEntropy,
} from '../../../src/backends/ops.ts';
import * as tf from '../../../src/backends/tf.ts';
import { expectOperation, type Numbers, referred, waves } from '../../kit/training/tensors.ts';
import {
  type AttentionSizes,
  attended,
  bucketOf,
  convolved,
  gathered,
  gaussianUnits,
  normalisedRows,
  product,
} from './references.ts';

/**
 * Every operation of `backends/ops` on the current backend, in each form that it has there, value and gradients against float64. float32 may
 * differ by 1e-5 of the L2 norm of a tensor unless said. Shapes go from a single number over odd sides to those of a small model.
 */
export async function testOperations(t: Test): Promise<void> {
  await t.test('linear', (t) => testLinear(t));
  await t.test('layerNorm', (t) => testLayerNorm(t));
  await t.test('gelu', (t) => testGelu(t));
  await t.test('attention', (t) => testAttention(t));
  await t.test('gatherTokens', (t) => testGatherTokens(t));
  await t.test('conv3x3', (t) => testConv3x3(t));
  await t.test('prelu and residual', (t) => testSmall(t));
  await t.test('softCrossEntropy', (t) => testSoftCrossEntropy(t));
}

type Operation = (...inputs: never[]) => tf.Tensor;
type Reference = (...inputs: never[]) => Float64Array;

/** Holds every form of an operation against its reference. */
async function expectForms(
  t: Test,
  kernel: FusedKernel | undefined,
  operation: Operation,
  reference: Reference,
  inputs: readonly Numbers[],
  tolerance?: number,
): Promise<void> {
  const name = inputs.map(({ shape }) => `[${shape}]`).join(' ');
  // Once for both forms: the references are what takes time.
  const expected = referred(reference as never, inputs, 40);
  const expect = (t: Test) => expectOperation(t, operation as never, expected, inputs, tolerance);
  const isFused = kernel !== undefined && hasFused(kernel);
  await t.test(`${isFused ? 'fused' : 'composed'} ${name}`, expect);
  // All is computed before `expect` first waits, so it is done before fused forms are allowed again.
  if (isFused) await t.test(`composed ${name}`, (t) => composedOnly(() => expect(t)));
}

async function testLinear(t: Test): Promise<void> {
  const shapes = [
    [[2, 3], 5, 7],
    [[1], 1, 1],
    [[13], 17, 3],
    [[2, 25], 48, 64],
  ] as const;
  for (const [outside, inner, outer] of shapes) {
    const rows = (outside as readonly number[]).reduce((a, b) => a * b, 1);
    const plain = (x: Float64Array, w: Float64Array) => product(x, w, rows, inner, outer);
    const biased = (x: Float64Array, w: Float64Array, b: Float64Array) => plain(x, w).map((v, i) => v + b[i % outer]!);
    const activated = (x: Float64Array, w: Float64Array, b: Float64Array) => gaussianUnits(biased(x, w, b));
    const [x, w, b] = [waves([...outside, inner]), waves([inner, outer], 1), waves([outer], 2)];
    await expectForms(t, 'PatchstreamLinear', linear, biased, [x, w, b]);
    await expectForms(t, 'PatchstreamLinear', linear, plain, [x, w]);
    // The reference of gelu is dear.
    if (rows * outer < 1000) await expectForms(t, 'PatchstreamLinear', linearGelu, activated, [x, w, b]);
  }
}

async function testLayerNorm(t: Test): Promise<void> {
  for (const shape of [
    [3, 2, 5],
    [1, 3],
    [7, 33],
    [50, 64],
  ]) {
    const D = shape.at(-1)!;
    await expectForms(t, 'PatchstreamLayerNorm', layerNorm, normalisedRows, [
      waves(shape),
      waves([D], 1),
      waves([D], 2),
    ]);
  }
}

async function testGelu(t: Test): Promise<void> {
  // From −5 to 5, so that both ends are met.
  const wide = ({ shape, data }: Numbers) => ({ shape, data: data.map((v, i) => Math.fround(v * (1 + (i % 5)))) });
  for (const shape of [[1], [3, 7], [5, 67]])
    await expectForms(t, 'PatchstreamGelu', gelu, gaussianUnits, [wide(waves(shape))]);
  await t.test('far out, where it is 0 or x, and of what is no number', (t) => {
    const x = tf.tensor1d([-1e30, -40, -16, -12, -7, 7, 15.99, 16, 40, 1e30]);
    const given = [...x.dataSync()];
    for (const form of ['fused', 'composed']) {
      const [values, slopes, none] = inForm(form, () =>
        tf.tidy(() =>
          [gelu(x), tf.grad((y) => gelu(y))(x), gelu(tf.tensor1d([Number.NaN]))].map((y) => [...y.dataSync()]),
        ),
      );
      const near = (found: number | undefined, expected: number) =>
        Math.abs(found! - expected) <= 5e-6 * Math.max(1, Math.abs(expected));
      for (const [i, v] of given.entries()) {
        t.ok(near(values?.[i], Math.max(0, v)), `${form}: value at ${v}`);
        t.ok(near(slopes?.[i], v > 0 ? 1 : 0), `${form}: slope at ${v}`);
      }
      t.same(none, [Number.NaN], form);
    }
    x.dispose();
    t.end();
  });
}

function inForm<T>(form: string, f: () => T): T {
  return form === 'composed' ? composedOnly(f) : f();
}

async function testAttention(t: Test): Promise<void> {
  const kernel = 'PatchstreamAttention';
  const sizes: AttentionSizes[] = [
    { B: 2, T: 3, heads: 2, d: 4 },
    { B: 1, T: 1, heads: 1, d: 1 },
    { B: 3, T: 7, heads: 3, d: 5 },
    { B: 1, T: 26, heads: 2, d: 32 },
  ];
  for (const size of sizes) {
    const { B, T, heads, d } = size;
    const qkv = waves([B, T, 3 * heads * d]);
    const plain = (qkv: tf.Tensor3D) => attention(qkv, heads);
    await expectForms(t, kernel, plain, (qkv: Float64Array) => attended(qkv, size), [qkv]);
    for (const scaled of [false, true]) {
      const buckets = 5;
      const constants = new Constants();
      const pairs = pairsOf(constants, T, buckets);
      const relative = (qkv: tf.Tensor3D, table: tf.Tensor) => attention(qkv, heads, { table, buckets: pairs, scaled });
      const reference = (qkv: Float64Array, table: Float64Array) => attended(qkv, size, table, scaled ? d ** -0.5 : 1);
      await t.test(`relative positions, ${scaled ? 'scaled' : 'unscaled'} queries`, (t) =>
        expectForms(t, kernel, relative, reference, [qkv, waves([d, buckets], 1)]),
      );
      for (const on of ['qk', 'qkv'] as const) {
        const tables =
          on === 'qk'
            ? [[d, buckets]]
            : [
                [d, buckets],
                [buckets, d],
              ];
        const more = (qkv: tf.Tensor3D, table: tf.Tensor, queryTable: tf.Tensor, valueTable?: tf.Tensor) =>
          attention(qkv, heads, { table, queryTable, valueTable, buckets: pairs, scaled });
        const ofMore = (qkv: Float64Array, table: Float64Array, queries: Float64Array, values?: Float64Array) =>
          attended(qkv, size, table, scaled ? d ** -0.5 : 1, undefined, undefined, { queries, values });
        await t.test(`relative positions on ${on}, ${scaled ? 'scaled' : 'unscaled'}`, (t) =>
          expectForms(t, undefined, more, ofMore, [
            qkv,
            waves([d, buckets], 1),
            ...tables.map((shape, i) => waves(shape, 2 + i)),
          ]),
        );
      }
      constants.dispose();
      const bucketIn = (b: number, i: number, j: number) => bucketOf(i + b, j, buckets);
      const ids = Int32Array.from({ length: B * T * T }, (_, at) =>
        bucketIn(Math.floor(at / (T * T)), Math.floor(at / T) % T, at % T),
      );
      const own = tf.tensor3d(ids, [B, T, T], 'int32');
      const ofRows = (qkv: tf.Tensor3D, table: tf.Tensor) =>
        attention(qkv, heads, { table, buckets: rowBuckets(own, buckets), scaled });
      const ofRowsReference = (qkv: Float64Array, table: Float64Array) =>
        attended(qkv, size, table, scaled ? d ** -0.5 : 1, bucketIn);
      await t.test(`relative positions of each sequence's own, ${scaled ? 'scaled' : 'unscaled'} queries`, (t) =>
        expectForms(t, kernel, ofRows, ofRowsReference, [qkv, waves([d, buckets], 1)]),
      );
      own.dispose();
    }
    await t.test('a bias for each head and pair', async (t) => {
      const biased = (qkv: tf.Tensor3D, bias: tf.Tensor) => attention(qkv, heads, { bias });
      const reference = (qkv: Float64Array, bias: Float64Array) => attended(qkv, size, undefined, 1, undefined, bias);
      await expectForms(t, undefined, biased, reference, [qkv, waves([heads, T, T], 1)]);
    });
  }
  await t.test('a table of zeros leaves plain attention as it is', (t) => {
    const constants = new Constants();
    const [plain, relative] = tf.tidy(() => {
      const qkv = tf.tensor(Float32Array.from(waves([2, 3, 24]).data), [2, 3, 24]) as tf.Tensor3D;
      const buckets = pairsOf(constants, 3, 5);
      return [attention(qkv, 2), attention(qkv, 2, { table: tf.zeros([4, 5]), buckets, scaled: false })].map((y) =>
        y.dataSync(),
      );
    });
    constants.dispose();
    t.same(relative, plain);
    t.end();
  });
}

/** Buckets of all pairs, made before tensors are counted. */
function pairsOf(constants: Constants, T: number, buckets: number) {
  const pairs = pairBuckets(constants, `${T}`, buckets, () =>
    Int32Array.from({ length: T * T }, (_, at) => bucketOf(Math.floor(at / T), at % T, buckets)),
  );
  pairs.ids();
  pairs.oneHot();
  return pairs;
}

async function testGatherTokens(t: Test): Promise<void> {
  // Ids that come twice, one pick of one token, and more picks than tokens.
  const cases = [
    {
      n: 4,
      D: 3,
      picks: [
        [2, 0],
        [1, 1],
      ],
    },
    { n: 1, D: 1, picks: [[0]] },
    {
      n: 3,
      D: 17,
      picks: [
        [0, 1, 2, 2, 1, 0, 0],
        [2, 2, 2, 2, 2, 2, 2],
      ],
    },
    { n: 64, D: 32, picks: [Array.from({ length: 16 }, (_, i) => (i * 37) % 64)] },
  ];
  for (const { n, D, picks } of cases) {
    const ids = tf.tensor2d(picks, [picks.length, picks[0]!.length], 'int32');
    const operation = (x: tf.Tensor3D) => gatherTokens(x, ids);
    const reference = (x: Float64Array) => gathered(x, picks, n, D);
    await expectForms(t, 'PatchstreamGatherTokens', operation, reference, [waves([picks.length, n, D])]);
    ids.dispose();
  }
}

async function testConv3x3(t: Test): Promise<void> {
  for (const [shape, F] of [
    [[2, 3, 4, 2], 3],
    [[1, 1, 1, 1], 1],
    [[1, 1, 5, 3], 2],
    [[2, 8, 8, 4], 5],
    // Channels in whole panels (native/torch/fused/panels): by tiles of 2 × 2, of which some lie half outside.
    [[2, 5, 6, 64], 32],
    [[9, 4, 7, 32], 96],
  ] as const) {
    const C = shape[3];
    const inputs = [waves(shape), waves([3, 3, C, F], 1), waves([F], 2)];
    const reference = (x: Float64Array, w: Float64Array, b?: Float64Array) => convolved(x, w, b, shape);
    await expectForms(t, 'PatchstreamConv3x3', conv3x3, reference, inputs);
    await expectForms(t, 'PatchstreamConv3x3', conv3x3, reference, inputs.slice(0, 2));
  }
}

async function testSoftCrossEntropy(t: Test): Promise<void> {
  for (const [N, C] of [
    [1, 2],
    [3, 7],
    [5, 1000],
  ] as const) {
    const weights = waves([N, C], 3).data.map((v) => Math.abs(v));
    const sums = Array.from({ length: N }, (_, n) =>
      weights.subarray(n * C, (n + 1) * C).reduce((sum, v) => sum + v, 0),
    );
    const target = weights.map((v, i) => v / sums[Math.floor(i / C)]!);
    const reference = (x: Float64Array) =>
      Float64Array.from({ length: N }, (_, n) => {
        const row = x.subarray(n * C, (n + 1) * C);
        const whole = Math.log(row.reduce((sum, v) => sum + Math.exp(v), 0));
        return row.reduce((sum, v, c) => sum + target[n * C + c]! * (whole - v), 0);
      });
    const operation = (x: tf.Tensor) => softCrossEntropy(x, tf.tensor(Float32Array.from(target), [N, C]));
    await expectForms(t, undefined, operation, reference, [waves([N, C])]);
  }
  await t.test('scores far beyond what an exponential can hold', (t) => {
    const values = tf.tidy(() => {
      const target = tf.tensor2d([1, 0, 0, 1], [2, 2]);
      const scores = tf.tensor2d([1e4, -1e4, 1e4, -1e4], [2, 2]);
      return [...softCrossEntropy(scores, target).dataSync()];
    });
    t.same(values, [0, 2e4]);
    t.end();
  });
}

async function testSmall(t: Test): Promise<void> {
  const slopes = (x: Float64Array, s: Float64Array) => x.map((v, i) => (v > 0 ? v : v * s[i % s.length]!));
  for (const shape of [[2, 2, 5, 3], [1], [7, 9]]) {
    await expectForms(t, undefined, prelu, slopes, [waves(shape), waves([shape.at(-1)!], 1)]);
    const sum = (a: Float64Array, b: Float64Array) => a.map((v, i) => v + b[i]!);
    await expectForms(t, undefined, residual, sum, [waves(shape), waves(shape, 1)]);
    const [rows, each] = [shape[0]!, shape.slice(1).reduce((product, side) => product * side, 1)];
    const counts = Array.from({ length: rows }, (_, n) => n % 3);
    const scaled = (a: Float64Array, b: Float64Array) => a.map((v, i) => v + counts[Math.floor(i / each)]! * b[i]!);
    const scale = () => tf.tensor(counts, [rows, ...shape.slice(1).map(() => 1)]);
    const some = (x: tf.Tensor, change: tf.Tensor) => residual(x, change, scale());
    await expectForms(t, undefined, some, scaled, [waves(shape), waves(shape, 1)]);
  }
}
