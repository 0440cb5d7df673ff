import t, { type Test } from 'tap';
import { Constants } from '../../src/backends/constants.ts';
import { composedOnly, type FusedKernel, fused } from '../../src/backends/fused.ts';
import * as ops from '../../src/backends/ops.ts';
import * as tf from '../../src/backends/tf.ts';
import { prepareTorch } from '../../src/backends/torch/prepare.ts';
import {
  adamwUpdate,
  averageUpdate,
  lambUpdate,
  larsUpdate,
  lionUpdate,
  Sums,
  sumsOfSquares,
} from '../../src/backends/updates.ts';
import { expectClose, expectNoTensorLeak, readings, waves } from '../kit/training/tensors.ts';
import { ownKernels, testDevice, withoutTorch } from '../kit/training/torch.ts';

const skip = { skip: withoutTorch };
if (withoutTorch === false) await prepareTorch(testDevice);

type Operation = (...inputs: tf.Tensor[]) => tf.Tensor;

/** The value and the gradients of a weighted sum of it, by every input. */
function computed(operation: Operation, shapes: readonly (readonly number[])[]): Float32Array[] {
  return readings(() => {
    const inputs = shapes.map((shape, i) => tf.tensor(Float32Array.from(waves(shape, i).data), [...shape]));
    const weigh = (...xs: tf.Tensor[]) => {
      const y = operation(...xs);
      return y.mul(tf.tensor(Float32Array.from(waves(y.shape, 9).data), y.shape)).sum() as tf.Scalar;
    };
    const tensors = [operation(...inputs), ...tf.grads(weigh)(inputs)];
    return tensors.map((x) => x.dataSync() as Float32Array);
  });
}

/** Both forms on the same inputs: relative L2 of at most `tolerance`, and the fused one the same in every run. */
async function expectOneMeaning(
  t: Test,
  operation: Operation,
  shapes: readonly (readonly number[])[],
  tolerance = 3e-6,
) {
  await expectNoTensorLeak(t, () => {
    const found = computed(operation, shapes);
    const expected = composedOnly(() => computed(operation, shapes));
    for (const [i, values] of found.entries()) {
      expectClose(t, values, expected[i]!, tolerance, i === 0 ? 'value' : `gradient by input ${i - 1}`);
    }
    for (const [i, values] of computed(operation, shapes).entries()) {
      // Threads of a GPU add to one place in any order.
      if (testDevice === 'cpu') t.same(values, found[i], 'the same once more');
      else expectClose(t, values, found[i]!, tolerance, 'about the same once more');
    }
  });
}

const rowCounts = [1, 3, 130];

for (const rows of rowCounts) {
  for (const [inner, outer] of [
    [1, 1],
    [19, 23],
    [64, 48],
  ] as const) {
    t.test(`linear, ${rows} rows, ${inner} -> ${outer}`, skip, async (t) => {
      const shapes = [[rows, inner], [inner, outer], [outer]];
      await expectOneMeaning(t, (x, w, b) => ops.linear(x!, w!, b!), shapes);
      await expectOneMeaning(t, (x, w) => ops.linear(x!, w!), shapes.slice(0, 2));
      await expectOneMeaning(t, (x, w, b) => ops.linearGelu(x!, w!, b!), shapes);
    });
  }
  for (const width of [3, 16, 37]) {
    t.test(`layerNorm, ${rows} rows of ${width}`, skip, (t) =>
      expectOneMeaning(t, (x, g, b) => ops.layerNorm(x!, g!, b!), [[rows, width], [width], [width]], 1e-5),
    );
  }
}

