import t from 'tap';
import { Constants } from '../../src/backends/constants.ts';
import { composedOnly } from '../../src/backends/fused.ts';
import {
  adamw,
  attention,
  conv3x3,
  gatherTokens,
  gelu,
  layerNorm,
  linear,
  pairBuckets,
  prelu,
} from '../../src/backends/ops.ts';
import * as tf from '../../src/backends/tf.ts';
import { prepareWasm } from '../../src/backends/wasm.ts';
import { expectClose, expectNoTensorLeak, expectOperation, waves } from '../kit/tensors.ts';

// float32 against float64: a relative difference of 1e-5 per tensor unless said.
await prepareWasm((message) => t.comment(message));

/** [n, d]·[d, m] in float64. */
function product(a: Float64Array, b: Float64Array, n: number, d: number, m: number): Float64Array {
  const out = new Float64Array(n * m);
  for (let i = 0; i < n; i++)
    for (let k = 0; k < d; k++) for (let j = 0; j < m; j++) out[i * m + j]! += a[i * d + k]! * b[k * m + j]!;
  return out;
}

t.test('linear, on a tensor of rank 3 and odd sides', async (t) => {
  const reference = (x: Float64Array, w: Float64Array, b: Float64Array) =>
    product(x, w, 6, 5, 7).map((v, i) => v + b[i % 7]!);
  await expectOperation(t, (x, w, b) => linear(x!, w!, b!), reference as never, [
    waves([2, 3, 5]),
    waves([5, 7], 1),
    waves([7], 2),
  ]);
});

t.test('linear without a bias', async (t) => {
  const reference = (x: Float64Array, w: Float64Array) => product(x, w, 3, 4, 2);
  await expectOperation(t, (x, w) => linear(x!, w!), reference as never, [waves([3, 4]), waves([4, 2], 1)]);
});

t.test('layerNorm', async (t) => {
  const D = 5;
  const reference = (x: Float64Array, gain: Float64Array, bias: Float64Array) => {
    const out = new Float64Array(x.length);
    for (let row = 0; row < x.length; row += D) {
      const values = x.subarray(row, row + D);
      const mean = values.reduce((a, b) => a + b) / D;
      const variance = values.reduce((a, b) => a + (b - mean) ** 2, 0) / D;
      values.forEach((v, i) => {
        out[row + i] = ((v - mean) / Math.sqrt(variance + 1e-6)) * gain[i]! + bias[i]!;
      });
    }
    return out;
  };
  await expectOperation(t, (x, g, b) => layerNorm(x!, g!, b!), reference as never, [
    waves([3, 2, D]),
    waves([D], 1),
    waves([D], 2),
  ]);
});

/** Φ by Simpson's rule: no table, no error function shared with what is tested. */
function normalCdf(x: number): number {
  const steps = 400;
  let sum = 0;
  for (let i = 0; i <= steps; i++) {
    const at = (x * i) / steps;
    sum += Math.exp(-0.5 * at * at) * (i === 0 || i === steps ? 1 : i % 2 === 1 ? 4 : 2);
  }
  return 0.5 + (sum * x) / (3 * steps * Math.sqrt(2 * Math.PI));
}

const geluInput = () => {
  const numbers = waves([3, 7]);
  return { ...numbers, data: numbers.data.map((v, i) => Math.fround(v * (1 + (i % 5)))) };
};

t.test('gelu, composed and fused, against the exact form', async (t) => {
  const reference = (x: Float64Array) => x.map((v) => v * normalCdf(v));
  await expectOperation(t, (x) => gelu(x!), reference, [geluInput()], 1e-6);
  await composedOnly(() => expectOperation(t, (x) => gelu(x!), reference, [geluInput()], 1e-5));
});

