import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parquetWriteBuffer } from 'hyparquet-writer';
import t from 'tap';
import { PatchstreamError } from '../../../src/errors.ts';
import { npyHeader } from '../../../src/formats/vectors/npy-header.ts';
import { openVectors } from '../../../src/formats/vectors/open.ts';
import { toJsonl } from '../../../src/sinks/to-jsonl.ts';
import { toNpy } from '../../../src/sinks/to-npy.ts';
import { toParquet } from '../../../src/sinks/to-parquet.ts';
import { toShards } from '../../../src/sinks/to-shards.ts';
import { runNumbered } from '../../kit/runs/jobs.ts';
import { openVectorsStage, origin, vectorOf, vectors } from '../../kit/vectors.ts';

async function all(path: string) {
  const set = await openVectors(path);
  const keys: string[] = [];
  const values: number[] = [];
  for await (const batch of set.batches()) {
    keys.push(...batch.keys);
    values.push(...batch.values);
  }
  return { ...set, keys, values };
}

const sinks = [
  ['parquet', toParquet({ shardBytes: 700 }), '.parquet'],
  ['npy', toNpy({ shardBytes: 300 }), '.npy'],
  ['shards', toShards({ shardBytes: 9000 }), '.shard'],
  ['jsonl', toJsonl({ shardBytes: 2000 }), '.jsonl'],
] as const;

t.test('vectors that a job has written are read back, from its folder, that of the sink, and a file', async (t) => {
  const output = t.testdir({});
  for (const [name, sink, ending] of sinks) {
    const folder = join(output, name);
    const { files } = await runNumbered(folder, sink, { count: 40, stages: [vectors()] });
    t.ok(files.length > 1, `${files.length} files`);
    for (const path of [folder, join(folder, name)]) {
      const { width, keys, values, origin: found } = await all(path);
      t.equal(width, 3);
      t.same(
        keys,
        Array.from({ length: 40 }, (_, i) => `n/${i}.png`),
        name,
      );
      t.same(values, Array.from({ length: 40 }, (_, i) => [...vectorOf(i, 3)]).flat(), 'each number is the same');
      t.same(found, name === 'jsonl' ? undefined : origin);
    }
    t.equal((await all(join(folder, name, `job-00000${ending}`))).keys[0], 'n/0.png');
  }
});

t.test('the model is known of vectors whose shape no chain has said', async (t) => {
  const output = t.testdir({});
  for (const [name, sink] of sinks.slice(0, 3)) {
    await runNumbered(join(output, name), sink, { count: 3, stages: [openVectorsStage()] });
    t.same((await all(join(output, name))).origin, origin, name);
  }
});

t.test('many rows come in batches of bounded size', async (t) => {
  const output = t.testdir({});
  const width = 2 ** 18;
  const lines = Array.from({ length: 9 }, (_, i) => JSON.stringify({ key: `${i}`, embedding: Array(width).fill(i) }));
  writeFileSync(join(output, 'a.jsonl'), `${lines.join('\n')}\n`);
  const set = await openVectors(join(output, 'a.jsonl'));
  for (let pass = 0; pass < 2; pass++) {
    const sizes: number[] = [];
    for await (const { keys } of set.batches()) sizes.push(keys.length);
    t.same(sizes, [4, 4, 1], 'again, and with the same memory');
  }
  const stop = new AbortController();
  stop.abort(new Error('enough'));
  await t.rejects(async () => {
    for await (const _ of set.batches(stop.signal));
  }, /enough/);
});

