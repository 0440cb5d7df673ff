import { copyFileSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { toParquet } from '../../../src/sinks/to-parquet.ts';
import { writeFiles } from '../../kit/files/folder.ts';
import { runNumbered } from '../../kit/runs/jobs.ts';
import { patchstream } from '../../kit/runs/terminal.ts';
import { linesIn, trainedRuns } from '../../kit/training/trained-runs.ts';
import { vectors } from '../../kit/vectors.ts';

/** Of both tests: training costs most of their time. */
const runs = trainedRuns(t, 12);

t.test('photographs become vectors and labels by a verb each; broken ones are counted', async (t) => {
  const root = await runs;
  const at = (...names: string[]) => join(root, ...names);

  const words = ['embed', at('encoder'), at('photos'), '--format', 'jsonl'];
  const told = await patchstream([...words, '--output', at('whole')]);
  t.match(told, { code: 0, out: /17 lines in/ }, told.err);
  const whole = linesIn(at('whole', 'jsonl'));
  t.equal(whole.length, 17);
  t.ok(whole.every(({ embedding }) => embedding.length === 16 && embedding.every(Number.isFinite)));
  t.ok(new Set(whole.map(({ embedding }) => JSON.stringify(embedding))).size > 3, 'pictures differ');

  // A precision that the backend has not, in a stage: said, and computed in float32.
  const stage = { embed: { from: at('encoder'), backend: 'wasm', precision: 'bfloat16' } };
  const job = { source: { 'image-folder': at('photos') }, stages: ['decode', stage], sink: { jsonl: {} } };
  writeFiles(root, { 'narrow.yaml': JSON.stringify({ ...job, output: at('narrow') }) });
  const narrow = await patchstream(['run', at('narrow.yaml')]);
  t.match(`${narrow.out}${narrow.err}`, /Products are computed in float32 and not in bfloat16: the backend wasm/);

  // What looks like a photo: first of all itself.
  t.match(await patchstream([...words.slice(0, 3), '--output', at('table')]), { code: 0, out: /17 rows in/ });
  const sheet = ['--sheet', at('neighbours.html')];
  const found = await patchstream(['search', at('table'), at('photos', '00002.jpg'), '--json', '--top', '4', ...sheet]);
  t.equal(found.code, 0, found.err);
  const { count, answers } = JSON.parse(found.out);
  t.same([count, answers[0].neighbours[0].key], [17, '00002.jpg']);
  t.ok(answers[0].neighbours[0].distance < 1e-6);
  t.equal(readFileSync(at('neighbours.html'), 'utf8').split('data:image/jpeg').length, 6, 'photos are found again');
  // Lines do not name their model; the job's own folder does.
  const broken = await patchstream(['search', at('whole'), at('photos', '00009.jpg')]);
  t.match(broken, { code: 1, err: /^EMBED_PICTURE.*00009\.jpg/ });
  // Of another model, and of as many numbers.
  await runNumbered(at('other'), toParquet(), { count: 3, stages: [vectors({ width: 16 })] });
  t.match(await patchstream(['search', at('other'), at('photos', '00002.jpg'), '--from', at('encoder')]), {
    code: 2,
    err: /^VECTORS_OTHER.*here of f00d \(\.\/runs\/a\); got those of [0-9a-f]{16} \(/,
    out: '',
  });

  // Vectors of what was fine-tuned, which are asked about as those of an encoder are.
  t.match(await patchstream(['embed', at('classifier'), at('photos'), '--output', at('fine')]), { code: 0 });
  const alike = await patchstream(['search', at('fine'), at('photos', '00002.jpg'), '--json', '--top', '1']);
  t.match(JSON.parse(alike.out).answers[0].neighbours, [{ key: '00002.jpg' }], alike.err);

  // Labels of pictures that it was trained on, from a folder without labels.
  for (const name of ['a/0', 'b/0', 'c/0']) copyFileSync(at('classes', `${name}.png`), at('photos', `${name[0]}.png`));
  const classSheet = ['--sheet', at('classes.html')];
  const predicted = ['predict', at('classifier'), at('photos'), '--top', '2', '--output', at('named'), ...classSheet];
  const named = await patchstream(predicted);
  const page = readFileSync(at('classes.html'), 'utf8');
  t.equal(page.split('data:image/jpeg').length, 21, 'a picture for each');
  t.match(page, /<h2>a: \d+<\/h2>/);
  t.match(named, { code: 0 }, named.err);
  for (const name of ['a', 'b', 'c']) t.match(named.out, new RegExp(`^${name}\\.png +[abc] 0\\.\\d\\d`, 'm'));
  const rows = linesIn(at('named', 'jsonl'));
  t.equal(rows.length, 20);
  for (const { label, probability, class: rank } of rows) {
    t.equal((label as string[]).length, 2);
    const [most, next] = probability as [number, number];
    t.ok(most >= next && most + next <= 1.000001);
    t.same(
      (rank as number[]).map((one) => 'abc'[one]),
      label,
    );
  }
  rmSync(at('photos', 'a.png'));
  const without = await patchstream(predicted);
  t.match(without, { code: 0, err: /The page is without 1 picture that cannot be read: a\.png\./ });
  const parquet = [...classSheet, '--format', 'parquet'];
  const misfit = await patchstream(['predict', at('classifier'), at('photos'), ...parquet, '--output', at('p')]);
  t.match(misfit, { code: 2, err: /^ARGUMENT.*--sheet with --format parquet.*Leave --format out/ });
  copyFileSync(at('classes', 'a/0.png'), at('photos', 'a.png'));
  const predicting = ['predict', at('classifier'), at('photos'), '--top', '2', '--output', at('named')];
  const again = await patchstream(predicting);
  t.match(again, { code: 0, out: /^a\.png +a/m }, 'what is there is printed again');
  const other = await patchstream(['predict', at('classifier'), at('photos'), '--top', '1', '--output', at('named')]);
  t.match(other, {
    code: 2,
    err: /^SHARDS_OTHER.*predict\.top is 2 in it and 1 in the pipeline\. Choose another `output`/m,
  });
  const watched = await patchstream([...predicting, '--watch'], { during: (send) => send('SIGINT') });
  t.match(watched, { code: 130, err: /^(?!SHARDS_OTHER)/ }, 'what is done is resumed by --watch');
});

t.test('a list of pictures and a table are used as a folder is', async (t) => {
  const root = await runs;
  const at = (...names: string[]) => join(root, ...names);
  writeFiles(root, {
    'few.csv': 'path,note\nclasses/a/0.png,x\nclasses/b/0.png,y\nclasses/a/0.png,z\n',
    'other.csv': 'file\na.png\n',
  });
  const words = ['predict', at('classifier'), at('few.csv'), '--output', at('few'), '--sheet', at('few.html')];
  const named = await patchstream(words);
  t.match(named, { code: 0, out: /^classes\/a\/0\.png#2 +[abc] /m }, named.err);
  t.equal(readFileSync(at('few.html'), 'utf8').split('data:image/jpeg').length, 4, 'the page has the pictures');
  t.match(await patchstream(words), { code: 0, err: '', out: /^classes\/b\/0\.png /m }, 'printed again');
  writeFiles(root, { 'few.csv': 'path\nclasses/a/0.png\n' });
  t.match(await patchstream(words), { code: 0, err: /few\.csv has 1 picture now, and had 3 when .*few was made/ });

  const table = join('fixtures', 'parquet', 'test-00000-of-00001.parquet');
  const told = await patchstream(['embed', at('encoder'), table, '--output', at('rows')]);
  t.match(told, { code: 0, out: /4 rows in/ }, told.err);
  const sheet = ['--top', '2', '--sheet', at('rows.html')];
  const found = await patchstream(['search', at('rows'), 'key:test-00000-of-00001.parquet/2', ...sheet]);
  t.match(found, { code: 0, err: '' });
  t.equal(readFileSync(at('rows.html'), 'utf8').split('data:image/jpeg').length, 4, 'pictures come out of the table');

  const other = await patchstream(['embed', at('encoder'), at('other.csv'), '--output', at('other')]);
  t.match(other, { code: 2, err: /TABLE_COLUMN.*the column path; got file\..*rename it in the table/ });
});

t.test('what does not fit is refused: file, expectation, remedy; nothing is written', async (t) => {
  const root = await runs;
  const at = (...names: string[]) => join(root, ...names);
  const out = ['--output', at('out')];
  const refused = async (words: string[], code: number, err: RegExp) => {
    t.match(await patchstream([...words, ...out]), { code, err });
    // The folder of a job is there once it has begun to look for its data.
    t.notOk(existsSync(at('out', 'jsonl')), words.join(' '));
  };
  await refused(['predict', at('encoder'), at('photos')], 2, /PREDICT_MODEL/);
  await refused(['embed', at('nowhere'), at('photos')], 2, /^TRAINED_MISSING/);
  await refused(['embed', at('photos'), at('photos')], 2, /^TRAINED_NONE/);
  await refused(['embed', at('encoder'), at('nowhere'), '--format', 'jsonl'], 2, /^FOLDER_MISSING/);
  await refused(['embed', at('encoder')], 2, /^ARGUMENT/);
  await refused(['embed', at('encoder'), at('photos'), '--format', 'csv'], 2, /^ARGUMENT.*parquet/);
  await refused(['predict', at('classifier'), at('photos'), '--top', 'many'], 2, /top/);
  await refused(['embed', at('encoder'), at('photos'), '--pool', 'max', '--format', 'jsonl'], 2, /pool/);
  writeFiles(root, { 'broken.safetensors': 'no tensors' });
  await refused(['embed', at('broken.safetensors'), at('photos')], 2, /^WEIGHTS_BROKEN.*broken\.safetensors/);

  const yaml = (stages: string, source = 'image-folder: photos') => {
    writeFileSync(at('x.yaml'), `name: x\nsource: { ${source} }\nstages: [${stages}]\nsink: jsonl\noutput: out\n`);
    return ['check', at('x.yaml')];
  };
  const checked = async (words: string[], pattern: RegExp) =>
    t.match(await patchstream(words), { code: 2, err: pattern }, String(pattern));
  await checked(yaml('decode, { resize: 20 }, { embed: encoder }'), /16×16 px.*20×20 px.*INFERENCE_SIZE/s);
  await checked(
    yaml('decode, { predict: classifier }', 'image-folder: { path: classes, labels: true }'),
    /PREDICT_LABEL/,
  );
  await checked(yaml('{ embed: encoder }'), /FIELD_MISSING/);
  t.match(await patchstream(yaml('decode, { embed: later }')), { code: 0 }, 'a run that is still to be trained');
  t.match(await patchstream(['run', at('x.yaml')]), { code: 2, err: /TRAINED_MISSING/ });
});
