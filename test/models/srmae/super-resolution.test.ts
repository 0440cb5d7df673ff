import t from 'tap';
import { Constants } from '../../../src/backends/constants.ts';
import * as tf from '../../../src/backends/tf.ts';
import { prepareWasm } from '../../../src/backends/wasm/wasm.ts';
import { learned } from '../../../src/models/layers/learned.ts';
import { countParameters, storedForm } from '../../../src/models/layers/parameters.ts';
import {
  type SuperResolutionName,
  superResolutionMacs,
  superResolutionParameters,
  superResolutions,
} from '../../../src/models/srmae/super-resolution.options.ts';
import { highFrequencies, superResolve } from '../../../src/models/srmae/super-resolution.ts';
import { Random } from '../../../src/random.ts';
import { expectNoTensorLeak, waves } from '../../kit/training/tensors.ts';

await prepareWasm((message) => t.comment(message));

const fresh = (name: SuperResolutionName, C: number) =>
  learned(superResolutionParameters(name, C)).init((parameter) => new Random(7, parameter, 'init'));

const grid = (N: number, rows: number, columns: number, C: number, index = 0) =>
  tf.tensor4d(Float32Array.from(waves([N * rows * columns * C], index).data), [N, rows, columns, C]);

t.test('parameters and multiply-adds by width, as counted by hand from the code of ESRT', (t) => {
  t.equal(countParameters(superResolutionParameters('hpb', 32)), 122_190);
  t.equal(countParameters(superResolutionParameters('hpb', 512)), 31_107_780);
  const table = {
    128: [1.95, 0.4, 1.18, 1.61],
    192: [4.38, 0.91, 2.66, 3.62],
    256: [7.78, 1.61, 4.73, 6.44],
    384: [17.5, 3.62, 10.64, 14.48],
    512: [31.11, 6.44, 18.91, 25.74],
    768: [69.98, 14.48, 42.55, 57.92],
  };
  for (const [C, [millions, ...gmacs]] of Object.entries(table)) {
    t.equal(Number((countParameters(superResolutionParameters('hpb', Number(C))) / 1e6).toFixed(2)), millions, C);
    for (const [i, side] of [14, 24, 28].entries()) {
      const found = superResolutionMacs('hpb', Number(C), [side, side]) / 1e9;
      t.ok(Math.abs(found - gmacs[i]!) < 0.006, `${C} at ${side} × ${side}: ${found}, ${gmacs[i]}`);
    }
  }
  t.same([superResolutionParameters('none', 8).length, superResolutionMacs('none', 8, [4, 4])], [0, 0]);
  t.equal(countParameters(superResolutionParameters('residual', 8)), 2 * 9 * 8 * 4 + 4 + 8 + 4);
  t.equal(superResolutionMacs('residual', 8, [4, 5]), 4 * 5 * 9 * 8 * 8);
  t.end();
});

t.test('convolutions in files are [out, in, k, k], those of 1 × 1 too', (t) => {
  const conv = storedForm({ name: 'c', shape: [3, 3, 2, 4], layout: 'conv', start: 'zeros' });
  t.same(conv.shape, [4, 2, 3, 3]);
  const memory = Float32Array.from({ length: 72 }, (_, i) => i);
  // Memory (row 1, column 2, in 1, out 3) is ((1·3 + 2)·2 + 1)·4 + 3 = 47; in a file ((3·2 + 1)·3 + 1)·3 + 2 = 68.
  t.equal(conv.toFile(memory)[68], 47);
  t.same([...conv.fromFile(conv.toFile(memory))], [...memory]);
  const point = storedForm({ name: 'p', shape: [2, 3], layout: 'conv', start: 'zeros' });
  t.same(point.shape, [3, 2, 1, 1]);
  t.same([...point.toFile(Float32Array.of(1, 2, 3, 4, 5, 6))], [1, 4, 2, 5, 3, 6]);
  t.end();
});

t.test('starts: convolutions as PyTorch’s, scalars one, slopes a quarter', (t) => {
  const params = fresh('hpb', 64);
  const most = (name: string) => tf.tidy(() => params[`super_resolution.${name}`]!.abs().max().dataSync()[0]!);
  for (const [name, inner] of [
    ['arfb_in.ru1.conv1.weight', 64 * 9],
    ['arfb_low.ru2.conv2.weight', 32 * 9],
    ['fuse.weight', 128],
  ] as const) {
    const bound = 1 / Math.sqrt(inner);
    t.ok(most(name) <= bound && most(name) > 0.98 * bound, `${name}: up to ${bound}, got ${most(name)}`);
  }
  t.ok(most('arfb_in.ru1.conv1.bias') > 0 && most('arfb_in.ru1.conv1.bias') <= 1 / 24);
  t.same([most('arfb_out.scale6'), most('arfb_high.ru1.act.weight')], [1, 0.25]);
  tf.dispose(params);
  t.end();
});

t.test('the high-frequency filter of a constant map is exactly zero, on even and odd grids', (t) => {
  const constants = new Constants();
  for (const [rows, columns] of [
    [14, 14],
    [8, 8],
    [5, 7],
    [2, 3],
  ] as const) {
    tf.tidy(() => {
      for (const value of [1, 0.1, -3.7, 1e5 / 3]) {
        const { low, high } = highFrequencies(tf.fill([2, rows, columns, 16], value), constants);
        t.equal(high.abs().max().dataSync()[0], 0, `${rows} × ${columns} of ${value}`);
        t.same(low.shape, [2, Math.floor(rows / 2), Math.floor(columns / 2), 16]);
      }
      const { high } = highFrequencies(grid(1, rows, columns, 16), constants);
      t.ok(high.abs().max().dataSync()[0]! > 0.1, 'and of another it is not');
    });
  }
  constants.dispose();
  t.end();
});

for (const name of superResolutions) {
  t.test(`${name}: shapes, a gradient along a line on an odd grid, nothing leaks`, async (t) => {
    const constants = new Constants();
    const params = fresh(name, 16);
    const run = (x: tf.Tensor) => superResolve(name, params, x as tf.Tensor4D, constants);
    for (const [rows, columns] of [
      [4, 6],
      [5, 7],
    ] as const)
      tf.tidy(() => t.same(run(grid(2, rows, columns, 16)).shape, [2, rows, columns, 16]));
    await expectNoTensorLeak(t, () => {
      tf.tidy(() => {
        const [x, direction, weights] = [grid(1, 5, 7, 16), grid(1, 5, 7, 16, 1), grid(1, 5, 7, 16, 2)];
        const f = (at: tf.Tensor) => run(at).mul(weights).sum() as tf.Scalar;
        const along = tf.grad(f)(x).mul(direction).sum().dataSync()[0]!;
        // float32: what a step of 0.01 rounds away is about 1e-4 of the difference.
        const step = (by: number) => f(x.add(direction.mul(by))).dataSync()[0]!;
        const numeric = (step(0.01) - step(-0.01)) / 0.02;
        t.ok(Math.abs(along - numeric) <= 5e-3 * Math.abs(numeric), `${along} by the tape, ${numeric} by differences`);
      });
    });
    constants.dispose();
    tf.dispose(params);
  });
}
