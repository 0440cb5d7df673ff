import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';
import t from 'tap';
import { imageAddon, imageKinds, imageOutcomes, isAbsent } from '../../src/native.ts';

const addon = imageAddon();
const skip = isAbsent(addon) ? addon.found : false;

/** The end of a step that warps nothing. */
const upright = [0, 0, 0, 0, 0, 0, 0];

/** A job in its ints: the whole of a picture of width × height brought to side × side. */
const job = (id: number, kind: number, width: number, height: number, side: number) => [
  ...[id, kind, width, height, 1, 0, 1, 1, 0],
  ...[-1, 0, 0, 0, width, height, side, side, 1, 0, 0, side, side, 0, side, side, 0, 0, 0, 3, ...upright],
];

const path = new URL('../../native/image/build/image.node', import.meta.url).pathname;

/** Bits, the high one of each byte first, filled up with ones. Their codes begin with a zero in every eight, so that no byte looks like a marker. */
function packed(bits: string): Buffer {
  const bytes = bits.padEnd(Math.ceil(bits.length / 8) * 8, '1').match(/.{8}/g) ?? [];
  return Buffer.from(bytes.flatMap((byte) => (byte === '11111111' ? [255, 0] : [Number.parseInt(byte, 2)])));
}

/**
 * A grey, progressive JPEG of side × side, a multiple of 8, which takes long to decode for its size: `scans` scans after the first say of all its blocks that
 * they have no more of one frequency, in its coarse bits and then in the last. Sound, but without an end.
 */
function slow(side: number, scans: number, end = true): Uint8Array<ArrayBuffer> {
  const blocks = (side / 8) ** 2;
  const segment = (kind: number, ...held: number[]) => Buffer.from([255, kind, 0, held.length + 2, ...held]);
  const [high, low] = [side >> 8, side & 255];
  // Codes of four bits for runs of 2^n … 2^(n + 1) − 1 blocks.
  const runs = Array.from({ length: 15 }, (_, n) => n << 4);
  let ends = '';
  for (let left = blocks; left > 0; ) {
    const n = Math.min(14, Math.floor(Math.log2(left)));
    const run = Math.min(left, 2 ** (n + 1) - 1);
    ends += n.toString(2).padStart(4, '0') + (n === 0 ? '' : (run - 2 ** n).toString(2).padStart(n, '0'));
    left -= run;
  }
  const data = packed(ends);
  const scan = (frequency: number, bits: number) => segment(0xda, 1, 1, 0, frequency, frequency, bits);
  const parts = [
    Buffer.from([255, 0xd8]),
    segment(0xdb, 0, ...new Array<number>(64).fill(1)),
    segment(0xc2, 8, high, low, high, low, 1, 1, 0x11, 0),
    segment(0xc4, 0x00, 1, ...new Array<number>(15).fill(0), 0),
    segment(0xc4, 0x10, 0, 0, 0, 15, ...new Array<number>(12).fill(0), ...runs),
    scan(0, 0),
    Buffer.alloc(Math.floor(blocks / 8)),
    packed('0'.repeat(blocks % 8)),
  ];
  for (let i = 0; i < scans; i++) parts.push(scan(1 + (i % 63), i < 63 ? 0x01 : 0x10), data);
  return new Uint8Array(Buffer.concat([...parts, ...(end ? [Buffer.from([255, 0xd9])] : [])]));
}

