import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { toShards } from '../../../src/sinks/to-shards.ts';
import { toWebdataset } from '../../../src/sinks/to-webdataset.ts';
import { runNumbered } from '../../kit/runs/jobs.ts';
import { patchstream } from '../../kit/runs/terminal.ts';

t.test('a shard: what it holds and what made it', async (t) => {
  const { code, out, err } = await patchstream(['inspect', 'fixtures/shards/golden-v1.shard', '--verify']);
  t.equal(err, '');
  t.equal(code, 0);
  t.match(out, /^golden-v1\.shard +3 records, 1\.1 KiB\n/);
  t.match(out, /run +golden, shard 0, positions 0 to 2\n/);
  t.match(out, /recipe +0123456789abcdef \{"name":"golden"/);
  t.match(out, /classes +2: cat, dog\n/);
  t.match(out, /first +picture raw \[2, 3, 3\], label 0, box int32 \[4\], confidence 0\.5\n/);
  t.match(out, /keys +cat\/a\.png, dog\/b\.jpg, dog\/c\.jpg\/1\n/);
  t.match(out, /verified +3 records, all whole\n/);
});

t.test('a folder of shards, damage in one, and JSON', async (t) => {
  const output = t.testdir({});
  await runNumbered(output, toShards({ shardBytes: 4000 }));
  const folder = join(output, 'shards');
  const { out, code } = await patchstream(['inspect', folder, '--verify']);
  t.equal(code, 0);
  t.match(out, /\n\d shards +50 records, .*\nverified +50 records, all whole\n/);
  const path = join(folder, 'job-00001.shard');
  const bytes = readFileSync(path);
  bytes[bytes.indexOf('RECD') + 90]! ^= 1;
  writeFileSync(path, bytes);
  const quick = await patchstream(['inspect', folder]);
  t.match(quick, { code: 1, err: /SHARD_DAMAGED.*job-00001\.shard.*record 0, key n\/\d+\.png/ });
  const json = await patchstream(['inspect', path, '--json', '--verify']);
  t.match(JSON.parse(json.out), [
    { name: 'job-00001.shard', problems: [/SHARD_DAMAGED/], info: { name: 'job', shard: 1 } },
  ]);
  writeFileSync(path, bytes.subarray(0, bytes.length - 40));
  t.match(await patchstream(['inspect', path]), { code: 1, err: /it was cut/ });
  writeFileSync(path, 'hello');
  t.match(await patchstream(['inspect', path]), { code: 1, err: /SHARD_FORMAT/ });
});

t.test('parts of two jobs of one name, in two folders, are two jobs', async (t) => {
  const output = t.testdir({});
  for (const [i, name] of ['train', 'val'].entries()) {
    await runNumbered(join(output, name), toShards({ quality: 50 + i }), { part: { index: 1, of: 2 } });
  }
  const folder = join(output, 'train', 'shards');
  cpSync(join(output, 'val', 'shards'), join(folder, 'val'), { recursive: true });
  const { err } = await patchstream(['inspect', folder]);
  t.equal(err, ['.', 'val'].map((name) => `job in 2 parts, in ${name}: no shard of part 2\n`).join(''));
});

t.test('the parts of a job: which are missing, and which are of another recipe', async (t) => {
  const output = t.testdir({});
  const folder = join(output, 'shards');
  await runNumbered(output, toShards(), { part: { index: 1, of: 3 } });
  const shard = await patchstream(['inspect', join(folder, 'job-1of3-00000.shard')]);
  t.match(shard, { code: 0, err: '' }, 'a shard alone');
  t.match(await patchstream(['inspect', folder]), { code: 1, err: 'job in 3 parts: no shard of part 2, 3\n' });
  await runNumbered(output, toShards(), { part: { index: 2, of: 3 } });
  await runNumbered(output, toShards({ pictures: 'png' }), { part: { index: 3, of: 3 }, fresh: true });
  t.match(await patchstream(['inspect', folder]), {
    code: 1,
    err: /^job in 3 parts: part 3 was made by another recipe/,
  });
  await runNumbered(output, toShards(), { part: { index: 3, of: 3 }, fresh: true });
  t.match(await patchstream(['inspect', folder]), { code: 0, err: '' });
});

t.test('a tar, and what is neither', async (t) => {
  const output = t.testdir({ 'bad.tar': 'hello'.repeat(200), 'notes.txt': 'x' });
  const { files } = await runNumbered(output, toWebdataset({ pictures: 'png' }), { count: 7 });
  const { out, code } = await patchstream(['inspect', files[0]!, '--verify']);
  t.equal(code, 0);
  t.match(out, /^job-00000\.tar +7 samples, 21 files, /);
  t.match(out, /endings +png 7, cls 7, json 7\n/);
  t.match(out, /sha256 +[0-9a-f]{64} of all files\n/);
  const json = await patchstream(['inspect', files[0]!, '--json']);
  t.match(JSON.parse(json.out), { samples: 7, files: 21, keys: Array(5).fill(/^0000000\d\d-n-\d$/) });
  t.match(await patchstream(['inspect', join(output, 'bad.tar')]), { code: 1, err: /TAR_DAMAGED/ });
  t.match(await patchstream(['inspect', join(output, 'notes.txt')]), {
    code: 2,
    err: /INSPECT_NOTHING.*got a file of another kind/,
  });
  t.match(await patchstream(['inspect', join(output, 'nothing')]), { code: 2, err: /nothing there/ });
  t.match(await patchstream(['inspect']), { code: 2 });
});

t.test('names and keys from a file reach the terminal escaped', async (t) => {
  const output = t.testdir({});
  const { files } = await runNumbered(output, toShards(), { count: 2, name: '\u001b[31mred' });
  const { out } = await patchstream(['inspect', files[0]!]);
  t.notMatch(out, '\u001b');
  t.match(out, /\\u\{1b\}\[31mred\/0\.png/);
});
