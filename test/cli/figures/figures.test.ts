import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import t from 'tap';
import * as tf from '../../../src/backends/tf.ts';
import { uploadAll } from '../../../src/backends/upload.ts';
import { foundTrained } from '../../../src/inference/trained.ts';
import { watchAttention } from '../../../src/models/layers/attention-watch.ts';
import type { Restorer } from '../../../src/models/model.ts';
import { fieldsOf, openFigureModel, windowOf } from '../../../src/runs/figures/model.ts';
import { photosOf } from '../../../src/runs/figures/photos.ts';
import { patchstream } from '../../kit/runs/terminal.ts';
import { figureRuns } from '../../kit/training/figure-runs.ts';

const runs = figureRuns(t);

t.test(
  'photos are restored at several ratios by a run of each model: page, SVG and PNG, and errors as JSON',
  async (t) => {
    const root = await runs;
    const at = (...names: string[]) => join(root, ...names);
    const counts = { lomar: [9, [5, 6, 7, 8]], mae: [16, [10, 12, 13, 15]], srmae: [16, [10, 12, 13, 15]] } as const;
    const columns = { lomar: 5, mae: 4, srmae: 5 };
    for (const [model, [of, hidden]] of Object.entries(counts)) {
      const files = ['html', 'svg', 'png'].map((ending) => at(`${model}.${ending}`));
      const outputs = files.flatMap((file) => ['--output', file]);
      const words = ['reconstruct', at(model), at('a.jpg'), at('b<i>.jpg')];
      const made = await patchstream([...words, '--json', ...outputs]);
      t.equal(made.code, 0, made.err);
      const { rows, notes, ...about } = JSON.parse(made.out);
      t.match(about, { type: 'reconstruct', from: at(model), model, files });
      t.same(
        rows.map((row: { photo: string; ratio: number; hidden: number; of: number }) => [
          row.photo,
          row.ratio,
          row.hidden,
          row.of,
        ]),
        [at('a.jpg'), at('b<i>.jpg')].flatMap((photo) =>
          [0.6, 0.7, 0.8, 0.9].map((ratio, i) => [photo, ratio, hidden[i], of]),
        ),
      );
      for (const { errors } of rows) t.match(errors, { ours: Number, smoothFill: Number, meanPatch: Number });
      t.equal(notes.length, model === 'mae' ? 1 : 0, 'a standardised target is said');

      const svg = readFileSync(files[1]!, 'utf8');
      t.equal(svg.split('<image ').length - 1, 8 * columns[model as 'mae'], 'a panel for each');
      t.match(svg, /b&lt;i&gt;\.jpg/);
      t.match(svg, /60 % hidden, \d+ of \d+ patches/);
      const page = readFileSync(files[0]!, 'utf8');
      t.ok(page.includes(svg.slice(0, 2000)), 'the page has the same figure inside');
      t.notMatch(page, /<i>|https?:\/\/(?!www\.w3\.org\/2000\/svg)/, 'it asks nothing of the network');
      for (const file of files.slice(1)) {
        const { width = 0, height = 0 } = await sharp(file).metadata();
        t.ok(width > columns[model as 'mae'] * 180 && height > 8 * 180, `${file}: ${width}×${height}`);
      }
      if (model !== 'lomar') continue;
      const again = await patchstream([...words, '--json', '--output', at(`${model}-2.svg`)]);
      t.same(JSON.parse(again.out).rows, rows, 'the same masks each time');
      t.equal(readFileSync(at(`${model}-2.svg`), 'utf8'), svg);
    }
  },
);

t.test('a photograph has one window and masks that grow, wherever it lies', async (t) => {
  const root = await runs;
  const dir = t.testdir({});
  const words = ['reconstruct', join(root, 'lomar'), join(root, 'a.jpg'), '--ratios', '0.3,0.9'];
  const made = await patchstream([...words, '--output', join(dir, 'x.svg')]);
  t.match(made, {
    code: 0,
    out: /^\S+a\.jpg · 30 % hidden, 2 of 9 patches · error \d.*\n\S+ · 90 % hidden, 8 of 9.*\n\S+x\.svg\n$/,
  });
  t.same(windowOf('/here/a.jpg', 14, 7), windowOf('there/a.jpg', 14, 7));
});

