import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import t from 'tap';
import { z } from 'zod';
import { definePipeline } from '../../src/runs/loader/define.ts';
import { run } from '../../src/runs/run.ts';
import { toShards } from '../../src/sinks/to-shards.ts';
import { shards } from '../../src/sources/shards.ts';
import { defineSource } from '../../src/sources/source.ts';
import type { Sample } from '../../src/streams/sample.ts';
import { each } from '../../src/streams/stage.ts';
import { encoderOf } from '../../src/vision/encode/encoder.ts';
import { rawPicture } from '../../src/vision/picture.ts';
import type { Spec } from '../../src/vision/spec.ts';
import { gradient, jpeg } from '../kit/pictures/pictures.ts';
import { filesOf, openSource, runNumbered } from '../kit/runs/jobs.ts';
import { killedAt, quarantined, recordsOf } from '../kit/runs/kill-points.ts';
import { sinkContext } from '../kit/runs/sinks.ts';

const { definition } = toShards;
const signal = new AbortController().signal;
const count = 60;

// At all points: test/all/kill-points.test.ts.
t.test('a job that is killed and begun again gives the same shards, each sample once', (t) =>
  killedAt(t, [
    ['shard written in part', 1],
    ['shard named', 3],
    ['shard entered in part', 2],
  ]),
);

t.test('a cancelled job keeps what is finished, and goes on', async (t) => {
  const output = join(t.testdir({}), 'cancelled');
  const abort = new AbortController();
  const stop = each((sample) => {
    if (sample.position === 30) abort.abort('test');
    return sample;
  });
  const sink = toShards({ shardBytes: 4000 });
  await t.rejects(runNumbered(output, sink, { count, stages: [stop], signal: abort.signal }), {
    code: 'RUN_CANCELLED',
  });
  t.notOk(
    readdirSync(join(output, 'shards')).some((name) => name.endsWith('.tmp')),
    'nothing half-written is left',
  );
  const whole = join(t.testdirName, 'whole');
  await runNumbered(output, sink, { count, stages: [stop] });
  await runNumbered(whole, sink, { count, stages: [stop] });
  const records = (folder: string) => recordsOf(join(folder, 'shards'));
  t.same(await records(output), await records(whole));
});

t.test('the failures of all runs of a job are held to its budgets', async (t) => {
  const output = join(t.testdir({}), 'run');
  const fails = (sample: Sample) => {
    if (sample.position % 11 === 5) throw new Error('broken');
    return sample;
  };
  const write = (maxFailures: number) =>
    runNumbered(output, toShards({ shardBytes: 4000 }), { count, stages: [each(fails, { maxFailures })] });
  const whole = await write(5);
  t.equal(whole.failures, 5);
  for (const budget of [4, 3]) {
    rmSync(join(output, 'finished.json'), { force: true });
    for (const name of readdirSync(join(output, 'shards')).slice(-2)) rmSync(join(output, 'shards', name));
    await t.rejects(write(budget), { code: 'STAGE_BUDGET', message: /got \d+ of \d+/ }, `${budget}`);
    t.ok(quarantined(output).length > 1, 'those of the first run are still there');
  }
  const { failures, lines, done } = await write(5);
  t.same([failures, done], [5, count - 5]);
  t.match(lines.join('; '), /failed: 5 in fails/);
});

t.test('whether most failed is judged over all runs of a job', async (t) => {
  const output = join(t.testdir({}), 'run');
  const fails = (sample: Sample) => {
    if (sample.position % 3 > 0) throw new Error('broken');
    return sample;
  };
  const write = () =>
    runNumbered(output, toShards({ shardBytes: 500 }), { count, stages: [each(fails, { maxFailures: 1000 })] });
  for (const time of ['first', 'second', 'third']) {
    await t.rejects(write(), { code: 'MOST_FAILED', message: /40 of 60/ }, `the ${time} time`);
    t.ok(readdirSync(join(output, 'shards')).length > 5, 'something is written');
  }
});

t.test('what is not of this job is not touched', async (t) => {
  const output = join(t.testdir({}), 'run');
  await runNumbered(output, toShards({ shardBytes: 4000 }), { count });
  const before = filesOf(join(output, 'shards'));
  const other = (more = {}) => runNumbered(output, toShards({ shardBytes: 5000 }), { count, ...more });
  await t.rejects(other(), { code: 'SHARDS_OTHER', message: /job-00000\.shard.*--fresh/ });
  t.same(filesOf(join(output, 'shards')), before);
  await other({ fresh: true });
  t.notSame(filesOf(join(output, 'shards')), before);
  writeFileSync(join(output, 'shards/theirs.shard'), 'precious');
  await t.rejects(other({ fresh: true }), {
    code: 'SHARDS_OTHER',
    message: /theirs\.shard.*--fresh does not delete it/,
  });
  t.equal(readFileSync(join(output, 'shards/theirs.shard'), 'utf8'), 'precious');
  rmSync(join(output, 'shards/theirs.shard'));
  writeFileSync(join(output, 'shards/notes.txt'), 'mine');
  await other({ fresh: true });
  t.ok(existsSync(join(output, 'shards/notes.txt')), 'other files stay');
});

