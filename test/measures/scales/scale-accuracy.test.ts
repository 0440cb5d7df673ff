import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import * as tf from '../../../src/backends/tf.ts';
import { prepareWasm } from '../../../src/backends/wasm/wasm.ts';
import { scaleAccuracy, throughSize } from '../../../src/measures/scales/scale-accuracy.ts';
import type { Classifier, HostTensor } from '../../../src/models/model.ts';
import { rawPicture } from '../../../src/vision/picture.ts';
import { labelledFolder, writeFiles } from '../../kit/files/folder.ts';
import { patchstream } from '../../kit/runs/terminal.ts';
import { expectNoTensorLeak } from '../../kit/training/tensors.ts';
import { linearModel } from '../../kit/training/train.ts';

t.before(() => prepareWasm());

const side = 16;

/** Pictures with vertical stripes: of one pixel where the label is 1, of eight where it is 0. */
function striped(labels: readonly number[]): HostTensor {
  const each = side * side * 3;
  const data = new Uint8Array(labels.length * each);
  for (const [n, label] of labels.entries()) {
    const bright = (x: number) => (label === 1 ? x % 2 === 0 : x < side / 2);
    for (let i = 0; i < side * side; i++) data.fill(bright(i % side) ? 255 : 0, n * each + 3 * i, n * each + 3 * i + 3);
  }
  return { dtype: 'uint8', shape: [labels.length, side, side, 3], data };
}

/** Says 1 where neighbours across differ more than 64 on the average, else 0. */
const fineness: Classifier = {
  ...linearModel(),
  classify: (_, { picture }) =>
    tf.tidy(() => {
      const [N] = picture!.shape;
      const left = picture!.slice([0, 0, 0, 0], [-1, -1, side - 1, -1]);
      const right = picture!.slice([0, 0, 1, 0], [-1, -1, side - 1, -1]);
      const change = left.sub(right).abs().reshape([N!, -1]).mean(1).div(64);
      return tf.stack([tf.onesLike(change), change], 1) as tf.Tensor2D;
    }),
};

t.test(
  'what is finer than a size is lost there: accuracy falls with it, and a picture of its own size stays as it is',
  async (t) => {
    const labels = [0, 1, 1, 0, 1];
    const label = { dtype: 'int32', shape: [5], data: Int32Array.from(labels) } as const;
    const batches = [{ fields: { picture: striped(labels), label } }];
    const options = { model: fineness, params: {}, batches, sizes: [16, 4, 8], kernel: 'bicubic' } as const;
    await scaleAccuracy(options);
    await expectNoTensorLeak(t, async () => {
      const { top1, images, largest } = await scaleAccuracy(options);
      t.same(
        [...top1],
        [
          [16, 1],
          [4, 2 / 5],
          [8, 2 / 5],
        ],
      );
      t.same([images, largest], [5, 3 / 5]);
    });
  },
);

t.test('a picture goes through a size as the product itself would keep it there', async (t) => {
  const pictures = striped([0, 1]);
  for (const kernel of ['bicubic', 'bilinear', 'nearest', 'lanczos'] as const) {
    const through = await throughSize(pictures, 4, kernel);
    const each = side * side * 3;
    for (const n of [0, 1]) {
      const data = (pictures.data as Uint8Array).slice(n * each, (n + 1) * each);
      const raw = rawPicture({ data, width: side, height: side, channels: 3 });
      const small = await raw.resize({ width: 4, height: 4, fit: 'fill', kernel }).pixels();
      const kept = rawPicture({ data: Uint8Array.from(small.data), width: 4, height: 4, channels: 3 });
      const { data: again } = await kept.resize({ width: side, height: side, fit: 'fill' }).pixels();
      t.same(through.data.slice(n * each, (n + 1) * each), again, `${kernel}, picture ${n}`);
    }
  }
  t.equal(await throughSize(pictures, side, 'bicubic'), pictures);
});

t.test('wrong labels, scores that are no numbers, and nothing at all', async (t) => {
  const one = (label: number) => ({
    fields: { picture: striped([0]), label: { dtype: 'int32', shape: [1], data: Int32Array.of(label) } as const },
  });
  const options = { model: fineness, params: {}, sizes: [8], kernel: 'bicubic' } as const;
  await t.rejects(scaleAccuracy({ ...options, batches: [one(2)] }), { code: 'LABEL_CLASS' });
  await t.rejects(scaleAccuracy({ ...options, batches: [] }), { code: 'MEASURE_EMPTY' });
  const diverged = { ...fineness, classify: () => tf.fill([1, 2], Number.NaN) as tf.Tensor2D };
  await t.rejects(scaleAccuracy({ ...options, model: diverged, batches: [one(0)] }), { code: 'SCORE_NOT_A_NUMBER' });
});

t.test(
  'in a pipeline: numbers by size in the evaluations, a table in the report, and sizes above the pictures are refused',
  async (t) => {
    const root = t.testdir();
    await labelledFolder(join(root, 'train'), 4);
    await labelledFolder(join(root, 'test'), 2);
    writeFiles(root, {
      'scales.yaml': `
source: { image-folder: { path: train, labels: true } }
stages: [decode, { resize: 16 }]
train:
  model: { classifier: { encoder: mae, width: 16, depth: 1, heads: 2, patch: 4, classes: 3 } }
  batch: 6
  steps: 2
  thread: main
  backend: wasm
evaluate: { scales: { on: { image-folder: { path: test, labels: true } }, sizes: [4, 16] } }
output: out
`,
    });
    const { code, out, err } = await patchstream(['run', join(root, 'scales.yaml')]);
    t.equal(code, 0, err);
    t.match(out, /Accuracy by size: 4 px [\d.]+ %, 16 px [\d.]+ %; the largest class has 33\.3 % \(6 pictures\)/);
    const row = JSON.parse(readFileSync(join(root, 'out/evaluations.jsonl'), 'utf8').trim().split('\n').at(-1)!);
    t.match(row.features, [{ id: 'scales', mean: Number, smallest: Number, at4: Number, at16: Number }]);
    t.equal(row.features[0].mean, (row.features[0].at4 + row.features[0].at16) / 2);
    const report = readFileSync(join(root, 'out/report.html'), 'utf8');
    t.match(report, /<h2>Accuracy against the size of the pictures/);
    const [, svg = ''] =
      /alt="Accuracy against the size of the pictures" src="data:image\/svg\+xml;base64,([^"]+)"/.exec(report) ?? [];
    const chart = Buffer.from(svg, 'base64').toString();
    t.match(chart, /side, px/);
    t.match(chart, / %<\/text>/, 'its axis is in percent');
    t.match(await patchstream(['check', join(root, 'scales.yaml'), '--set', 'evaluate.scales.sizes=[8, 32]']), {
      code: 2,
      err: /SCALES_LARGE|at most the side of the pictures that the model takes, 16 px; got 32/,
    });
  },
);
