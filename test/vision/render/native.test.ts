import t from 'tap';
import { type ImageAddon, imageAddon, imageKinds, imageOutcomes, isAbsent } from '../../../src/native.ts';
import { NativePool } from '../../../src/native-pool.ts';
import type { LazyPicture, Operation, Origin } from '../../../src/vision/geometry.ts';
import {
  aboutRenderer,
  isRenderable,
  NativeRenderer,
  nativeRenderer,
  refusal,
  rendererOver,
  setRenderThreads,
} from '../../../src/vision/render/native.ts';
import { planOf, stepInts, writeStep } from '../../../src/vision/render/plan.ts';
import type { Place, Rendering } from '../../../src/vision/render/waiting.ts';

type Said = readonly (string | Uint8Array | undefined)[];

/** An addon that renders nothing: it keeps what it is handed, and ends jobs when it is told to. */
class FakeAddon {
  readonly batches: { readonly ints: readonly number[]; readonly arrays: readonly Uint8Array[] }[] = [];
  readonly cancelled: number[] = [];
  threads = 0;
  listens = 0;
  png = '1.6.39';
  webp = '1.2.4';
  deflate = '1.14';
  /** What is thrown where a batch has a job of this number of outputs. */
  refuse: { readonly outputs: number; readonly error: Error } | undefined;
  ended!: (outcomes: Int32Array, count: number, said?: Said) => void;

  open(threads: number, ended: FakeAddon['ended']): void {
    this.threads = threads;
    this.ended = ended;
  }

  submit(ints: Int32Array, count: number, arrays: readonly Uint8Array[]): void {
    const all = [...ints.subarray(0, count)];
    for (let at = 0; at < count; at += 9 + all[at + 7]! * stepInts)
      if (this.refuse?.outputs === all[at + 6]) throw this.refuse.error;
    this.batches.push({ ints: all, arrays });
  }

  cancel(id: number): void {
    this.cancelled.push(id);
  }

  listen(): void {
    this.listens++;
  }

  setThreads(count: number): void {
    this.threads = count;
  }

  info() {
    return { version: 2_001_005, png: this.png, webp: this.webp, deflate: this.deflate, vectors: 'avx2' as const };
  }

  /** Ends jobs: [id, outcome], with the messages of those that are broken and the files of those that are encoded. */
  end(jobs: readonly (readonly [id: number, outcome: number])[], said: Said = []): void {
    const outcomes = Int32Array.from(jobs.flatMap(([id, outcome]) => [id, outcome, 0]));
    this.ended(outcomes, outcomes.length, said);
  }
}

function renderer() {
  const addon = new FakeAddon();
  return { addon, native: new NativeRenderer(new NativePool(addon as unknown as ImageAddon, 3)) };
}

/** The ints of each job of a call. */
function jobsIn(ints: readonly number[]): (readonly number[])[] {
  const jobs: (readonly number[])[] = [];
  for (let at = 0; at < ints.length; ) {
    const end = at + 9 + ints[at + 7]! * stepInts;
    jobs.push(ints.slice(at, end));
    at = end;
  }
  return jobs;
}

const flush = () => new Promise<void>((resolve) => process.nextTick(resolve));

function raw(width: number, height: number, channels: 1 | 3 = 3): LazyPicture {
  const data = new Uint8Array(width * height * channels);
  return { width, height, origin: { kind: 'raw', data, width, height, channels }, from: undefined };
}

const encoded = (more: Partial<Origin & { readonly kind: 'encoded' }> = {}): Origin => ({
  kind: 'encoded',
  bytes: Uint8Array.of(0xff, 0xd8),
  format: 'jpeg',
  orientation: 1,
  alpha: false,
  background: [0, 0, 0],
  plain: true,
  maxPixels: 1e9,
  ...more,
});

function after(picture: LazyPicture, ...operations: Operation[]): LazyPicture {
  let made = picture;
  for (const operation of operations) {
    const { width, height } = operation.kind === 'crop' ? operation.box : 'width' in operation ? operation : made;
    made = { width, height, origin: made.origin, from: { picture: made, operation } };
  }
  return made;
}

