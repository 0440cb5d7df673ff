import { closeSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { BufferPool } from '../../../src/files/buffer-pool.ts';
import { nativeReads } from '../../../src/files/native/reads.ts';

const skip = nativeReads() === undefined && 'native/image is not built';
const reads = nativeReads()!;
const otherwise = async () => Buffer.from('by Node');

t.test('hundreds of files and pieces are read at a time, each with its own bytes', { skip }, async (t) => {
  const folder = t.testdir();
  const paths = Array.from({ length: 400 }, (_, i) => join(folder, `${i} ü`));
  for (const [i, path] of paths.entries()) writeFileSync(path, `file ${i} `.repeat(i + 1));
  const memory = new BufferPool();
  const files = await Promise.all(paths.map((path) => reads.file(path, { maxBytes: 2 ** 20, memory }, otherwise)));
  for (const [i, bytes] of files.entries()) {
    if (Buffer.from(bytes).toString() !== `file ${i} `.repeat(i + 1)) t.fail(`file ${i}`);
  }
  const file = openSync(paths[300]!, 'r');
  t.teardown(() => closeSync(file));
  const pieces = await Promise.all(Array.from({ length: 200 }, (_, i) => reads.piece(file, 9 * i, 8, {})));
  t.ok(pieces.every((bytes) => bytes?.toString() === 'file 300'));
});

t.test('what is no whole file of the size it says is left to Node', { skip }, async (t) => {
  const folder = t.testdir({ empty: '', large: 'x'.repeat(100), d: {} });
  for (const name of ['empty', 'large', 'd', 'missing'])
    t.equal(String(await reads.file(join(folder, name), { maxBytes: 99 }, otherwise)), 'by Node', name);
  const file = openSync(join(folder, 'large'), 'r');
  t.teardown(() => closeSync(file));
  t.equal(await reads.piece(file, 50, 51, {}), undefined, 'a piece behind the end');
  t.equal((await reads.piece(file, 50, 50, {}))?.length, 50);
});

t.test('reads that are aborted end at once, and take no room', { skip }, async (t) => {
  const path = join(t.testdir({ a: 'letters' }), 'a');
  const stop = new AbortController();
  const memory = new BufferPool();
  let taken = 0;
  const take = (bytes: number) => {
    taken++;
    return memory.take(bytes);
  };
  const counted = { take } as BufferPool;
  const terms = { maxBytes: 100, signal: stop.signal, memory: counted };
  const waiting = Promise.allSettled(Array.from({ length: 50 }, () => reads.file(path, terms, otherwise)));
  // The reads begin in the next tick; what they bring comes in a later turn of the event loop.
  process.nextTick(() => process.nextTick(() => stop.abort(new Error('left'))));
  const ended = await waiting;
  t.ok(ended.every((each) => each.status === 'rejected' && each.reason.message === 'left'));
  await t.rejects(reads.file(path, terms, otherwise), { message: 'left' }, 'one that is not begun either');
  t.equal(String(await reads.file(path, { maxBytes: 100 }, otherwise)), 'letters');
  t.equal(taken, 0);
});
