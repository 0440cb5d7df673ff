import { closeSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { BufferPool } from '../../../src/files/buffer-pool.ts';
import { nativeFrames } from '../../../src/files/native/frames.ts';
import { FilePool } from '../../../src/files/positioned.ts';
import { crc32 } from '../../../src/formats/shard/checksum.ts';
import { imageAddon, isAbsent } from '../../../src/native.ts';

const addon = imageAddon();
const skip =
  (isAbsent(addon) || addon.crc32 === undefined) && 'native/image is not built, or cannot make checksums here';

/** Bytes behind their checksum. */
function frame(content: Buffer): Buffer {
  const sum = Buffer.alloc(4);
  sum.writeUInt32LE(crc32(content));
  return Buffer.concat([sum, content]);
}

const good = frame(Buffer.alloc(200_000, 'some letters'));
const bad = Buffer.from(good);
bad[100_000]! ^= 1;

/** What is read natively, sooner or later: what the system has dropped from its memory meanwhile is not. */
async function natively(file: number, offset: number, length: number, memory: BufferPool) {
  for (let i = 0; i < 5000; i++) {
    const bytes = await nativeFrames()!.read(file, offset, length, memory);
    if (bytes !== undefined) return bytes;
  }
  return undefined;
}

t.test('a sound frame is read, a broken one is left to who can tell', { skip }, async (t) => {
  const path = join(t.testdir(), 'a');
  writeFileSync(path, Buffer.concat([good, bad, frame(Buffer.alloc(0))]));
  const file = openSync(path, 'r');
  t.teardown(() => closeSync(file));
  const memory = new BufferPool();
  t.ok(good.equals((await natively(file, 0, good.length, memory))!));
  t.equal((await natively(file, 2 * good.length, 4, memory))!.length, 4, 'of nothing');
  t.equal(await natively(file, good.length, bad.length, memory), undefined, 'a flipped bit');
  t.equal(await natively(file, 1, good.length, memory), undefined, 'not where a frame begins');
  t.equal(await natively(file, 2 * good.length, 5, memory), undefined, 'beyond the end');
  t.equal(await natively(file, 2 * good.length + 1, 3, memory), undefined, 'less than a checksum');
  t.equal(await natively(2 ** 20, 0, good.length, memory), undefined, 'a file that is not open');
});

t.test('frames of a pooled file are the same bytes whoever has read them', { skip }, async (t) => {
  const path = join(t.testdir(), 'a');
  writeFileSync(path, Buffer.concat([good, bad]));
  const pool = new FilePool();
  t.teardown(() => pool.close());
  const file = await pool.file(path, 'a');
  const memory = new BufferPool();
  for (let i = 0; i < 50; i++) {
    const [lent, own, broken] = await Promise.all([
      file.frame(0, good.length, undefined, memory),
      file.frame(0, good.length),
      file.frame(good.length, bad.length, undefined, memory),
    ]);
    t.ok(good.equals(lent.bytes) && good.equals(own.bytes) && bad.equals(broken.bytes));
    t.notOk(own.isSound || broken.isSound);
    memory.giveBack(lent.bytes);
    memory.giveBack(broken.bytes);
  }
});
