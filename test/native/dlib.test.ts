import { Worker } from 'node:worker_threads';
import t from 'tap';
import { dlibAddon, dlibOutcomes, isAbsent } from '../../src/native.ts';
import { renderGrey } from '../../src/vision/render/render.ts';
import { photo, withoutPhotos } from '../kit/pictures/faces.ts';
import { modelPath, withoutLandmarks } from '../kit/pictures/landmarks.ts';

const addon = dlibAddon();
const skip = isAbsent(addon) ? addon.found : false;
const build = new URL('../../native/dlib/build/', import.meta.url).pathname;

/** Answers [id, outcome, faces…] of jobs, as a program without anything else. */
const answers = `
const { parentPort, workerData } = require('node:worker_threads');
const addon = require(workerData.path);
const ended = [];
addon.open(workerData.threads, (id, outcome, faces, message) => {
  ended.push([id, outcome, [...faces], message]);
  if (ended.length === workerData.jobs.length) parentPort.postMessage({ info: addon.info(), ended });
});
for (const { id, pixels, width, height, model } of workerData.jobs) addon.submit(id, pixels, width, height, 0, 0, model ?? workerData.model);
for (const id of workerData.cancel) addon.cancel(id);
`;

interface Answered {
  readonly info: { readonly version: string; readonly vectors: string; readonly avx2: boolean };
  readonly ended: readonly [id: number, outcome: number, faces: number[], message: string][];
}