const into = (picture: LazyPicture, grey?: boolean): Rendering => ({
  picture,
  out: new Uint8Array(picture.width * picture.height * (grey ? 1 : 3)),
  ...(grey !== undefined && { grey }),
});
const sized = (width: number, height: number, kernel: 'bicubic' | 'lanczos' = 'bicubic'): Operation => ({
  kind: 'resize',
  width,
  height,
  kernel,
});
const settle: Operation = { kind: 'settle' };
const never = () => Promise.reject(new Error('not to be rendered otherwise'));
const outcomeOf = (promise: Promise<void>) =>
  promise.then(
    () => 'done',
    (error: { code?: string; message: string }) => error.code ?? error.message,
  );

/** A place that says who may write there, and when it was freed. */
class FakePlace implements Place {
  current = true;
  stop: (() => void) | undefined;
  readonly told: ('stop' | 'ended')[] = [];
  whenFreed(stop: (() => void) | undefined): void {
    this.stop = stop;
    this.told.push(stop === undefined ? 'ended' : 'stop');
  }
}

t.test('a job as ints: its head, every step, and its arrays', async (t) => {
  const { addon, native } = renderer();
  const start = raw(20, 10, 1);
  const shared = after(start, sized(8, 6), settle);
  const renderings = [into(after(shared, { kind: 'flip' })), into(shared, true), into(start)];
  const done = outcomeOf(native.render(renderings, undefined, never));
  t.equal(addon.batches.length, 0, 'not in the turn in which it was asked for');
  await flush();
  const [{ ints, arrays } = { ints: [], arrays: [] }] = addon.batches;
  const { steps, outputs } = planOf(renderings)!;
  t.equal(steps.length, 3);
  const expected = new Int32Array(9 + steps.length * stepInts);
  expected.set([0, imageKinds.grey, 20, 10, 1, 0, 3, 3, 0]);
  for (const [i, step] of steps.entries()) {
    const output = outputs.indexOf(i);
    writeStep(expected, 9 + i * stepInts, step, output, renderings[output]?.grey ? 1 : 3);
  }
  t.same(ints, [...expected]);
  const channels = steps.map((_, i) => ints[9 + i * stepInts + 19]);
  t.same(channels, [1, 3, 3], 'luma where it is asked for');
  t.same(
    steps.map((_, i) => ints[9 + i * stepInts + 1]),
    [1, 0, 2],
  );
  t.equal(arrays[0], start.origin.kind === 'raw' && start.origin.data);
  t.same(
    arrays.slice(1).map((out, i) => out === renderings[i]!.out),
    [true, true, true],
  );
  addon.end([[0, imageOutcomes.done]]);
  t.equal(await done, 'done');
});

t.test('a picture that becomes a file: no outputs, and how its job may end', async (t) => {
  const { addon, native } = renderer();
  const start = raw(20, 10, 1);
  const encode = (picture: LazyPicture) =>
    native
      .encode({ picture, grey: true, encoding: 1 | (90 << 8) }, async () => Uint8Array.of(7))
      .then(
        (file) => [...file],
        (error: { code?: string }) => error.code,
      );
  const first = after(start, sized(8, 6), { kind: 'flip' });
  const ends = [first, start, start, start].map(encode);
  t.same(await encode(after(start, sized(8, 6, 'lanczos'))), [7], 'left to another');
  await flush();
  const [{ ints, arrays } = { ints: [], arrays: [] }] = addon.batches;
  const [job = []] = jobsIn(ints);
  t.same(job.slice(0, 9), [
    0,
    imageKinds.grey,
    20,
    10,
    1,
    0,
    0,
    planOf([{ picture: first }])!.steps.length,
    1 | (90 << 8),
  ]);
  t.same([job.at(9 + 1), job.at(9 + 19)], [-1, 1], 'no output, and luma');
  t.equal(arrays.length, 4, 'only what is read');
  const { broken, encoded, foreign } = imageOutcomes;
  addon.end(
    [
      [0, encoded],
      [1, broken],
      [2, foreign],
      [3, encoded],
    ],
    [Uint8Array.of(1, 2), 'cut off', undefined],
  );
  t.same(await Promise.all(ends), [[1, 2], 'PICTURE_BROKEN', [7], 'PICTURE_MEMORY']);
});

