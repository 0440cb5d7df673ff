import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { digestKeys, type Measures, openMetrics, readMetrics } from '../../src/train/metrics.ts';

const row = (step: number, loss = 1): Measures => ({
  step,
  epoch: step / 2,
  loss,
  gradNorm: 1,
  paramNorm: 2,
  lr: 0.1,
  imagesPerSecond: 10,
  dataWaitMs: 0,
  permitWaitMs: 0,
  microBatch: 4,
  uploadMs: 1,
  passMs: 20,
  updateMs: 2,
  ringFill: 0.5,
  cores: 1.5,
  keys: digestKeys([`${step}`]),
});

t.test('a digest names the keys and their order', (t) => {
  t.equal(digestKeys(['a.jpg', 'b.jpg']), digestKeys(['a.jpg', 'b.jpg']));
  t.not(digestKeys(['a.jpg', 'b.jpg']), digestKeys(['b.jpg', 'a.jpg']));
  t.not(digestKeys(['ab']), digestKeys(['a', 'b']));
  t.match(digestKeys(['a.jpg']), /^[0-9a-f]{16}$/);
  // printf 'a.jpg\nb.jpg\n' | sha256sum
  t.equal(digestKeys(['a.jpg', 'b.jpg']), 'ae991490ddec641f');
  t.end();
});

t.test('rows are appended, and cut to the step of the checkpoint on resume', async (t) => {
  const path = join(t.testdir(), 'metrics.jsonl');
  const first = await openMetrics(path, 0);
  for (let step = 0; step < 5; step++) await first.append(row(step));
  await first.sync();
  await first.close();
  // A kill in the middle of a write.
  await writeFile(path, `${await readFile(path, 'utf8')}{"step":5,"lo`);
  t.same(
    readMetrics(await readFile(path, 'utf8')).map(({ step }) => step),
    [0, 1, 2, 3, 4],
    'half a row is not read',
  );

  const second = await openMetrics(path, 3);
  await second.append(row(3, Number.NaN));
  await second.close();
  const rows = readMetrics(await readFile(path, 'utf8'));
  t.same(
    rows.map(({ step }) => step),
    [0, 1, 2, 3],
  );
  t.ok(Number.isNaN(rows[3]!.loss));
  t.same(rows[0], row(0));

  await (await openMetrics(path, 0)).close();
  t.equal(await readFile(path, 'utf8'), '', 'a fresh start keeps nothing');
});

t.test('rows that cannot be read are named by their line', (t) => {
  t.throws(() => readMetrics('{"step":0}\nnonsense\n{"step":2}\n'), { code: 'METRICS_BROKEN', message: /line 2/ });
  t.same(readMetrics(''), []);
  t.end();
});
