import { join } from 'node:path';
import t, { type Test } from 'tap';
import { builtin } from '../../../src/pipeline/builtin.ts';
import { checkFile } from '../../../src/pipeline/check.ts';
import { trueJson } from '../../../src/pipeline/resolve/resolved-json.ts';
import { labelledFolder, writeFiles } from '../../kit/files/folder.ts';

/** The options of the measures of a training, and what decides about it as text. */
async function measuresOf(t: Test, model: string, measures: string) {
  const root = t.testdir();
  await labelledFolder(join(root, 'train'), 4);
  await labelledFolder(join(root, 'test'), 2);
  writeFiles(root, {
    'p.yaml': `
name: tiny
source: { image-folder: { path: train, labels: true } }
stages: [decode, { resize: 16 }]
train: { model: ${model}, batch: 6, steps: 6 }
evaluate: { source: { image-folder: { path: test, labels: true } }, ${measures} }
output: run
`,
  });
  const { resolved, problems } = await checkFile(join(root, 'p.yaml'), { registry: builtin });
  t.same(problems, []);
  const { measures: found } = resolved!.evaluate!;
  return { options: found.map(({ options }) => options), text: JSON.stringify(trueJson(resolved!)) };
}

const classifier = (pool: string) =>
  `{ classifier: { encoder: mae, width: 16, depth: 1, heads: 2, patch: 8, classes: 3, pool: ${pool} } }`;

t.test(
  'frozen features of a classifier are what its head reads, as `embed` has them, unless others are named',
  async (t) => {
    const own = 'knn: { k: 3 }, linear: {}';
    t.match((await measuresOf(t, classifier('cls'), own)).options, [{ pool: 'cls' }, { pool: 'cls' }]);
    t.match((await measuresOf(t, classifier('mean'), own)).options, [{ pool: 'mean' }, { pool: 'mean' }]);
    const named = 'knn: { k: 3, pool: mean }, linear: { pool: pixels }';
    t.match((await measuresOf(t, classifier('cls'), named)).options, [{ pool: 'mean' }, { pool: 'pixels' }]);
  },
);

t.test('a training is the same whether the feature that its model has is named or not', async (t) => {
  const model = classifier('cls');
  const [left, named] = [
    await measuresOf(t, model, 'knn: { k: 3 }'),
    await measuresOf(t, model, 'knn: { pool: cls, k: 3 }'),
  ];
  t.equal(left.text, named.text);
  t.match(left.text, /"knn":\{"k":3,"vote":"weighted","temperature":0\.07,"pool":"cls",/);
});
