import { appendFileSync, existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { builtin } from '../../../src/pipeline/builtin.ts';
import { check } from '../../../src/pipeline/check.ts';
import { definePipeline } from '../../../src/runs/loader/define.ts';
import { type RunOptions, run } from '../../../src/runs/run.ts';
import { duplicates } from '../../../src/sinks/index.ts';
import { imageFolder } from '../../../src/sources/index.ts';
import { decode, perceptualHash } from '../../../src/stages/index.ts';
import { photosWithCopies } from '../../kit/pictures/near-duplicates.ts';
import { filesOf } from '../../kit/runs/jobs.ts';

const photos = t.testdir({});
const made = photosWithCopies(photos, 12);

/** Small files, so that there are several of them. */
const job = (output: string, { threads = 2, folder = photos } = {}) =>
  definePipeline({
    name: 'job',
    source: imageFolder(folder),
    stages: [decode(), perceptualHash({ maxFailures: '100%' })],
    sink: duplicates({ shardBytes: 4000 }),
    output,
    threads,
  });

const rowsOf = (folder: string) =>
  Object.values(filesOf(folder)).flatMap((text) =>
    String(text)
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line)),
  );

/** Beside the photographs, which a folder within them would join. */
const outputs = t.testdirName.concat('-out');
t.teardown(() => rmSync(outputs, { recursive: true, force: true }));

t.test('a line for each picture, with the earlier ones that it looks like; broken ones are counted', async (t) => {
  await made;
  const output = join(outputs, 'a');
  const { done, failures, lines } = await run(job(output));
  t.same([done, failures], [15, 1]);
  t.match(lines[0], /^2 groups of near-duplicates, 5 of 15 pictures: /);
  const rows = rowsOf(join(output, 'duplicates'));
  t.same(
    rows.map(({ position }) => position),
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15],
  );
  const like = rows.filter(({ like }) => like.length > 0);
  t.match(like, [
    { key: 'b-crop.jpg', like: [{ key: 'a-01.jpg', position: 1, crop: { of: 'a-01.jpg' } }] },
    { key: 'c-small.jpg', like: [{ key: 'a-02.jpg', position: 2 }] },
    {
      key: 'z-mirror.jpg',
      like: [
        { key: 'a-01.jpg', mirrored: true },
        { key: 'b-crop.jpg', mirrored: true },
      ],
    },
  ]);
  const box = like[0]!.like[0].crop.box;
  for (const [i, edge] of [0, 0, 0.8, 0.8].entries()) t.ok(Math.abs(box[i] - edge) < 0.05, `edge ${i}: ${box[i]}`);
});

t.test('files are resumed from any of them, and are the same at any concurrency', async (t) => {
  await made;
  const expected = filesOf(join(outputs, 'a/duplicates'));
  t.ok(Object.keys(expected).length > 3);
  const output = join(outputs, 'b');
  await run(job(output, { threads: 1 }));
  t.same(filesOf(join(output, 'duplicates')), expected);
  for (const [i] of Object.keys(expected).entries()) {
    const names = readdirSync(join(output, 'duplicates'))
      .filter((name) => name.endsWith('.jsonl'))
      .sort();
    for (const name of names.slice(i)) rmSync(join(output, 'duplicates', name));
    rmSync(join(output, 'finished.json'));
    await run(job(output));
    t.same(filesOf(join(output, 'duplicates')), expected, `from file ${i}`);
  }
});

t.test('a file of the job that is not as it was written ends the run', async (t) => {
  await made;
  const output = join(outputs, 'c');
  await run(job(output));
  rmSync(join(output, 'finished.json'));
  const first = join(output, 'duplicates/job-00000.jsonl');
  const text = readFileSync(first, 'utf8');
  for (const [from, to] of [
    ['"thumbnail":"', '"thumbnail":" '],
    ['"like":[', '"like":{['],
    ['"key"', '"kex"'],
  ] as const) {
    rmSync(first);
    // Of the same length: the ledger knows it.
    appendFileSync(
      first,
      from.length === to.length ? text.replace(from, to) : `${text.replace(from, to).slice(0, text.length - 1)}\n`,
    );
    await t.rejects(run(job(output)), { code: 'DUPLICATES_ROW', where: first });
  }
});

t.test('it needs the thumbnail', async (t) => {
  const without = definePipeline({ name: 'job', source: imageFolder(photos), stages: [decode()], sink: duplicates() });
  t.match(check(without, builtin), [{ error: { code: 'FIELD_MISSING' } }]);
  const loose = definePipeline({
    name: 'job',
    source: imageFolder(photos),
    stages: [decode(), perceptualHash()],
    sink: duplicates({ above: 0.5 }),
  });
  t.match(check(loose, builtin), [{ error: { code: 'OPTION' } }]);
});

t.test('watched, each picture that arrives is compared once with all before it, over an end in between', async (t) => {
  await made;
  const output = join(outputs, 'w');
  const inbox = join(outputs, 'inbox');
  await photosWithCopies(inbox, 4);
  rmSync(join(inbox, 'b-broken.jpg'));
  const watched = job(output, { folder: inbox });
  /** Runs until so many pictures are done, then stops. */
  const until = async (count: number) => {
    const abort = new AbortController();
    const options: RunOptions = {
      watch: { everySeconds: 0.01, idleSeconds: 3600 },
      signal: abort.signal,
      onEvent: (event) => event.type === 'progress' && event.done >= count && abort.abort('SIGTERM'),
    };
    return run(watched, options);
  };
  rmSync(join(inbox, 'z-mirror.jpg'));
  await until(6);
  const before = rowsOf(join(output, 'duplicates'));
  t.equal(before.length, 6);
  await photosWithCopies(inbox, 4);
  rmSync(join(inbox, 'b-broken.jpg'));
  await until(1);
  const rows = rowsOf(join(output, 'duplicates'));
  t.same(rows.slice(0, 6), before);
  t.match(rows.at(-1), { key: 'z-mirror.jpg', like: [{ key: 'a-01.jpg' }, { key: 'b-crop.jpg' }] });
  t.ok(existsSync(join(inbox, 'a-01.jpg')), 'nothing is deleted');
});
