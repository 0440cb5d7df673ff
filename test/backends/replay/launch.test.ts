import t, { type Test } from 'tap';
import { attention, layerNorm, linear, linearGelu } from '../../../src/backends/ops.ts';
import { type Compute, Replays } from '../../../src/backends/replay/replay.ts';
import * as tf from '../../../src/backends/tf.ts';
import { prepareTorch } from '../../../src/backends/torch/prepare.ts';
import type { TorchBackend } from '../../../src/backends/torch/torch.ts';
import { Sums } from '../../../src/backends/updates.ts';
import { buildModel } from '../../../src/models/index.ts';
import { Random } from '../../../src/random.ts';
import { adamw } from '../../../src/train/optimizers/adamw.ts';
import { disposeState } from '../../../src/train/optimizers/optimizer.ts';
import { Step, type StepOptions } from '../../../src/train/step.ts';
import { expectClose, expectNoTensorLeak } from '../../kit/training/tensors.ts';
import { ownKernels, testDevice, withoutTorch } from '../../kit/training/torch.ts';
import { smallDefinition, smallFields } from '../../kit/training/train.ts';

const skip = { skip: withoutTorch };
const backend = () => tf.backend() as TorchBackend;

t.before(async () => {
  if (withoutTorch === false) await prepareTorch(testDevice);
});

/** The programs that are launched while `f` runs, by number, and how often the one that was captured most was. */
function launches(f: () => void): { programs: number[]; captures: number } {
  const { addon } = backend();
  const programs: number[] = [];
  const { launch } = addon;
  let captures = 0;
  addon.launch = (program, given) => {
    const launched = launch(program, given);
    programs.push(program);
    captures = Math.max(captures, addon.captures(program));
    return launched;
  };
  try {
    f();
    return { programs, captures };
  } finally {
    addon.launch = launch;
  }
}

/** Trains a small LoMaR on other pictures, and with another rate, at each step. */
async function trained(steps: number, options: StepOptions) {
  const model = await buildModel(smallDefinition('').model);
  const params = model.init((name) => new Random(7, 'init', name));
  const optimizer = adamw(model.decays);
  const state = optimizer.init(params);
  const notes: string[] = [];
  const step = new Step({ model, params, optimizer, state }, { ...options, note: (text) => void notes.push(text) });
  const rows: number[][] = [];
  const bytes: number[] = [];
  let launched = 0;
  for (let i = 0; i < steps; i++) {
    step.add(smallFields([2 * i, 2 * i + 1]));
    if (step.cost.launched) launched += 1;
    const { loss, gradNorm, paramNorm } = await step.measure();
    rows.push([loss, gradNorm, paramNorm]);
    step.update(1e-3 * (1 + (i % 7)));
    step.clear();
    bytes.push(backend().addon.memory().bytes);
  }
  const weights = Object.values(params).flatMap((variable) => [...variable.dataSync()]);
  step.dispose();
  tf.dispose(params);
  disposeState(state);
  model.dispose();
  return { rows, weights, notes, launched, bytes };
}

/** By how much steps may differ where threads add up in another order; on a GPU in bfloat16 a sum that differs may be rounded to its neighbour. */
const nearly = 1e-5;
const nearlyNarrow = testDevice === 'cpu' ? nearly : 1e-3;

async function expectSameSteps(t: Test, nearly: number): Promise<void> {
  await expectNoTensorLeak(t, async () => {
    const launched = await trained(55, { launch: true });
    const computed = await trained(55, { replay: false });
    t.equal(launched.launched, 51, 'three recordings and a replay come first');
    for (const [i, row] of launched.rows.entries()) expectClose(t, row, computed.rows[i]!, nearly, `step ${i}`);
    expectClose(t, launched.weights, computed.weights, 10 * nearly, 'weights');
    t.same(launched.notes, []);
    t.equal(launched.bytes.at(-1), launched.bytes[5], 'no memory grows');
  });
}

t.test('fifty launches under a changing rate and with changing inputs equal computed steps', skip, (t) =>
  expectSameSteps(t, nearly),
);

t.test('so do launches in bfloat16, where results between operations are kept in it', skip, async (t) => {
  backend().factors = 1;
  try {
    await expectSameSteps(t, nearlyNarrow);
  } finally {
    backend().factors = 0;
  }
});

// A run that is resumed computes its first steps where the undisturbed one replays them.
t.test(
  'on the cpu a replay in bfloat16 equals a computation to the bit',
  { skip: withoutTorch || !ownKernels },
  async (t) => {
    backend().factors = 1;
    try {
      const [replayed, computed] = [await trained(8, {}), await trained(8, { replay: false })];
      t.same(replayed.rows, computed.rows);
      t.same(replayed.weights, computed.weights);
    } finally {
      backend().factors = 0;
    }
  },
);

/** Adds up what `compute` makes of `x`, launched. */
async function withLaunches(
  t: Test,
  compute: (x: tf.Tensor) => tf.Tensor,
  f: (add: (values: number[]) => number, replays: Replays, notes: string[]) => void,
): Promise<void> {
  await expectNoTensorLeak(t, () => {
    const sums = new Sums();
    const notes: string[] = [];
    const each: Compute = (inputs, give) => {
      give(
        0,
        tf.tidy(() => compute(inputs.x!)),
      );
      return 1;
    };
    const options = { note: (text: string) => void notes.push(text), replay: true, launch: true };
    const replays = new Replays(each, sums, options);
    const add = (values: number[]) => {
      const x = tf.tensor1d(values);
      sums.clear();
      try {
        replays.add({ x });
        return sums.tensors[0]!.dataSync()[0]!;
      } finally {
        x.dispose();
      }
    };
    f(add, replays, notes);
    replays.dispose();
    sums.dispose();
  });
}