t.test('sizes and kinds: as stored, before the picture is turned upright', async (t) => {
  const head = async (picture: LazyPicture) => {
    const { addon, native } = renderer();
    void native.render([into(after(picture, sized(4, 4)))], undefined, never);
    await flush();
    t.equal(addon.batches[0]!.arrays[0], picture.origin.kind === 'raw' ? picture.origin.data : picture.origin.bytes);
    return addon.batches[0]!.ints.slice(1, 8);
  };
  const { jpeg, rgb, grey, png } = imageKinds;
  t.same(await head(raw(20, 10)), [rgb, 20, 10, 1, 0, 1, 1]);
  t.same(await head(raw(20, 10, 1)), [grey, 20, 10, 1, 0, 1, 1]);
  for (let orientation = 1; orientation <= 8; orientation++) {
    const stored = orientation > 4 ? [10, 20] : [20, 10];
    const picture = { width: 20, height: 10, origin: encoded({ orientation }), from: undefined };
    t.same(await head(picture), [jpeg, ...stored, orientation, 0, 1, 1], `orientation ${orientation}`);
  }
  const transparent = encoded({ format: 'png', alpha: true, background: [1, 2, 3] });
  t.same(await head({ width: 20, height: 10, origin: transparent, from: undefined }), [png, 20, 10, 1, 0x010203, 1, 1]);
});

t.test('what the addon cannot render is left to another, at once, and nothing is submitted', async (t) => {
  const { addon, native } = renderer();
  let others = 0;
  const otherwise = async () => {
    others++;
  };
  const jpeg: LazyPicture = { width: 8, height: 8, origin: encoded({ plain: false }), from: undefined };
  const start = raw(8, 8);
  const deep = (count: number) => Array.from({ length: count }, (_, i) => sized(2 + (i % 2), 3));
  const left: Rendering[][] = [
    [into(jpeg)],
    [into(raw(65_536, 1))],
    [into(start), into(raw(8, 8))],
    [into(after(start, sized(4, 4, 'lanczos')))],
    [into(after(start, ...deep(1024)))],
  ];
  for (const [i, renderings] of left.entries()) {
    await native.render(renderings, new FakePlace(), otherwise);
    t.equal(others, i + 1);
  }
  await flush();
  t.equal(addon.batches.length, 0);
  void native.render([into(after(start, ...deep(1023)))], undefined, never);
  await flush();
  t.equal(addon.batches[0]!.ints.length, 9 + 1023 * stepInts, 'as many steps as there may be, in memory that grows');
  t.same([isRenderable(raw(65_535, 1).origin), isRenderable(raw(1, 65_536).origin)], [true, false]);
  const formats = new Set(['jpeg'] as const);
  const [whole, odd] = [encoded(), encoded({ plain: false })];
  t.same([isRenderable(whole, formats), isRenderable(odd, formats), isRenderable(whole)], [true, false, false]);
  t.equal(isRenderable(encoded({ format: 'png' }), formats), false, 'a format that the addon was built without');
});

t.test('the jobs of a turn go in one call, one behind the other; the next turn’s in another', async (t) => {
  const { addon, native } = renderer();
  const render = (width: number) => void native.render([into(raw(width, 1))], undefined, never);
  // More than the ints have room for at first.
  for (let i = 1; i <= 200; i++) render(i);
  await flush();
  render(201);
  await flush();
  t.same(
    addon.batches.map(({ arrays }) => arrays.length),
    [400, 2],
  );
  const { ints } = addon.batches[0]!;
  const jobs = Array.from({ length: 200 }, (_, i) => ints.slice(i * (9 + stepInts), (i + 1) * (9 + stepInts)));
  t.same(
    jobs.map(([id, , width]) => [id, width]),
    Array.from({ length: 200 }, (_, i) => [i, i + 1]),
  );
  t.same([addon.batches[1]!.ints[0], addon.batches[1]!.ints.length], [200, 9 + stepInts]);
});

