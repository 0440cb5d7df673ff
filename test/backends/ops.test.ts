import t, { type Test } from 'tap';
import type { FusedKernel } from '../../src/backends/fused.ts';
import * as ops from '../../src/backends/ops.ts';
import * as tf from '../../src/backends/tf.ts';
import { expectClose, expectOperation, referred, waves } from '../kit/training/tensors.ts';
import { normalisedRows } from './suite/references.ts';

// Plain JavaScript, without kernels of ours: the forms of every backend are in test/backends/suite.
await tf.setBackend('cpu');

const of = (shape: number[], index = 0) => tf.tensor(Float32Array.from(waves(shape, index).data), shape);
const full = (shape: number[], value: number) => tf.fill(shape, value);
const numbers = (x: tf.Tensor) => [...x.dataSync()];

/** The value, and the gradients of its sum, weighted by `weights` where they are given. */
function computed(operation: (...inputs: tf.Tensor[]) => tf.Tensor, inputs: tf.Tensor[], weights?: tf.Tensor) {
  const weigh = (...xs: tf.Tensor[]) => {
    const y = operation(...xs);
    return (weights === undefined ? y : y.mul(weights)).sum() as tf.Scalar;
  };
  return { value: operation(...inputs), grads: tf.grads(weigh)(inputs) };
}

interface Call {
  readonly name: string;
  /** The first number of each tensor, by the name under which it was given. */
  readonly inputs: Readonly<Record<string, number>>;
  readonly attrs: object;
}

function withdraw(name: FusedKernel): void {
  if (tf.getKernel(name, 'cpu')) tf.unregisterKernel(name, 'cpu');
}

/** Offers kernels that give constants, by their shapes, and writes down what they are asked. */
function offering(
  t: Test,
  outputs: Partial<Record<FusedKernel, readonly (readonly [shape: number[], value: number])[]>>,
) {
  const calls: Call[] = [];
  for (const [kernelName, made] of Object.entries(outputs)) {
    tf.registerKernel({
      kernelName,
      backendName: 'cpu',
      kernelFunc: ({ inputs, attrs }) => {
        const given = Object.entries(inputs).map(([name, x]) => [name, (x as tf.Tensor).dataSync()[0]!]);
        calls.push({ name: kernelName, inputs: Object.fromEntries(given), attrs: { ...attrs } });
        return made.map(([shape, value]) => full(shape, value));
      },
    });
    t.teardown(() => withdraw(kernelName as FusedKernel));
  }
  return calls;
}

const tidied = (f: (t: Test) => void) => (t: Test) => {
  const before = tf.memory().numTensors;
  tf.tidy(() => f(t));
  t.equal(tf.memory().numTensors, before, 'nothing is left behind');
  t.end();
};

t.test(
  'linear: fused, with a bias and without',
  tidied((t) => {
    const calls = offering(t, {
      PatchstreamLinear: [[[6, 4], 5]],
      PatchstreamLinearGrad: [
        [[6, 2], 11],
        [[2, 4], 12],
        [[4], 13],
      ],
    });
    const inputs = [full([3, 2, 2], 1), full([2, 4], 2), full([4], 3)];
    const { value, grads } = computed((x, w, b) => ops.linear(x!, w!, b!), inputs, full([3, 2, 4], 7));
    t.same([value.shape, value.dataSync()[0]], [[3, 2, 4], 5]);
    t.same(
      grads.map((grad) => [grad.shape, grad.dataSync()[0]]),
      [
        [[3, 2, 2], 11],
        [[2, 4], 12],
        [[4], 13],
      ],
    );
    t.same(calls.slice(1), [
      { name: 'PatchstreamLinear', inputs: { x: 1, weight: 2, bias: 3 }, attrs: { gelu: false } },
      { name: 'PatchstreamLinearGrad', inputs: { dy: 7, x: 1, weight: 2 }, attrs: { bias: true } },
    ]);
    calls.length = 0;
    withdraw('PatchstreamLinearGrad');
    offering(t, {
      PatchstreamLinearGrad: [
        [[6, 2], 11],
        [[2, 4], 12],
      ],
    });
    t.same(
      computed((x, w) => ops.linear(x!, w!), inputs.slice(0, 2)).grads.map((grad) => grad.dataSync()[0]),
      [11, 12],
    );
    t.same(calls[0], { name: 'PatchstreamLinear', inputs: { x: 1, weight: 2 }, attrs: { gelu: false } });
  }),
);

