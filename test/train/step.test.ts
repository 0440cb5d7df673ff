import fc from 'fast-check';
import t from 'tap';
import * as tf from '../../src/backends/tf.ts';
import { prepareTorch } from '../../src/backends/torch/prepare.ts';
import type { TorchBackend } from '../../src/backends/torch/torch.ts';
import { prepareWasm } from '../../src/backends/wasm/wasm.ts';
import { fail } from '../../src/errors.ts';
import { buildModel } from '../../src/models/index.ts';
import type { Model } from '../../src/models/model.ts';
import { Random } from '../../src/random.ts';
import { adamw } from '../../src/train/optimizers/adamw.ts';
import { disposeState, type Optimizer, type OptimizerState } from '../../src/train/optimizers/optimizer.ts';
import { Step, type StepOptions } from '../../src/train/step.ts';
import { expectClose, expectNoTensorLeak } from '../kit/training/tensors.ts';
import { testDevice, withoutTorch } from '../kit/training/torch.ts';
import { linearFields, linearModel, smallDefinition, smallFields } from '../kit/training/train.ts';

const skip = { skip: withoutTorch };
const torch = () => (tf.backend() as TorchBackend).addon;

await prepareWasm();

/** A step over a fresh linear model, changed as given, for the time of `f`. */
function withStep(change: Partial<Model>, f: (step: Step) => void): void {
  const model = { ...linearModel(), ...change };
  const params = model.init((name) => new Random(7, 'init', name));
  const optimizer = adamw(model.decays);
  const state = optimizer.init(params);
  const step = new Step({ model, params, optimizer, state });
  try {
    f(step);
  } finally {
    step.dispose();
    tf.dispose(params);
    disposeState(state);
  }
}

t.test('memory that was lent is given back after the copy and before anything is computed', (t) => {
  const { inputs, loss } = linearModel();
  const heard: string[] = [];
  const change: Partial<Model> = {
    inputs: (batch) => {
      heard.push('inputs');
      return inputs(batch);
    },
    loss: (params, tensors) => {
      heard.push('loss');
      return loss(params, tensors);
    },
  };
  withStep(change, (step) => {
    step.add(linearFields([0, 1]), () => heard.push('copied'));
    t.same(heard, ['inputs', 'copied', 'loss']);
  });
  t.end();
});

/** What training made of LoMaR: the measures of each step, and the weights. */
interface Trained {
  readonly rows: readonly number[][];
  readonly weights: readonly number[];
  /** How often the model's loss was computed in JavaScript. */
  readonly computed: number;
  readonly notes: readonly string[];
}

/** Trains a small LoMaR on the current backend, in micro-batches of the sizes that `cut` gives for each step. */
async function trained(
  steps: number,
  cut: (step: number) => readonly number[],
  {
    after = () => {},
    before = () => {},
    ...options
  }: StepOptions & { after?(step: number, now: Step): void; before?(samples: number): void } = {},
): Promise<Trained> {
  const lomar = await buildModel(smallDefinition('').model);
  let computed = 0;
  const model: typeof lomar = {
    ...lomar,
    loss: (params, inputs) => {
      computed += 1;
      before(inputs.picture!.shape[0]!);
      return lomar.loss(params, inputs);
    },
  };
  const params = model.init((name) => new Random(7, 'init', name));
  const optimizer = adamw(model.decays);
  const state = optimizer.init(params);
  const notes: string[] = [];
  const step = new Step({ model, params, optimizer, state }, { ...options, note: (text) => void notes.push(text) });
  const rows: number[][] = [];
  let position = 0;
  for (let i = 0; i < steps; i++) {
    for (const size of cut(i)) {
      step.add(smallFields(Array.from({ length: size }, () => position++)));
    }
    const { loss, gradNorm, paramNorm } = await step.measure();
    rows.push([loss, gradNorm, paramNorm]);
    step.update(1e-2);
    step.clear();
    after(i, step);
  }
  const weights = Object.values(params).flatMap((variable) => [...variable.dataSync()]);
  step.dispose();
  tf.dispose(params);
  disposeState(state);
  model.dispose();
  return { rows, weights, computed, notes };
}