t.test('how jobs end: each by its own outcome, and ids are used again', async (t) => {
  const { addon, native } = renderer();
  let others = 0;
  const otherwise = async () => {
    others++;
    throw new Error('nor this');
  };
  const ends = Array.from({ length: 5 }, () => outcomeOf(native.render([into(raw(2, 2))], undefined, otherwise)));
  await flush();
  const { done, broken, foreign, memory, cancelled } = imageOutcomes;
  addon.end(
    [
      [4, done],
      [1, broken],
      [0, memory],
      [2, broken],
      [3, foreign],
    ],
    ['first', 'second'],
  );
  t.same(await Promise.all(ends), ['PICTURE_MEMORY', 'PICTURE_BROKEN', 'PICTURE_BROKEN', 'nor this', 'done']);
  t.equal(others, 1, 'only what is foreign is rendered by another');
  const again = Array.from({ length: 3 }, () => native.render([into(raw(2, 2))], undefined, never));
  await flush();
  const ids = Array.from({ length: 3 }, (_, i) => addon.batches[1]!.ints[i * (9 + stepInts)]!);
  t.same(ids, [3, 2, 0]);
  addon.end([[2, broken]], ['marker 0xFFD9 is missing']);
  await t.rejects(again[1]!, { code: 'PICTURE_BROKEN', message: /marker 0xFFD9 is missing/ });
  addon.end([
    [0, cancelled],
    [3, done],
  ]);
  await Promise.all([again[0], again[2]]);
  await new Promise((resolve) => setImmediate(resolve));
  t.equal(addon.listens, 3, 'it asks for the next message in another turn');
});

t.test('a place that is taken back: before the addon has seen the job, while it has it, and after', async (t) => {
  const { addon, native } = renderer();
  const places = Array.from({ length: 4 }, () => new FakePlace());
  const ends = places.map((place) => outcomeOf(native.render([into(raw(2, 2))], place, never)));
  t.same(
    places.map(({ told }) => told),
    [['stop'], ['stop'], ['stop'], ['stop']],
  );
  places[1]!.current = false;
  places[2]!.current = false;
  await flush();
  t.same(await Promise.all(ends.slice(1, 3)), ['done', 'done'], 'they end, and nothing is written');
  t.equal(addon.batches[0]!.arrays.length, 4);
  t.same([addon.batches[0]!.ints[0], addon.batches[0]!.ints[9 + stepInts]], [0, 3]);
  places[3]!.stop!();
  t.same(addon.cancelled, [3]);
  addon.end([
    [3, imageOutcomes.cancelled],
    [0, imageOutcomes.done],
  ]);
  t.same(await Promise.all(ends), ['done', 'done', 'done', 'done']);
  t.same(
    [places[0]!.told, places[3]!.told],
    [
      ['stop', 'ended'],
      ['stop', 'ended'],
    ],
    'who wrote has ended',
  );
  const idsOf = (batch: number) =>
    jobsIn(addon.batches[batch]!.ints)
      .map(([id]) => id)
      .sort();
  const again = (count: number) => {
    for (let i = 0; i < count; i++) void native.render([into(raw(2, 2))], undefined, never);
    return flush();
  };
  await again(4);
  t.same(idsOf(1), [0, 1, 2, 3], 'all ids are free again');

  const gone = new FakePlace();
  const only = native.render([into(raw(2, 2))], gone, never);
  gone.current = false;
  await flush();
  await only;
  t.equal(addon.batches.length, 2, 'nothing is submitted where nobody is left');
  await again(1);
  t.same(idsOf(2), [4], 'and its id is free');
});

t.test('a job that the addon refuses fails by itself, and the others of its turn are submitted', async (t) => {
  const { addon, native } = renderer();
  addon.refuse = { outputs: 2, error: new Error('they do not fit') };
  const place = new FakePlace();
  const start = raw(4, 4);
  const ends = [
    outcomeOf(native.render([into(start)], undefined, never)),
    native.render([into(start), into(after(start, { kind: 'flip' }))], place, never),
    outcomeOf(native.render([into(start)], undefined, never)),
  ];
  await t.rejects(() => ends[1] as Promise<void>, {
    code: 'PICTURE_REFUSED',
    message: /they do not fit/,
    cause: { message: 'they do not fit' },
  });
  t.same(place.told, ['stop', 'ended']);
  t.same(
    addon.batches.map(({ ints }) => ints[0]),
    [0, 2],
  );
  addon.end([
    [0, imageOutcomes.done],
    [2, imageOutcomes.done],
  ]);
  t.same(await Promise.all([ends[0], ends[2]]), ['done', 'done']);
  for (let i = 0; i < 3; i++) void native.render([into(start)], undefined, never);
  await flush();
  t.same(
    jobsIn(addon.batches.at(-1)!.ints)
      .map(([id]) => id)
      .sort(),
    [0, 1, 2],
    'also its id is free again',
  );
  const memory = Object.assign(new Error('none'), { code: 'OUT_OF_MEMORY' });
  addon.refuse = { outputs: 1, error: memory };
  await t.rejects(native.render([into(start)], undefined, never), { code: 'PICTURE_MEMORY', cause: memory });
  const thread = Object.assign(new Error('no more'), { code: 'NO_THREAD' });
  t.match(refusal(thread), { code: 'THREADS_NONE', message: /rendering.*no more/, ends: true, cause: thread });
  t.match(refusal(new Error('why')), { code: 'PICTURE_REFUSED', message: /why/ });
});