t.test('without --output a new page lies in the folder `figures`', async (t) => {
  const root = await runs;
  const dir = t.testdir({});
  const before = process.cwd();
  process.chdir(dir);
  t.teardown(() => process.chdir(before));
  for (const name of ['reconstruct-mae.html', 'reconstruct-mae-2.html']) {
    const made = await patchstream(['reconstruct', join(root, 'mae'), join(root, 'a.jpg'), '--ratios', '0.5']);
    t.match(made, { code: 0, out: `figures/${name}\n` }, made.err);
    t.ok(existsSync(join(dir, 'figures', name)));
  }
});

t.test('weights say how patches were hidden, where that was in blocks', async (t) => {
  const root = await runs;
  t.match(foundTrained(join(root, 'lomar'), root).masks, { blocks: { exact: true } });
  t.equal(foundTrained(join(root, 'mae'), root).masks, undefined);
});

t.test('reconstruct: what does not fit is refused, and nothing is written', async (t) => {
  const root = await runs;
  const at = (...names: string[]) => join(root, ...names);
  const out = at('refused.html');
  const refused = async (words: string[], code: number, err: RegExp) => {
    t.match(await patchstream(['reconstruct', ...words, '--output', out]), { code, err, out: '' }, words.join(' '));
    t.notOk(existsSync(out));
  };
  mkdirSync(at('empty'), { recursive: true });
  await refused([at('lomar')], 2, /^ARGUMENT.*the run \S+lomar alone/);
  await refused([at('empty'), at('a.jpg')], 2, /^TRAINED_NONE/);
  await refused([at('nowhere'), at('a.jpg')], 2, /^TRAINED_MISSING/);
  await refused([at('lomar.yaml'), at('a.jpg')], 2, /^WEIGHTS_PIPELINE/);
  await refused([at('classifier'), at('a.jpg')], 2, /^RECONSTRUCT_MODEL.*classifier/);
  await refused([at('mae'), at('a.jpg'), at('broken.jpg')], 1, /^FIGURE_PICTURE: \S+broken\.jpg: .*PICTURE_/);
  await refused(
    [at('mae'), at('gone.jpg')],
    2,
    /^FIGURE_PICTURE: \S+gone\.jpg: .*shown; nothing of this name\. Name another/,
  );
  await refused([at('mae'), at('a.jpg'), '--ratios', '0.5,1'], 2, /^ARGUMENT.*--ratios 0\.5,1/);
  await refused([at('mae'), at('a.jpg'), '--ratios', ''], 2, /^ARGUMENT.*--ratios/);
  await refused([at('lomar'), at('a.jpg'), '--ratios', '0.05'], 2, /^MASK_COUNT/);
  await refused([at('mae'), at('a.jpg'), '--on', at('photos')], 2, /^ARGUMENT.*--on with photos/);
  await refused([at('lomar.yaml'), '--ratios', '0.5'], 2, /^ARGUMENT.*--ratios without photos/);
  const words = ['reconstruct', at('mae'), at('a.jpg'), '--output'];
  t.match(await patchstream([...words, at('figure.gif')]), {
    code: 2,
    err: /^FIGURE_FILE.*\.html, \.svg or \.png; got \S+gif/,
  });
  t.match(await patchstream([...words, at('a.jpg.svg'), '--output', at('a.jpg')]), { code: 2, err: /^FIGURE_FILE/ });
  t.notOk(existsSync(at('a.jpg.svg')), 'endings are looked at before the work');
  t.equal((await patchstream([...words, at('there.svg')])).code, 0);
  t.match(await patchstream([...words, at('there.svg')]), { code: 2, err: /^FILE_EXISTS/ });
  const below = await patchstream([...words, at('there.svg', 'below.svg')]);
  t.match(below, { code: 2, err: /^FILE_WRITE: \S+below\.svg must be written whole; got .*another `output`/ });
});