t.test(
  'linearGelu: fused, what it saves comes back',
  tidied((t) => {
    const calls = offering(t, {
      PatchstreamLinear: [
        [[3, 4], 5],
        [[3, 4], 6],
      ],
      PatchstreamLinearGrad: [
        [[3, 2], 11],
        [[2, 4], 12],
        [[4], 13],
      ],
    });
    const inputs = [full([3, 1, 2], 1), full([2, 4], 2), full([4], 3)];
    const { value, grads } = computed((x, w, b) => ops.linearGelu(x!, w!, b!), inputs, full([3, 1, 4], 7));
    t.same([value.shape, value.dataSync()[0]], [[3, 1, 4], 5]);
    t.same(
      grads.map((grad) => [grad.shape, grad.dataSync()[0]]),
      [
        [[3, 1, 2], 11],
        [[2, 4], 12],
        [[4], 13],
      ],
    );
    t.same(calls.slice(1), [
      { name: 'PatchstreamLinear', inputs: { x: 1, weight: 2, bias: 3 }, attrs: { gelu: true } },
      { name: 'PatchstreamLinearGrad', inputs: { dy: 7, x: 1, weight: 2, saved: 6 }, attrs: { bias: true } },
    ]);
  }),
);

t.test(
  'layerNorm: fused, and composed where a part of it is missing; its eps',
  tidied((t) => {
    const inputs = [of([2, 2, 3]), full([3], 2), full([3], 3)];
    const run = (eps?: number) => computed((x, g, b) => ops.layerNorm(x!, g!, b!, eps), inputs, full([2, 2, 3], 7));
    const composed = run(0.5);
    const rows = numbers(inputs[0]!);
    const expected = rows.map((v, i) => {
      const row = rows.slice(i - (i % 3), i - (i % 3) + 3);
      const mean = row.reduce((a, b) => a + b) / 3;
      const variance = row.reduce((a, b) => a + (b - mean) ** 2, 0) / 3;
      return ((v - mean) / Math.sqrt(variance + 0.5)) * 2 + 3;
    });
    expectClose(t, composed.value.dataSync(), expected, 1e-6);
    const flat = numbers(ops.layerNorm(full([1, 4], 9), full([4], 2), full([4], 3)));
    t.same(flat, [3, 3, 3, 3], 'of what is all the same there is no spread, and no number that is none');
    t.same(
      numbers(ops.layerNorm(tf.tensor2d([[1e-3, -1e-3]]), full([2], 1), full([2], 0))).map((v) => v.toFixed(5)),
      ['0.70711', '-0.70711'],
      '1e-6 where nothing is said',
    );
    for (const parts of [1, 2]) {
      offering(t, {
        PatchstreamLayerNorm: (
          [
            [[4, 3], 1],
            [[4], 1],
          ] as [number[], number][]
        ).slice(0, parts),
      });
      t.same(numbers(run(0.5).value), numbers(composed.value));
      withdraw('PatchstreamLayerNorm');
    }
    const calls = offering(t, {
      PatchstreamLayerNorm: [
        [[4, 3], 5],
        [[4], 21],
        [[4], 22],
      ],
      PatchstreamLayerNormGrad: [
        [[4, 3], 11],
        [[3], 12],
        [[3], 13],
      ],
    });
    const { value, grads } = run(0.25);
    t.same([value.shape, value.dataSync()[0]], [[2, 2, 3], 5]);
    t.same(
      grads.map((grad) => [grad.shape, grad.dataSync()[0]]),
      [
        [[2, 2, 3], 11],
        [[3], 12],
        [[3], 13],
      ],
    );
    const [x] = rows;
    t.same(calls.slice(1), [
      { name: 'PatchstreamLayerNorm', inputs: { x, gain: 2, bias: 3 }, attrs: { eps: 0.25 } },
      { name: 'PatchstreamLayerNormGrad', inputs: { dy: 7, x, mean: 21, rstd: 22, gain: 2 }, attrs: {} },
    ]);
  }),
);

t.test('layerNorm, composed: its gradients against differences in float64', (t) => {
  const inputs = [waves([2, 3, 5]), waves([5], 1), waves([5], 2)];
  const expected = referred(normalisedRows as never, inputs);
  return expectOperation(t, (x, g, b) => ops.layerNorm(x!, g!, b!), expected, inputs);
});