async function ask(code: string, workerData: object): Promise<{ worker: Worker; message: Answered }> {
  const worker = new Worker(code, {
    eval: true,
    workerData: { path: `${build}dlib.node`, threads: 2, cancel: [], ...workerData },
  });
  const message = await new Promise<Answered>((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
  return { worker, message };
}

const shared = (bytes: Uint8Array) => {
  const copy = new Uint8Array(new SharedArrayBuffer(bytes.length));
  copy.set(bytes);
  return copy;
};

t.test(
  'what the machine has chooses the form, and both forms answer alike',
  { skip: skip || withoutPhotos },
  async (t) => {
    if (isAbsent(addon)) return;
    const { version, vectors, avx2 } = addon.info();
    t.match(version, /^\d+\.\d+$/);
    t.equal(vectors, avx2 ? 'avx2' : 'plain');
    const picture = (await photo(4)).resize({ width: 960, height: 699, fit: 'fill' });
    const jobs = [{ id: 7, pixels: shared(await renderGrey(picture)), width: 960, height: 699 }];
    const plain = (await ask(answers, { jobs })).message;
    t.equal(plain.info.vectors, 'plain');
    t.ok(plain.ended[0]![2].length >= 20, 'four faces at least');
    if (!avx2) return;
    const fast = (await ask(answers, { jobs, path: `${build}dlib-avx2.node` })).message;
    t.equal(fast.info.vectors, 'avx2');
    t.same(fast.ended[0]![2], plain.ended[0]![2], 'to the bit');
  },
);

t.test(
  'so they do of landmarks: 136 numbers of each face',
  { skip: skip || withoutPhotos || withoutLandmarks },
  async (t) => {
    if (isAbsent(addon)) return;
    const picture = (await photo(4)).resize({ width: 960, height: 699, fit: 'fill' });
    const pixels = shared(await renderGrey(picture));
    const jobs = [0, 1].map((id) => ({ id, pixels, width: 960, height: 699 }));
    const plain = (await ask(answers, { jobs, model: modelPath })).message;
    const numbers = plain.ended[0]![2];
    t.ok(numbers.length >= 4 * 141 && numbers.length % 141 === 0);
    t.same(plain.ended[1]![2], numbers, 'two threads, one model');
    if (!addon.info().avx2) return;
    const fast = (await ask(answers, { jobs, model: modelPath, path: `${build}dlib-avx2.node` })).message;
    t.same(fast.ended[0]![2], numbers, 'to the bit');
  },
);

t.test('a model that is none: every job says so; one that is cancelled does not', { skip }, async (t) => {
  const small = { pixels: shared(new Uint8Array(120 * 120)), width: 120, height: 120, model: '/nowhere' };
  // In front of them one that needs no model, and keeps the thread while the others are asked for.
  const large = { pixels: shared(new Uint8Array(3000 * 2600)), width: 3000, height: 2600 };
  const jobs = [{ id: 9, ...large }, ...[0, 1, 2].map((id) => ({ id, ...small }))];
  const { ended } = (await ask(answers, { jobs, threads: 1, cancel: [2] })).message;
  t.same(
    ended.toSorted(([a], [b]) => a - b).map(([id, outcome, , message]) => [id, outcome, message]),
    [
      [0, dlibOutcomes.model, 'cannot be opened: No such file or directory'],
      [1, dlibOutcomes.model, 'cannot be opened: No such file or directory'],
      [2, dlibOutcomes.cancelled, ''],
      [9, dlibOutcomes.done, ''],
    ],
  );
});

t.test('jobs end each once; one that has not begun ends when it is cancelled', { skip }, async (t) => {
  const [width, height] = [900, 800];
  const pixels = shared(new Uint8Array(width * height));
  const jobs = Array.from({ length: 9 }, (_, id) => ({ id, pixels, width, height }));
  const { ended } = (await ask(answers, { jobs, threads: 1, cancel: [3, 5, 8, 99] })).message;
  t.same(ended.map(([id]) => id).toSorted(), [0, 1, 2, 3, 4, 5, 6, 7, 8]);
  for (const [id, outcome] of ended)
    t.equal(outcome, [3, 5, 8].includes(id) ? dlibOutcomes.cancelled : dlibOutcomes.done, `job ${id}`);
});

t.test('mistakes of the caller are thrown', { skip }, async (t) => {
  const code = `
const { parentPort, workerData } = require('node:worker_threads');
const addon = require(workerData.path);
const thrown = (call) => { try { call(); return 'nothing'; } catch (error) { return error.message; } };
const pixels = new Uint8Array(100 * 100);
const before = thrown(() => addon.submit(0, pixels, 100, 100, 0, 0));
addon.open(1, () => {});
addon.submit(5, pixels, 100, 100, 0, 0);
parentPort.postMessage([before, ...[
  () => addon.open(1, () => {}),
  () => addon.submit(5, pixels, 100, 100, 0, 0),
  () => addon.submit(1, pixels, 100, 99, 0, 0),
  () => addon.submit(1, pixels, -100, -100, 0, 0),
  () => addon.submit(1, pixels, 65536, 65536, 0, 0),
  () => addon.submit(1, new Float32Array(10000), 100, 100, 0, 0),
  () => addon.submit(1, [...pixels], 100, 100, 0, 0),
  () => addon.submit('one', pixels, 100, 100, 0, 0),
  () => addon.submit(1, pixels, 100, 100, -1, 0),
  () => addon.submit(1, pixels, 100, 100, 0, 0, 68),
  () => addon.submit(1, pixels, 100, 100, 0, 0, 'a\\0b'),
].map(thrown)]);
`;
  t.same((await ask(code, {})).message, [
    'open comes first',
    'open comes once',
    'the id is in use',
    'the pixels do not fit their size',
    'the pixels do not fit their size',
    'the pixels do not fit their size',
    'a Uint8Array is needed',
    'a Uint8Array is needed',
    'a number is needed',
    'the steps are out of range',
    'a text is needed',
    'a text without 0 is needed',
  ]);
});

t.test('a thread may be terminated while it looks for faces', { skip }, async (t) => {
  const busy = `
const { parentPort, workerData } = require('node:worker_threads');
const addon = require(workerData.path);
const pixels = new Uint8Array(200 * 200);
addon.open(2, (id) => {
  addon.submit(id, pixels, 200, 200, 0, 0);
  parentPort.postMessage(0);
});
for (let id = 0; id < 8; id++) addon.submit(id, pixels, 200, 200, 0, 0);
`;
  for (let round = 0; round < 20; round++) {
    const { worker } = await ask(busy, {});
    t.equal(await worker.terminate(), 1);
  }
});
