import t from 'tap';
import { linear, linearGelu } from '../../../src/backends/ops.ts';
import * as tf from '../../../src/backends/tf.ts';
import { prepareTorch } from '../../../src/backends/torch/prepare.ts';
import { expectClose, expectNoTensorLeak, readings, waves } from '../../kit/training/tensors.ts';
import { testDevice, withoutTorch } from '../../kit/training/torch.ts';
import { gaussianUnits, product } from '../suite/references.ts';

if (withoutTorch === false) await prepareTorch(testDevice);

// More of each than loops take at a time: rows, panels of x by fours, numbers of a row (native/torch/fused/panels/linear.cc).
const [rows, inner, outer] = [505, 416, 1056];
const [x, w, b] = [waves([rows, inner]), waves([inner, outer], 1), waves([outer], 2)];
const weights = waves([rows, outer], 9).data;

/** The gradients of Σ weights·y by every input, y = xw + b or its gelu. */
function expectedOf(gelu: boolean): Float64Array[] {
  const change = gelu ? beforeUnits() : weights;
  const byBias = b.data.map((_, j) => {
    let sum = 0;
    for (let i = 0; i < rows; i++) sum += change[i * outer + j]!;
    return sum;
  });
  return [
    product(change, transposed(w.data, inner, outer), rows, outer, inner),
    product(transposed(x.data, rows, inner), change, inner, rows, outer),
    byBias,
  ];
}

/** The gradient of Σ weights·gelu(xw + b) by xw + b: central differences. */
function beforeUnits(): Float64Array {
  const pre = product(x.data, w.data, rows, inner, outer).map((v, i) => v + b.data[i % outer]!);
  const step = 1e-4;
  const [above, below] = [step, -step].map((by) => gaussianUnits(pre.map((v) => v + by)));
  return weights.map((v, i) => (v * (above![i]! - below![i]!)) / (2 * step));
}

function transposed(values: Float64Array, n: number, m: number): Float64Array {
  return new Float64Array(n * m).map((_, i) => values[(i % n) * m + Math.floor(i / n)]!);
}

for (const [name, operation, gelu] of [
  ['linear', linear, false],
  ['linear, then gelu', linearGelu, true],
] as const)
  t.test(`${name}: the gradients of a wide layer`, { skip: withoutTorch }, (t) =>
    expectNoTensorLeak(t, () => {
      const found = readings(() => {
        const inputs = [x, w, b].map(({ shape, data }) => tf.tensor(Float32Array.from(data), [...shape]));
        const weigh = (...[x, w, b]: tf.Tensor[]) =>
          operation(x!, w!, b as tf.Tensor1D)
            .mul(tf.tensor(Float32Array.from(weights), [rows, outer]))
            .sum() as tf.Scalar;
        return tf
          .grads(weigh)(inputs)
          .map((gradient) => gradient.dataSync());
      });
      for (const [i, expected] of expectedOf(gelu).entries())
        expectClose(t, found[i]!, expected, 1e-5, `by input ${i}`);
    }),
  );