t.test('gelu against float64, from tail to tail', skip, (t) => {
  const count = 4001;
  const x = Float32Array.from({ length: count }, (_, i) => (i - 2000) / 200);
  const [y, slope] = readings(() => fused('PatchstreamGelu', { x: tf.tensor1d(x) })!.map((each) => each.dataSync()));
  let [worst, worstSlope] = [0, 0];
  for (let i = 0; i < count; i++) {
    const share = cumulative(x[i]!);
    const density = Math.exp(-0.5 * x[i]! ** 2) / Math.sqrt(2 * Math.PI);
    // ATen's own, which serves on devices, loses the far tail in the rounding of what is near 1.
    const scale = ownKernels ? Math.max(Math.abs(x[i]! * share), 1e-20) : Math.max(Math.abs(x[i]!), 1e-3);
    worst = Math.max(worst, Math.abs(y![i]! - x[i]! * share) / scale);
    worstSlope = Math.max(worstSlope, Math.abs(slope![i]! - (share + x[i]! * density)));
  }
  t.ok(worst < 4e-6, `relative error of the value ${worst}`);
  t.ok(worstSlope < 4e-7, `error of the slope ${worstSlope}`);
  const odd = tf.tidy(() =>
    fused('PatchstreamGelu', { x: tf.tensor1d([-1e30, -40, 40, 1e30, NaN]) })!.map((each) => [...each.dataSync()]),
  );
  t.same(odd[0], [-0, -0, 40, Math.fround(1e30), NaN]);
  t.same(odd[1], [0, 0, 1, 1, NaN]);
  t.end();
});

/** Φ by a series around 0 and a continued fraction in the tails, in float64. */
function cumulative(x: number): number {
  const size = Math.abs(x);
  const density = Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI);
  if (size < 3) {
    let [term, sum] = [x, x];
    for (let n = 3; Math.abs(term) > 1e-18; n += 2) sum += term *= (x * x) / n;
    return 0.5 + density * sum;
  }
  let fraction = 0;
  for (let n = 200; n >= 1; n--) fraction = n / (size + fraction);
  const tail = density / (size + fraction);
  return x < 0 ? tail : 1 - tail;
}

for (const [B, T, heads, d] of [
  [1, 1, 1, 1],
  [2, 3, 1, 4],
  [3, 17, 3, 5],
  [2, 50, 2, 64],
] as const) {
  t.test(`attention, ${B} sequences of ${T}, ${heads} heads of ${d}`, skip, async (t) => {
    const qkv = [B, T, 3 * heads * d];
    await expectOneMeaning(t, (x) => ops.attention(x as tf.Tensor3D, heads), [qkv]);
    const constants = new Constants();
    const buckets = ops.pairBuckets(constants, 'pairs', 7, () =>
      Int32Array.from({ length: T * T }, (_, i) => (5 * i + (i >> 3)) % 7),
    );
    tf.dispose([buckets.ids().clone(), buckets.oneHot().clone()]);
    for (const scaled of [false, true]) {
      const relative: Operation = (x, table) =>
        ops.attention(x as tf.Tensor3D, heads, { table: table!, buckets, scaled });
      await expectOneMeaning(t, relative, [qkv, [d, 7]], 1e-5);
    }
    const own = tf.tensor3d(
      Int32Array.from({ length: B * T * T }, (_, i) => (5 * i + (i >> 2)) % 7),
      [B, T, T],
      'int32',
    );
    const ofRows: Operation = (x, table) =>
      ops.attention(x as tf.Tensor3D, heads, { table: table!, buckets: ops.rowBuckets(own, 7), scaled: false });
    await expectOneMeaning(t, ofRows, [qkv, [d, 7]], 1e-5);
    own.dispose();
    constants.dispose();
  });
}