t.test('replayed steps are equal to computed ones, bit for bit, in micro-batches of any size', skip, async (t) => {
  await prepareTorch(testDevice);
  torch().setThreads(1);
  const cut = (step: number) => (step % 3 === 2 ? [6] : step % 2 === 0 ? [2, 2, 2] : [4, 2]);
  await expectNoTensorLeak(t, async () => {
    const before = torch().memory();
    const replayed = await trained(20, cut);
    const computed = await trained(20, cut, { replay: false });
    t.same(replayed.rows, computed.rows);
    t.same(replayed.weights, computed.weights);
    t.same(replayed.notes, []);
    t.equal(computed.computed, 41);
    // The first of all makes constants; then two equal recordings and a comparison for each of three shapes, which waits for the first pass of a step.
    t.equal(replayed.computed, 1 + 3 * 3 + 2);
    t.same(torch().memory(), before);
  });
});

t.test('so they are in bfloat16', skip, async (t) => {
  await prepareTorch(testDevice);
  torch().setThreads(1);
  const wide = await trained(6, () => [4, 2]);
  const backend = tf.backend() as TorchBackend;
  backend.factors = 1;
  t.teardown(() => {
    backend.factors = 0;
  });
  await expectNoTensorLeak(t, async () => {
    const before = torch().memory();
    const replayed = await trained(6, () => [4, 2]);
    const computed = await trained(6, () => [4, 2], { replay: false });
    t.same([replayed.rows, replayed.weights, replayed.notes], [computed.rows, computed.weights, []]);
    t.ok(replayed.computed < computed.computed);
    t.same(torch().memory(), before);
    t.not(replayed.rows[0]![0], wide.rows[0]![0], 'and it is another precision');
    expectClose(t, replayed.rows.flat(), wide.rows.flat(), 1e-2);
  });
});

t.test('replayed training is that of the composed operations', skip, async (t) => {
  await prepareTorch(testDevice);
  const fast = await trained(6, () => [2, 2]);
  await prepareWasm();
  const plain = await trained(6, () => [2, 2]);
  // Not the weights: what has no gradient, the keys' biases, moves by rounding alone.
  expectClose(t, fast.rows.flat(), plain.rows.flat(), 1e-4);
  t.equal(plain.computed, 12);
});

t.test('memory stays flat over replayed steps', skip, async (t) => {
  await prepareTorch(testDevice);
  const [tensors, bytes, counts] = [new Set<number>(), new Set<number>(), new Set<number>()];
  const after = (step: number, now: Step) => {
    if (step < 4) return;
    t.ok(now.cost.replayed > 50 && now.cost.javascriptMs! >= 0);
    tensors.add(torch().memory().tensors);
    bytes.add(torch().memory().bytes);
    counts.add(tf.memory().numTensors);
  };
  const { computed } = await trained(60, () => [2, 2], { after });
  t.equal(computed, 5);
  t.same([tensors.size, bytes.size, counts.size], [1, 1, 1]);
});