t.test('two runs that write the same files: the second is refused, and ruins nothing', async (t) => {
  const base = t.testdir({});
  const sink = toShards({ shardBytes: 4000, path: join(base, 'shards') });
  const errors: unknown[] = [];
  let once = true;
  const meanwhile = each(async (sample) => {
    if (sample.position === 30 && once) {
      once = false;
      errors.push(await runNumbered(join(base, 'two'), sink, { count, fresh: true }).catch((error) => error));
    }
    return sample;
  });
  const { done } = await runNumbered(join(base, 'one'), sink, { count, stages: [meanwhile] });
  t.match(errors, [{ code: 'RUN_BUSY', message: /job\.shard\.lock/ }]);
  t.equal(done, count);
  t.equal((await recordsOf(join(base, 'shards'))).length, count);
  t.same(
    readdirSync(join(base, 'shards')).filter((name) => !/^job-\d{5}\.shard$/.test(name)),
    [],
  );
});

t.test('a source that has changed since is told, and a missing shard is written again', async (t) => {
  const output = join(t.testdir({}), 'run');
  const write = (more = {}) => runNumbered(output, toShards({ shardBytes: 4000 }), { count, ...more });
  await write();
  const expected = filesOf(join(output, 'shards'));
  rmSync(join(output, 'shards/job-00002.shard'));
  await write();
  t.same(filesOf(join(output, 'shards')), expected);
  rmSync(join(output, 'finished.json'));
  const ledger = join(output, 'written.jsonl');
  writeFileSync(ledger, readFileSync(ledger, 'utf8').replace(/"keys":"\w+"/, '"keys":"others"'));
  await t.rejects(write(), { code: 'SHARDS_CHANGED', message: /60 samples, keys others; got 60 samples, keys \w{16}/ });
  t.same(filesOf(join(output, 'shards')), expected);
  appendFileSync(ledger, 'x');
});

t.test('a job that goes on keeps the encoder that it was begun with, or is refused', async (t) => {
  const output = join(t.testdir({}), 'run');
  const write = () => runNumbered(output, toShards({ shardBytes: 4000, pictures: 'jpeg' }), { count });
  await write();
  const expected = filesOf(join(output, 'shards'));
  const ledger = join(output, 'written.jsonl');
  const own = encoderOf('jpeg').name;
  t.match(readFileSync(ledger, 'utf8').split('\n')[0], `"encoder":${JSON.stringify(own)}`);
  /** The last shard is gone, and the others were made by another encoder. */
  const interrupted = (encoder: string) => {
    rmSync(join(output, 'finished.json'), { force: true });
    rmSync(join(output, 'shards/job-00002.shard'), { force: true });
    const text = readFileSync(ledger, 'utf8').replace(/,"encoder":"[^"]*"|(?=\}\n)/, encoder);
    writeFileSync(ledger, text);
  };
  interrupted(',"encoder":"libjpeg-turbo 0.0.1"');
  await t.rejects(write(), {
    code: 'ENCODER_OTHER',
    message: new RegExp(`libjpeg-turbo 0.0.1; this machine has ${own}`),
  });
  t.equal(readdirSync(join(output, 'shards')).length, Object.keys(expected).length - 1, 'nothing is touched');
  for (const encoder of [',"encoder":"sharp"', '']) {
    interrupted(encoder);
    await write();
    const named = encoder === '' ? ',"encoder":"sharp in RGB"' : encoder;
    t.match(readFileSync(ledger, 'utf8').split('\n')[0], named, 'one of an earlier version is sharp');
  }
  rmSync(join(output, 'shards'), { recursive: true });
  rmSync(join(output, 'finished.json'));
  await write();
  t.match(
    readFileSync(ledger, 'utf8').split('\n')[0],
    `"encoder":${JSON.stringify(own)}`,
    'where nothing is left it is begun anew',
  );
  t.same(filesOf(join(output, 'shards')), expected);
});

