import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { z } from 'zod';
import { isAbsent } from '../../../src/native.ts';
import { builtin } from '../../../src/pipeline/builtin.ts';
import { soundPipeline } from '../../../src/pipeline/check.ts';
import type { Batch, BatchOptions } from '../../../src/runs/loader/batches.ts';
import { definePipeline, pipeline } from '../../../src/runs/loader/define.ts';
import { openLoader } from '../../../src/runs/loader/open.ts';
import { idx } from '../../../src/sources/index.ts';
import { defineSource } from '../../../src/sources/source.ts';
import { centerCrop, randomFlip, resize } from '../../../src/stages/index.ts';
import { each } from '../../../src/streams/stage.ts';
import { type Picture, rawPicture } from '../../../src/vision/picture.ts';
import { nativeRenderer } from '../../../src/vision/render/native.ts';

const count = 700;
const side = 12;

/** An idx file of `count` noisy pictures and one of their labels. */
function files(folder: string) {
  const header = (...words: number[]) => {
    const bytes = Buffer.alloc(words.length * 4);
    words.forEach((word, i) => {
      bytes.writeUInt32BE(word, i * 4);
    });
    return bytes;
  };
  const pixels = Uint8Array.from({ length: count * side * side }, (_, i) => (i * 2654435761) >>> 24);
  writeFileSync(join(folder, 'images'), Buffer.concat([header(0x803, count, side, side), pixels]));
  writeFileSync(
    join(folder, 'labels'),
    Buffer.concat([header(0x801, count), Uint8Array.from({ length: count }, (_, i) => i % 10)]),
  );
  return idx({ images: join(folder, 'images'), labels: join(folder, 'labels') });
}

async function all(batches: AsyncIterable<unknown>) {
  const seen: { keys: readonly string[]; positions: readonly number[]; epochs: readonly number[]; values: unknown }[] =
    [];
  for await (const batch of batches) {
    const { size, keys, positions, epochs, fields } = batch as Batch<{ picture: Picture; label: number }>;
    const values = Object.entries(fields).map(([name, { dtype, shape, data }]) => [
      name,
      dtype,
      ...shape,
      Buffer.from(data.slice().buffer).toString('base64'),
    ]);
    if (size !== keys.length) throw new Error('size');
    seen.push({ keys, positions, epochs, values });
  }
  return seen;
}

const absent = isAbsent(nativeRenderer()) && 'native/image is not built';

t.test('records that are rendered alike are the batches that the loader makes', { skip: absent }, async (t) => {
  const source = files(t.testdir());
  // A function of the user's keeps a chain from being known as alike.
  const plain = each((sample: { key: string; position: number; epoch: number; picture: Picture }) => sample);
  for (const options of [
    {},
    { shuffle: true, epochs: 2 },
    { shuffle: true, start: 333, views: true },
    { epochs: 0.5 },
  ] satisfies BatchOptions[]) {
    for (const n of [1, 64, 5000]) {
      if (n === 1 && 'epochs' in options) continue;
      const alike = await all(pipeline(source, centerCrop(10), resize(7)).batches(n, options));
      const single = await all(pipeline(source, plain, centerCrop(10), resize(7)).batches(n, options));
      t.same(alike, single, `${n} at a time with ${JSON.stringify(options)}`);
    }
  }
});

const isAlike = async (definition: Parameters<typeof definePipeline>[0]) => {
  const opened = await openLoader(soundPipeline(definePipeline(definition), builtin, { ends: false }));
  await opened.close();
  return opened.records !== undefined;
};

t.test('which chains are rendered alike', { skip: absent }, async (t) => {
  const source = files(t.testdir());
  t.ok(await isAlike(pipeline(source, resize(8))));
  t.notOk(await isAlike(pipeline(source, resize(8), randomFlip())), 'chance tells samples from another');
  t.notOk(await isAlike(pipeline(source, resize({ size: 8, kernel: 'lanczos' }))), 'a kernel of sharp');
});

