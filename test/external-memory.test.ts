import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import t from 'tap';
import { uncounted, uncountedMost } from '../src/external-memory.ts';
import { imageAddon, isAbsent } from '../src/native.ts';

const mib = 2 ** 20;
setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc') as () => void;
const addon = imageAddon();
const skip = isAbsent(addon) ? 'native/image is not built' : false;

/** What V8 counts of memory outside its heap. */
const counted = () => (isAbsent(addon) ? 0 : addon.adjustMemory!(0));

/** Collects what is left, and has what waits for that hear of it. */
async function collect(): Promise<void> {
  for (let i = 0; i < 10; i++) {
    gc();
    await new Promise(setImmediate);
  }
}

t.test('a sixteenth of the memory, and no more than 192 MiB', async (t) => {
  t.equal(uncountedMost({ memory: 512 * mib }), 32 * mib);
  t.equal(uncountedMost({ memory: 2 ** 40 }), 192 * mib);
});

t.test('new arrays are not counted, and the count is as it was when they have gone', { skip }, async (t) => {
  await collect();
  const before = counted();
  let arrays = Array.from({ length: 4 }, () => uncounted(new Uint8Array(4 * mib).fill(1)));
  t.ok(Math.abs(counted() - before) < mib, `${counted() - before} bytes more`);
  t.equal(
    arrays.every((array) => array.length === 4 * mib && array[7] === 1),
    true,
  );
  arrays = [];
  await collect();
  t.ok(Math.abs(counted() - before) < mib, `${counted() - before} bytes more when they have gone`);
});

t.test('small ones are counted, and so are those for which there is no room; it comes back', { skip }, async (t) => {
  await collect();
  const before = counted();
  const small = Array.from({ length: 4096 }, () => uncounted(new Uint8Array(1024)));
  t.ok(counted() - before >= 4 * mib, `${counted() - before} of ${small.length} KiB`);
  const large = uncountedMost();
  let [first, second]: (Uint8Array | undefined)[] = [uncounted(new Uint8Array(large)), undefined];
  const between = counted();
  second = uncounted(new Uint8Array(8 * mib));
  t.ok(counted() - between >= 8 * mib, 'the most is reached');
  t.equal(first!.length + second.length, large + 8 * mib);
  first = second = undefined;
  await collect();
  const again = counted();
  const third = uncounted(new Uint8Array(8 * mib));
  t.ok(counted() - again < mib, `${counted() - again} bytes of ${third.length}`);
});