t.test('C2: a pass that finds no memory in the midst of its gradients adds none of them twice', async (t) => {
  await prepareWasm();
  const product = tf.customGrad((x, weight, save) => {
    (save as tf.GradSaveFunc)([x as tf.Tensor, weight as tf.Tensor]);
    const gradFunc = (dy: tf.Tensor, [x]: tf.Tensor[]) => {
      if (x!.shape[0]! > 2) throw fail('BACKEND_MEMORY', { backend: 'test', needed: 'more', memory: 'none' });
      return [tf.zerosLike(x!), tf.matMul(x!, dy, true)];
    };
    return { value: tf.matMul(x as tf.Tensor2D, weight as tf.Tensor2D), gradFunc };
  });
  const x = Float32Array.from({ length: 12 }, (_, i) => Math.sin(i));
  const { inputs: _, ...plain } = linearModel();
  const given: Model = {
    ...plain,
    parameters: ['weight', 'bias'],
    init: () => ({ weight: tf.variable(tf.tensor2d([[0.5], [0.25]])), bias: tf.variable(tf.tensor1d([0.1])) }),
    inputs: (batch) => batch,
    loss: ({ weight, bias }, { x }) => ({ sum: product(x!, weight!).add(bias!).square().sum(), count: x!.shape[0]! }),
    decays: () => false,
  };
  const sumsOf = async (cut: readonly number[]) => {
    const params = given.init(() => new Random(1, 'init', 'x'));
    const optimizer = adamw(() => false);
    const state = optimizer.init(params);
    const step = new Step({ model: given, params, optimizer, state });
    let at = 0;
    for (const n of cut) {
      step.add({ x: { dtype: 'float32', shape: [n, 2], data: x.subarray(2 * at, 2 * (at + n)) } });
      at += n;
    }
    const { loss, gradNorm } = await step.measure();
    const { refused } = step;
    step.dispose();
    tf.dispose(params);
    disposeState(state);
    return { loss, gradNorm, refused };
  };
  const [whole, parts] = [await sumsOf([6]), await sumsOf([2, 2, 2])];
  t.equal(parts.refused, undefined);
  t.equal(whole.refused, 3);
  expectClose(t, [whole.loss, whole.gradNorm], [parts.loss, parts.gradNorm], 1e-6);
});

t.test(
  'C2: a pass that finds no memory for any one of its tensors is computed in parts, exactly, and leaves nothing behind',
  async (t) => {
    await prepareWasm();
    const backend = tf.backend() as unknown as { makeOutput(...given: unknown[]): unknown };
    const makeOutput = backend.makeOutput;
    const model = await buildModel(smallDefinition('').model);
    const params = model.init((name) => new Random(7, 'init', name));
    const names = Object.keys(params);
    /** The gradients of a step of four samples whose nth tensor finds no memory, and how many tensors it made. */
    const gradients = async (nth = 0) => {
      let made = 0;
      const seen: number[][] = [];
      const optimizer: Optimizer = {
        ...adamw(model.decays),
        update: (_, grads) => {
          seen.push(...grads.map((each) => [...each.dataSync()]));
          return false;
        },
      };
      const step = new Step({ model, params, optimizer, state: {} as OptimizerState });
      backend.makeOutput = (...given) => {
        if (++made === nth) throw fail('BACKEND_MEMORY', { backend: 'wasm', needed: 'more', memory: 'none' });
        return makeOutput.apply(backend, given);
      };
      try {
        step.add(smallFields([0, 1, 2, 3]));
      } finally {
        backend.makeOutput = makeOutput;
      }
      const { loss } = await step.measure();
      step.update(1e-3);
      step.dispose();
      return { loss, seen, made };
    };
    const whole = await gradients();
    t.equal(whole.seen.length, names.length);
    const before = tf.memory().numTensors;
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: whole.made }), async (nth) => {
        const parts = await gradients(nth);
        if (Math.abs(parts.loss / whole.loss - 1) > 1e-5) throw new Error(`loss ${parts.loss}, not ${whole.loss}`);
        for (const [i, name] of names.entries()) {
          const [found, expected] = [parts.seen[i]!, whole.seen[i]!];
          const apart = Math.hypot(...found.map((value, at) => value - expected[at]!));
          // The keys' biases have no gradient but rounding.
          if (apart > 1e-4 * Math.hypot(...expected) + 1e-5)
            throw new Error(`the gradient of ${name} differs by ${apart}`);
        }
        const left = tf.memory().numTensors - before;
        if (left !== 0) throw new Error(`${left} tensors are left`);
      }),
      { numRuns: 60 },
    );
    tf.dispose(params);
    model.dispose();
    t.pass('60 tensors');
  },
);

