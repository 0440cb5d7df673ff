import t from 'tap';
import type { Reading } from '../../src/balance/reading.ts';
import { barText, durationText, progressText, viewOf } from '../../src/cli/progress.ts';
import type { Progress } from '../../src/events/events.ts';

const half: Progress = {
  type: 'progress',
  done: 50,
  total: 100,
  imagesPerSecond: 812.4,
  secondsLeft: 75,
  waiting: { stage: 'resize', permits: 12 },
  failures: 2,
  values: { loss: 0.123456 },
};

t.test('a line of progress', async (t) => {
  t.equal(progressText(half), '50%  50/100  loss 0.1235  812 images/s  1 min 15 s left  12 wait for resize  2 failed');
  const reading: Reading = {
    ...{ state: 'saturated', medianMs: 41.2, p99Ms: 60, inFlight: 63.6, places: 64, bytesPerSecond: 1e6 },
    ...{ slowShare: 1, helps: 'shards' },
  };
  t.match(progressText({ ...half, reading }), /reading is the bottleneck: 41 ms a read, 64 of 64 in flight, shards/);
  t.equal(progressText({ ...half, reading: { ...reading, state: 'fed' } }), progressText(half));
  const faces = {
    type: 'progress',
    done: 5,
    ended: 6,
    records: 84,
    total: 8,
    imagesPerSecond: 2,
    failures: 1,
  } as const;
  t.equal(progressText(faces), '75%  5/8  84 records  2.0 images/s  1 failed', 'N3: faces stand beside');
  t.match(progressText({ ...half, flops: 2.13e11, mfu: 0.474 }), /812 images\/s {2}213 GFLOP\/s \(47 %\) {2}1 min/);
  t.equal(progressText({ type: 'progress', done: 7, imagesPerSecond: 0.52, failures: 0 }), '7  0.5 images/s');
});

t.test('a bar is no wider than the terminal', async (t) => {
  for (const columns of [20, 60, 100, 200]) t.ok(barText(half, columns).length < columns, String(columns));
  t.match(barText(half, 130), /^█{15}░{15} {2}50%/);
});

t.test('durations', async (t) => {
  t.same([0.04, 9.94, 59.2, 200, 7500].map(durationText), ['0.0 s', '9.9 s', '59 s', '3 min 20 s', '2 h 5 min']);
});

t.test('without a terminal there is a line every five seconds, and ten failures at most', async (t) => {
  let time = 0;
  let log = '';
  let out = '';
  const view = viewOf({
    out: { write: (text) => (out += text) },
    log: { write: (text) => (log += text) },
    json: false,
    now: () => time,
  });
  for (; time < 11_000; time += 100) view(half);
  for (let i = 0; i < 30; i++) {
    view({ type: 'failure', stage: 'decode', key: `a\u001b${i}`, position: i, epoch: 0, error: 'broken' });
  }
  t.equal(log.match(/images\/s/g)?.length, 2);
  t.equal(log.match(/failed in decode: a\\u\{1b\}/g)?.length, 10);
  const summary = { lines: ['here: \u001b[31m'], done: 48, failures: 1, drops: 0, seconds: 1, files: [] };
  view({ type: 'finished', how: 'completed', summary, stats: [] });
  t.equal(out, '48 done, 1 failed in 1.0 s\nhere: \\u{1b}[31m\n');
});
