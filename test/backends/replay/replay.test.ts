import t from 'tap';
import * as tf from '../../../src/backends/tf.ts';
import { prepareTorch } from '../../../src/backends/torch/prepare.ts';
import type { TorchBackend } from '../../../src/backends/torch/torch.ts';
import { prepareWasm } from '../../../src/backends/wasm/wasm.ts';
import { type Made, sumOf, withReplays } from '../../kit/backends/replays.ts';
import { testDevice, withoutTorch } from '../../kit/training/torch.ts';

const skip = { skip: withoutTorch };

t.before(async () => {
  if (withoutTorch === false) await prepareTorch(testDevice);
});

t.test('two equal recordings of a shape serve from then on; JavaScript computes no more', skip, async (t) => {
  let computed = 0;
  const compute = (x: tf.Tensor) => {
    computed += 1;
    return sumOf(x);
  };
  await withReplays(t, compute, ({ replays, add, notes }) => {
    for (let i = 1; i <= 8; i++) t.same(add([i, 2]), { count: 2, grown: i * i + 4 });
    // The first recording makes the sums; the fourth call is a replay that is compared.
    t.equal(computed, 4);
    t.equal(replays.calls, 3, 'square, sum, accumulate');
    t.same(add([1, 2, 3]), { count: 3, grown: 14 }, 'another shape is recorded for itself');
    t.equal(computed, 5);
    t.equal(replays.calls, 0);
    t.same(add([5, 5]), { count: 2, grown: 50 });
    t.equal(computed, 5);
    t.same(notes, []);
  });
});

t.test('values that change from one recording to the next are an error that names their reader', skip, async (t) => {
  let calls = 0;
  const compute = (x: tf.Tensor): Made => {
    calls += 1;
    return { tensors: [x.mul(tf.tensor2d([[calls], [2]]).reshape([2])).sum()], count: 1 };
  };
  await withReplays(t, compute, ({ add }) => {
    add([1, 2]);
    add([1, 2]);
    t.throws(() => add([1, 2]), { code: 'STEP_WRITE', message: /operation Multiply changed/ });
  });
});

t.test('what cannot be replayed is computed, rightly, with one note', skip, async (t) => {
  const outside = tf.tensor1d([3, 3]);
  let calls = 0;
  const stays: tf.Tensor[] = [];
  const cases: Record<string, [(x: tf.Tensor) => Made, RegExp]> = {
    'values read back': [(x) => ({ tensors: [tf.scalar(x.sum().dataSync()[0]!)], count: 1 }), /read back what Sum has/],
    'an input read back': [
      (x) => ({
        tensors: [
          x
            .mul(0)
            .sum()
            .add(x.dataSync()[0]! + x.dataSync()[1]!),
        ],
        count: 1,
      }),
      /read back what they were given/,
    ],
    'shapes that follow the data': [
      (x) => ({
        tensors: [
          x
            .add(x.slice(calls++ % 2, 1).mul(0))
            .mul(0.5)
            .sum(),
        ],
        count: 1,
      }),
      /differ from one to the next, at Slice/,
    ],
    'another operation each time': [
      (x) => ({ tensors: [(calls++ % 2 === 0 ? x.abs() : x.relu()).sum()], count: 1 }),
      /differ from one to the next, at (Relu|Abs)/,
    ],
    'other counts': [(x) => ({ tensors: [x.sum()], count: ++calls }), /count other terms/],
    'tensors that stay': [
      (x) => {
        stays.push(tf.keep(x.add(1)));
        return { tensors: [x.sum()], count: 1 };
      },
      /keep tensors/,
    ],
  };
  for (const [what, [compute, note]] of Object.entries(cases)) {
    const kept = stays.length;
    await withReplays(t, compute, ({ add, notes, replays }) => {
      for (let i = 0; i < 8; i++) {
        const { grown } = add([i, 2]);
        t.equal(grown, what.startsWith('shapes') ? (i + 2) / 2 : i + 2, what);
        t.equal(replays.calls, 0);
      }
      t.equal(notes.length, 1, what);
      t.match(notes[0], note);
      tf.dispose(stays.splice(kept));
    });
  }
  outside.dispose();
});

t.test('a tensor that was replaced is recorded anew', skip, async (t) => {
  const weight = tf.tidy(() => tf.variable(tf.tensor1d([1, 1])));
  await withReplays(
    t,
    (x) => ({ tensors: [x.mul(weight).sum()], count: 1 }),
    ({ add, replays, notes }) => {
      for (let round = 1; round <= 3; round++) {
        for (let i = 0; i < 5; i++) t.equal(add([i, 2]).grown, round * (i + 2));
        t.ok(replays.calls > 0, `replayed in round ${round}`);
        tf.tidy(() => weight.assign(tf.tensor1d([round + 1, round + 1])));
      }
      t.same(notes, []);
    },
  );
  weight.dispose();
});

