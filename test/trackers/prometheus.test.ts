import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import type { RunEvent, Started, StepDone } from '../../src/events/events.ts';
import { definePipeline } from '../../src/runs/loader/define.ts';
import { run } from '../../src/runs/run.ts';
import { toJsonl } from '../../src/sinks/index.ts';
import { imageFolder } from '../../src/sources/index.ts';
import { decode } from '../../src/stages/index.ts';
import { drop, type Sample } from '../../src/streams/sample.ts';
import { each } from '../../src/streams/stage.ts';
import { prometheus } from '../../src/trackers/index.ts';
import { RunMetrics } from '../../src/trackers/prometheus/metrics.ts';
import { serveMetrics } from '../../src/trackers/prometheus/server.ts';
import { pictureFolder, writeFiles } from '../kit/files/folder.ts';
import { type Family, readExposition } from '../kit/runs/exposition.ts';

const started: Started = {
  type: 'started',
  kind: 'training',
  name: 'a "name"\\with\nall',
  digest: 'd',
  folder: '/run',
  pipeline: {},
  machine: { cores: 2, memory: 2 ** 30 },
};
const step: StepDone = {
  ...{ type: 'step', step: 0, epoch: 0.5, loss: 2, gradNorm: 3, paramNorm: 4, lr: 0.1, imagesPerSecond: 80, keys: '' },
  ...{ dataWaitMs: 250, permitWaitMs: 0, microBatch: 4, uploadMs: 1, passMs: 2, updateMs: 3, ringFill: 0.5, cores: 2 },
};
const progress = (samples: object, more: object = {}): RunEvent =>
  ({ type: 'progress', done: 1, imagesPerSecond: 9, failures: 0, samples, ...more }) as RunEvent;

const valueIn = (families: ReadonlyMap<string, Family>, name: string, labels: object = {}) =>
  families.get(`patchstream_${name}`)?.samples.find((one) => JSON.stringify(one.labels) === JSON.stringify(labels))
    ?.value;

async function pageOf(metrics: RunMetrics) {
  return readExposition((await metrics.page()).text);
}

t.test('counters only grow, gauges say what is; the page is what the format allows', async (t) => {
  const metrics = new RunMetrics(started);
  for (const loss of [2, 1]) metrics.hear({ ...step, loss });
  metrics.hear(progress({ delivered: 5, failed: 1, dropped: 2, passedOver: 3 }, { queues: { '0:source': 4 } }));
  metrics.hear(
    progress({ delivered: 9, failed: 1, dropped: 2, passedOver: 3 }, { queues: { '0:source': 1 }, total: 90 }),
  );
  const numbers = { 'knn.top1': 0.75 };
  metrics.hear({ type: 'evaluation', step: 1, epoch: 1, last: false, numbers, lines: [] });
  const page = await pageOf(metrics);
  const read = (name: string, labels?: object) => valueIn(page, name, labels);
  t.match(
    {
      steps: read('steps_total'),
      delivered: read('samples_delivered_total'),
      failed: read('samples_failed_total'),
      dropped: read('samples_dropped_total'),
      passedOver: read('names_passed_over_total'),
      checkpoints: read('checkpoints_total'),
      loss: read('loss'),
      wait: read('data_wait_seconds'),
      rate: read('images_per_second'),
      queue: read('queue_samples', { stage: '0:source' }),
      total: read('expected'),
      knn: read('evaluation', { measure: 'knn.top1' }),
    },
    {
      ...{ steps: 2, delivered: 9, failed: 1, dropped: 2, passedOver: 3, checkpoints: 0 },
      ...{ loss: 1, wait: 0.25, rate: 9, queue: 1, total: 90, knn: 0.75 },
    },
  );
  t.equal(page.get('patchstream_run_info')?.samples[0]?.labels.name, started.name, 'names are escaped');
  t.ok(page.get('process_resident_memory_bytes')!.samples[0]!.value > 2 ** 20);
  metrics.hear({ ...step, loss: Number.NaN });
  t.ok(Number.isNaN(valueIn(await pageOf(metrics), 'loss')), 'what is no number is shown as none');
});