t.test('what is no set of vectors is refused: file, place, expectation, remedy', async (t) => {
  const folder = t.testdir({});
  const at = (name: string) => join(folder, name);
  const put = (name: string, content: string | Uint8Array) => {
    mkdirSync(join(at(name), '..'), { recursive: true });
    writeFileSync(at(name), content);
    return at(name);
  };
  const refused = async (path: string, message: RegExp) => t.rejects(all(path), { message });
  await refused(at('nowhere'), /VECTORS_NONE.*nowhere.*got nothing of this name.*patchstream embed/s);
  await refused(put('x.txt', 'x'), /VECTORS_NONE.*another ending/);
  mkdirSync(at('empty'));
  await refused(at('empty'), /VECTORS_NONE.*a folder without such files/);
  await refused(put('e.jsonl', ''), /VECTORS_NONE.*files without rows/);
  await refused(
    put('l.jsonl', '{"key":"a","embedding":[1]}\n{"key":'),
    /VECTORS_BROKEN.*l\.jsonl: .*in line 2: no JSON/,
  );
  await refused(
    put('l.jsonl', '{"key":"a","label":[1]}\n'),
    /VECTORS_NONE.*l\.jsonl must hold.*`embedding`.*no list of numbers in line 1/,
  );
  await refused(
    put('l.jsonl', '{"key":"a","embedding":[1,2]}\n{"key":"b","embedding":[1]}'),
    /line 2: a vector of 1 number/,
  );
  await refused(put('l.jsonl', '{"key":"a","embedding":[1,2]}\n{"key":"b","embedding":[1,null]}'), /line 2/);
  await refused(put('l.jsonl', '{"embedding":[1,2]}'), /line 1: no key/);
  await refused(put('p.parquet', 'PAR1'), /PARQUET_BROKEN.*p\.parquet: .*in its metadata/);
  const table = (embedding: unknown[]) =>
    new Uint8Array(
      parquetWriteBuffer({
        columnData: [
          { name: 'key', data: embedding.map((_, i) => `${i}`) },
          { name: 'embedding', data: embedding as number[] },
        ],
      }),
    );
  await refused(put('p.parquet', table([1.5, 2.5])), /VECTORS_NONE.*p\.parquet.*no list of numbers in row 0/);
  await refused(put('a.npy', 'x'), /a\.npy.*in its header: another beginning/);
  await refused(put('a.npy', npyHeader([2, 3])), /at byte 192: an end; the header announces 216 bytes/);
  await refused(put('a.npy', npyHeader([2, 3, 4])), /shape \[2, 3, 4\], not \[N, D\]/);
  await refused(put('a.npy', Buffer.concat([npyHeader([1, 1]), Buffer.alloc(4)])), /FILE_UNREADABLE.*a\.jsonl/s);
  put('a.jsonl', '{"key":"a"}\n');
  await refused(at('a.npy'), /VECTORS_BROKEN.*a\.jsonl: .*in line 1.*not the head of keys/);
  put('a.jsonl', '{"vectors":{"field":"tokens"}}\n{"key":"a"}\n');
  await refused(at('a.npy'), /VECTORS_NONE.*a\.npy.*got the field tokens/);
  put('a.jsonl', '{"vectors":{"field":"embedding"}}\n{"key":"a"}\n{"key":"b"}\n');
  await refused(at('a.npy'), /in line 3: a key without a vector/);
  put('a.jsonl', '{"vectors":{"field":"embedding"}}\n');
  await refused(at('a.npy'), /after line 1: an end: a\.npy has 1 vector/);
  put('a.jsonl', '{"vectors":{"field":"embedding"}}\n{"key":"a"}\n');
  t.same((await all(at('a.npy'))).values, [0]);
  await refused(put('s.shard', 'PSHARD1\n'), /SHARD_DAMAGED/);
});

t.test('files of two models are not one set', async (t) => {
  const output = t.testdir({});
  await runNumbered(join(output, 'a'), toParquet(), { count: 2, stages: [vectors()] });
  for (const [other, found] of [
    [{ fingerprint: 'beef' }, /model f00d.*got beef/],
    [{ width: 4 }, /3 numbers.*got 4/],
  ] as const) {
    await runNumbered(join(output, 'b'), toParquet(), { count: 2, stages: [vectors(other)], fresh: true });
    const path = join(output, 'a/parquet/k.parquet');
    renameSync(join(output, 'b/parquet/job-00000.parquet'), path);
    await t.rejects(openVectors(join(output, 'a')), { message: found });
    rmSync(path);
    rmSync(join(output, 'b'), { recursive: true });
  }
  t.ok(readFileSync(join(output, 'a/parquet/job-00000.parquet')).length > 0);
});

/** Lists of two numbers, float32. */
const listsOfNumbers = [
  { name: 'root', num_children: 2 },
  { name: 'key', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'REQUIRED' },
  { name: 'embedding', converted_type: 'LIST', repetition_type: 'REQUIRED', num_children: 1 },
  { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
  { name: 'element', type: 'FLOAT', repetition_type: 'REQUIRED' },
] as const;

for (const encoding of ['PLAIN', 'BYTE_STREAM_SPLIT'] as const)
  t.test(
    `${encoding}: a run of 2³¹ numbers, wherever it stands in a damaged file of Parquet, is refused and not read on`,
    async (t) => {
      const lists = [0, 1, 2].map((i) => [2 * i, 2 * i + 1]);
      const whole = Buffer.from(
        parquetWriteBuffer({
          schema: [...listsOfNumbers],
          columnData: [
            { name: 'key', data: ['a', 'b', 'c'] },
            { name: 'embedding', data: lists, encoding },
          ],
          codec: 'UNCOMPRESSED',
        }),
      );
      const path = join(t.testdir({}), 'v.parquet');
      const read = async (bytes: Buffer) => {
        writeFileSync(path, bytes);
        const found: number[] = [];
        for await (const { values } of (await openVectors(path)).batches()) found.push(...values);
        return found;
      };
      t.same(await read(whole), lists.flat());
      const run = Buffer.of(0xfe, 0xff, 0xff, 0xff, 0x0f);
      let refused = 0;
      for (let at = 4; at < whole.length - run.length; at++) {
        try {
          const found = await read(Buffer.concat([whole.subarray(0, at), run, whole.subarray(at + run.length)]));
          t.ok(found.length <= 6, `byte ${at}`);
        } catch (error) {
          t.ok(error instanceof PatchstreamError, `byte ${at}: ${error}`);
          refused++;
        }
      }
      t.ok(refused > whole.length / 2, `${refused} refused`);
    },
  );