t.test(
  'gelu: fused, and composed where the slope is missing',
  tidied((t) => {
    const x = tf.tensor1d([-1, 0, 2]);
    const run = () => computed((x) => ops.gelu(x!), [x], tf.tensor1d([1, 2, 3]));
    const composed = run();
    // x·Φ(x), and Φ(x) + x·φ(x).
    expectClose(t, composed.value.dataSync(), [-0.158655254, 0, 1.954499736], 1e-6);
    expectClose(t, composed.grads[0]!.dataSync(), [-0.083315471, 1, 3 * 1.085231846], 1e-6);
    offering(t, { PatchstreamGelu: [[[3], 5]] });
    t.same(numbers(run().value), numbers(composed.value));
    withdraw('PatchstreamGelu');
    const calls = offering(t, {
      PatchstreamGelu: [
        [[3], 5],
        [[3], 10],
      ],
    });
    const { value, grads } = run();
    t.same(
      [numbers(value), numbers(grads[0]!)],
      [
        [5, 5, 5],
        [10, 20, 30],
      ],
    );
    t.same(calls[0], { name: 'PatchstreamGelu', inputs: { x: -1 }, attrs: {} });
  }),
);

t.test(
  'gatherTokens: composed with ids that come twice, of one token alone, and fused',
  tidied((t) => {
    const x = tf.tensor3d(
      Array.from({ length: 12 }, (_, i) => i),
      [2, 3, 2],
    );
    const ids = tf.tensor2d(
      [
        [2, 2, 0],
        [1, 0, 1],
      ],
      [2, 3],
      'int32',
    );
    const weights = tf.tensor3d(
      Array.from({ length: 12 }, (_, i) => 1 + i),
      [2, 3, 2],
    );
    const { value, grads } = computed((x) => ops.gatherTokens(x as tf.Tensor3D, ids), [x], weights);
    t.same(numbers(value), [4, 5, 4, 5, 0, 1, 8, 9, 6, 7, 8, 9]);
    t.same(numbers(grads[0]!), [5, 6, 0, 0, 1 + 3, 2 + 4, 9, 10, 7 + 11, 8 + 12, 0, 0]);
    const single = computed(
      (x) => ops.gatherTokens(x as tf.Tensor3D, tf.tensor2d([[0, 0]], [1, 2], 'int32')),
      [tf.tensor3d([[[3, 4]]])],
    );
    t.same(
      [numbers(single.value), single.grads[0]!.shape, numbers(single.grads[0]!)],
      [
        [3, 4, 3, 4],
        [1, 1, 2],
        [2, 2],
      ],
    );
    const calls = offering(t, {
      PatchstreamGatherTokens: [[[2, 3, 2], 5]],
      PatchstreamGatherTokensGrad: [[[2, 3, 2], 11]],
    });
    const fused = computed((x) => ops.gatherTokens(x as tf.Tensor3D, ids), [x], weights);
    t.same([fused.value.dataSync()[0], fused.grads[0]!.dataSync()[0]], [5, 11]);
    t.same(calls.slice(1), [
      { name: 'PatchstreamGatherTokens', inputs: { x: 0, ids: 2 }, attrs: {} },
      { name: 'PatchstreamGatherTokensGrad', inputs: { dy: 1, ids: 2 }, attrs: { n: 3 } },
    ]);
  }),
);

/** A convolution as it is written down, zeros outside. */
function convolved(
  x: number[],
  w: number[],
  [N, H, W, C, F]: readonly [number, number, number, number, number],
): number[] {
  const out: number[] = [];
  for (let n = 0; n < N; n++)
    for (let i = 0; i < H; i++)
      for (let j = 0; j < W; j++)
        for (let f = 0; f < F; f++) {
          let sum = 0;
          for (let di = 0; di < 3; di++)
            for (let dj = 0; dj < 3; dj++)
              for (let c = 0; c < C; c++) {
                const [y, z] = [i + di - 1, j + dj - 1];
                if (y >= 0 && z >= 0 && y < H && z < W)
                  sum += x[((n * H + y) * W + z) * C + c]! * w[((di * 3 + dj) * C + c) * F + f]!;
              }
          out.push(sum);
        }
  return out;
}