t.test('what it says of itself', (t) => {
  const { addon, native } = renderer();
  t.same(
    [addon.threads, native.about()],
    [3, { libraries: ['libjpeg-turbo 2.1.5', 'libpng 1.6.39', 'libwebp 1.2.4', 'libdeflate 1.14'], vectors: 'avx2' }],
  );
  native.setThreads(7);
  t.equal(addon.threads, 7);
  const all =
    'native/image (libjpeg-turbo 2.1.5, libpng 1.6.39, libwebp 1.2.4, libdeflate 1.14, avx2): JPEG, PNG, WebP and raw pixels; sharp: the rest';
  t.equal(aboutRenderer(native), all);
  const bare = new FakeAddon();
  bare.png = '';
  bare.webp = '';
  bare.deflate = '';
  const without = new NativeRenderer(new NativePool(bare as unknown as ImageAddon, 3));
  t.equal(aboutRenderer(without), 'native/image (libjpeg-turbo 2.1.5, avx2): JPEG and raw pixels; sharp: the rest');
  t.equal(aboutRenderer({ found: 'it is not built', remedy: '' }), 'sharp: everything, since it is not built');
  t.end();
});

t.test('the environment may leave all to sharp; which one it is stays so', (t) => {
  t.teardown(() => delete process.env.PATCHSTREAM_RENDERER);
  process.env.PATCHSTREAM_RENDERER = 'sharp';
  const chosen = nativeRenderer();
  t.same(chosen, { found: 'PATCHSTREAM_RENDERER=sharp asks for it', remedy: 'unset PATCHSTREAM_RENDERER' });
  process.env.PATCHSTREAM_RENDERER = '';
  t.equal(nativeRenderer(), chosen);
  setRenderThreads(2);
  t.equal(aboutRenderer(), 'sharp: everything, since PATCHSTREAM_RENDERER=sharp asks for it');
  t.end();
});

t.test('an addon that was built for another version renders nothing, and says what to do', (t) => {
  const over = (info: object) => {
    const about = { version: 2001005, vectors: 'plain', png: '', webp: '', ...info };
    return rendererOver(new NativePool({ info: () => about, open() {} } as unknown as ImageAddon, 1));
  };
  const other = { found: /built for another version/, remedy: 'npx patchstream doctor --build' };
  t.match(over({}), other);
  t.match(over({ headInts: 7, stepInts, works: 16 }), other);
  t.match(over({ headInts: 9, stepInts: stepInts + 1, works: 16 }), other);
  t.match(over({ headInts: 9, stepInts, works: 2 }), other);
  t.match(over({ headInts: 9, stepInts }), other, 'one of before effects');
  t.notOk(isAbsent(over({ headInts: 9, stepInts, works: 16 })));
  t.end();
});

t.test('how many threads render is said to the addon of this thread', { skip: isAbsent(imageAddon()) }, async (t) => {
  const addon = imageAddon() as ImageAddon;
  const { setThreads } = addon;
  const counts: number[] = [];
  addon.setThreads = (count) => counts.push(count);
  t.teardown(() => Object.assign(addon, { setThreads }));
  // As another thread loads it, which has chosen no renderer yet.
  const another = '../../../src/vision/render/native.ts?another';
  const fresh = (await import(another)) as typeof import('../../../src/vision/render/native.ts');
  fresh.setRenderThreads(3);
  t.same(counts, [3]);
  t.match(fresh.aboutRenderer(), /^native\/image \(libjpeg-turbo \d+\.\d+\.\d+, (lib\w+ [\d.]+, )*(avx2|plain)\)/);
});