t.test('shapes that do not fit are refused, not read past their end', skip, (t) => {
  tf.engine().startScope();
  const x = tf.zeros([2, 4]);
  const refuses = (name: FusedKernel, inputs: Record<string, tf.Tensor> | tf.Tensor[][], attrs: object, why: RegExp) =>
    t.throws(() => fused(name, inputs, attrs), why, name);
  const weight = tf.zeros([4, 3]);
  refuses('PatchstreamLinear', { x, weight: tf.zeros([5, 3]) }, { gelu: false }, /no product/);
  refuses('PatchstreamLinear', { x, weight, bias: tf.zeros([1]) }, { gelu: false }, /bias must be 3 numbers; got 1/);
  refuses('PatchstreamLinearGrad', { dy: tf.zeros([1, 3]), x, weight }, { bias: true }, /dy must have the shape/);
  refuses('PatchstreamAttention', { qkv: tf.zeros([1, 2, 6]) }, { heads: 0, scaled: false }, /heads/);
  const tokens = tf.zeros([4, 4, 4]);
  const ids = tf.zeros([1, 2], 'int32');
  refuses('PatchstreamGatherTokens', { x: tokens, ids }, {}, /cannot be picked/);
  refuses(
    'PatchstreamAccumulate',
    [[tf.zeros([4])], [tf.zeros([400])]],
    {},
    /4 numbers in one list and 400 in another/,
  );
  const step = { lr: 1, beta1: 0.9, beta2: 0.9, eps: 1, scale: 1, step: 1 };
  const four = Array.from({ length: 4 }, () => tf.zeros([4]));
  refuses('PatchstreamAdamW', [four], { ...step, decays: [] }, /0 weight decays for 1 parameters/);
  const lars = { lr: 1, momentum: 0.9, trust: 1, eps: 1, scale: 1, decays: [0] };
  const three = four.slice(1);
  refuses('PatchstreamLars', [three], { ...lars, adapts: [] }, /0 marks for 1 parameters/);
  refuses('PatchstreamLion', [four], { lr: 1, beta1: 0.9, beta2: 0.9, scale: 1, decays: [0] }, /not 3 lists/);
  refuses('PatchstreamLamb', [four], { ...step, trustClip: false, decays: [0, 0], adapts: [true] }, /2 weight decays/);
  refuses('PatchstreamAverage', [[tf.zeros([4])], [tf.zeros([5])]], { weight: 0.1 }, /4 numbers in one list/);
  refuses('PatchstreamAdamW', [four.slice(1), [tf.zeros([5])]], { ...step, decays: [0] }, /4 numbers in one list/);
  tf.engine().endScope();
  t.end();
});

t.test('attention refuses a bucket that the table has not', skip, (t) => {
  const bucketIds = tf.tensor2d([0, 1, 2, 3], [2, 2], 'int32');
  const [qkv, table] = [tf.zeros([1, 2, 6]), tf.zeros([2, 3])];
  const attend = (ids: tf.Tensor) =>
    fused('PatchstreamAttention', { qkv, table, bucketIds: ids }, { heads: 1, scaled: false });
  t.throws(() => attend(bucketIds), /bucket 3/);
  const own = bucketIds.reshape([1, 2, 2]);
  t.throws(() => attend(own), /bucket 3/);
  const others = tf.zeros([2, 2, 2], 'int32');
  t.throws(() => attend(others), /ids of relative positions must have the shape/);
  tf.dispose([bucketIds, own, others, qkv, table]);
  t.end();
});

t.test('attention with logits too large for exp', skip, (t) => {
  const values = readings(() => ops.attention(tf.fill([1, 3, 6], 1e4) as tf.Tensor3D, 1).dataSync());
  t.same(
    [...values],
    Array.from({ length: 6 }, () => 1e4),
  );
  t.end();
});

t.test('gatherTokens, ids that come twice or never', skip, async (t) => {
  const ids = tf.tensor2d([3, 3, 0, 4, 1, 4], [2, 3], 'int32');
  await expectOneMeaning(t, (x) => ops.gatherTokens(x as tf.Tensor3D, ids), [[2, 5, 7]]);
  const outside = tf.tensor2d([0, 5], [1, 2], 'int32');
  const x = tf.zeros([1, 5, 2]) as tf.Tensor3D;
  t.throws(() => ops.gatherTokens(x, outside), /token 5/);
  tf.dispose([ids, outside, x]);
});