const promtool = spawnSync('promtool', ['--version'], { encoding: 'utf8' });
const skip = promtool.error === undefined ? false : 'promtool is not installed: apt-get install prometheus';

t.test('promtool finds nothing to say of the page', { skip }, async (t) => {
  const metrics = new RunMetrics(started);
  metrics.hear(step);
  metrics.hear(progress({ delivered: 5, failed: 1, dropped: 2, passedOver: 3 }, { queues: { '0:source': 4 } }));
  const input = (await metrics.page()).text;
  const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input, encoding: 'utf8' });
  t.equal(status, 0);
  t.equal(stdout + stderr, '');
});

t.test('a job is scraped while it runs; its server ends with it', async (t) => {
  const root = t.testdir({ photos: { 'notes.txt': '' } });
  await pictureFolder(join(root, 'photos'), 12);
  writeFiles(join(root, 'photos'), { 'z.jpg': 'no picture' });
  let page: ReadonlyMap<string, Family> = new Map();
  let address = '';
  const scrapes = each(
    async (sample: Sample) => {
      if (sample.position === 6) {
        const response = await fetch(address);
        t.match(response.headers.get('content-type'), /^text\/plain; version=0\.0\.4/);
        page = readExposition(await response.text());
      }
      return sample.position === 3 ? drop('odd') : sample;
    },
    { concurrency: 1 },
  );
  const job = definePipeline({
    name: 'scraped',
    source: imageFolder(join(root, 'photos')),
    // The server is there before the first sample comes here.
    stages: [each(async (sample: Sample) => reached.then(() => sample)), scrapes, decode({ maxFailures: 1 })],
    sink: toJsonl(),
    track: [prometheus({ port: 0 })],
    output: join(root, 'out'),
  } as never);
  let reach = () => {};
  const reached = new Promise<void>((resolve) => {
    reach = resolve;
  });
  const events: RunEvent[] = [];
  const onEvent = (event: RunEvent) => {
    events.push(event);
    if (event.type !== 'notice' || event.code !== 'TRACKER') return;
    address = String(event.slots.text);
    reach();
  };
  const summary = await run(job, { onEvent });
  t.match(address, /^http:\/\/127\.0\.0\.1:\d+\/metrics$/, 'where it is is said');
  t.match(summary, { done: 11, failures: 1, drops: 1 });
  t.equal(page.get('patchstream_run_info')?.samples[0]?.labels.name, 'scraped');
  t.ok(page.has('patchstream_samples_delivered_total'));
  await t.rejects(fetch(address), 'nobody answers any more');
});

t.test('a port that is taken is a notice, and the run goes on', async (t) => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const { port } = other.address() as AddressInfo;
  t.teardown(() => other.close());
  await t.rejects(serveMetrics(port, { started, say: () => {} }), {
    code: 'PORT_TAKEN',
    message: /`port`; 0 takes any/,
  });
  const root = t.testdir();
  await pictureFolder(join(root, 'photos'), 2);
  const codes: string[] = [];
  const job = definePipeline({
    source: imageFolder(join(root, 'photos')),
    stages: [decode()],
    sink: toJsonl(),
    track: [prometheus({ port })],
    output: join(root, 'out'),
  });
  const summary = await run(job, { onEvent: (event) => event.type === 'notice' && codes.push(event.code) });
  t.match(summary, { done: 2 });
  t.same(codes, ['TRACKER_FAILED']);
});

t.test('the server answers its own addresses alone', async (t) => {
  let address = '';
  const tracker = await serveMetrics(0, {
    started,
    say: (text) => {
      address = text;
    },
  });
  const { origin } = new URL(address);
  const statusOf = async (path: string, method = 'GET') => (await fetch(`${origin}${path}`, { method })).status;
  t.same(
    [await statusOf('/metrics?x'), await statusOf('/'), await statusOf('/other'), await statusOf('/metrics', 'POST')],
    [200, 200, 404, 404],
  );
  await tracker.close?.();
});
