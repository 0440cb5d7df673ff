import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { z } from 'zod';
import {
  decode,
  definePipeline,
  defineTracker,
  type EventOf,
  imageFolder,
  lomar,
  mask,
  noticeText,
  type RunEvent,
  randomResizedCrop,
  run,
  toJsonl,
  windows,
} from '../../src/index.ts';
import { pictureFolder } from '../kit/files/folder.ts';

const rowsOf = (path: string) =>
  readFileSync(path, 'utf8')
    .trim()
    .split('\n')
    .map((row) => JSON.parse(row) as Record<string, unknown>);

const ofType = <T extends RunEvent['type']>(events: readonly RunEvent[], type: T) =>
  events.filter((event): event is EventOf<T> => event.type === type);

/** A tracker that keeps what it hears. */
function keeping(heard: RunEvent[]) {
  return defineTracker({
    name: 'keeping',
    summary: 'Keeps events.',
    options: z.strictObject({}),
    open: async (_options, { started, folder }) => {
      heard.push(started);
      t.ok(folder.endsWith('run'));
      return { event: (event) => void heard.push(event), close: () => void heard.push(heard.at(-1)!) };
    },
  });
}

const broken = (name: string, event: () => void | Promise<void>) =>
  defineTracker({ name, summary: 'Is broken.', options: z.strictObject({}), open: () => ({ event }) })();

async function training(root: string, track: readonly ReturnType<ReturnType<typeof keeping>>[]) {
  await pictureFolder(join(root, 'photos'), 12);
  return definePipeline({
    name: 'events',
    source: imageFolder({ path: join(root, 'photos'), repeat: 2 }),
    stages: [decode(), randomResizedCrop({ size: 32 }), windows({ patch: 8, size: 3, views: 2 }), mask(0.5)],
    train: {
      model: lomar({ width: 16, depth: 1, heads: 2, target: 'pixels' }),
      ...{ batch: 4, microBatch: 4, steps: 6, thread: 'main', backend: 'wasm' },
      optimizer: { adamw: { lr: 1e-3 } },
      checkpoint: { everySteps: 2 },
    },
    track,
    output: join(root, 'run'),
  });
}

t.test('who listens through the public API sees every step of a training with all that it measured', async (t) => {
  const root = t.testdir();
  const [events, tracked]: [RunEvent[], RunEvent[]] = [[], []];
  const trackers = [
    broken('throwing', () => {
      throw new Error('out of order');
    }),
    keeping(tracked)(),
    broken('rejecting', () => Promise.reject(new Error('no route'))),
  ];
  const summary = await run(await training(root, trackers), { onEvent: (event) => events.push(event) });
  t.equal(summary.done, 6);
  t.equal(events.findIndex(({ type }) => type === 'step') > events.findIndex(({ type }) => type === 'started'), true);
  t.match(ofType(events, 'started'), [
    {
      kind: 'training',
      name: 'events',
      training: { step: 0, total: 6, batch: 4, backend: 'wasm', parameters: Number },
    },
  ]);
  const rows = rowsOf(join(root, 'run/metrics.jsonl'));
  t.strictSame(
    ofType(events, 'step').map(({ type: _, ...measures }) => measures),
    rows,
    'as they are on the disk',
  );
  t.ok(rows.every((row) => ['loss', 'lr', 'gradNorm', 'imagesPerSecond'].every((name) => Number.isFinite(row[name]))));
  t.same(
    ofType(events, 'checkpoint').map(({ step }) => step),
    [2, 4, 6],
  );
  const progress = ofType(events, 'progress').at(-1);
  t.match(progress, { done: 6, total: 6, samples: { failed: 0, dropped: 0, passedOver: 0 } });
  t.ok(progress!.samples!.delivered >= 24);
  t.match(ofType(events, 'bottleneck').at(-1), { stats: [{ stage: '0:source' }], explanation: { cause: String } });
  t.match(events.at(-1), { type: 'finished', how: 'completed', summary: { done: 6 }, sum: { failed: 0 } });

  const left = ofType(events, 'notice').filter(({ code }) => code === 'TRACKER_FAILED');
  t.match(
    left.map(noticeText).sort(),
    [
      /^The tracker rejecting has failed.*its `event`.*no route\./,
      /^The tracker throwing has failed.*its `event`.*out of order\./,
    ],
    'one notice for each',
  );
  t.equal(tracked[0]!.type, 'started', 'it is opened when the run begins');
  const others = events.filter((event) => event.type !== 'notice' || !event.code.startsWith('TRACKER'));
  const seen = tracked.slice(1, -1).filter((event) => event.type !== 'notice' || !event.code.startsWith('TRACKER'));
  t.strictSame(seen, others, 'and hears the same in the same order');
  t.equal(tracked.at(-1)!.type, 'finished', 'then it is closed');

  const log = rowsOf(join(root, 'run/events.jsonl'));
  t.same(
    [...new Set(log.map(({ event }) => event))].sort(),
    ['end', 'machine', 'notice', 'start', 'stats'],
    'the log listens to the same',
  );
  t.match(
    log.find(({ code }) => code === 'TRACKER_FAILED'),
    { slots: { tracker: 'throwing' }, text: /out of order/ },
  );
  t.match(rowsOf(join(root, 'run/pipeline.json').replace('pipeline.json', 'events.jsonl')).at(-1), {
    how: 'completed',
  });
});