t.test(
  'conv3x3: composed against its formula, linear in each input; fused',
  tidied((t) => {
    const sizes = [2, 3, 4, 2, 3] as const;
    const [N, H, W, C, F] = sizes;
    const [x, w, b] = [of([N, H, W, C]), of([3, 3, C, F], 1), of([F], 2)];
    const weights = of([N, H, W, F], 3);
    const conv = (x?: tf.Tensor, w?: tf.Tensor, b?: tf.Tensor) =>
      ops.conv3x3(x as tf.Tensor4D, w as tf.Tensor4D, b as tf.Tensor1D);
    const { value, grads } = computed(conv, [x, w, b], weights);
    const plain = convolved(numbers(x), numbers(w), sizes);
    const bias = numbers(b);
    expectClose(
      t,
      value.dataSync(),
      plain.map((v, i) => v + bias[i % F]!),
      1e-6,
    );
    expectClose(t, conv(x, w).dataSync(), plain, 1e-6);
    // By a linear function: of each number of an input, the weighted sum of what a one in its place alone gives.
    const weighed = (values: number[]) => values.reduce((sum, v, i) => sum + v * weights.dataSync()[i]!, 0);
    const units = (length: number) =>
      Array.from({ length }, (_, i) => Array.from({ length }, (_, j) => Number(i === j)));
    expectClose(
      t,
      grads[0]!.dataSync(),
      units(x.size).map((unit) => weighed(convolved(unit, numbers(w), sizes))),
      1e-5,
    );
    expectClose(
      t,
      grads[1]!.dataSync(),
      units(w.size).map((unit) => weighed(convolved(numbers(x), unit, sizes))),
      1e-5,
    );
    expectClose(t, grads[2]!.dataSync(), numbers(weights.sum([0, 1, 2])), 1e-5);
    const unbiased = computed((x, w) => conv(x, w), [x, w], weights);
    t.same(unbiased.grads.map(numbers), grads.slice(0, 2).map(numbers));

    const made: [number[], number][] = [
      [[N, H, W, C], 11],
      [[3, 3, C, F], 12],
      [[F], 13],
    ];
    const calls = offering(t, { PatchstreamConv3x3: [[[N, H, W, F], 5]], PatchstreamConv3x3Grad: made });
    const inputs = [full([N, H, W, C], 1), full([3, 3, C, F], 2), full([F], 3)];
    const fused = computed(conv, inputs, full([N, H, W, F], 7));
    t.same([fused.value.dataSync()[0], ...fused.grads.map((grad) => grad.dataSync()[0])], [5, 11, 12, 13]);
    t.same(calls.slice(1), [
      { name: 'PatchstreamConv3x3', inputs: { x: 1, weight: 2, bias: 3 }, attrs: {} },
      { name: 'PatchstreamConv3x3Grad', inputs: { dy: 7, x: 1, weight: 2 }, attrs: { bias: true } },
    ]);
    withdraw('PatchstreamConv3x3Grad');
    offering(t, { PatchstreamConv3x3Grad: made.slice(0, 2) });
    calls.length = 0;
    computed((x, w) => conv(x, w), inputs.slice(0, 2));
    t.same(calls[0], { name: 'PatchstreamConv3x3', inputs: { x: 1, weight: 2 }, attrs: {} });
  }),
);

t.test(
  'linear, composed: value and gradients by hand',
  tidied((t) => {
    const [x, w, b] = [
      tf.tensor2d([
        [1, 2],
        [3, 4],
      ]),
      tf.tensor2d([
        [1, 0, 2],
        [0, 1, -1],
      ]),
      tf.tensor1d([10, 20, 30]),
    ];
    const weights = tf.tensor2d([
      [1, 2, 3],
      [4, 5, 6],
    ]);
    const { value, grads } = computed((x, w, b) => ops.linear(x!, w!, b!), [x, w, b], weights);
    t.same(numbers(value), [11, 22, 30, 13, 24, 32]);
    t.same(grads.map(numbers), [
      [7, -1, 16, -1],
      [13, 17, 21, 18, 24, 30],
      [5, 7, 9],
    ]);
    const plain = computed((x, w) => ops.linear(x!, w!), [x, w], weights);
    t.same(
      [numbers(plain.value), ...plain.grads.map(numbers)],
      [
        [1, 2, 0, 3, 4, 2],
        [7, -1, 16, -1],
        [13, 17, 21, 18, 24, 30],
      ],
    );
    const activated = computed((x, w, b) => ops.linearGelu(x!, w!, b!), [x, w, b], weights);
    t.same(numbers(activated.value), numbers(ops.gelu(value)));
    t.same(ops.linear(of([2]), of([2, 3])).shape, [3]);
  }),
);