t.test('conv3x3, with a bias and without', skip, async (t) => {
  const operation: Operation = (x, w, b) => ops.conv3x3(x as tf.Tensor4D, w as tf.Tensor4D, b as tf.Tensor1D);
  const shapes = [[2, 3, 5, 4], [3, 3, 4, 6], [6]];
  await expectOneMeaning(t, operation, shapes);
  await expectOneMeaning(t, operation, shapes.slice(0, 2));
});

t.test('conv3x3: weights that meet nothing but zeros of a small picture have a gradient of zero', skip, async (t) => {
  for (const [H, W] of [
    [2, 2],
    [3, 3],
    [2, 5],
  ] as const) {
    // Of the cells only the first are not zero, so that no kernel's last row or column meets them.
    const values = Float32Array.from(waves([2, H, W, 32], 3).data, (value, i) => (i % (H * W * 32) < 32 ? value : 0));
    const x = tf.tensor4d(values, [2, H, W, 32]);
    const w = tf.tensor4d(Float32Array.from(waves([3, 3, 32, 32], 5).data), [3, 3, 32, 32]);
    const dy = tf.tensor4d(Float32Array.from(waves([2, H, W, 32], 7).data), [2, H, W, 32]);
    const gradient = tf.grad((w) => ops.conv3x3(x, w as tf.Tensor4D))(w, dy);
    const rows = (await gradient.reshape([9, 32 * 32]).array()) as number[][];
    t.same(
      rows.flatMap((row, i) => (row.some((value) => value !== 0) ? [i] : [])),
      [0, 1, 3, 4],
      `${H} × ${W}`,
    );
    tf.dispose([x, w, dy, gradient]);
  }
});

const sides = [1, 17, 40_000];
const drawn = (index: number) => sides.map((side, i) => tf.tensor1d(Float32Array.from(waves([side], index + i).data)));

const lambAt = { beta1: 0.9, beta2: 0.95, eps: 1e-6, step: 3 };

function variableOf(x: tf.Tensor): tf.Variable {
  const variable = tf.variable(x);
  x.dispose();
  return variable;
}

t.test('adamw over many tensors: the composed form, and gradients are zero afterwards', skip, async (t) => {
  const at = { lr: 0.01, beta1: 0.9, beta2: 0.95, eps: 1e-8, step: 3, scale: 0.5, decays: [0, 0.05, 0.1] };
  const variables = (tensors: tf.Tensor[]) =>
    tensors.map((x) => {
      const variable = tf.variable(x);
      x.dispose();
      return variable;
    });
  await expectNoTensorLeak(t, () => {
    const results = [false, true].map((composed) => {
      const [parameters, first] = [variables(drawn(0)), variables(drawn(6))];
      const second = variables(tf.tidy(() => drawn(9).map((x) => x.square())));
      const gradients = drawn(3);
      const update = () => adamwUpdate(parameters, gradients, first, second, at);
      const zeroed = composed ? composedOnly(update) : update();
      t.equal(zeroed, !composed);
      if (zeroed) for (const gradient of gradients) t.notOk(gradient.dataSync().some((v) => v !== 0));
      const values = [...parameters, ...first, ...second].map((x) => x.dataSync());
      tf.dispose([...parameters, ...first, ...second, ...gradients]);
      return values;
    });
    for (const [i, values] of results[0]!.entries()) expectClose(t, values, results[1]![i]!, 1e-6, `tensor ${i}`);
  });
});

