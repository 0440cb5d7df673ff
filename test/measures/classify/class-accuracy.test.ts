import t from 'tap';
import * as tf from '../../../src/backends/tf.ts';
import { prepareWasm } from '../../../src/backends/wasm/wasm.ts';
import { classAccuracy } from '../../../src/measures/classify/class-accuracy.ts';
import { classify } from '../../../src/measures/classify/index.ts';
import { telling } from '../../../src/measures/define.ts';
import type { Classifier, HostBatch } from '../../../src/models/model.ts';
import { expectNoTensorLeak } from '../../kit/training/tensors.ts';
import { linearModel } from '../../kit/training/train.ts';

t.before(() => prepareWasm());

/** A model whose scores are the first C values of a picture. */
const reader = (C: number, change = (scores: tf.Tensor2D) => scores): Classifier => ({
  ...linearModel(),
  classify: (_, { picture }) =>
    tf.tidy(() => change(picture!.reshape([picture!.shape[0]!, -1]).slice([0, 0], [-1, C]) as tf.Tensor2D)),
});

/** Pictures of 2 × 2 pixels that say these scores, and their labels. */
function batch(scores: readonly (readonly number[])[], labels: readonly number[]): { fields: HostBatch } {
  const N = labels.length;
  const data = Uint8Array.from(scores.flatMap((row) => [...row, ...new Array<number>(12 - row.length).fill(0)]));
  return {
    fields: {
      picture: { dtype: 'uint8', shape: [N, 2, 2, 3], data },
      label: { dtype: 'int32', shape: [N], data: Int32Array.from(labels) },
    },
  };
}

t.test('first, among the first five, and not; of equal scores the lower class comes first', async (t) => {
  const seven = [70, 60, 50, 40, 30, 20, 10];
  const batches = [
    batch([seven, seven, seven], [0, 4, 5]),
    batch([[5, 5, 5, 5, 5, 5, 5]], [1]),
    batch([[1, 2, 3, 4, 5, 6, 7]], [6]),
  ];
  const model = reader(7);
  await classAccuracy({ model, params: {}, batches });
  await expectNoTensorLeak(t, async () => {
    const found = await classAccuracy({ model, params: {}, batches });
    const { answers: _, worst, ...numbers } = found;
    t.same(numbers, { top1: 2 / 5, top5: 4 / 5, images: 5, classes: 5, largest: 1 / 5, modelClasses: 7 });
    t.same(worst.list.length, 5);
  });
});

t.test('with fewer than six classes all are among the first five', async (t) => {
  const found = await classAccuracy({ model: reader(2), params: {}, batches: [batch([[1, 2]], [0])] });
  t.match(found, { top1: 0, top5: 1, modelClasses: 2, classes: 1 });
});

t.test('of a model of five classes or fewer nobody is told that the class was among the first five', (t) => {
  const { definition } = classify;
  for (const modelClasses of [2, 5, 6, 1000]) {
    const numbers = { top1: 0.5, top5: 1, modelClasses, classes: 2, largest: 0.5, resolution: '8×8', images: 4, of: 4 };
    const told = telling(definition, numbers);
    t.equal('top5' in told, modelClasses > 5, `${modelClasses}`);
    const [line] = definition.format!({ id: 'classify', options: {}, numbers: told, notes: [] });
    t.equal(/first five/.test(line!), modelClasses > 5, line);
    t.match(line, /^Accuracy at 8×8: 50\.0 %; the largest class has 50\.0 % \(.*4 pictures\)$/);
  }
  const { modelClasses: _, ...old } = { top1: 0.5, top5: 1, modelClasses: 2 };
  t.same(telling(definition, old), old, 'rows of before say nothing of it');
  t.end();
});

t.test('labels that are no class, and scores that are no numbers', async (t) => {
  for (const label of [-1, 3, 2 ** 31 - 1])
    await t.rejects(classAccuracy({ model: reader(3), params: {}, batches: [batch([[1, 2, 3]], [label])] }), {
      code: 'LABEL_CLASS',
    });
  const diverged = reader(3, (scores) => scores.mul(Number.NaN));
  await t.rejects(classAccuracy({ model: diverged, params: {}, batches: [batch([[1, 2, 3]], [0])] }), {
    code: 'SCORE_NOT_A_NUMBER',
  });
  await t.rejects(classAccuracy({ model: reader(3), params: {}, batches: [] }), { code: 'MEASURE_EMPTY' });
});