t.test(
  'prelu and residual: at zero, beside it, and scaled row by row',
  tidied((t) => {
    const x = tf.tensor2d([
      [-2, 0, 3],
      [1, -1, 0],
    ]);
    const slope = tf.tensor1d([0.5, 0.25, 2]);
    const weights = tf.tensor2d([
      [1, 2, 3],
      [4, 5, 6],
    ]);
    const bent = computed((x, s) => ops.prelu(x!, s!), [x, slope], weights);
    t.same(numbers(bent.value), [-1, 0, 3, 1, -0.25, 0]);
    t.same(bent.grads.map(numbers), [
      [0.5, 0.5, 3, 4, 1.25, 12],
      [-2, -5, 0],
    ]);
    const [change, scale] = [
      tf.tensor2d([
        [1, 1, 1],
        [2, 2, 2],
      ]),
      tf.tensor2d([[0], [3]]),
    ];
    const scaled = computed((x, c) => ops.residual(x!, c!, scale), [x, change], weights);
    t.same(numbers(scaled.value), [-2, 0, 3, 7, 5, 6]);
    t.same(scaled.grads.map(numbers), [
      [1, 2, 3, 4, 5, 6],
      [0, 0, 0, 12, 15, 18],
    ]);
    const plain = computed((x, c) => ops.residual(x!, c!), [x, change], weights);
    t.same(
      [numbers(plain.value), ...plain.grads.map(numbers)],
      [
        [-1, 1, 4, 3, 1, 2],
        [1, 2, 3, 4, 5, 6],
        [1, 2, 3, 4, 5, 6],
      ],
    );
  }),
);

t.test(
  'softCrossEntropy: logits of any size, each row by its own weight',
  tidied((t) => {
    const logits = tf.tensor2d([
      [1000, 1000 + Math.log(3)],
      [-5, -5],
    ]);
    const target = tf.tensor2d([
      [0.25, 0.75],
      [1, 0],
    ]);
    const { value, grads } = computed((a) => ops.softCrossEntropy(a!, target), [logits], tf.tensor1d([10, 2]));
    t.same(value.shape, [2]);
    const entropy = -(0.25 * Math.log(0.25) + 0.75 * Math.log(0.75));
    expectClose(t, value.dataSync(), [entropy, Math.LN2], 1e-4);
    const near = (found: number[], expected: number[]) => found.every((v, i) => Math.abs(v - expected[i]!) < 1e-3);
    t.ok(near(numbers(grads[0]!), [0, 0, -1, 1]), numbers(grads[0]!).join());
  }),
);

t.test(
  'adamw: four steps against the formula, number by number',
  tidied((t) => {
    for (const weightDecay of [0, 0.3]) {
      const at = { lr: 0.1, beta1: 0.8, beta2: 0.9, eps: 0.01, weightDecay };
      let tensors: [tf.Tensor, tf.Tensor, tf.Tensor] = [tf.tensor1d([1, -2]), tf.zeros([2]), tf.zeros([2])];
      const expected = [
        [1, 0, 0],
        [-2, 0, 0],
      ] as [number, number, number][];
      for (let step = 1; step <= 4; step++) {
        const grads = [step, -0.5 * step * step];
        const before = tensors;
        tensors = ops.adamw(...([before[0], tf.tensor1d(grads), before[1], before[2]] as const), { ...at, step });
        t.same(
          before.map((x) => x.isDisposed),
          [false, false, false],
          'the old ones are the caller’s',
        );
        for (const [i, row] of expected.entries()) {
          row[1] = 0.8 * row[1] + 0.2 * grads[i]!;
          row[2] = 0.9 * row[2] + 0.1 * grads[i]! ** 2;
          const [m, v] = [row[1] / (1 - 0.8 ** step), row[2] / (1 - 0.9 ** step)];
          row[0] = row[0] - 0.1 * weightDecay * row[0] - (0.1 * m) / (Math.sqrt(v) + 0.01);
        }
        for (const part of [0, 1, 2] as const)
          expectClose(
            t,
            tensors[part].dataSync(),
            expected.map((row) => row[part]),
            1e-6,
          );
      }
    }
  }),
);