t.test('the two forms of gelu agree far out, and at the ends', async (t) => {
  const x = tf.tensor1d([-1e30, -40, -16, -12, -6, -1e-6, 0, 1e-6, 6, 15.99, 16, 40, 1e30]);
  const both = [false, true].map((composed) => {
    const run = () =>
      tf.tidy(() => [
        gelu(x).dataSync(),
        tf
          .grad((y) => gelu(y))(x)
          .dataSync(),
      ]);
    return composed ? composedOnly(run) : run();
  });
  for (const [i, fusedValues] of both[0]!.entries()) {
    const composed = both[1]![i]!;
    for (let j = 0; j < 13; j++) {
      const difference = Math.abs(fusedValues[j]! - composed[j]!) / Math.max(1, Math.abs(composed[j]!));
      t.ok(difference <= 5e-6, `at ${x.dataSync()[j]}`);
    }
  }
  t.same([...gelu(tf.tensor1d([NaN])).dataSync()].map(Number.isNaN), [true], 'what is no number stays none');
});

const [B, T, heads, d, buckets] = [2, 3, 2, 4, 5];
const bucketOf = (i: number, j: number) => (3 * i + j) % buckets;
const bucketsOfPairs = (constants: Constants) =>
  pairBuckets(constants, 'pairs', buckets, () =>
    Int32Array.from({ length: T * T }, (_, at) => bucketOf(Math.floor(at / T), at % T)),
  );

function plainAttention(qkv: Float64Array, table: Float64Array | undefined, tableScale: number): Float64Array {
  const out = new Float64Array(B * T * heads * d);
  const at = (part: number, b: number, i: number, h: number, c: number) =>
    qkv[(b * T + i) * 3 * heads * d + part * heads * d + h * d + c]!;
  for (let b = 0; b < B; b++) {
    for (let h = 0; h < heads; h++) {
      for (let i = 0; i < T; i++) {
        const logits = Array.from({ length: T }, (_, j) => {
          let logit = 0;
          for (let c = 0; c < d; c++) {
            logit += (at(0, b, i, h, c) * at(1, b, j, h, c)) / Math.sqrt(d);
            if (table !== undefined) logit += at(0, b, i, h, c) * tableScale * table[c * buckets + bucketOf(i, j)]!;
          }
          return Math.exp(logit);
        });
        const total = logits.reduce((x, y) => x + y);
        for (let c = 0; c < d; c++) {
          for (let j = 0; j < T; j++)
            out[(b * T + i) * heads * d + h * d + c]! += (logits[j]! / total) * at(2, b, j, h, c);
        }
      }
    }
  }
  return out;
}

t.test('attention', async (t) => {
  const operation = (qkv?: tf.Tensor) => attention(qkv as tf.Tensor3D, heads);
  await expectOperation(t, operation, (qkv) => plainAttention(qkv!, undefined, 1), [waves([B, T, 3 * heads * d])]);
});

for (const scaled of [false, true]) {
  t.test(`attention with relative positions, ${scaled ? 'scaled' : 'unscaled'} queries`, async (t) => {
    const constants = new Constants();
    const pairs = bucketsOfPairs(constants);
    tf.dispose([pairs.ids().clone(), pairs.oneHot().clone()]);
    const operation = (qkv?: tf.Tensor, table?: tf.Tensor) =>
      attention(qkv as tf.Tensor3D, heads, { table: table!, buckets: pairs, scaled });
    const reference = (qkv: Float64Array, table: Float64Array) => plainAttention(qkv, table, scaled ? d ** -0.5 : 1);
    await expectOperation(t, operation, reference as never, [waves([B, T, 3 * heads * d]), waves([d, buckets], 1)]);
    constants.dispose();
  });
}

t.test('a table of zeros leaves plain attention, bit for bit', (t) => {
  const constants = new Constants();
  const [plain, relative] = tf.tidy(() => {
    const qkv = tf.tensor(Float32Array.from(waves([B, T, 3 * heads * d]).data), [B, T, 3 * heads * d]) as tf.Tensor3D;
    const table = tf.zeros([d, buckets]);
    return [
      attention(qkv, heads).dataSync(),
      attention(qkv, heads, { table, buckets: bucketsOfPairs(constants), scaled: false }).dataSync(),
    ];
  });
  constants.dispose();
  t.same(relative, plain);
  t.end();
});

