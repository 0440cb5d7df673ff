import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const pathOf = (name: string) => fileURLToPath(new URL(`../../native/${name}/build/${name}.node`, import.meta.url));
const without = (name: string) => (existsSync(pathOf(name)) ? false : `native/${name} is not built`);

/**
 * Nobody waits for the threads of an addon when a process ends by `process.exit`: they go on while what is static is destroyed. So nothing of ours is. dlib's own headers bring
 * C++'s streams along, whose end changes nothing.
 */
for (const name of ['environment', 'image', 'torch']) {
  t.test(`native/${name} destroys nothing when the process ends`, { skip: without(name) }, (t) => {
    t.notOk(readFileSync(pathOf(name)).includes('__cxa_atexit'), 'no destructor is registered');
    t.end();
  });
}

/** How a process ends that runs `code` with an addon and ends in the middle of its work. */
async function endOf(code: string, ...args: string[]) {
  const child = spawn(process.execPath, ['-e', code, ...args], { stdio: 'ignore' });
  const [status, signal] = await once(child, 'exit');
  return signal ?? status;
}

/** Sums of frames are taken on three threads. */
const summing = `
const [addon, path, size, after] = [require(process.argv[1]), process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
const file = require('node:fs').openSync(path);
const count = 1500;
let ended = 0;
addon.open(3, (_, ints) => {
  setImmediate(() => addon.listen());
  ended += ints / 3;
  if (ended > after) process.exit(0);
});
const rooms = Array.from({ length: 64 }, () => new Uint8Array(size));
const places = Float64Array.from({ length: 3 * count }, (_, i) => [file, 0, size][i % 3]);
addon.readFrames(Int32Array.from({ length: count }, (_, i) => i), places, Array.from({ length: count }, (_, i) => rooms[i % 64]));
`;

t.test('a process may end while threads take sums of what they read', { skip: without('image') }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'patchstream-test-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const size = 2 ** 18;
  const path = join(folder, 'frame');
  writeFileSync(path, new Uint8Array(size).fill(7));
  for (let i = 0; i < 10; i++) t.equal(await endOf(summing, pathOf('image'), path, String(size), String(40 * i)), 0);
});

const looking = `
const addon = require(process.argv[1]);
addon.open(3, () => process.exit(0));
const pixels = new Uint8Array(300 * 200).map((_, i) => (i * 7919) % 251);
for (let id = 0; id < 12; id++) addon.submit(id, pixels, 300, 200, 0, -1);
`;

t.test('a process may end while threads look for faces', { skip: without('dlib') }, async (t) => {
  for (let i = 0; i < 5; i++) t.equal(await endOf(looking, pathOf('dlib')), 0);
});

const readingBack = `
const addon = require(process.argv[1]);
addon.open(new Int32Array(64), new Float64Array(64));
const tensor = addon.upload(new Float32Array(1000), 0, [1000]);
for (let i = 0; i < 200; i++) addon.downloadAsync(tensor, new Float32Array(1000));
process.exit(0);
`;

t.test('a process may end while tensors are read back', { skip: without('torch') }, async (t) => {
  for (let i = 0; i < 3; i++) t.equal(await endOf(readingBack, pathOf('torch')), 0);
});
