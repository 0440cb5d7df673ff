import t from 'tap';
import { prepareTensorflow } from '../../../src/backends/tensorflow.ts';
import * as tf from '../../../src/backends/tf.ts';
import { type Made, sumOf, withReplays } from '../../kit/backends/replays.ts';
import { withoutTensorflow } from '../../kit/training/tensorflow.ts';

const skip = { skip: withoutTensorflow };

/** The sum, read back as a kernel that the backend lacks does. */
const hostSum = (x: tf.Tensor) => tf.tensor1d([...x.dataSync()]).sum();

/** Handles of the binding that are alive. */
const alive = () => binding().getNumOfTensors();
/** Graphs that are loaded. */
const loaded = () => binding().getNumOfSavedModels();

function binding() {
  const backend = tf.backend() as unknown as { binding: { getNumOfTensors(): number; getNumOfSavedModels(): number } };
  return backend.binding;
}

t.before(async () => {
  if (withoutTensorflow === false) await prepareTensorflow();
});

t.test('two equal recordings of a shape make a graph that serves from then on', skip, async (t) => {
  const graphs = loaded();
  let computed = 0;
  const compute = (x: tf.Tensor) => {
    computed += 1;
    return sumOf(x);
  };
  await withReplays(t, compute, ({ replays, add, notes }) => {
    for (let i = 1; i <= 8; i++) t.same(add([i, 2]), { count: 2, grown: i * i + 4 });
    // The first replay is compared with one more computation.
    t.equal(computed, 3);
    t.equal(replays.calls, 2, 'square, sum');
    t.same(add([1, 2, 3]), { count: 3, grown: 14 }, 'another shape is recorded for itself');
    t.equal(replays.calls, 0);
    t.same(add([5, 5]), { count: 2, grown: 50 });
    t.equal(computed, 4);
    const before = alive();
    for (let i = 0; i < 20; i++) add([i, 1]);
    t.equal(alive(), before, 'nothing is left behind by a replay');
    t.equal(loaded(), graphs + 1);
    t.same(notes, []);
  });
  t.equal(loaded(), graphs, 'a graph is closed at the end');
});

t.test('parameters are read anew each time, and so are other tensors that stay', skip, async (t) => {
  const parameter = tf.tidy(() => tf.variable(tf.tensor1d([1, 1])));
  const stays = tf.tensor1d([2, 2]);
  await withReplays(
    t,
    (x) => ({ tensors: [x.mul(parameter).mul(stays).sum()], count: 1 }),
    ({ add, replays, notes }) => {
      for (let i = 1; i <= 8; i++) {
        tf.tidy(() => parameter.assign(tf.tensor1d([i, i])));
        t.equal(add([i, 2]).grown, 2 * i * (i + 2));
      }
      t.equal(replays.calls, 3);
      t.same(notes, []);
    },
    [parameter],
  );
  tf.dispose([parameter, stays]);
});

t.test('a tensor that was replaced is recorded anew', skip, async (t) => {
  const graphs = loaded();
  const weight = tf.tidy(() => tf.variable(tf.tensor1d([1, 1])));
  await withReplays(
    t,
    (x) => ({ tensors: [x.mul(weight).sum()], count: 1 }),
    ({ add, replays, notes }) => {
      for (let round = 1; round <= 3; round++) {
        for (let i = 0; i < 6; i++) t.equal(add([i, 2]).grown, round * (i + 2));
        t.ok(replays.calls > 0, `replayed in round ${round}`);
        t.equal(loaded(), graphs + 1, 'the one before is closed');
        tf.tidy(() => weight.assign(tf.tensor1d([round + 1, round + 1])));
      }
      t.same(notes, []);
    },
  );
  weight.dispose();
});

t.test('values that change from one recording to the next are an error that names their reader', skip, async (t) => {
  let calls = 0;
  const compute = (x: tf.Tensor): Made => {
    calls += 1;
    return { tensors: [x.mul(tf.tensor2d([[calls], [2]]).reshape([2])).sum()], count: 1 };
  };
  await withReplays(t, compute, ({ add }) => {
    add([1, 2]);
    t.throws(() => add([1, 2]) && add([1, 2]), { code: 'STEP_WRITE', message: /operation Reshape changed/ });
  });
});

t.test('what cannot be a graph is computed, rightly, with one note', skip, async (t) => {
  let calls = 0;
  const [one, another] = [tf.tensor1d([1, 1]), tf.tensor1d([2, 2])];
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
    'a kernel that runs on the host': [
      (x) => ({ tensors: [tf.tidy(() => x.mul(0).sum().add(hostSum(x)))], count: 1 }),
      /read back what they were given/,
    ],
    'sizes that follow the data': [
      (x) => ({ tensors: [tf.unique(x.concat(x)).values.sum()], count: 1 }),
      /they call UniqueV2, which graphs are not made with/,
    ],
    'chance on the backend': [
      (x) => {
        const drawn = tf.tfjs.multinomial([[0.5, 0.5]], 1, 1);
        return { tensors: [x.add(drawn.sum().toFloat().mul(0)).sum()], count: 1 };
      },
      /they call Multinomial, which graphs are not made with/,
    ],
    'another operation each time': [
      (x) => ({ tensors: [(calls++ % 2 === 0 ? x.abs() : x.relu()).sum()], count: 1 }),
      /differ from one to the next, at (Relu|Abs)/,
    ],
    'another tensor each time': [
      (x) => ({ tensors: [x.add((calls++ % 2 === 0 ? one : another).mul(0)).sum()], count: 1 }),
      /differ from one to the next, at Mul/,
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
        t.equal(add([i, 9]).grown, i + 9, what);
        t.equal(replays.calls, 0);
      }
      t.equal(notes.length, 1, what);
      t.match(notes[0], note);
      tf.dispose(stays.splice(kept));
    });
  }
  tf.dispose([one, another]);
});

t.test('an error inside of a graph leaves nothing behind, and the next replay is right', skip, async (t) => {
  const table = tf.tensor1d([10, 20, 30]);
  const compute = (x: tf.Tensor): Made => ({ tensors: [tf.gather(table, x.toInt()).square().sum()], count: 1 });
  await withReplays(t, compute, ({ add, sums, replays }) => {
    for (let i = 0; i < 5; i++) add([0, 1]);
    t.ok(replays.calls > 0);
    const before = alive();
    for (let i = 0; i < 3; i++) t.throws(() => add([0, 7]), /= 7 is not in \[0, 3\)/);
    t.ok(sums.zero);
    t.same(add([1, 2]), { count: 1, grown: 1300 });
    t.equal(alive(), before);
  });
  table.dispose();
});

t.test('a graph gives the same tensor away twice, and one that it was given', skip, async (t) => {
  const compute = (x: tf.Tensor): Made => {
    const square = x.square();
    return { tensors: [square, square.clone(), x.clone()], count: 1 };
  };
  await withReplays(t, compute, ({ add, sums, replays, notes }) => {
    for (let i = 0; i < 6; i++) {
      add([i, 2]);
      t.same(
        sums.tensors.map((sum) => [...sum.dataSync()]),
        [
          [i * i, 4],
          [i * i, 4],
          [i, 2],
        ],
      );
    }
    t.same(notes, []);
    t.ok(replays.calls > 0);
  });
});

t.test('an index that is out of bounds is told by the operation', skip, (t) => {
  const table = tf.tensor2d([1, 2, 3, 4], [2, 2]);
  t.throws(() => tf.tidy(() => tf.gather(table, tf.tensor1d([2], 'int32'))), /= 2 is not in \[0, 2\)/);
  table.dispose();
  t.end();
});