t.test('the parts of a job are disjoint, and together everything', async (t) => {
  const output = join(t.testdir({}), 'run');
  const n = 7;
  for (const index of [3, 1, 7, 2, 5, 6, 4]) {
    const part = { index, of: n };
    const { done } = await runNumbered(output, toShards({ shardBytes: 1500 }), { count, part });
    t.ok(done === 8 || done === 9, `${done} samples`);
  }
  const keys = await recordsOf(join(output, 'shards'));
  t.same(
    keys,
    Array.from({ length: count }, (_, i) => `n/${i}.png`),
    'names sort in the order of the source',
  );
  t.ok(existsSync(join(output, 'part-3of7/finished.json')));
  t.match(readdirSync(join(output, 'shards'))[0], /^job-1of7-00000\.shard$/);
  await t.rejects(runNumbered(output, toShards(), { count }), { code: 'SHARDS_OTHER' }, 'not beside another division');
});

t.test('parts of another recipe or of another source are not mixed', async (t) => {
  const base = t.testdir({});
  const path = join(base, 'shards');
  const write = (index: number, more: object = {}, own = 'a', options = {}) =>
    runNumbered(join(base, own), toShards({ path, shardBytes: 4000, ...options }), {
      count,
      part: { index, of: 3 },
      ...more,
    });
  await write(1);
  const before = filesOf(path);
  await t.rejects(write(2, {}, 'a', { pictures: 'png' }), {
    code: 'SHARDS_OTHER',
    message: /job-1of3-0000\d\.shard, which was made by another recipe/,
  });
  await t.rejects(write(2, { count: count + 3 }), { code: 'SHARDS_OTHER', message: /another recipe/ });
  t.same(filesOf(path), before, 'nothing is touched');
  await write(2, {}, 'b');
  const lines: string[] = [];
  await openSource(shards.definition, { path }, { progress: (line) => lines.push(line) });
  t.same(lines, ['job in 3 parts: no shard of part 3']);
  await write(3, { fresh: true }, 'a', { pictures: 'png' });
  lines.length = 0;
  await openSource(shards.definition, { path }, { progress: (line) => lines.push(line) });
  t.same(lines, ['job in 3 parts: part 3 was made by another recipe than part 1']);
  await write(3, { fresh: true });
  lines.length = 0;
  await openSource(shards.definition, { path }, { progress: (line) => lines.push(line) });
  await openSource(shards.definition, { path: join(path, 'job-1of3-00000.shard') });
  t.same(lines, []);
});

t.test('a source whose keys are others under one recipe is another one', async (t) => {
  const base = t.testdir({ 1: {}, 2: {} });
  const path = join(base, 'shards');
  const open = (index: number, keys: string) =>
    definition.open(
      definition.options.parse({ path }),
      sinkContext(base, {
        own: join(base, String(index)),
        job: {
          ...sinkContext(base).job,
          part: { index, of: 2 },
          source: { count: 1000, keys },
        },
      }),
    );
  const sink = await open(1, 'keys');
  const picture = rawPicture({ ...gradient(4, 4), channels: 3 });
  await sink.commit(await sink.write({ key: 'a', position: 0, epoch: 0, picture }));
  await sink.close(true);
  await t.rejects(open(2, 'others'), { code: 'SHARDS_OTHER', message: /test-1of2-00000\.shard.*another source/ });
  await (await open(2, 'keys')).close(true);
});