t.test('a program is captured once for each shape', skip, async (t) => {
  await withLaunches(
    t,
    (x) => x.square().sum(),
    (add, replays, notes) => {
      const { programs, captures } = launches(() => {
        for (let i = 0; i < 9; i++) t.equal(add([i, 2]), i * i + 4);
        t.ok(replays.launched);
        for (let i = 0; i < 9; i++) t.equal(add([i, 2, 1]), i * i + 5);
      });
      t.equal(new Set(programs).size, 2);
      t.equal(captures, 1);
      t.same(notes, []);
    },
  );
});

t.test('a parameter that was replaced is recorded and captured anew', skip, async (t) => {
  const weight = tf.tidy(() => tf.variable(tf.tensor1d([1, 1])));
  await withLaunches(
    t,
    (x) => x.mul(weight).sum(),
    (add, replays, notes) => {
      for (let round = 1; round <= 3; round++) {
        const { programs } = launches(() => {
          for (let i = 0; i < 8; i++) t.equal(add([i, 2]), round * (i + 2));
        });
        t.ok(replays.launched, `launched in round ${round}`);
        t.ok(programs.length > 0);
        tf.tidy(() => weight.assign(tf.tensor1d([round + 1, round + 1])));
      }
      t.same(notes, []);
    },
  );
  weight.dispose();
});

t.test('a launch that differs from its computation is taken back, and replays go on', skip, async (t) => {
  let calls = 0;
  const [half, whole] = [tf.tensor1d([0.5, 0.5]), tf.tensor1d([1, 1])];
  // What stands in no operation's arguments cannot be seen in recordings: the fifth computation is the one beside the first launch.
  await withLaunches(
    t,
    (x) => x.mul(++calls >= 5 ? whole : half).sum(),
    (add, replays, notes) => {
      for (let i = 0; i < 4; i++) t.equal(add([1, 3]), 2);
      t.equal(add([1, 3]), 4, 'what was computed counts');
      t.match(notes, [/not launched as a whole, because a launch differed from its computation/]);
      for (let i = 0; i < 3; i++) t.equal(add([2, 4]), 3);
      t.equal(replays.launched, false);
      t.equal(replays.calls, 3, 'replayed');
    },
  );
  tf.dispose([half, whole]);
});

t.test('where a device cannot capture, replays go on, with one note', skip, async (t) => {
  await withLaunches(
    t,
    (x) => x.sum(),
    (add, replays, notes) => {
      const { addon } = backend();
      const { launch, additions } = addon;
      addon.additions = () => 0;
      addon.launch = () => {
        throw new Error('operation not permitted when stream is capturing');
      };
      try {
        for (let i = 0; i < 8; i++) t.equal(add([i, 2]), i + 2);
      } finally {
        Object.assign(addon, { launch, additions });
      }
      t.match(notes, [/cannot be captured: operation not permitted/]);
      t.equal(replays.calls, 2);
    },
  );
});

t.test('results that all readers round to bfloat16 are marked, and no others', skip, (t) => {
  const [weight, wide, bias] = [tf.ones([16, 16]), tf.ones([16, 48]), tf.ones([16])] as const;
  const normed = (x: tf.Tensor) => layerNorm(x, bias, bias);
  const narrowOf = (compute: (x: tf.Tensor) => tf.Tensor, factors: 0 | 1 = 1) => {
    const x = tf.ones([2, 4, 16]);
    const { addon } = backend();
    backend().factors = factors;
    addon.record(Int32Array.of(backend().handleOf(x)));
    tf.tidy(() => void compute(x));
    const program = addon.stop();
    const { narrow } = addon.describe(program);
    addon.discard(program);
    x.dispose();
    backend().factors = 0;
    return narrow;
  };
  t.equal(
    narrowOf((x) => linear(normed(x), weight, bias).sum()),
    1,
    'what a linear layer alone reads',
  );
  t.equal(
    narrowOf((x) => linear(normed(x), weight, bias).sum(), 0),
    0,
    'not in float32',
  );
  t.equal(
    narrowOf((x) => tf.tidy(() => [normed(x)].map((y) => linear(y, weight, bias).add(y))[0]!)),
    0,
    'a residual reads float32',
  );
  t.equal(
    narrowOf((x) => linear(linearGelu(x, weight, bias), weight, bias).sum()),
    1,
  );
  t.equal(
    narrowOf((x) => linear(attention(linear(x, wide) as tf.Tensor3D, 2), weight, bias).sum()),
    2,
    'queries, keys and values by way of a reshape, and what they mix',
  );
  tf.dispose([weight, wide, bias]);
  t.end();
});

t.test('the host leaves programs to replays unless it is asked', skip, async (t) => {
  const { launched } = await trained(8, {});
  t.equal(launched > 0, testDevice !== 'cpu' && backend().addon.canCapture(testDevice) && backend().ownKernels);
});