t.test('steps that are not finite are cleared', skip, async (t) => {
  await prepareTorch(testDevice);
  const broken = linearFields([0, 1]);
  const model = linearModel();
  const params = model.init((name) => new Random(7, 'init', name));
  const optimizer = adamw(model.decays);
  const state = optimizer.init(params);
  const step = new Step({ model, params, optimizer, state });
  for (let i = 0; i < 8; i++) {
    const bad = i % 2 === 1;
    step.add(bad ? { ...broken, label: { ...broken.label!, data: Float32Array.of(Number.NaN, 1) } } : broken);
    const measured = await step.measure();
    t.equal(measured.finite, !bad);
    if (measured.finite) step.update(0.01);
    step.clear();
  }
  t.ok(step.cost.replayed > 0);
  t.ok(params.weight!.dataSync().every(Number.isFinite));
  step.dispose();
  tf.dispose(params);
  disposeState(state);
});

/** Lets a pass of more samples than that find no memory, as the backend says it. */
const fitting = (most: number) => (samples: number) => {
  if (samples > most) throw fail('BACKEND_MEMORY', { backend: 'test', needed: '1 MiB more', memory: 'its memory' });
};

t.test('a pass that finds no memory is computed in parts, with the weights of a micro-batch that fits', async (t) => {
  await prepareWasm();
  await expectNoTensorLeak(t, async () => {
    const small = await trained(5, () => [2, 2, 2, 2]);
    const seen: (number | undefined)[] = [];
    const after = (_: number, step: Step) => seen.push(step.refused);
    const large = await trained(5, (step) => (step === 0 ? [2, 2, 2, 2] : [8]), { before: fitting(3), after });
    t.same(large.weights, small.weights);
    t.same(large.rows, small.rows);
    t.same(seen, [undefined, 4, 4, 4, 4], 'what was too much is remembered');
    t.match(large.notes, [/no memory for a pass of 8 samples/, /no memory for a pass of 4 samples/]);
    t.equal(large.computed, 4 + 4 * 4 + 2, 'and not tried again');
  });
});

t.test('odd numbers of samples are divided too, and a lack of memory for one sample is an error', async (t) => {
  await prepareWasm();
  const odd = await trained(2, () => [7], { before: fitting(2) });
  const whole = await trained(2, () => [7]);
  expectClose(t, odd.rows.flat(), whole.rows.flat(), 1e-5);
  await t.rejects(
    trained(1, () => [4], { before: fitting(0) }),
    { code: 'BACKEND_MEMORY' },
  );
});

t.test(
  'what libtorch says when its memory ends is caught in the same way, and recorded steps go on',
  skip,
  async (t) => {
    await prepareTorch(testDevice);
    torch().setThreads(1);
    await expectNoTensorLeak(t, async () => {
      const small = await trained(12, () => [2, 2]);
      // 32 TiB at once, which no machine has.
      const before = (samples: number) => void (samples > 2 && tf.dispose(tf.fill([2 ** 43], 0)));
      const large = await trained(12, () => [4], { before });
      t.same(large.weights, small.weights);
      t.match(large.notes, [/no memory for a pass of 4 samples/]);
      t.ok(large.computed < 12, `${large.computed} computed, the rest replayed`);
    });
  },
);

t.test('an upload that finds no memory is made in parts; what was lent is given back after the last', async (t) => {
  await prepareWasm();
  const heard: string[] = [];
  const backend = tf.backend();
  const { write } = backend;
  t.teardown(() => {
    backend.write = write;
  });
  withStep({}, (step) => {
    backend.write = (values, shape, dtype) => {
      if (shape[0] === 4) fitting(2)(4);
      if (shape.length === 2 && shape[1] === 3) heard.push(`${shape[0]} samples`);
      return write.call(backend, values, shape, dtype);
    };
    step.add(linearFields([0, 1, 2, 3]), () => heard.push('given back'));
    t.equal(step.refused, 4);
  });
  t.same(heard, ['2 samples', '2 samples', 'given back']);
});
