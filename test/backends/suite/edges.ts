import type { Test } from 'tap';
import { composedOnly } from '../../../src/backends/fused.ts';
import { gradients } from '../../../src/backends/gradients.ts';
import { rowsOf } from '../../../src/backends/host/numbers.ts';
import {
  attention,
  conv3x3,
  gatherTokens,
  gelu,
  layerNorm,
  linear,
  linearGelu,
  prelu,
  residual,
  softCrossEntropy,
} from '../../../src/backends/ops.ts';
import * as tf from '../../../src/backends/tf.ts';
import { Sums, sumsOfSquares } from '../../../src/backends/updates.ts';
import { upload } from '../../../src/backends/upload.ts';
import { patchesOf } from '../../../src/models/layers/pixels.ts';
import { patchify } from '../../kit/pictures/patches.ts';
import { expectNoTensorLeak, waves } from '../../kit/training/tensors.ts';

const numbers = (shape: number[], index = 0) => tf.tensor(Float32Array.from(waves(shape, index).data), shape);

/** What holds at the edges on every backend: numbers that are none, calls that fail, values that others write after, and pictures on their way in. */
export async function testEdges(t: Test): Promise<void> {
  await t.test('what is no number stays none, in value and gradient', testNotANumber);
  await t.test('a call that fails leaves nothing behind, and the next one is right', testErrors);
  await t.test('values stay what they were, whatever is written later', testValuesKept);
  await t.test('the same work again and again holds no more memory', testMemory);
  await t.test('pictures come up as they lie, and are cut into patches', testPictures);
}

const ids = (values: number[][]) => tf.tensor2d(values, [values.length, values[0]!.length], 'int32');

/** Each operation over an input of this shape, all else fixed. Made inside the caller's tidy. */
const operations: Readonly<Record<string, { shape: number[]; run: (x: tf.Tensor) => tf.Tensor }>> = {
  linear: { shape: [3, 4], run: (x) => linear(x, numbers([4, 5], 1), numbers([5], 2)) },
  linearGelu: { shape: [3, 4], run: (x) => linearGelu(x, numbers([4, 5], 1), numbers([5], 2)) },
  layerNorm: { shape: [3, 4], run: (x) => layerNorm(x, numbers([4], 1), numbers([4], 2)) },
  gelu: { shape: [3, 4], run: gelu },
  attention: { shape: [2, 3, 24], run: (x) => attention(x as tf.Tensor3D, 2) },
  gatherTokens: {
    shape: [2, 3, 4],
    run: (x) =>
      gatherTokens(
        x as tf.Tensor3D,
        ids([
          [0, 2],
          [0, 1],
        ]),
      ),
  },
  conv3x3: { shape: [1, 4, 4, 2], run: (x) => conv3x3(x as tf.Tensor4D, numbers([3, 3, 2, 3], 1) as tf.Tensor4D) },
  prelu: { shape: [3, 4], run: (x) => prelu(x, numbers([4], 1)) },
  residual: { shape: [3, 4], run: (x) => residual(x, numbers([3, 4], 1)) },
  softCrossEntropy: { shape: [3, 4], run: (x) => softCrossEntropy(x, tf.fill([3, 4], 0.25)) },
};

function testNotANumber(t: Test): void {
  for (const [name, { shape, run }] of Object.entries(operations)) {
    for (const form of ['fused', 'composed']) {
      const measure = () =>
        tf.tidy(() => {
          const { data } = waves(shape);
          const clean = [...run(tf.tensor(Float32Array.from(data), shape)).dataSync()];
          const x = tf.tensor(Float32Array.from(data.with(0, Number.NaN)), shape);
          const { value, grad } = tf.valueAndGrad((x) => run(x).square().sum() as tf.Scalar)(x);
          return { clean, loss: value.dataSync()[0], gradient: [...grad.dataSync()] };
        });
      const { clean, loss, gradient } = form === 'composed' ? composedOnly(measure) : measure();
      t.ok(clean.every(Number.isFinite), `${form} ${name}: finite where all is`);
      t.ok(Number.isNaN(loss), `${form} ${name}: a loss over it is none`);
      t.ok(gradient.some(Number.isNaN), `${form} ${name}: so is its gradient, which stops the training`);
    }
  }
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) {
    const sums = new Sums();
    sums.add([tf.tensor1d([1, value]), tf.tensor1d([2])]);
    const squares = sumsOfSquares(sums.tensors);
    t.notOk(Number.isFinite(squares.dataSync()[0]), `the norm tells of ${value}`);
    t.equal(squares.dataSync()[1], 4, 'and of where');
    squares.dispose();
    sums.dispose();
  }
  t.end();
}