t.test('trackers change nothing of a run: the same pipeline has come to its end without them', async (t) => {
  const root = t.testdir();
  await pictureFolder(join(root, 'photos'), 3);
  const job = (track: Parameters<typeof training>[1]) =>
    definePipeline({
      name: 'job',
      source: imageFolder(join(root, 'photos')),
      stages: [decode()],
      sink: toJsonl(),
      track,
      output: join(root, 'run'),
    });
  const heard: RunEvent[] = [];
  t.match(await run(job([keeping(heard)()])), { done: 3, earlier: undefined });
  t.match(heard.at(-1), { type: 'finished', sum: { delivered: 3 } });
  const again: RunEvent[] = [];
  t.match(await run(job([]), { onEvent: (event) => again.push(event) }), { earlier: true });
  t.match(again, [{ type: 'finished', how: 'completed', summary: { earlier: true, done: 3 } }]);
});

t.test('a run that fails says so last, to all who listen', async (t) => {
  const root = t.testdir({ photos: { 'a.jpg': 'no picture' } });
  const [events, tracked]: [RunEvent[], RunEvent[]] = [[], []];
  const job = definePipeline({
    name: 'job',
    source: imageFolder(join(root, 'photos')),
    stages: [decode({ maxFailures: 0 })],
    sink: toJsonl(),
    track: [keeping(tracked)()],
    output: join(root, 'run'),
  });
  await t.rejects(run(job, { onEvent: (event) => events.push(event) }), { code: 'STAGE_BUDGET' });
  const last = {
    type: 'finished',
    how: 'failed',
    error: { code: 'STAGE_BUDGET', message: /a\.jpg/ },
    summary: undefined,
  };
  t.match(events.at(-1), last);
  t.match(tracked.at(-1), last);
  t.match(rowsOf(join(root, 'run/events.jsonl')).at(-1), { event: 'end', how: 'failed' });
  t.match(rowsOf(join(root, 'run/quarantine.jsonl')), [{ key: 'a.jpg', stage: 'decode', position: 0 }]);
});

t.test('how a run ended is in its folder before trackers are waited for', async (t) => {
  const root = t.testdir();
  await pictureFolder(join(root, 'photos'), 3);
  const left: string[] = [];
  const late = defineTracker({
    name: 'late',
    summary: 'Looks into the folder at the end.',
    options: z.strictObject({}),
    open: (_options, { folder }) => ({
      event() {},
      close() {
        left.push(
          String(rowsOf(join(folder, 'events.jsonl')).at(-1)?.how),
          String(existsSync(join(folder, 'finished.json'))),
        );
      },
    }),
  });
  await run(
    definePipeline({
      name: 'late',
      source: imageFolder(join(root, 'photos')),
      stages: [decode()],
      sink: toJsonl(),
      track: [late()],
      output: join(root, 'run'),
    }),
  );
  t.same(left, ['completed', 'true']);
  t.equal(rowsOf(join(root, 'run/events.jsonl')).filter(({ event }) => event === 'end').length, 1);
});

t.test(
  'a listener that throws ends the run with its error, whenever that is; the run can go on without it',
  async (t) => {
    const root = t.testdir();
    const definition = await training(root, []);
    for (const type of ['started', 'step', 'progress', 'finished'] as const) {
      const mine = new Error(`at ${type}`);
      const heard: string[] = [];
      const onEvent = (event: RunEvent) => {
        heard.push(event.type);
        if (event.type === type) throw mine;
      };
      await t.rejects(run({ ...definition, output: join(root, type) }, { onEvent }), mine);
      t.equal(heard.at(-1), type, 'it hears no more');
      const how = type === 'finished' ? 'completed' : 'failed';
      t.match(rowsOf(join(root, type, 'events.jsonl')).at(-1), { event: 'end', how });
    }
    const summary = await run({ ...definition, output: join(root, 'step') });
    t.match(summary, { done: 6 });
  },
);

t.test('a listener that throws ends a job in the same way', async (t) => {
  const root = t.testdir();
  await pictureFolder(join(root, 'photos'), 3);
  const job = definePipeline({
    name: 'job',
    source: imageFolder(join(root, 'photos')),
    stages: [decode()],
    sink: toJsonl(),
    output: join(root, 'run'),
  });
  for (const type of ['started', 'progress'] as const) {
    const mine = new Error(`at ${type}`);
    const onEvent = (event: RunEvent) => {
      if (event.type === type) throw mine;
    };
    await t.rejects(run(job, { onEvent }), mine);
    t.match(rowsOf(join(root, 'run', 'events.jsonl')).at(-1), { event: 'end', how: 'failed' });
  }
  t.match(await run(job), { done: 3 });
});