t.test('gatherTokens, with an id that comes twice', async (t) => {
  const ids = tf.tensor2d(
    [
      [2, 0],
      [1, 1],
    ],
    [2, 2],
    'int32',
  );
  const reference = (x: Float64Array) =>
    Float64Array.from({ length: 12 }, (_, at) => {
      const [sample, pick, c] = [Math.floor(at / 6), Math.floor((at % 6) / 3), at % 3];
      return x[
        (sample * 4 +
          [
            [2, 0],
            [1, 1],
          ][sample]![pick]!) *
          3 +
          c
      ]!;
    });
  await expectOperation(t, (x) => gatherTokens(x as tf.Tensor3D, ids), reference, [waves([2, 4, 3])]);
  ids.dispose();
});

t.test('prelu, a slope for each channel', async (t) => {
  const reference = (x: Float64Array, slope: Float64Array) => x.map((v, i) => (v > 0 ? v : v * slope[i % 3]!));
  await expectOperation(t, (x, s) => prelu(x!, s!), reference as never, [waves([2, 2, 5, 3]), waves([3], 1)]);
});

t.test('conv3x3, with a bias and without', async (t) => {
  const [N, H, W, C, F] = [2, 3, 4, 2, 3];
  const reference = (x: Float64Array, w: Float64Array, b: Float64Array) =>
    Float64Array.from({ length: N * H * W * F }, (_, at) => {
      const [f, col, row, n] = [
        at % F,
        Math.floor(at / F) % W,
        Math.floor(at / (F * W)) % H,
        Math.floor(at / (F * W * H)),
      ];
      let sum = b[f]!;
      for (let tap = 0; tap < 9; tap++) {
        const [r, c] = [row + Math.floor(tap / 3) - 1, col + (tap % 3) - 1];
        if (r < 0 || r >= H || c < 0 || c >= W) continue;
        for (let k = 0; k < C; k++) sum += x[((n * H + r) * W + c) * C + k]! * w[(tap * C + k) * F + f]!;
      }
      return sum;
    });
  const operation = (x?: tf.Tensor, w?: tf.Tensor, b?: tf.Tensor) =>
    conv3x3(x as tf.Tensor4D, w as tf.Tensor4D, b as tf.Tensor1D);
  await expectOperation(t, operation, reference as never, [waves([N, H, W, C]), waves([3, 3, C, F], 1), waves([F], 2)]);
  const bare = (x: Float64Array, w: Float64Array) => reference(x, w, new Float64Array(F));
  await expectOperation(t, operation, bare as never, [waves([N, H, W, C]), waves([3, 3, C, F], 1)]);
});

t.test('adamw, two steps against float64', async (t) => {
  const at = { lr: 0.01, beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0.05 };
  let [p, m, v] = [waves([7]).data, new Float64Array(7), new Float64Array(7)];
  await expectNoTensorLeak(t, () => {
    let state = [tf.tensor1d(Float32Array.from(p)), tf.zeros([7]), tf.zeros([7])] as [tf.Tensor, tf.Tensor, tf.Tensor];
    for (const step of [1, 2]) {
      const g = waves([7], step).data;
      m = m.map((x, i) => at.beta1 * x + (1 - at.beta1) * g[i]!);
      v = v.map((x, i) => at.beta2 * x + (1 - at.beta2) * g[i]! ** 2);
      p = p.map((x, i) => {
        const change = m[i]! / (1 - at.beta1 ** step) / (Math.sqrt(v[i]! / (1 - at.beta2 ** step)) + at.eps);
        return x - at.lr * at.weightDecay * x - at.lr * change;
      });
      const gradient = tf.tensor1d(Float32Array.from(g));
      const next = adamw(state[0], gradient, state[1], state[2], { ...at, step });
      tf.dispose([...state, gradient]);
      state = next;
    }
    expectClose(t, state[0].dataSync(), p, 1e-6, 'parameter');
    expectClose(t, state[1].dataSync(), m, 1e-6, 'first moment');
    expectClose(t, state[2].dataSync(), v, 1e-6, 'second moment');
    tf.dispose(state);
  });
});