async function testErrors(t: Test): Promise<void> {
  const faulty: Readonly<Record<string, () => tf.Tensor>> = {
    linear: () => linear(numbers([3, 4]), numbers([5, 2])),
    layerNorm: () => layerNorm(numbers([3, 4]), numbers([5]), numbers([5])),
    conv3x3: () => conv3x3(numbers([1, 4, 4, 2]) as tf.Tensor4D, numbers([3, 3, 3, 2]) as tf.Tensor4D),
    residual: () => residual(numbers([3, 4]), numbers([3, 5])),
    'a sum of tfjs': () => tf.add(numbers([3, 4]), numbers([3, 5])),
  };
  const held = () => tf.engine().backend.numDataIds();
  const x = tf.tidy(() => tf.variable(tf.scalar(1)));
  for (const [name, call] of Object.entries(faulty)) {
    await expectNoTensorLeak(t, () => {
      const before = held();
      t.throws(() => tf.tidy(() => call()), name);
      t.throws(
        () => tf.tidy(() => gradients(() => gelu(x).square().add(call().sum()), { x })),
        `${name} in a gradient`,
      );
      t.equal(held(), before, `${name}: the backend holds as much as before`);
      t.same(
        tf.tidy(() => [...linear(tf.ones([1, 2]), tf.ones([2, 1])).dataSync()]),
        [2],
        'the next call is right',
      );
    });
  }
  x.dispose();
  const gone = numbers([2]);
  gone.dispose();
  t.throws(() => gone.dataSync(), /disposed/, 'a tensor that was freed says so');
  t.throws(() => tf.tidy(() => gone.add(1)), /disposed/);
}

async function testValuesKept(t: Test): Promise<void> {
  await expectNoTensorLeak(t, async () => {
    const variable = tf.tidy(() =>
      tf.variable(
        tf.tensor2d([
          [1, 2],
          [3, 4],
        ]),
      ),
    );
    const views = [variable.reshape([4]), variable.clone(), variable.slice([1, 0], [1, 2]), variable.transpose()];
    const pending = Promise.all(views.map((view) => view.data()));
    const next = tf.tensor2d([9, 9, 9, 9], [2, 2]);
    variable.assign(next);
    next.dispose();
    const expected = [
      [1, 2, 3, 4],
      [1, 2, 3, 4],
      [3, 4],
      [1, 3, 2, 4],
    ];
    t.same(
      views.map((view) => [...view.dataSync()]),
      expected,
      'views of a variable that got a new value',
    );
    const read = views[0]!.dataSync();
    read.fill(7);
    t.same([...views[0]!.dataSync()], expected[0], 'what was read is a copy');
    variable.dispose();
    t.same([...views[1]!.dataSync()], expected[1], 'a clone outlives what it was made of');
    tf.dispose(views);
    t.same(
      (await pending).map((values) => [...values]),
      expected,
      'readings that were under way',
    );
  });
  const memory = Float32Array.of(1, 2, 3);
  const uploaded = upload({ dtype: 'float32', shape: [3], data: memory });
  memory.fill(0);
  t.same([...uploaded.dataSync()], [1, 2, 3], 'uploaded numbers, when the host’s memory is used again');
  uploaded.dispose();
}

function testMemory(t: Test): void {
  const params = [numbers([4, 5], 1), numbers([5], 2)] as const;
  const work = () => {
    tf.tidy(() => {
      for (const { shape, run } of Object.values(operations)) tf.grad((x) => run(x))(numbers(shape)).dataSync();
      linear(numbers([3, 4]), ...params).dataSync();
    });
  };
  const held = () => {
    const { numTensors, numBytes } = tf.memory();
    // Of torch, also what native/torch itself says.
    const { bytes = 0, tensors = 0 } =
      (tf.backend() as Partial<{ memory(): { bytes?: number; tensors?: number } }>).memory?.() ?? {};
    return { numTensors, numBytes, bytes, tensors, ids: tf.engine().backend.numDataIds() };
  };
  work();
  const before = held();
  for (let i = 0; i < 20; i++) work();
  t.same(held(), before);
  tf.dispose([...params]);
  t.end();
}

async function testPictures(t: Test): Promise<void> {
  const grid = { height: 8, width: 12, patch: 4 };
  const size = grid.height * grid.width * 3;
  const memory = new Uint8Array(new SharedArrayBuffer(5 * size)).map((_, i) => (i * 31 + (i >> 8)) % 256);
  const shared = new Uint8Array(new SharedArrayBuffer(5 * size));
  shared.set(memory);
  // Cells in no order, one of them twice.
  const cells = [3, 0, 4, 0];
  const rows = { memory: shared, starts: Float64Array.from(cells, (cell) => cell * size), bytes: size };
  await expectNoTensorLeak(t, () => {
    const pictures = upload(rowsOf('uint8', [4, grid.height, grid.width, 3], rows));
    shared.fill(0);
    const patches = tf.tidy(() => patchesOf(pictures, grid.patch));
    const expected = cells.flatMap((cell) => [...patchify(memory.slice(cell * size, (cell + 1) * size), grid)]);
    t.equal(pictures.dtype, 'float32');
    t.same(patches.shape, [4, 6, 48]);
    t.same([...patches.dataSync()], expected);
    tf.dispose([pictures, patches]);
  });
}
