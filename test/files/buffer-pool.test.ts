import t from 'tap';
import { BufferPool } from '../../src/files/buffer-pool.ts';

t.test('memory that comes back is lent again, once', (t) => {
  const recycler = new BufferPool();
  const first = recycler.take(70_000);
  const second = recycler.take(70_000);
  t.not(first.buffer, second.buffer);
  recycler.giveBack(first.subarray(0, 10));
  recycler.giveBack(first);
  t.equal(recycler.take(80_000).buffer, first.buffer, 'for a file of another size that fits');
  t.not(recycler.take(80_000).buffer, first.buffer, 'though it was given back twice');
  t.end();
});

t.test('files of other sizes have other memory, small ones share', (t) => {
  const recycler = new BufferPool();
  const small = recycler.take(1);
  t.equal(small.length, 2 ** 14);
  recycler.giveBack(small);
  t.equal(recycler.take(2 ** 14).buffer, small.buffer);
  const larger = recycler.take(2 ** 16 + 1);
  t.equal(larger.length, 1.25 * 2 ** 16);
  recycler.giveBack(larger);
  t.not(recycler.take(larger.length + 1).buffer, larger.buffer);
  for (let bytes = 1; bytes <= 2 ** 24; bytes = Math.ceil(1.07 * bytes)) {
    const { length } = recycler.take(bytes);
    if (length < bytes || length > Math.max(2 ** 14, 1.25 * bytes)) t.fail(`${length} bytes for ${bytes}`);
  }
  t.end();
});

t.test('memory of others, and of giants, is not kept', (t) => {
  const recycler = new BufferPool();
  const own = new Uint8Array(2 ** 16);
  recycler.giveBack(own);
  t.not(recycler.take(2 ** 16).buffer, own.buffer);
  const giant = recycler.take(2 ** 24 + 1);
  t.equal(giant.length, 2 ** 24 + 1);
  recycler.giveBack(giant);
  t.not(recycler.take(2 ** 24 + 1).buffer, giant.buffer);
  t.end();
});
