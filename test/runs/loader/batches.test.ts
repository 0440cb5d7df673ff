import { createHash } from 'node:crypto';
import { filter, map } from 'rxjs';
import t from 'tap';
import { Random } from '../../../src/random.ts';
import { type BatchOptions, batches } from '../../../src/runs/loader/batches.ts';
import { definePipeline, pipeline } from '../../../src/runs/loader/define.ts';
import { imageFolder } from '../../../src/sources/index.ts';
import { decode, mask, randomFlip, randomResizedCrop, resize, windows } from '../../../src/stages/index.ts';
import type { Failure } from '../../../src/streams/failures.ts';
import { drop, type Sample } from '../../../src/streams/sample.ts';
import { each, operator } from '../../../src/streams/stage.ts';
import { pictureFolder, writeFiles } from '../../kit/files/folder.ts';
import { gradient, jpeg } from '../../kit/pictures/pictures.ts';

/** Hands control back to the event loop a number of times that depends on the sample: timing without sleeping. */
const unevenly = (salt: string) =>
  each(async <S extends Sample>(sample: S) => {
    for (let turns = new Random(3, salt, sample.key, sample.epoch).integer(12); turns > 0; turns--) {
      await new Promise(setImmediate);
    }
    return sample;
  });

/** Keys and a digest of all bytes of the first batches. */
async function digest(source: AsyncIterable<{ keys: readonly string[]; fields: object }>, most: number) {
  const hash = createHash('sha256');
  const keys: string[][] = [];
  for await (const batch of source) {
    keys.push([...batch.keys]);
    for (const [name, { data }] of Object.entries(batch.fields as Record<string, { data: Uint8Array }>)) {
      hash.update(name).update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    }
    if (keys.length === most) break;
  }
  return { keys, hash: hash.digest('hex') };
}

t.test(
  'one seed gives byte-equal batches in the same order, at concurrency 1, 4 and 16, with broken files and random delays',
  async (t) => {
    const root = t.testdir();
    const { broken } = await pictureFolder(root, 300, 0.03);
    t.ok(broken >= 4, `${broken} broken files`);
    const failures: Failure[] = [];
    const make = (concurrency: number, salt: string) =>
      definePipeline({
        ...pipeline(
          imageFolder(root),
          unevenly(`${salt}-read`),
          decode({ concurrency, maxFailures: '10%' }),
          unevenly(`${salt}-decode`),
          randomResizedCrop({ size: 16, concurrency }),
          randomFlip(),
          windows({ patch: 4, size: 2, views: 2 }),
          mask({ ratio: 0.5 }),
        ),
        seed: 11,
        threads: concurrency,
      });
    const options: BatchOptions = { epochs: 4, shuffle: true, onFailure: (failure) => failures.push(failure) };
    const runs = [];
    for (const concurrency of [1, 4, 16]) {
      runs.push(await digest(batches(make(concurrency, `delay-${concurrency}`), 16, options), 50));
    }
    t.equal(runs[0]!.keys.length, 50);
    t.ok(failures.length > 0);
    t.strictSame(runs[1], runs[0]);
    t.strictSame(runs[2], runs[0]);
    const other = await digest(batches({ ...make(4, 'x'), seed: 12 }, 16, options), 50);
    t.not(other.hash, runs[0]!.hash, 'another seed gives other batches');
    t.end();
  },
);

t.test('a batch is arrays: pictures, numbers, the fields of users', async (t) => {
  const root = t.testdir();
  writeFiles(root, {
    'cat/a.jpg': await jpeg(gradient(12, 9)),
    'dog/b.jpg': await jpeg(gradient(9, 12)),
    'dog/c.jpg': await jpeg(gradient(5, 5)),
  });
  const source = pipeline(
    imageFolder({ path: root, labels: true }),
    decode(),
    each((s) => ({ ...s, bright: s.picture.width / 2, place: Int32Array.of(s.position, 7) })),
    resize(8),
  );
  const all = [];
  for await (const batch of source.batches(2)) all.push(batch);
  t.strictSame(
    all.map(({ size, keys }) => ({ size, keys })),
    [
      { size: 2, keys: ['cat/a.jpg', 'dog/b.jpg'] },
      { size: 1, keys: ['dog/c.jpg'] },
    ],
  );
  const [first] = all;
  t.strictSame(first!.fields.picture.shape, [2, 8, 8, 3]);
  t.equal(first!.fields.picture.data.length, 2 * 8 * 8 * 3);
  t.match(first!.fields.bright, { dtype: 'float32', shape: [2], data: Float32Array.of(6, 4.5) });
  t.match(first!.fields.place, { dtype: 'int32', shape: [2, 2], data: Int32Array.of(0, 7, 1, 7) });
  t.match((first!.fields as unknown as Record<string, unknown>).label, {
    dtype: 'int32',
    shape: [2],
    data: Int32Array.of(0, 1),
  });
  t.end();
});

