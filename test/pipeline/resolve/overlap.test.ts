import { linkSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { builtin } from '../../../src/pipeline/builtin.ts';
import { checkFile } from '../../../src/pipeline/check.ts';
import { liesIn, realPath } from '../../../src/pipeline/resolve/overlap.ts';

const chain = 'stages: [decode, resize: 64, windows: { patch: 8, size: 5, views: 2 }, mask: 0.5]';
const train = 'train: { model: { lomar: { size: nano } }, batch: 8, steps: 9 }';

t.test('L1, L2: what is read and what is written do not lie in each other, by where they lead', async (t) => {
  const root = t.testdir({
    set: { images: { a: {} }, photos: {}, shards: {} },
    link: t.fixture('symlink', 'set'),
    'to-come': t.fixture('symlink', 'set/photos/results'),
    results: { images: t.fixture('symlink', '../set/photos') },
    run: { checkpoints: t.fixture('symlink', '../set/photos') },
    trained: { checkpoints: {} },
  });
  writeFileSync(join(root, 'images.idx'), '');
  mkdirSync(join(root, 'linked'));
  linkSync(join(root, 'images.idx'), join(root, 'linked/written.jsonl'));
  const codes = async (text: string) => {
    const file = join(root, 'job.yaml');
    writeFileSync(file, text);
    const { problems } = await checkFile(file, { registry: builtin });
    return problems.map(({ error }) => error.code);
  };
  const job = (path: string, sink: string, output: string) =>
    `source: { image-folder: ${path} }\n${chain}\nsink: ${sink}\noutput: ${output}\n`;
  const [inside, over] = [['OUTPUT_IN_SOURCE'], ['OUTPUT_OVER_SOURCE']];
  const cases: (readonly [string, string[], string])[] = [
    ['the sink writes to the photographs', over, job('./set/images', 'images', './set')],
    ['the path of the sink is the source', inside, job('./set/photos', '{ images: { path: ./set/photos } }', './out')],
    ['it lies in the source', inside, job('./set', '{ shards: { path: ./set/shards } }', './out')],
    ['the source lies in it', over, job('./set/images/a', '{ jsonl: { path: ./set/images } }', './out')],
    ['the source is a link to what holds the output', inside, job('./link', 'images', './set/out')],
    ['the output is a link into the source', inside, job('./set/photos', 'images', './to-come')],
    ['the folder of pictures is a link to the source', inside, job('./set/photos', 'images', './results')],
    [
      'checkpoints are a link to the source',
      inside,
      `source: { image-folder: ./set/photos }\n${chain}\n${train}\noutput: ./run\n`,
    ],
    [
      'shards are read where they are written',
      over,
      `source: { shards: ./set/shards }\nstages: []\nsink: shards\noutput: ./set\n`,
    ],
    [
      'a tar of the folder that tars are written to',
      over,
      `source: { webdataset: "./set/webdataset/x-{000..002}.tar" }\nstages: [decode]\nsink: webdataset\noutput: ./set\n`,
    ],
    [
      'a file of the output',
      over,
      `source: { idx: { images: ./set/x.idx } }\nstages: []\nsink: images\noutput: ./set\n`,
    ],
    [
      'faces',
      over,
      `source: { image-folder: ./set/images }\nstages: [decode, face-crop]\nsink: images\noutput: ./set\n`,
    ],
  ];
  for (const [what, expected, text] of cases) t.same([...new Set(await codes(text))], expected, what);
  const trained = (more: string, output: string) =>
    `source: { image-folder: ./set/photos }\n${chain}\n${train.replace('}, batch', `}, ${more}batch`)}\noutput: ${output}\n`;
  t.same(
    await codes(`${trained('', './held')}evaluate: { reconstruction: { on: ./held/out } }\n`),
    over,
    'what is measured on',
  );
  t.same(await codes(`${trained('', './held/out')}evaluate: { reconstruction: { on: ./held } }\n`), inside);
  const labelled = '{ image-folder: { path: ./held/a, labels: true } }';
  t.same(
    await codes(`${trained('', './held/a/b')}evaluate: { knn: { on: ./photos, reference: ${labelled} } }\n`),
    inside,
    'reference',
  );
  t.same(await codes(trained('init: ./trained, ', './trained')), over, 'the weights to begin with');
  t.same(await codes(trained('init: ./trained/checkpoints/step-00000001, ', './trained')), over);
  t.same(await codes(trained('init: ./trained, ', './trained/fine-tuned')), [], 'beside them');
  t.same(await codes(job('./set/photos', 'images', './set-of-others')), []);
  t.same(await codes(job('./set/photos', 'images', './set/out')), []);
});

t.test('L2: paths are followed as far as they are there, and folders known by what they are', (t) => {
  const root = realPath(
    t.testdir({ a: { b: {} }, to: t.fixture('symlink', 'a/none/x'), loop: t.fixture('symlink', 'loop') }),
  );
  t.equal(realPath(join(root, 'to/y/z')), join(root, 'a/none/x/y/z'));
  t.equal(realPath(join(root, 'loop/x')), join(root, 'loop/x'));
  t.equal(realPath(join(root, 'a/./b/../c')), join(root, 'a/c'));
  symlinkSync('a', join(root, 'again'));
  t.ok(liesIn(join(root, 'again/b/new'), join(root, 'a')), 'by identity');
  t.notOk(liesIn(join(root, 'ab'), join(root, 'a')));
  t.notOk(liesIn(root, join(root, 'a')));
  writeFileSync(join(root, 'f'), '');
  linkSync(join(root, 'f'), join(root, 'g'));
  t.ok(liesIn(join(root, 'g'), join(root, 'f')), 'a second name of a file');
  t.end();
});
