import fc from 'fast-check';
import t from 'tap';
import { upload } from '../../../src/backends/upload.ts';
import { prepareWasm } from '../../../src/backends/wasm/wasm.ts';
import { type Mixing, mixes } from '../../../src/models/classifier/mixing.options.ts';
import { drawMix, mixedPictures, mixInputs, softTargets } from '../../../src/models/classifier/mixing.ts';
import { Random } from '../../../src/random.ts';
import { expectClose, expectNoTensorLeak, readings } from '../../kit/training/tensors.ts';

await prepareWasm((message) => t.comment(message));

const both: Mixing = { mixup: 0.8, cutmix: 1, mixProbability: 1, switchProbability: 0.5 };
const random = (step: number) => new Random(7, 'mix', `batch:${step}`);
const labels = (...values: number[]) =>
  ({ dtype: 'int32', shape: [values.length], data: Int32Array.from(values) }) as const;

t.test('a draw takes its words in the documented order', (t) => {
  for (let step = 0; step < 50; step++) {
    const words = random(step);
    t.ok(words.uniform() < 1);
    const cuts = words.uniform() < 0.5;
    const [row, column] = [words.integer(40), words.integer(30)];
    const lambda = words.beta(cuts ? 1 : 0.8, cuts ? 1 : 0.8);
    const mix = drawMix(random(step), both, [40, 30]);
    if (!cuts) {
      t.same(mix, { lambda });
      continue;
    }
    const half = (side: number) => Math.floor(Math.floor(side * Math.sqrt(1 - lambda)) / 2);
    const [top, bottom] = [Math.max(0, row - half(40)), Math.min(40, row + half(40))];
    const [left, right] = [Math.max(0, column - half(30)), Math.min(30, column + half(30))];
    t.same(mix.box, { top, left, height: bottom - top, width: right - left });
    t.equal(mix.lambda, 1 - ((bottom - top) * (right - left)) / 1200, 'λ of the true area');
  }
  t.end();
});

t.test('VECTOR: a step that mixes and one that cuts', (t) => {
  const mixed = drawMix(random(0), both, [224, 224]);
  t.ok(Math.abs(mixed.lambda - 0.06501699665) < 1e-11 && mixed.box === undefined);
  const cut = drawMix(random(3), both, [224, 224]);
  t.same(cut.box, { top: 83, left: 0, height: 141, width: 138 });
  t.ok(Math.abs(cut.lambda - 0.61220503827) < 1e-11);
  t.end();
});

t.test('what is off is not drawn, and probabilities hold', (t) => {
  const drawn = (mixing: Mixing) => Array.from({ length: 2000 }, (_, step) => drawMix(random(step), mixing, [32, 32]));
  const share = (mixing: Mixing, test: (mix: ReturnType<typeof drawMix>) => boolean) =>
    drawn(mixing).filter(test).length / 2000;
  const isNone = ({ lambda, box }: ReturnType<typeof drawMix>) => lambda === 1 && box === undefined;
  const cuts = ({ box }: ReturnType<typeof drawMix>) => box !== undefined;
  t.equal(share({ ...both, mixProbability: 0 }, isNone), 1);
  t.equal(share({ ...both, mixup: 0, cutmix: 0 }, isNone), 1);
  t.equal(share({ ...both, cutmix: 0 }, cuts), 0);
  t.equal(share({ ...both, mixup: 0, switchProbability: 0 }, cuts), 1, 'cutmix alone needs no switch');
  t.ok(Math.abs(share(both, cuts) - 0.5) < 0.04);
  t.ok(Math.abs(share({ ...both, switchProbability: 0.2 }, cuts) - 0.2) < 0.04);
  t.ok(Math.abs(share({ ...both, mixProbability: 0.3 }, isNone) - 0.7) < 0.04);
  t.same([both, { ...both, mixup: 0, cutmix: 0 }, { ...both, mixProbability: 0 }, { ...both, mixup: 0 }].map(mixes), [
    true,
    false,
    false,
    true,
  ]);
  t.end();
});