// On a GPU nobody waits in a replay to see whether an index is right.
const onCpu = { skip: withoutTorch || (testDevice !== 'cpu' && 'indices of replays are checked on the cpu alone') };

t.test('an error inside a replay leaves nothing behind, and the next replay is right', onCpu, async (t) => {
  const table = tf.tensor1d([10, 20, 30]);
  const compute = (x: tf.Tensor): Made => ({ tensors: [tf.gather(table, x.toInt()).square().sum()], count: 1 });
  await withReplays(t, compute, ({ add, sums, replays }) => {
    for (let i = 0; i < 5; i++) add([0, 1]);
    t.ok(replays.calls > 0);
    const { addon } = tf.backend() as TorchBackend;
    const before = addon.memory();
    for (let i = 0; i < 10; i++) t.throws(() => add([0, 7]), /index 7 is not in 0 \.\.\. 2.*GatherV2/);
    t.same(addon.memory(), before);
    t.equal(sums.tensors[0]!.dataSync()[0], 0);
    t.same(add([1, 2]), { count: 1, grown: 1300 });
  });
  table.dispose();
});

t.test('a replay that differs from its computation is taken back', skip, async (t) => {
  // Chance that stands in no operation's arguments cannot be seen by comparing recordings; this stands for it.
  let calls = 0;
  const half = tf.tensor1d([0.5, 0.5]);
  const whole = tf.tensor1d([1, 1]);
  const compute = (x: tf.Tensor): Made => ({ tensors: [x.mul(calls++ < 3 ? half : whole).sum()], count: 1 });
  await withReplays(t, compute, ({ add, notes }) => {
    for (let i = 0; i < 3; i++) t.equal(add([1, 3]).grown, 2);
    t.equal(add([1, 3]).grown, 4, 'what was computed counts');
    t.match(notes, [/a replay differed from its computation/]);
    t.equal(add([1, 3]).grown, 4);
  });
  tf.dispose([half, whole]);
});

t.test('a count that changes at the first replay is the right one', skip, async (t) => {
  let calls = 0;
  const compute = (x: tf.Tensor): Made => ({ tensors: [x.sum()], count: calls++ < 3 ? 2 : 5 });
  await withReplays(t, compute, ({ add, notes }) => {
    for (let i = 0; i < 3; i++) t.same(add([i, 2]), { count: 2, grown: i + 2 });
    for (let i = 3; i < 6; i++) t.same(add([i, 2]), { count: 5, grown: i + 2 });
    t.match(notes, [/count other terms/]);
  });
});

t.test('an error inside the first replay leaves nothing behind', onCpu, async (t) => {
  let calls = 0;
  const table = tf.tensor1d([10, 20, 30]);
  const compute = (x: tf.Tensor): Made => ({
    tensors: [tf.gather(table, (calls++ < 3 ? x : x.minimum(2)).toInt()).sum()],
    count: 1,
  });
  await withReplays(t, compute, ({ add }) => {
    for (let i = 0; i < 3; i++) add([0, 1]);
    const before = tf.memory().numTensors;
    t.throws(() => add([0, 7]), /index 7 is not in 0 \.\.\. 2.*GatherV2/);
    t.equal(tf.memory().numTensors, before);
    t.equal(calls, 3, 'nothing is computed beside a replay that failed');
  });
  table.dispose();
});

t.test('recordings are freed with their owner', skip, (t) => {
  const { addon } = tf.backend() as TorchBackend;
  addon.record(new Int32Array(0));
  t.throws(() => addon.record(new Int32Array(0)), /under way/);
  const program = addon.stop();
  t.throws(() => addon.stop(), /no recording/);
  t.match(addon.describe(program), { calls: 0, reads: '', frees: false, keeps: false });
  t.ok(addon.replay(program, new Int32Array(0)));
  addon.discard(program);
  t.throws(() => addon.replay(program, new Int32Array(0)), /no program/);
  t.end();
});

t.test('backends that cannot record compute', async (t) => {
  await prepareWasm();
  await withReplays(t, sumOf, ({ replays, add, notes }) => {
    for (let i = 1; i <= 6; i++) t.same(add([i, 2]), { count: 2, grown: i * i + 4 });
    t.equal(replays.calls, 0);
    t.same(notes, []);
  });
});
