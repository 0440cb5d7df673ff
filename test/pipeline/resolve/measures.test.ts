import { join } from 'node:path';
import t, { type Test } from 'tap';
import { z } from 'zod';
import { defineMeasure } from '../../../src/measures/define.ts';
import { mae } from '../../../src/models/index.ts';
import { builtin } from '../../../src/pipeline/builtin.ts';
import { check, checkFile } from '../../../src/pipeline/check.ts';
import { define } from '../../../src/pipeline/definition.ts';
import { trueJson } from '../../../src/pipeline/resolve/resolved-json.ts';
import { imageFolder } from '../../../src/sources/index.ts';
import { decode, mask, resize } from '../../../src/stages/index.ts';
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

t.test('what `complete` of a measure gives in the place of options is a problem', (t) => {
  const problemsOf = (complete: () => unknown) => {
    const own = defineMeasure({
      name: 'own',
      summary: '',
      options: z.strictObject({ n: z.int().default(3) }),
      data: [],
      values: { n: {} },
      complete: complete as never,
      run: () => ({ numbers: { n: 1 } }),
    });
    const definition = define({
      name: 'tiny',
      source: imageFolder('./photos'),
      stages: [decode(), resize(16), mask({ patch: 8, ratio: 0.5 })],
      train: { model: mae({ size: 'nano', patch: 8 }), batch: 6, steps: 6 },
      evaluate: { measures: [own()] },
      output: 'run',
    } as never);
    return check(definition, builtin).map(({ error }) => `${error.code} ${error.text}`);
  };
  t.same(
    problemsOf(() => ({ n: 4 })),
    [],
  );
  const given: readonly (readonly [unknown, string])[] = [
    [undefined, 'undefined'],
    [null, 'null'],
    [7, '7'],
    [[1], 'a list of 1'],
    [new Map(), 'an object'],
    [Promise.resolve({ n: 4 }), 'a promise'],
    [Promise.reject(new Error('late')), 'a promise'],
  ];
  for (const [value, found] of given)
    t.match(
      problemsOf(() => value),
      [new RegExp(`^STAGE_BROKEN measure own .* its \`complete\` .*: ${found} in the place of options`)],
    );
  t.end();
});