/** A source of `count` records of `side` × `side` grey pixels, whose reading `read` decides. */
function sourceOf(
  { count, side }: { count: number; side: number },
  read: (index: number, fields: RecordFields) => RecordFields | Promise<RecordFields>,
) {
  const data = new Uint8Array(count * side * side).fill(7);
  return defineSource({
    name: 'records',
    summary: 'Records of a test.',
    options: z.strictObject({}),
    spec: () => ({ fields: { picture: 'picture', label: { dtype: 'int32', shape: [] } }, size: [side, side] }),
    open: async () => ({
      count,
      key: (index) => `r${index}`,
      records: { data, width: side, height: side, channels: 1 },
      read: (index) => {
        const own = data.subarray(index * side * side, (index + 1) * side * side);
        return read(index, {
          picture: rawPicture({ data: own, width: side, height: side, channels: 1 }),
          label: index,
        });
      },
    }),
  })();
}

interface RecordFields {
  readonly [name: string]: unknown;
  readonly picture: Picture;
  readonly label: number;
}

t.test('large records are left to the threads', { skip: absent }, async (t) => {
  const source = (side: number) => sourceOf({ count: 2, side }, (_, fields) => fields);
  t.ok(await isAlike(pipeline(source(128), resize(64))));
  t.notOk(await isAlike(pipeline(source(300), resize(8))), 'large to read');
  t.notOk(await isAlike(pipeline(source(28), resize(224))), 'large to write');
  t.notOk(await isAlike(pipeline(source(28), resize(224), resize(8))), 'large in between');
});

t.test('a source that cannot keep what records promise', { skip: absent }, async (t) => {
  const size = { count: 6, side: 4 };
  const labels = async (read: Parameters<typeof sourceOf>[1], options: BatchOptions = {}) => {
    const seen: number[] = [];
    const chain = pipeline(sourceOf(size, read), resize(2));
    for await (const { fields } of chain.batches(4, options)) {
      seen.push(...((fields as Record<string, { data: Int32Array }>).label?.data ?? []));
    }
    return seen;
  };
  t.strictSame(await labels((_, fields) => Promise.resolve(fields)), [0, 1, 2, 3, 4, 5], 'promises are waited for');
  const failures: string[] = [];
  const onFailure = ({ key }: { key: string }) => failures.push(key);
  const first = (fail: () => Promise<never>) => (index: number, fields: RecordFields) =>
    index === 0 ? fail() : fields;
  t.strictSame(
    await labels(
      first(() => Promise.reject(new Error('torn'))),
      { onFailure },
    ),
    [1, 2, 3, 4, 5],
  );
  t.strictSame(
    await labels(
      first(() => {
        throw new Error('torn');
      }),
      { onFailure },
    ),
    [1, 2, 3, 4, 5],
  );
  t.strictSame(failures, ['r0', 'r0'], 'a first sample that fails is one that failed');
  const fourth = (fail: () => Promise<never>) => (index: number, fields: RecordFields) =>
    index === 3 ? fail() : fields;
  await t.rejects(labels(fourth(() => Promise.reject(new Error('torn')))), {
    code: 'RECORDS_READ',
    message: /r3 gave a promise/,
  });
  const torn = new Error('torn');
  await t.rejects(
    labels(
      fourth(() => {
        throw torn;
      }),
    ),
    { code: 'RECORDS_READ', message: /r3 gave torn/, cause: torn },
  );
});

t.test('an abort ends it, and timers have their turn', { skip: absent }, async (t) => {
  const source = files(t.testdir());
  const control = new AbortController();
  let turns = 0;
  const timer = setInterval(() => turns++, 1);
  t.teardown(() => clearInterval(timer));
  await t.rejects(
    async () => {
      for await (const _ of pipeline(source, resize(16)).batches(50, {
        epochs: Number.POSITIVE_INFINITY,
        signal: control.signal,
      })) {
        if (turns >= 3) control.abort();
      }
    },
    { code: 'RUN_CANCELLED' },
  );
});