t.test('a box lies in the picture, and λ is what it leaves', (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 500 }), fc.integer({ min: 1, max: 500 }), fc.nat(), (height, width, step) => {
      const { lambda, box } = drawMix(random(step), { ...both, mixup: 0 }, [height, width]);
      if (box === undefined) return false;
      const inside = box.top >= 0 && box.left >= 0 && box.height >= 0 && box.width >= 0;
      const { mixRows, mixColumns } = mixInputs({ lambda, box }, 2, [height, width]);
      const ones = (row: ArrayLike<number>) => Array.from(row).filter((value) => value === 1).length;
      const area = ones(mixRows!.data.subarray(0, height)) * ones(mixColumns!.data.subarray(0, width));
      return (
        inside &&
        box.top + box.height <= height &&
        box.left + box.width <= width &&
        Math.abs(lambda - (1 - area / (height * width))) < 1e-12
      );
    }),
    { seed: 5, numRuns: 300 },
  );
  t.end();
});

t.test('targets: smoothed, mixed with the partner’s, adding up to 1', (t) => {
  const rows = (target: { readonly data: ArrayLike<number>; readonly shape: readonly number[] }) => {
    const C = target.shape[1]!;
    return Array.from({ length: target.shape[0]! }, (_, n) => Array.from(target.data).slice(n * C, (n + 1) * C));
  };
  const [smooth] = rows(softTargets(labels(3), 10, 0.1));
  t.ok(Math.abs(smooth![3]! - 0.91) < 1e-7 && smooth!.every((v, i) => i === 3 || Math.abs(v - 0.01) < 1e-8));
  const mixed = rows(softTargets(labels(0, 2, 1, 1), 3, 0, 0.75));
  t.same(mixed, [
    [0.75, 0, 0.25],
    [0.25, 0, 0.75],
    [0, 1, 0],
    [0, 1, 0],
  ]);
  for (const [row] of [rows(softTargets(labels(1, 0), 4, 0.2, 0.3))])
    t.ok(Math.abs(row!.reduce((sum, v) => sum + v, 0) - 1) < 1e-6);
  for (const wrong of [-1, 10, 2 ** 31 - 1]) t.throws(() => softTargets(labels(wrong), 10, 0), { code: 'LABEL_CLASS' });
  t.throws(() => softTargets(labels(10), 10, 0), /LABEL_CLASS: .*10 classes.*0 to 9; got 10.*`classes`/);
  t.end();
});

/** Pictures [N, H, W, 3] of whole numbers, each its own. */
const pictures = (N: number, H: number, W: number) =>
  ({
    dtype: 'uint8',
    shape: [N, H, W, 3],
    data: Uint8Array.from({ length: N * H * W * 3 }, (_, i) => (31 * i + 7 * ((i * i) % 251)) % 256),
  }) as const;

t.test('pictures are mixed with their partners, both ways', async (t) => {
  const [N, H, W] = [4, 5, 6];
  const { data } = pictures(N, H, W);
  const box = { top: 1, left: 2, height: 3, width: 2 };
  const at = (n: number, i: number) => data[n * H * W * 3 + i]!;
  const inBox = (i: number) => {
    const [row, column] = [Math.floor(i / (W * 3)), Math.floor(i / 3) % W];
    return row >= 1 && row < 4 && column >= 2 && column < 4;
  };
  await expectNoTensorLeak(t, () => {
    const picture = upload(pictures(N, H, W));
    const made = (mix: Parameters<typeof mixInputs>[0]) =>
      readings(() => {
        const inputs = Object.entries(mixInputs(mix, N, [H, W])).map(([name, numbers]) => [name, upload(numbers)]);
        return mixedPictures({ picture, ...Object.fromEntries(inputs) }).dataSync();
      });
    const expected = (f: (n: number, i: number) => number) =>
      Float32Array.from({ length: data.length }, (_, i) => f(Math.floor(i / (H * W * 3)), i % (H * W * 3)));
    t.same(
      made({ lambda: 0.8, box }),
      expected((n, i) => at(inBox(i) ? n ^ 1 : n, i)),
      'cut: pixels as they are',
    );
    const mixed = expected((n, i) => 0.7 * at(n, i) + 0.3 * at(n ^ 1, i));
    expectClose(t, made({ lambda: 0.7 }), mixed, 1e-6, 'mixed');
    t.same(made({ lambda: 1 }), Float32Array.from(data), 'a step that mixes nothing leaves them alone');
    t.equal(mixedPictures({ picture }), picture, 'and so does a model that never mixes');
    picture.dispose();
  });
});

t.test('an odd micro-batch says what to do', (t) => {
  t.throws(() => mixInputs({ lambda: 0.5 }, 3, [4, 4]), /MICRO_BATCH_PAIRS: .*even.*got 3.*`batch` and `microBatch`/);
  t.end();
});
