import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import t from 'tap';
import { inLargePages, uncounted, uncountedMost } from '../src/external-memory.ts';
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

t.test('new arrays are counted once, as a reserve; those that come after them are not', { skip }, async (t) => {
  const four = () => Array.from({ length: 4 }, () => uncounted(new Uint8Array(4 * mib).fill(1)));
  await collect();
  const before = counted();
  let arrays = four();
  t.ok(Math.abs(counted() - before - 16 * mib) < mib, `${counted() - before} bytes more`);
  for (let time = 0; time < 3; time++) {
    t.equal(
      arrays.every((array) => array.length === 4 * mib && array[7] === 1),
      true,
    );
    arrays = [];
    gc();
    t.ok(counted() - before > -mib, `${counted() - before} bytes more before it is heard that they have gone`);
    await collect();
    t.ok(Math.abs(counted() - before - 16 * mib) < mib, `${counted() - before} bytes more when they have gone`);
    arrays = four();
    t.ok(Math.abs(counted() - before - 16 * mib) < mib, `${counted() - before} bytes more with new ones`);
  }
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

t.test('a thread and a process may end while they are alive', { skip }, async (t) => {
  const module = new URL('../src/external-memory.ts', import.meta.url).href;
  const program = `
    const { uncounted } = await import(${JSON.stringify(module)});
    globalThis.kept = Array.from({ length: 8 }, () => uncounted(new Uint8Array(${2 * mib})));
    const { isMainThread, Worker } = await import('node:worker_threads');
    if (isMainThread) console.log(await new Promise((ended) => new Worker(process.argv[1]).once('exit', ended)));
  `;
  const file = join(t.testdir({ 'keeps.mjs': program }), 'keeps.mjs');
  const { status, stdout, stderr } = spawnSync(process.execPath, [...process.execArgv, file], { encoding: 'utf8' });
  t.equal(status, 0, stderr);
  t.equal(stdout, '0\n');
});

t.test('large memory is asked for in large pages, small is not, and what lies in it stays', { skip }, async (t) => {
  const asked = () =>
    readFileSync('/proc/self/smaps', 'utf8')
      .split('VmFlags:')
      .filter((flags) => / hg\b/.test(flags)).length;
  const before = asked();
  const small = inLargePages(new Uint8Array(mib).fill(3));
  t.equal(asked(), before);
  const large = inLargePages(new Uint8Array(new SharedArrayBuffer(16 * mib)));
  if (existsSync('/sys/kernel/mm/transparent_hugepage')) t.equal(asked(), before + 1);
  t.ok(large.every((byte) => byte === 0) && small.every((byte) => byte === 3));
});