/** The first message of a worker that runs `code`. */
async function messageFrom<T>(code: string, workerData: object): Promise<{ worker: Worker; message: T }> {
  const worker = new Worker(code, { eval: true, workerData: { path, ...workerData } });
  const message = await new Promise<T>((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
  return { worker, message };
}

/** Renders without end: as soon as some jobs have ended they are submitted again. Plain JavaScript, so that it starts in a moment. */
const busy = `
const { parentPort, workerData } = require('node:worker_threads');
const addon = require(workerData.path);
const memory = new Uint8Array(new SharedArrayBuffer(64 * 32 * 32 * 3));
const submit = (ids) => {
  const ints = ids.flatMap((id) => [id, ...workerData.job.slice(1)]);
  const arrays = ids.flatMap((id) => [workerData.bytes, memory.subarray(id * 3072, id * 3072 + 3072)]);
  addon.submit(Int32Array.from(ints), ints.length, arrays);
};
let ended = 0;
addon.open(3, (outcomes, count) => {
  setImmediate(() => addon.listen());
  submit([...outcomes.subarray(0, count)].filter((_, i) => i % 3 === 0));
  ended += count / 3;
  if (ended >= workerData.least) parentPort.postMessage(ended);
});
submit(Array.from({ length: 64 }, (_, id) => id));
`;

t.test('workers that are terminated while they render harm nobody', { skip }, async (t) => {
  const bytes = new Uint8Array(readFileSync(new URL('../../fixtures/photos/dog.jpg', import.meta.url)));
  const [width, height] = sizeOf(bytes);
  let most = 0;
  for (let i = 0; i < 100; i++) {
    const workerData = { path, bytes, job: job(0, imageKinds.jpeg, width, height, 32), least: (i % 5) * 20 };
    const worker = new Worker(busy, { eval: true, workerData });
    most = Math.max(
      most,
      await new Promise<number>((resolve, reject) => {
        worker.once('message', resolve);
        worker.once('error', reject);
      }),
    );
    await worker.terminate();
  }
  t.ok(most > 0, `${most} jobs had ended in one of them`);
});

/** Width and height of a baseline JPEG. */
function sizeOf(bytes: Uint8Array): [number, number] {
  const frame = Buffer.from(bytes).indexOf(Buffer.from([0xff, 0xc0]));
  const view = new DataView(bytes.buffer, bytes.byteOffset + frame);
  return [view.getUint16(7), view.getUint16(5)];
}

t.test('numbers that do not fit together are refused, before anything is read or written', { skip }, (t) => {
  if (isAbsent(addon)) return t.end();
  const outcomes: number[] = [];
  t.throws(() => addon.submit(new Int32Array(0), 0, []), /open comes first/);
  addon.open(1, (ended, count) => {
    outcomes.push(...ended.subarray(0, count));
    setImmediate(() => addon.listen());
  });
  t.throws(() => addon.open(1, () => undefined), /open comes once/);
  const good = job(0, imageKinds.grey, 4, 3, 2);
  const arrays = () => [new Uint8Array(12), new Uint8Array(12)];
  const wrong: [string, number, number][] = [
    ['kind', 1, 9],
    ['width', 2, 5],
    ['height', 3, 0],
    ['orientation', 4, 9],
    ['orientation of raw pixels', 4, 6],
    ['steps', 7, 0],
    ['a file beside an output', 8, 1 | (90 << 8)],
    ['source', 9, 0],
    ['output', 10, 1],
    ['left of the box', 11, -1],
    ['width of the box', 13, 5],
    ['height of the box', 14, 2 ** 31 - 1],
    ['size', 15, 0],
    ['kernel', 17, 2],
    ['window', 20, 3],
    ['page', 23, 3],
    ['place on the page', 25, 1],
    ['a warp of what is no page', 29, 1],
    ['an effect on what is no page', 29, 4],
    ['work that is none', 29, 16],
  ];
  for (const [what, at, value] of wrong) {
    const ints = Int32Array.from(good);
    ints[at] = value;
    t.throws(() => addon.submit(ints, ints.length, arrays()), /do not fit together|out of range/, what);
  }
  const ints = Int32Array.from(good);
  t.throws(() => addon.submit(ints, ints.length - 1, arrays()), /numbers are missing/);
  t.throws(() => addon.submit(ints, ints.length + 1, arrays()), /Int32Array/);
  t.throws(() => addon.submit(ints, ints.length, [new Uint8Array(12)]), /needed/);
  t.throws(() => addon.submit(ints, ints.length, [new Uint8Array(11), new Uint8Array(12)]), /fit together/);
  t.throws(() => addon.submit(ints, ints.length, [new Uint8Array(12), new Uint8Array(13)]), /fit together/);
  t.same(outcomes, []);
  t.end();
});

t.test(
  'a warp and an effect are of the whole page of another step, by numbers that they can have',
  { skip },
  async (t) => {
    const code = `
const { parentPort, workerData } = require('node:worker_threads');
const addon = require(workerData.path);
const thrown = (ints) => {
  try {
    addon.submit(ints, ints.length, [new Uint8Array(12).fill(90), new Uint8Array(12)]);
    return 'nothing';
  } catch (error) {
    return error.message;
  }
};
addon.open(1, () => undefined);
parentPort.postMessage(workerData.steps.map((ints) => thrown(ints)));
`;
    const head = [0, imageKinds.grey, 4, 3, 1, 0, 1, 2, 0];
    const page = job(0, 0, 4, 3, 2).slice(9).with(1, -1);
    const warped = (change: readonly [at: number, value: number][] = [], numbers = [1, 0, 0, 0, 1, 0]) => {
      const warp = [0, 0, 0, 0, 2, 2, 2, 2, 1, 0, 0, 2, 2, 0, 2, 2, 0, 0, 0, 3, 1, 0, 0, 0, 0, 0, 0];
      for (const [at, value] of change) warp[at] = value;
      const ints = Int32Array.from([...head, ...page, ...warp]);
      new Float32Array(ints.buffer).set(numbers, ints.length - 6);
      return ints;
    };
    const effect = (work: number, ...numbers: number[]) => {
      const ints = warped([[20, work]]);
      ints.set([...numbers, 0, 0, 0, 0, 0, 0].slice(0, 6), ints.length - 6);
      return ints;
    };
    const unsound = [
      ...[effect(5, 9), effect(6, 257), effect(7, 256), effect(8, -1), effect(11, (100 << 16) + 1), effect(12, 256)],
      ...[
        effect(13, 654),
        effect(14, 0, 0, 3, 1, 5, 6),
        effect(14, -1, 0, 1, 1, 5, 6),
        effect(15, 0, 1, 1, 2),
        effect(16),
      ],
      // An effect keeps the size, and mirrors nothing.
      warped([
        [20, 4],
        [13, 1],
      ]),
      warped([
        [20, 4],
        [6, 1],
        [11, 1],
        [14, 1],
      ]),
    ];
    const steps = [
      ...unsound,
      warped([[4, 1]]),
      warped([
        [11, 1],
        [16, 1],
      ]),
      warped([], [1, 0, Number.NaN, 0, 1, 0]),
      warped([], [1, 0, 0, Number.POSITIVE_INFINITY, 1, 0]),
      warped(),
    ];
    const { message } = await messageFrom<string[]>(code, { steps });
    t.same(message, [
      ...new Array<string>(unsound.length + 4).fill('the numbers of a job do not fit together'),
      'nothing',
    ]);
  },
);

t.test('many jobs of one call end in few messages, each once', { skip }, async (t) => {
  if (isAbsent(addon)) return;
  const count = 500;
  const code = `
const { parentPort, workerData } = require('node:worker_threads');
const addon = require(workerData.path);
const ended = [];
let messages = 0;
addon.open(2, (outcomes, count) => {
  setImmediate(() => addon.listen());
  messages++;
  for (let at = 0; at < count; at += 3) ended.push(outcomes[at], outcomes[at + 1]);
  if (ended.length >= 2 * workerData.count) parentPort.postMessage({ ended, messages });
});
addon.submit(workerData.ints, workerData.ints.length, Array.from({ length: 2 * workerData.count }, () => new Uint8Array(12)));
`;
  const ints = Int32Array.from(Array.from({ length: count }, (_, id) => job(id, imageKinds.grey, 4, 3, 2)).flat());
  const { message } = await messageFrom<{ ended: number[]; messages: number }>(code, { ints, count });
  const { ended, messages } = message;
  t.same(
    ended.filter((_, i) => i % 2 === 0).sort((a, b) => a - b),
    Array.from({ length: count }, (_, id) => id),
  );
  t.ok(ended.every((outcome, i) => i % 2 === 0 || outcome === imageOutcomes.done));
  t.ok(messages < count / 4, `${messages} messages`);
});

/** A job that makes a file, of side × side. */
const encoding = (id: number, side: number, packed: number) =>
  job(id, imageKinds.grey, side, side, side)
    .with(6, 0)
    .with(8, packed)
    .with(9 + 1, -1);

t.test('files: of a known format and quality, and of sides that it has', { skip }, async (t) => {
  const code = `
const { parentPort, workerData } = require('node:worker_threads');
const addon = require(workerData.path);
addon.open(1, () => undefined);
parentPort.postMessage(workerData.jobs.map(([ints, length]) => {
  try {
    addon.submit(Int32Array.from(ints), ints.length, [new Uint8Array(length)]);
    return 'nothing';
  } catch (error) {
    return error.message;
  }
}));
`;
  const long = job(0, imageKinds.grey, 65501, 1, 1)
    .with(6, 0)
    .with(8, 1 | (90 << 8))
    .with(9 + 1, -1);
  for (const at of [6, 11, 14]) long[9 + at] = 65501;
  for (const at of [7, 12, 15]) long[9 + at] = 1;
  const jobs = [
    ...[1, 1 | (101 << 8), 9 | (90 << 8)].map((packed) => [encoding(0, 4, packed), 16]),
    [long, 65501],
    [encoding(0, 4, 1 | (90 << 8)), 16],
  ];
  const { message } = await messageFrom<string[]>(code, { jobs });
  t.same(message, [...new Array<string>(4).fill('the numbers of a job do not fit together'), 'nothing']);
});

t.test('a cancelled job makes no file; each of the others makes one', { skip }, async (t) => {
  const count = 40;
  const code = `
const { parentPort, workerData } = require('node:worker_threads');
const addon = require(workerData.path);
const outcomes = [];
const files = [];
addon.open(1, (ended, count, said = []) => {
  setImmediate(() => addon.listen());
  for (let at = 0; at < count; at += 3) outcomes.push(ended[at + 1]);
  files.push(...said.map((file) => [...file.subarray(0, 2), ...file.subarray(-2)]));
  if (outcomes.length === workerData.count) parentPort.postMessage({ outcomes, files });
});
const bytes = new Uint8Array(500 * 500).map((_, i) => i * i >> 4);
for (let id = 0; id < workerData.count; id++) {
  const ints = Int32Array.from(workerData.job).with(0, id);
  addon.submit(ints, ints.length, [bytes]);
}
for (let id = 1; id < workerData.count; id++) addon.cancel(id);
`;
  const { message } = await messageFrom<{ outcomes: number[]; files: number[][] }>(code, {
    count,
    job: encoding(0, 500, 1 | (90 << 8)),
  });
  const { encoded, cancelled } = imageOutcomes;
  const made = message.outcomes.filter((outcome) => outcome === encoded).length;
  t.same(message.files, new Array(made).fill([0xff, 0xd8, 0xff, 0xd9]), 'whole files');
  t.ok(made >= 1, 'the first was not cancelled');
  t.equal(message.outcomes.filter((outcome) => outcome === cancelled).length, count - made);
  t.ok(made < count, `${count - made} cancelled`);
});

t.test('between two outputs that are decoded each by itself a job can be cancelled', { skip }, async (t) => {
  const side = 2000;
  const count = 12;
  const code = `
const { parentPort, workerData } = require('node:worker_threads');
const addon = require(workerData.path);
const outs = Array.from({ length: workerData.count }, () => new Uint8Array(new SharedArrayBuffer(12)));
addon.open(1, ([, outcome]) => parentPort.postMessage({ outcome, last: [...outs.at(-1)] }));
addon.submit(workerData.ints, workerData.ints.length, [workerData.bytes, ...outs]);
while (Atomics.load(outs[0], 0) === 0);
addon.cancel(0);
`;
  const [head, step] = [job(0, imageKinds.jpeg, side, side, 2).slice(0, 9), job(0, 0, side, side, 2).slice(9)];
  const steps = Array.from({ length: count }, (_, output) => step.with(1, output));
  const ints = Int32Array.from([...head.with(6, count).with(7, count), ...steps.flat()]);
  const bytes = slow(side, 4);
  const { message } = await messageFrom<{ outcome: number; last: number[] }>(code, { count, ints, bytes });
  t.same(message, { outcome: imageOutcomes.cancelled, last: new Array(12).fill(0) });
});

/** Submits a slow job and, to another thread, a quick one: when that has ended, the slow one has begun. Then does `then`. */
const begun = (then: string) => `
const { parentPort, workerData } = require('node:worker_threads');
const addon = require(workerData.path);
addon.open(2, (outcomes, count, messages = []) => {
  setImmediate(() => addon.listen());
  if (outcomes[0] === 1) ${then}
  else parentPort.postMessage([...outcomes.subarray(0, 2), ...messages]);
});
for (const [ints, bytes] of [[workerData.slow, workerData.bytes], [workerData.quick, new Uint8Array(12)]]) {
  addon.submit(ints, ints.length, [bytes, new Uint8Array(12)]);
}
`;

t.test('more than a message holds come in several, each with its own broken ones', { skip }, async (t) => {
  const count = 5000;
  const code = `
const { parentPort, workerData } = require('node:worker_threads');
const addon = require(workerData.path);
const ended = new Map();
addon.open(2, (outcomes, count, messages = []) => {
  setImmediate(() => addon.listen());
  let broken = 0;
  for (let at = 0; at < count; at += 3) ended.set(outcomes[at], outcomes[at + 1] === 1 ? messages[broken++] : outcomes[at + 1]);
  if (broken !== messages.length) throw new Error('messages of nobody');
  if (ended.size === workerData.count) parentPort.postMessage([...ended]);
});
const outs = Array.from({ length: workerData.count }, () => new Uint8Array(12));
const white = new Uint8Array(12).fill(255);
addon.submit(workerData.ints, workerData.ints.length, outs.flatMap((out, i) => [i % 2 ? workerData.bytes : white, out]));
// No message can come before all that is white is drawn.
const drawn = new Set();
while (drawn.size < outs.length / 2) outs.forEach((out, i) => out[0] === 255 && drawn.add(i));
`;
  const kinds = [imageKinds.grey, imageKinds.jpeg];
  const ints = Int32Array.from(Array.from({ length: count }, (_, id) => job(id, kinds[id % 2]!, 4, 3, 2)).flat());
  const { message } = await messageFrom<[number, unknown][]>(code, { ints, count, bytes: new Uint8Array(12) });
  t.equal(message.length, count);
  t.ok(message.every(([id, outcome]) => (id % 2 === 0 ? outcome === imageOutcomes.done : typeof outcome === 'string')));
});

t.test('a decoding stops when it is cancelled, and when its thread ends', { skip }, async (t) => {
  const side = 8000;
  const jobs = {
    slow: Int32Array.from(job(0, imageKinds.jpeg, side, side, 2)),
    quick: Int32Array.from(job(1, imageKinds.grey, 4, 3, 2)),
  };
  // To its end it would be broken.
  const bytes = slow(side, 60, false);
  t.same((await messageFrom(begun('addon.cancel(0);'), { ...jobs, bytes })).message, [0, imageOutcomes.cancelled]);

  const { worker } = await messageFrom(begun('parentPort.postMessage(0);'), { ...jobs, bytes });
  const order: string[] = [];
  const short = messageFrom(begun(';'), { ...jobs, bytes: slow(side, 8) }).then(() => order.push('decoded'));
  await Promise.all([short, worker.terminate().then(() => order.push('terminated'))]);
  t.same(order, ['terminated', 'decoded'], 'terminating takes less than decoding a file that is shorter');
});

t.test('a file of very many scans is broken', { skip }, async (t) => {
  const code = `
const { parentPort, workerData } = require('node:worker_threads');
const addon = require(workerData.path);
addon.open(1, (outcomes, _, messages = []) => parentPort.postMessage([outcomes[1], ...messages]));
addon.submit(workerData.ints, workerData.ints.length, [workerData.bytes, new Uint8Array(12)]);
`;
  const ints = Int32Array.from(job(0, imageKinds.jpeg, 64, 64, 2));
  const outcome = async (scans: number) => (await messageFrom(code, { ints, bytes: slow(64, scans) })).message;
  t.same(await outcome(80), [imageOutcomes.done]);
  t.same(await outcome(120), [imageOutcomes.broken, 'more than 100 scans']);
});

t.test('of a broken file no memory is kept', { skip }, async (t) => {
  const code = `
const { parentPort, workerData } = require('node:worker_threads');
const addon = require(workerData.path);
const before = process.memoryUsage.rss();
addon.open(1, ([, outcome]) => parentPort.postMessage({ outcome, mib: (process.memoryUsage.rss() - before) / 2 ** 20 }));
addon.submit(workerData.ints, workerData.ints.length, [workerData.bytes, new Uint8Array(12)]);
`;
  const side = 4400;
  const ints = Int32Array.from(job(0, imageKinds.jpeg, side, side, 2));
  const bytes = slow(side, 1, false);
  const { message } = await messageFrom<{ outcome: number; mib: number }>(code, { ints, bytes });
  t.equal(message.outcome, imageOutcomes.broken);
  // Its coefficients take 111.
  t.ok(message.mib < 50, `${message.mib} MiB`);
});

const limited = process.platform === 'linux' ? skip : 'the memory of a process can be limited on Linux';

t.test('a lack of memory is told as that, whoever met it', { skip: limited }, async (t) => {
  // More than the 8 GiB that the process may have: coefficients of a progressive file, and the page between two steps.
  const [file, page] = [65_496, 65_535];
  const code = `
const addon = require(${JSON.stringify(path)});
const { ints, records, bytes } = JSON.parse(process.argv[1]);
const alike = addon.renderRecords(Int32Array.from(records), new Uint8Array(1), new Uint8Array(3));
addon.open(1, ([, outcome]) => console.log(JSON.stringify([alike, outcome])));
addon.submit(Int32Array.from(ints), ints.length, [Uint8Array.from(bytes), new Uint8Array(12)]);
`;
  const steps = [
    ...[-1, -1, 0, 0, 1, 1, page, page, 1, 0, 0, page, page, 0, page, page, 0, 0, 0, 3, ...upright],
    ...[0, 0, 0, 0, 1, 1, 1, 1, 1, 0, 0, 1, 1, 0, 1, 1, 0, 0, 0, 3, ...upright],
  ];
  const given = {
    ints: job(0, imageKinds.jpeg, file, file, 2),
    records: [imageKinds.grey, 1, 1, 2, ...steps, 0],
    // Memory is taken before the first scan is read.
    bytes: [...slow(file, 1).subarray(0, 400)],
  };
  const shell = 'ulimit -v 8388608 && exec "$0" -e "$1" "$2"';
  const { stdout } = await promisify(execFile)('sh', ['-c', shell, process.execPath, code, JSON.stringify(given)]);
  t.same(JSON.parse(stdout), [imageOutcomes.memory, imageOutcomes.memory]);
});