t.test('views lend the same memory; otherwise each batch is the caller’s own', async (t) => {
  const root = t.testdir();
  await pictureFolder(root, 8);
  const chain = pipeline(imageFolder(root), decode(), resize(4));
  for (const views of [true, false]) {
    const arrays = new Set<unknown>();
    for await (const { fields } of chain.batches(2, { views })) arrays.add(fields.picture.data);
    t.equal(arrays.size, views ? 1 : 4);
  }
  t.end();
});

t.test('pictures without other fields are lent where they lie, and are not written over while they are', async (t) => {
  const root = t.testdir();
  // Broken files leave holes in the ring, behind which batches are copied.
  t.ok((await pictureFolder(root, 60, 0.05)).broken > 0);
  const chain = pipeline(imageFolder(root), decode({ maxFailures: '20%' }), resize(8));
  const own: Buffer[] = [];
  for await (const { fields } of chain.batches(4, { epochs: 4 })) own.push(Buffer.from(fields.picture.data));
  const buffers = new Set<unknown>();
  let i = 0;
  for await (const { fields } of chain.batches(4, { epochs: 4, views: true })) {
    const data = fields.picture.data as Uint8Array;
    const before = Buffer.from(data);
    // Everything else may go on meanwhile.
    await new Promise(setImmediate);
    t.ok(before.equals(data), 'stays');
    t.ok(own[i++]?.equals(data), 'is the same');
    if (data.buffer instanceof SharedArrayBuffer) buffers.add(data.buffer);
  }
  t.equal(i, own.length);
  t.equal(buffers.size, 1, 'the memory of the cells');
});

t.test('a pasted rxjs operator filters, and what it drops is counted', async (t) => {
  const root = t.testdir();
  await pictureFolder(root, 20);
  const chain = pipeline(
    imageFolder(root),
    decode(),
    operator(filter((s) => s.picture.width === 32)),
    operator(map((s) => ({ ...s, wide: s.picture.width }))),
    resize(8),
  );
  const keys: string[] = [];
  for await (const batch of chain.batches(3)) keys.push(...batch.keys);
  t.strictSame(keys, ['00002.jpg', '00006.jpg', '00010.jpg', '00014.jpg', '00018.jpg']);
  const seen: number[] = [];
  for await (const sample of chain.samples()) seen.push(sample.wide);
  t.strictSame(seen, [32, 32, 32, 32, 32]);
  t.end();
});

t.test('custom stages that misbehave give clear errors, and nothing hangs', async (t) => {
  const root = t.testdir();
  await pictureFolder(root, 150);
  const drain = async (stage: ReturnType<typeof each<Sample, Sample>>, more: object = {}) => {
    const definition = definePipeline({ ...pipeline(imageFolder(root), stage, decode(), resize(8)), ...more });
    for await (const _ of batches(definition, 8));
  };
  await t.rejects(
    drain(
      each(
        (s: Sample): Sample => {
          throw new Error(`no ${s.key}`);
        },
        { name: 'mine' },
      ),
    ),
    { code: 'STAGE_BUDGET', where: 'stage mine', message: /no 00000\.jpg/ },
  );
  await t.rejects(drain(each((() => undefined) as unknown as (s: Sample) => Sample, { name: 'mine' })), {
    code: 'STAGE_OUTPUT',
    where: 'stage mine',
  });
  await t.rejects(drain(each(() => new Promise<Sample>(() => {}), { name: 'mine', timeout: 0.05, concurrency: 2 })), {
    code: 'STAGE_STUCK',
    where: 'stage mine',
  });
  await t.rejects(drain(each(() => drop('nothing is good enough') as unknown as Sample, { name: 'mine' })), {
    code: 'NOTHING_LEFT',
  });
  await t.rejects(
    drain(each((s: Sample) => ({ ...s, n: new Float32Array(s.position % 2 === 0 ? 2 : 3) }), { name: 'mine' })),
    {
      code: 'STAGE_BUDGET',
      message: /FIELD_SHAPE: .*float32 \[2\]/,
    },
  );
  t.end();
});