interface Shown {
  readonly layers: readonly number[];
  readonly photos: readonly {
    readonly mask?: readonly number[];
    readonly maps: readonly { layer: number; mean: number[]; cls: number; heads: number[][] }[];
  }[];
}

t.test('maps of a decoder, of encoders and of a classifier: page, SVG and PNG, and their numbers', async (t) => {
  const root = await runs;
  const at = (...names: string[]) => join(root, ...names);
  const cases = [
    { run: 'mae', of: 'decoder', layers: [1, 2, 3], words: [], images: 2 + 3 },
    {
      run: 'mae',
      of: 'decoder',
      layers: [3, 1],
      words: ['--layers', '3,1', '--patch', '1,4', '--heads'],
      images: 2 + 3 * 2,
    },
    { run: 'mae', of: 'encoder', layers: [1, 2], words: ['--of', 'encoder'], images: 1 + 2 },
    { run: 'srmae', of: 'decoder', layers: [1], words: ['--ratio', '0.5'], images: 2 + 1 },
    { run: 'lomar', of: 'encoder', layers: [1, 2], words: [], images: 1 + 2 },
    { run: 'classifier', of: 'encoder', layers: [2], words: ['--layers', '2'], images: 1 + 1 },
  ];
  for (const [i, { run, of, layers, words, images }] of cases.entries()) {
    const files = ['html', 'svg', 'png'].map((ending) => at(`attention-${i}.${ending}`));
    const outputs = files.flatMap((file) => ['--output', file]);
    const made = await patchstream(['attention', at(run), at('a.jpg'), at('b<i>.jpg'), '--json', ...words, ...outputs]);
    t.equal(made.code, 0, made.err);
    const shown = JSON.parse(made.out) as Shown;
    const patch = words.includes('1,4') ? [1, 4] : [3, 3];
    t.match(shown, { type: 'attention', from: at(run), model: run, of, side: 4, patch, files });
    t.equal(shown.photos.length, 2);
    for (const { mask, maps } of shown.photos) {
      t.same(
        maps.map(({ layer }) => layer),
        layers,
      );
      const own = (patch[0]! - 1) * 4 + patch[1]! - 1;
      if (of === 'decoder') t.equal(mask?.[own], 1, 'the patch that is restored is hidden');
      else t.equal(mask, undefined);
      for (const { mean, cls, heads } of maps) {
        t.same([mean.length, heads.length], [16, 2]);
        t.ok(Math.abs(mean.reduce((sum, weight) => sum + weight, cls) - 1) < 1e-5, 'weights add up to 1 with cls');
        t.ok(heads.every((weights) => weights.every((weight) => weight > 0 && weight < 1)));
      }
    }
    if (of === 'decoder')
      t.same(
        shown.photos.map(({ mask }) => mask?.filter((hidden) => hidden === 1).length),
        words.includes('0.5') ? [8, 8] : [12, 12],
        'as many are hidden as in the training, or as was asked for',
      );
    const svg = readFileSync(files[1]!, 'utf8');
    t.equal(svg.split('<image ').length - 1, 2 * images);
    t.match(svg, /b&lt;i&gt;\.jpg/);
    t.match(svg, /patch \d,\d of the (en|de)coder, mean over 2 heads/);
    t.match(svg, /patches away: layer \d \d\.\d[^(]*\(spread evenly \d\.\d\)/);
    t.match(readFileSync(files[0]!, 'utf8'), /<h1>What a patch attends to in the (en|de)coder of \w+<\/h1>/);
    t.equal(readFileSync(files[2]!).toString('latin1', 1, 4), 'PNG');
  }
});

t.test('a map is the row of the block that belongs to the patch, cls apart', async (t) => {
  const root = await runs;
  const [run, photo] = [join(root, 'mae'), join(root, 'a.jpg')];
  const words = ['--patch', '2,4', '--layers', '2', '--json', '--output', join(root, 'row.svg')];
  const { photos } = JSON.parse((await patchstream(['attention', run, photo, ...words])).out) as Shown;
  const [{ mask, maps }] = photos as [Required<Shown['photos'][number]>];
  const trained = foundTrained(run, root);
  const [given] = await photosOf(trained, [photo]);
  const { model, params, dispose } = await openFigureModel(trained, () => {});
  const inputs = uploadAll(model.inputs(fieldsOf(given!, Uint8Array.from(mask), undefined)));
  const blocks = new Map<string, number[][][][]>();
  tf.dispose(
    watchAttention(
      (prefix, weights) => blocks.set(prefix, weights().arraySync()),
      () => (model as Restorer).reconstruct(params, inputs),
    ),
  );
  tf.dispose(inputs);
  dispose();
  t.same([...blocks.keys()], ['blocks.0', 'blocks.1', ...[0, 1, 2].map((i) => `decoder_blocks.${i}`)]);
  // The eighth patch stands behind cls.
  const rows = blocks.get('decoder_blocks.1')![0]!.map((head) => head[8]!);
  const { heads, cls } = maps[0]!;
  for (const [h, [first, ...patches]] of rows.entries()) {
    t.same(heads[h], patches);
    t.ok(first! > 0);
  }
  t.ok(Math.abs(cls - (rows[0]![0]! + rows[1]![0]!) / 2) < 1e-6);
});

t.test('attention: what does not fit is refused, and nothing is written', async (t) => {
  const root = await runs;
  const at = (...names: string[]) => join(root, ...names);
  const out = at('refused.html');
  mkdirSync(at('empty'), { recursive: true });
  const refused = async (words: string[], code: number, err: RegExp) => {
    t.match(await patchstream(['attention', ...words, '--output', out]), { code, err, out: '' }, words.join(' '));
    t.notOk(existsSync(out));
  };
  await refused([at('mae')], 2, /^ARGUMENT/);
  await refused([at('empty'), at('a.jpg')], 2, /^TRAINED_NONE/);
  await refused([at('lomar'), at('a.jpg'), '--of', 'decoder'], 2, /^ATTENTION_DECODER.*lomar has none/);
  await refused([at('classifier'), at('a.jpg'), '--of', 'decoder'], 2, /^ATTENTION_DECODER/);
  await refused([at('mae'), at('a.jpg'), '--of', 'middle'], 2, /^ARGUMENT.*--of middle/);
  await refused([at('mae'), at('a.jpg'), '--layers', '2,4'], 2, /^ATTENTION_LAYER.*decoder from 1 to 3; got 4/);
  await refused([at('mae'), at('a.jpg'), '--layers', '0'], 2, /^ATTENTION_LAYER.*got 0/);
  await refused([at('mae'), at('a.jpg'), '--layers', 'all'], 2, /^ARGUMENT.*--layers all/);
  await refused([at('mae'), at('a.jpg'), '--patch', '5,1'], 2, /^ATTENTION_PATCH.*from 1 to 4; got 5,1/);
  await refused([at('mae'), at('a.jpg'), '--patch', '0,1'], 2, /^ARGUMENT.*--patch 0,1/);
  await refused([at('mae'), at('a.jpg'), '--ratio', '2'], 2, /^ARGUMENT.*--ratio 2/);
  await refused([at('mae'), at('a.jpg'), '--ratio', '0.5', '--of', 'encoder'], 2, /^ARGUMENT.*--ratio/);
  await refused([at('mae'), at('broken.jpg')], 1, /^FIGURE_PICTURE: \S+broken\.jpg/);
});

t.test('runs of several models side by side: table, page, charts and JSON', async (t) => {
  const root = await runs;
  const at = (...names: string[]) => join(root, ...names);
  const folders = ['lomar', 'mae', 'classifier'].map((name) => at(name));
  const files = [at('compared.html'), at('compared.svg')];
  const made = await patchstream(['compare', ...folders, ...files.flatMap((file) => ['--output', file])]);
  t.equal(made.code, 0, made.err);
  const [head, ...lines] = made.out.split('\n');
  t.match(head, /^ +lomar +mae +classifier$/);
  const cells = (title: string) =>
    lines
      .find((line) => line.startsWith(title))
      ?.slice(title.length)
      .trim()
      .split(/ {2,}/);
  t.same(cells('steps'), ['2 of 2', '2 of 2', '2 of 2']);
  t.same(cells('state'), ['completed', 'completed', 'completed']);
  t.match(cells('parameters'), [/^[\d,]{5,}$/, /^[\d,]{5,}$/, /^[\d,]{4,}$/]);
  t.match(cells('knn, top-1'), [/^\d+\.\d %$/, /^\d+\.\d %$/, '–']);
  t.match(cells('knn, share of the largest class'), ['33.3 %', '33.3 %', '–']);
  t.match(cells('classify, share of the largest class'), ['–', '–', '33.3 %']);
  t.match(cells('reconstruction, This model'), [/^\d\.\d{4}$/, /^\d\.\d{4}$/, '–']);
  t.same(cells('stages.mask.ratio'), ['0.5', '0.75', '–']);
  t.notOk(cells('train.batch'));
  t.match(made.err, /^knn was not measured in classifier\.$/m);
  t.match(made.err, /^The losses are of different models or targets/m);

  const page = readFileSync(files[0]!, 'utf8');
  const titles = [...page.matchAll(/aria-label="([^"]*)"/g)].map(([, title]) => title);
  t.match(titles, [
    'Loss against steps, running mean',
    /^Loss against (seconds|minutes), running mean$/,
    ...[/^knn, top-1, against/, /^reconstruction error, against/, /^classify, top-1, against/],
  ]);
  t.match(page, /<th class="number">lomar<\/th>/);
  t.notMatch(page, /NaN|undefined/);
  t.same((await sharp(files[1]!).metadata()).width, 720);

  const {
    runs: listed,
    table,
    notes,
    ...about
  } = JSON.parse((await patchstream(['compare', ...folders, '--json'])).out);
  t.match(about, { type: 'compare', files: [] });
  t.equal(table.length, lines.filter((line) => line !== '' && !files.includes(line)).length);
  t.equal(notes.length, made.err.trim().split('\n').length);
  t.match(listed[1], {
    ...{ folder: at('mae'), name: 'mae', model: 'mae', steps: 2, total: 2, ended: 'completed', hours: Number },
    evaluations: [{ step: 0 }, { step: 1 }, { step: 2, measures: { knn: { top1: Number, largest: Number } } }],
  });
});

t.test('one that is killed in its first steps is compared too', async (t) => {
  const root = await runs;
  const dir = t.testdir({});
  mkdirSync(join(dir, 'killed'));
  for (const name of ['pipeline.json', 'metrics.jsonl']) {
    const text = readFileSync(join(root, 'mae', name), 'utf8');
    // A last row that is half written is none.
    writeFileSync(join(dir, 'killed', name), name === 'metrics.jsonl' ? text.slice(0, -20) : text);
  }
  const made = await patchstream(['compare', join(root, 'mae'), join(dir, 'killed')]);
  t.equal(made.code, 0, made.err);
  t.match(made.out, /^steps +2 of 2 +1 of 2$/m);
  t.match(made.out, /^state +completed +running, or killed$/m);
  t.match(made.out, /^parameters +[\d,]+ +–$/m);
});

t.test('what cannot be compared is refused, and nothing is written', async (t) => {
  const root = await runs;
  const at = (...names: string[]) => join(root, ...names);
  const refused = async (words: string[], err: RegExp) =>
    t.match(await patchstream(['compare', ...words]), { code: 2, err, out: '' }, words.join(' '));
  await refused([], /^ARGUMENT/);
  await refused([at('mae'), at('photos')], /^COMPARE_RUN: \S+photos: .*pipeline\.json/);
  await refused([at('mae'), at('nowhere'), '--output', at('x.html')], /^COMPARE_RUN: \S+nowhere/);
  await refused([at('mae'), '--output', at('x.png')], /^FIGURE_FILE.*\.html or \.svg; got \S+x\.png/);
  t.notOk(existsSync(at('x.html')));
});