t.test(
  'the other optimizers over many tensors: the composed forms, and gradients are zero afterwards',
  skip,
  async (t) => {
    const at = { lr: 0.01, scale: 0.5, decays: [0, 0.05, 0.1] };
    const adapts = [true, false, true];
    const lists = (count: number) => Array.from({ length: count }, (_, i) => drawn(3 * i).map((x) => variableOf(x)));
    const updates = {
      lars: (v: tf.Variable[][]) =>
        larsUpdate(v[0]!, v[1]!, v[2]!, { ...at, momentum: 0.9, trust: 0.1, eps: 1e-8, adapts }),
      lion: (v: tf.Variable[][]) => lionUpdate(v[0]!, v[1]!, v[2]!, { ...at, beta1: 0.9, beta2: 0.99 }),
      lamb: (v: tf.Variable[][]) =>
        lambUpdate(v[0]!, v[1]!, v[2]!, v[3]!, { ...lambAt, ...at, trustClip: false, adapts }),
      'lamb, clipped': (v: tf.Variable[][]) =>
        lambUpdate(v[0]!, v[1]!, v[2]!, v[3]!, { ...lambAt, ...at, trustClip: true, adapts }),
    };
    for (const [name, update] of Object.entries(updates)) {
      await expectNoTensorLeak(t, () => {
        const results = [false, true].map((composed) => {
          const variables = lists(4);
          // Second moments are not negative.
          tf.tidy(() => void variables[3]!.map((x) => x.assign(x.square())));
          const zeroed = composed ? composedOnly(() => update(variables)) : update(variables);
          t.equal(zeroed, !composed);
          if (zeroed) for (const gradient of variables[1]!) t.notOk(gradient.dataSync().some((v) => v !== 0));
          const values = [variables[0]!, variables[2]!, variables[3]!].flat().map((x) => x.dataSync());
          tf.dispose(variables.flat());
          return values;
        });
        for (const [i, values] of results[0]!.entries())
          expectClose(t, values, results[1]![i]!, 1e-6, `${name}: tensor ${i}`);
      });
    }
  },
);

t.test('averages come nearer to values, and become them', skip, async (t) => {
  await expectNoTensorLeak(t, () => {
    for (const decay of [0.9, 0.3, 0]) {
      const results = [false, true].map((composed) => {
        const [averages, values] = [drawn(0).map(variableOf), drawn(5)];
        const update = () => averageUpdate(averages, values, decay);
        if (composed) composedOnly(update);
        else update();
        const found = averages.map((x) => x.dataSync());
        if (decay === 0) for (const [i, x] of found.entries()) t.same(x, values[i]!.dataSync(), 'bit for bit');
        tf.dispose([...averages, ...values]);
        return found;
      });
      for (const [i, values] of results[0]!.entries()) expectClose(t, values, results[1]![i]!, 1e-6, `decay ${decay}`);
    }
  });
});

t.test('sums grow in place; norms are added up in float64', skip, async (t) => {
  await expectNoTensorLeak(t, () => {
    const sums = new Sums();
    sums.add(drawn(0));
    const [before] = sums.tensors;
    sums.add(drawn(1));
    t.equal(sums.tensors[0], before);
    for (const [i, sum] of sums.tensors.entries()) {
      const grown = waves([sides[i]!], i + 1).data;
      const expected = waves([sides[i]!], i).data.map((v, at) => v + grown[at]!);
      expectClose(t, sum.dataSync(), expected, 1e-7);
    }
    const squares = sumsOfSquares(sums.tensors);
    const expected = sums.tensors.map((x) => (x.dataSync() as Float32Array).reduce((total, v) => total + v * v, 0));
    expectClose(t, squares.dataSync(), expected, 1e-7);
    squares.dispose();
    sums.dispose();
  });
});

t.test('a list that is known again has the variables’ newest values', skip, async (t) => {
  await expectNoTensorLeak(t, () => {
    const variables = tf.tidy(() => [tf.variable(tf.tensor1d([1, 2])), tf.variable(tf.tensor1d([3]))] as const);
    const list: readonly tf.Tensor[] = variables;
    const squares = () => tf.tidy(() => [...sumsOfSquares(list).dataSync()]);
    t.same(squares(), [5, 9]);
    const held = variables[1].clone();
    for (const value of [4, 5]) {
      const values = tf.tensor1d([value]);
      variables[1].assign(values);
      values.dispose();
      t.same(squares(), [5, value * value], 'while a clone holds the old value');
    }
    t.equal(held.dataSync()[0], 3);
    tf.dispose([...variables, held]);
    t.throws(squares, 'a list of disposed tensors is refused');
  });
});