t.test(
  'L13: what is read for ever ends where two whole passes bring nothing through, also of one sample',
  async (t) => {
    const root = t.testdir();
    await pictureFolder(root, 1);
    const chain = pipeline(
      imageFolder(root),
      each((sample) => (sample.epoch > 3 ? (drop('enough') as unknown as typeof sample) : sample)),
      decode(),
      resize(8),
    );
    const epochs = Number.POSITIVE_INFINITY;
    let seen = 0;
    const batches = async () => {
      for await (const { size } of chain.batches(2, { epochs })) seen += size;
    };
    const samples = async () => {
      for await (const _ of chain.samples({ epochs })) seen++;
    };
    await t.rejects(batches(), { code: 'NOTHING_LEFT', message: /two passes/ });
    await t.rejects(samples(), { code: 'NOTHING_LEFT', message: /two passes/ });
    t.equal(seen, 8);
  },
);

t.test('pictures of different sizes cannot lie in one batch', async (t) => {
  const root = t.testdir();
  await pictureFolder(root, 8);
  const loose = pipeline(imageFolder(root), decode());
  await t.rejects(
    (async () => {
      for await (const _ of loose.batches(4));
    })(),
    { message: /resize/ },
  );
  t.end();
});

t.test('leaving the loop, and aborting, end everything', async (t) => {
  const root = t.testdir();
  await pictureFolder(root, 60);
  const chain = pipeline(imageFolder(root), decode(), resize(8));
  let seen = 0;
  for await (const _ of chain.batches(4)) if (++seen === 2) break;
  t.equal(seen, 2);
  const abort = new AbortController();
  const left: number[] = [];
  const { signal } = abort;
  const reading = async () => {
    for await (const { size } of chain.batches(4, { epochs: Number.POSITIVE_INFINITY, signal })) {
      left.push(size);
      if (left.length === 30) abort.abort();
    }
  };
  await t.rejects(reading(), { code: 'RUN_CANCELLED' }, 'an aborted pass is not a whole one');
  t.equal(left.length, 30);
  await t.rejects(chain.batches(4, { signal })[Symbol.asyncIterator]().next(), { code: 'RUN_CANCELLED' });
  await t.rejects(chain.samples({ signal })[Symbol.asyncIterator]().next(), { code: 'RUN_CANCELLED' });
  t.end();
});

t.test('numbers that are none are refused', async (t) => {
  const root = t.testdir();
  await pictureFolder(root, 4);
  const chain = pipeline(imageFolder(root), decode(), resize(8));
  for (const n of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 1e9, '4' as unknown as number]) {
    await t.rejects(chain.batches(n)[Symbol.asyncIterator]().next(), { code: 'BATCH_SIZE' }, String(n));
  }
  for (const epochs of [Number.NaN, -1]) {
    await t.rejects(chain.batches(2, { epochs })[Symbol.asyncIterator]().next(), { code: 'EPOCHS' }, String(epochs));
  }
  t.same(await chain.batches(2, { epochs: 0 })[Symbol.asyncIterator]().next(), { done: true, value: undefined });
  t.end();
});

t.test('a short pass of which most is lost is no success', async (t) => {
  const root = t.testdir();
  await pictureFolder(root, 5);
  writeFiles(root, Object.fromEntries(Array.from({ length: 9 }, (_, i) => [`x${i}.jpg`, 'text'])));
  const chain = pipeline(imageFolder(root), decode(), resize(8));
  const sizes: number[] = [];
  const reading = async () => {
    for await (const { size } of chain.batches(2)) sizes.push(size);
  };
  await t.rejects(reading(), { code: 'MOST_FAILED', message: /9 of 14/ });
  t.strictSame(sizes, [2, 2, 1], 'after what came through');
  t.end();
});
