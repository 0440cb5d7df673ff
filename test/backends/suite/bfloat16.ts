import type { Test } from 'tap';
import { Constants } from '../../../src/backends/constants.ts';
import * as ops from '../../../src/backends/ops.ts';
import * as tf from '../../../src/backends/tf.ts';
import { expectClose, expectNoTensorLeak, readings, waves } from '../../kit/training/tensors.ts';
import { inBfloat16, ownKernels } from '../../kit/training/torch.ts';

/** The nearest bfloat16, ties to even. */
function narrowed(value: number): number {
  const bits = new Uint32Array(Float32Array.of(value).buffer)[0]!;
  return new Float32Array(Uint32Array.of((bits + 0x7fff + ((bits >>> 16) & 1)) & 0xffff0000).buffer)[0]!;
}

const wavy = (shape: number[], index: number) => Float32Array.from(waves(shape, index).data);

/** a [m, k]·b [k, n] in float64, each transposed when said. */
function product(a: Float32Array, b: Float32Array, m: number, n: number, k: number, transposed = ''): Float64Array {
  const y = new Float64Array(m * n);
  for (let i = 0; i < m; i++)
    for (let j = 0; j < n; j++)
      for (let p = 0; p < k; p++)
        y[i * n + j]! +=
          a[transposed === 'a' ? p * m + i : i * k + p]! * b[transposed === 'b' ? j * k + p : p * n + j]!;
  return y;
}

// ATen's products round what they give to bfloat16; ours keep the sums.
const rounded = 4e-3;
const tolerance = ownKernels ? 1e-6 : rounded;

const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView) => Buffer.from(buffer, byteOffset, byteLength);

/** Value and gradients, in both precisions. */
async function expectNear(
  t: Test,
  operation: (...xs: tf.Tensor[]) => tf.Tensor,
  shapes: number[][],
  tolerance: number,
) {
  const computed = () =>
    readings(() => {
      const inputs = shapes.map((shape, i) => tf.tensor(wavy(shape, i), shape));
      const weigh = (...xs: tf.Tensor[]) => {
        const y = operation(...xs);
        return y.mul(tf.tensor(wavy(y.shape, 9), y.shape)).sum() as tf.Scalar;
      };
      return [operation(...inputs), ...tf.grads(weigh)(inputs)].map((x) => x.dataSync());
    });
  await expectNoTensorLeak(t, () => {
    const [wide, narrow] = [computed(), inBfloat16(computed)];
    for (const [i, values] of narrow.entries()) {
      expectClose(t, values, wide[i]!, tolerance, i === 0 ? 'value' : `gradient by input ${i - 1}`);
      // What is added up without a product is the same.
      if (i < 3) t.not(Buffer.compare(bytesOf(values), bytesOf(wide[i]!)), 0, 'and it is another precision');
    }
    for (const [i, values] of inBfloat16(computed).entries())
      t.equal(Buffer.compare(bytesOf(values), bytesOf(narrow[i]!)), 0, 'the same once more');
  });
}

/**
 * Operations in bfloat16 on the backend torch: factors rounded to it, beside float64 and beside themselves in float32.
 *
 * @param tiled whether products may be by the processor's tiles (AMX), which round gradients by x.
 */
export async function testBfloat16Operations(t: Test, tiled: boolean): Promise<void> {
  for (const [rows, inner, outer] of [
    [1, 1, 1],
    [3, 19, 23],
    [130, 64, 48],
    [331, 40, 70],
  ] as const) {
    await t.test(`linear, ${rows} rows, ${inner} -> ${outer}: factors of eight bits, sums in float32`, async (t) => {
      const [x, weight, bias, weights] = [
        wavy([rows, inner], 0),
        wavy([inner, outer], 1),
        wavy([outer], 2),
        wavy([rows, outer], 9),
      ];
      const [x8, weight8, dy8] = [x, weight, weights].map((values) => values.map(narrowed)) as [
        Float32Array,
        Float32Array,
        Float32Array,
      ];
      const expected = product(x8, weight8, rows, outer, inner).map((sum, i) => sum + bias[i % outer]!);
      const dBias = new Float64Array(outer);
      for (const [i, dy] of weights.entries()) dBias[i % outer]! += dy;
      await expectNoTensorLeak(t, () => {
        const [y, dx, dWeight, db] = inBfloat16(() =>
          readings(() => {
            const given = [tf.tensor(x, [rows, inner]), tf.tensor(weight, [inner, outer]), tf.tensor(bias, [outer])];
            const weigh = (...xs: tf.Tensor[]) =>
              ops
                .linear(xs[0]!, xs[1]!, xs[2]!)
                .mul(tf.tensor(weights, [rows, outer]))
                .sum() as tf.Scalar;
            return [ops.linear(given[0]!, given[1]!, given[2]!), ...tf.grads(weigh)(given)].map((each) =>
              each.dataSync(),
            );
          }),
        );
        expectClose(t, y!, expected, tolerance, 'value');
        expectClose(
          t,
          dx!,
          product(dy8, weight8, rows, inner, outer, 'b'),
          tiled ? rounded : tolerance,
          'gradient by x',
        );
        expectClose(t, dWeight!, product(x8, dy8, inner, outer, rows, 'a'), tolerance, 'gradient by the weight');
        expectClose(t, db!, dBias, 1e-6, 'gradient by the bias, which is no product');
      });
    });
  }

  await t.test('ties go to the even one; what is no number, or infinite, stays so', (t) => {
    const values = [1 + 2 ** -8, 1 + 3 * 2 ** -8, -1 - 2 ** -8, 3.4e38, Number.NaN, Infinity, -Infinity, 0.1];
    // As many as a processor takes at a time, and a rest.
    const all = Array.from({ length: 37 }, (_, i) => values[i % values.length]!);
    const found = inBfloat16(() =>
      readings(() => ops.linear(tf.tensor2d(all, [all.length, 1]), tf.tensor2d([[1]])).dataSync()),
    );
    const expected = all.map((value) => (Number.isFinite(value) ? narrowed(value) : value));
    t.same([...found], expected);
    t.same(expected.slice(0, 3), [1, 1 + 2 ** -6, -1]);
    t.equal(expected[3], Infinity, 'the largest of float32 are beyond bfloat16');
    t.end();
  });

  await t.test('linear with gelu, attention and convolutions are near those of float32', async (t) => {
    await expectNear(t, (x, w, b) => ops.linearGelu(x!, w!, b!), [[37, 24], [24, 40], [40]], 1e-2);
    for (const [T, d] of [
      [5, 4],
      [50, 16],
      [70, 36],
    ] as const) {
      const constants = new Constants();
      const buckets = ops.pairBuckets(constants, `${T}`, 7, () => Array.from({ length: T * T }, (_, i) => (i * 5) % 7));
      buckets.ids();
      const shapes = [[2, T, 3 * 2 * d]];
      await expectNear(t, (qkv) => ops.attention(qkv as tf.Tensor3D, 2), shapes, 2e-2);
      await expectNear(
        t,
        (qkv, table) => ops.attention(qkv as tf.Tensor3D, 2, { table: table!, buckets, scaled: false }),
        [...shapes, [d, 7]],
        2e-2,
      );
      constants.dispose();
    }
    const shapes = [[2, 6, 5, 16], [3, 3, 16, 8], [8]];
    await expectNear(t, (x, w, b) => ops.conv3x3(x as tf.Tensor4D, w as tf.Tensor4D, b as tf.Tensor1D), shapes, 1e-2);
  });
}