t.test('what a record can keep of a picture', async (t) => {
  const file = await jpeg(gradient(12, 9));
  const picture = rawPicture({ ...gradient(12, 9), channels: 3 });
  const spec: Spec = { fields: { bytes: 'bytes', picture: 'picture' } };
  const write = async (written: object, sample: object, chain = spec) => {
    const output = t.testdir({});
    const sink = await definition.open(definition.options.parse(written), sinkContext(output, { spec: chain }));
    try {
      await sink.commit(await sink.write({ key: 'a', position: 0, epoch: 0, ...sample }));
    } finally {
      await sink.close(true);
    }
    const source = await openSource(shards.definition, { path: join(output, 'shards') });
    return ((await source.read(0, signal)) as { picture: import('../../src/index.ts').Picture }).picture;
  };
  const raw = await write({}, { picture });
  t.same([raw.width, raw.height, raw.origin.kind], [12, 9, 'raw']);
  const flipped = await write({}, { picture: picture.flip() });
  t.same((await flipped.pixels()).data, (await picture.flip().pixels()).data);
  const kept = await write({}, { bytes: file }, { fields: { bytes: 'bytes' } });
  t.same(kept.bytes && Buffer.from(kept.bytes), file, 'the file as it was');
  const png = await write({ pictures: 'png' }, { picture });
  t.same((await png.pixels()).data, (await picture.pixels()).data);
  for (const pictures of ['jpeg', 'webp'])
    t.equal((await write({ pictures, quality: 80 }, { picture })).origin.kind, 'encoded');
  const jpegs = [{}, { chroma: '4:4:4' }, { optimize: false }, { chroma: '4:2:0', optimize: true }];
  const made: Buffer[] = [];
  for (const more of jpegs) made.push(Buffer.from((await write({ pictures: 'jpeg', ...more }, { picture })).bytes!));
  t.same(await Promise.all(made.map(async (one) => (await sharp(one).metadata()).chromaSubsampling)), [
    '4:2:0',
    '4:4:4',
    '4:2:0',
    '4:2:0',
  ]);
  t.same(made[3], made[0], 'the defaults');
  t.notSame(made[2], made[0], 'the tables of the standard');
  await t.rejects(write({ pictures: 'file' }, { picture }), { code: 'RECORD_FILE', message: /raw pixels/ });
  await t.rejects(write({}, { picture, when: new Date(0) }), { code: 'RECORD_FIELD', message: /when is a Date/ });
  await t.rejects(write({}, { picture, big: 1n }), { code: 'RECORD_FIELD', message: /a bigint/ });
  await t.rejects(write({}, {}), { code: 'RECORD_NOTHING' });
  const long = { list: Array.from({ length: 40_000 }, () => 1) };
  await t.rejects(write({}, { picture, long }), {
    code: 'RECORD_LARGE',
    message: /at most 32,768 values in its fields; got 40,0\d\d values.*arrays of numbers/,
  });
  await t.rejects(write({}, { picture, long: 'x'.repeat(2 ** 20) }), {
    code: 'RECORD_LARGE',
    message: /at most 1,048,576 bytes of fields; got 1,048,\d{3} bytes.*drop them/,
  });
  t.equal((await write({}, { picture, nothing: undefined })).width, 12, 'a field that is undefined is left out');
});

t.test('check says what the chain does not give', (t) => {
  const refused = (written: object, spec: Spec) =>
    [...definition.check!(definition.options.parse(written), spec)].map(({ error }) => error.code);
  t.same(refused({}, { fields: { bytes: 'bytes' } }), []);
  t.same(refused({}, { fields: { picture: 'picture' } }), []);
  t.same(refused({ pictures: 'raw' }, { fields: { bytes: 'bytes' } }), ['FIELD_MISSING']);
  t.same(refused({ pictures: 'file' }, { fields: { bytes: 'bytes', picture: 'picture' }, size: [8, 8] }), [
    'RECORD_FILE',
  ]);
  t.same(refused({}, { fields: { label: { dtype: 'int32', shape: [] } } }), ['RECORD_NOTHING']);
  t.same(refused({ pictures: 'raw' }, { fields: {}, open: true }), []);
  const pictures = { fields: { picture: 'picture' } } as const;
  t.same(refused({ pictures: 'jpeg', chroma: '4:4:4', optimize: false }, pictures), []);
  t.same(refused({ pictures: 'png', chroma: '4:4:4', optimize: true }, pictures), ['OPTION_VALUE', 'OPTION_VALUE']);
  t.same(refused({ optimize: false }, pictures), ['OPTION_VALUE'], 'raw is what it would keep');
  for (const wrong of [{ shardBytes: 0 }, { quality: 101 }, { pictures: 'gif' }, { folder: 'x' }])
    t.notOk(definition.options.safeParse(wrong).success);
  t.end();
});

t.test('a folder that cannot be written ends the run', async (t) => {
  const output = t.testdir({ shards: 'in the way' });
  await t.rejects(runNumbered(output, toShards(), { count }), { code: 'SINK_WRITE' });
  mkdirSync(join(output, 'b'));
});

t.test('a job that says too much for the head of a shard ends before anything is written', async (t) => {
  const named = defineSource({
    name: 'named',
    summary: 'One picture of very many classes.',
    options: z.strictObject({}),
    spec: () => ({ fields: { picture: 'picture' } }),
    open: async () => ({
      count: 1,
      classNames: Array.from({ length: 2 ** 18 }, (_, i) => `${i}`),
      key: () => 'one',
      read: () => ({ picture: rawPicture({ data: new Uint8Array(3), width: 1, height: 1, channels: 3 }) }),
    }),
  });
  const output = join(t.testdir({}), 'run');
  const job = definePipeline({ name: 'job', source: named(), stages: [], sink: toShards(), output } as never);
  await t.rejects(run(job), {
    code: 'SHARD_INFO',
    message: /at most 262,144 values in its fields; got 262,\d{3} values/,
  });
  t.notOk(existsSync(join(output, 'shards')));
});
