import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { RunEvent } from '../../src/events/events.ts';
import { definePipeline, pipeline } from '../../src/runs/loader/define.ts';
import { run } from '../../src/runs/run.ts';
import { images, toJsonl, toShards } from '../../src/sinks/index.ts';
import type { Sink } from '../../src/sinks/sink.ts';
import { imageFolder, shards } from '../../src/sources/index.ts';
import { decode, resize } from '../../src/stages/index.ts';
import { each } from '../../src/streams/stage.ts';
import { pictureFolder, writeFiles } from '../kit/files/folder.ts';
import { gradient, jpeg, truncated } from '../kit/pictures/pictures.ts';

/** Looks often, so that a test is over soon; nothing depends on it. */
const often = { everySeconds: 0.01, idleSeconds: 3600 };

const keysOf = async (folder: string) => {
  const keys: string[] = [];
  for await (const { key } of pipeline(shards(join(folder, 'shards'))).samples()) keys.push(key);
  return keys;
};

/** How many samples an earlier run had written. */
function behind(events: readonly RunEvent[]): number {
  return events.find((event) => event.type === 'started')?.written ?? 0;
}

const isWatching = (event: RunEvent) => event.type === 'notice' && event.code === 'WATCHING';

/** Runs a watched job; `until` resolves when so many samples are written. */
function watching(job: Parameters<typeof run>[0], watch: object = often) {
  const abort = new AbortController();
  const events: RunEvent[] = [];
  const waiting: { test: (event: RunEvent) => boolean; resolve: () => void }[] = [];
  const ended = run(job, {
    watch,
    signal: abort.signal,
    onEvent(event) {
      events.push(event);
      for (const { test, resolve } of waiting) if (test(event)) resolve();
    },
  });
  const heard = (test: (event: RunEvent) => boolean) =>
    events.some(test)
      ? Promise.resolve()
      : Promise.race([new Promise<void>((resolve) => waiting.push({ test, resolve })), ended.then(() => undefined)]);
  return {
    events,
    ended,
    heard,
    until: (done: number) => heard((event) => event.type === 'progress' && event.done >= done),
    stop: () => {
      abort.abort('SIGTERM');
      return ended;
    },
  };
}

t.test('photos that arrive are taken, each once, until it is stopped; then it goes on', async (t) => {
  const root = t.testdir({ photos: {} });
  const photos = join(root, 'photos');
  const output = join(root, 'out');
  const job = definePipeline({
    ...pipeline(imageFolder(photos), decode(), resize(8)),
    sink: toShards({ shardBytes: 4000 }),
    output,
  });
  await pictureFolder(photos, 3);
  const first = watching(job);
  await first.until(3);
  await pictureFolder(join(photos, 'new/deep'), 30);
  await first.until(33);
  t.match(await first.stop(), { done: 33, failures: 0 });
  t.notOk(existsSync(join(output, 'finished.json')), 'what is watched has no end');
  t.same(
    (await keysOf(output)).toSorted(),
    (await keysOf(output)).filter((key, i, all) => all.indexOf(key) === i).toSorted(),
  );
  t.equal((await keysOf(output)).length, 33);

  renameSync(join(photos, 'new'), join(photos, 'old'));
  rmSync(join(photos, '00000.jpg'));
  writeFiles(photos, { 'last.jpg': await jpeg(gradient(20, 20)) });
  const second = watching(job);
  await second.until(1);
  t.match(await second.stop(), { done: 34, failures: 0 });
  const keys = await keysOf(output);
  t.equal(new Set(keys).size, 34);
  t.same(keys.slice(-1), ['last.jpg'], 'behind those of the first run');
  t.notOk(readdirSync(join(output, 'shards')).some((name) => /tmp|lock/.test(name)));
});

t.test(
  'files that were moved or removed while they waited, however many, end nothing and are taken where they are',
  async (t) => {
    const root = t.testdir({ photos: {} });
    const photos = join(root, 'photos');
    const output = join(root, 'out');
    const job = definePipeline({
      ...pipeline(imageFolder(photos), decode(), resize(8)),
      sink: toShards({ shardBytes: 4000 }),
      output,
    });
    await pictureFolder(photos, 3);
    const first = watching(job);
    await first.until(3);
    await first.stop();
    // What a run leaves that is killed when these have arrived, and none is read.
    await pictureFolder(join(photos, 'sorted'), 120);
    const moved = readdirSync(join(photos, 'sorted'));
    const rows = moved.map((name, i) => {
      const { ino, size, mtimeNs } = statSync(join(photos, 'sorted', name), { bigint: true });
      return { key: `queued-${i}.jpg`, file: `${ino}:${size}:${mtimeNs}` };
    });
    rows.push(...Array.from({ length: 120 }, (_, i) => ({ key: `removed-${i}.jpg`, file: `0:${i}:0` })));
    appendFileSync(join(output, 'arrivals.jsonl'), rows.map((row) => `${JSON.stringify(row)}\n`).join(''));

    const second = watching(job);
    await second.until(120);
    t.match(await second.stop(), { done: 123, failures: 0 });
    const keys = await keysOf(output);
    t.same(keys.slice(3).toSorted(), moved.map((name) => `sorted/${name}`).toSorted());
    const third = watching(job);
    await third.heard(isWatching);
    t.match(await third.stop(), { done: 123, failures: 0 });
  },
);

t.test(
  'files that are others, when they are read, than those that had arrived wait again, and are taken once',
  async (t) => {
    const root = t.testdir({ photos: {} });
    const photos = join(root, 'photos');
    const output = join(root, 'out');
    const job = definePipeline({ ...pipeline(imageFolder(photos), decode(), resize(8)), sink: toShards(), output });
    await pictureFolder(photos, 3);
    const first = watching(job);
    await first.until(3);
    await first.stop();
    // What a run leaves that is killed before it has read these: then they grow, are written anew, or another takes the name.
    const later = join(photos, 'later');
    await pictureFolder(later, 40);
    const names = readdirSync(later);
    const rows = names.map((name, i) => {
      const { ino, size, mtimeNs } = statSync(join(later, name), { bigint: true });
      const was = [`${ino}:${size}:${mtimeNs}`, `${ino}:${size / 2n}:${mtimeNs}`, `${ino}:${size}:1`, `1:${size}:1:1`][
        i % 4
      ];
      return { key: `later/${name}`, file: was };
    });
    appendFileSync(join(output, 'arrivals.jsonl'), rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
    const second = watching(job);
    await second.until(40);
    t.match(await second.stop(), { done: 43, failures: 0 });
    const keys = (await keysOf(output)).slice(3);
    const [as, other] = [0, 1].map((which) =>
      names.filter((_, i) => (i % 4 > 0 ? 1 : 0) === which).map((name) => `later/${name}`),
    );
    t.same(keys.slice(0, 10), as);
    t.same(keys.slice(10).toSorted(), other!.toSorted());
  },
);

t.test('a file of the sink is closed when nothing arrives for a while', async (t) => {
  const root = t.testdir({ photos: {} });
  const photos = join(root, 'photos');
  const job = definePipeline({
    ...pipeline(imageFolder(photos), decode(), resize(8)),
    sink: toJsonl(),
    output: join(root, 'out'),
  });
  await pictureFolder(photos, 2);
  const { until, stop, heard } = watching(job, { everySeconds: 0.01, idleSeconds: 0.02 });
  const written = (count: number) => (event: RunEvent) =>
    event.type === 'notice' && event.code === 'WATCH_WRITTEN' && event.slots.count === count;
  const folder = join(root, 'out/jsonl');
  const lines = () => {
    const closed = readdirSync(folder).filter((name) => name.endsWith('.jsonl'));
    return closed.flatMap((name) => readFileSync(join(folder, name), 'utf8').trim().split('\n')).length;
  };
  await until(2);
  await heard(written(2));
  t.equal(lines(), 2);
  await pictureFolder(join(photos, 'more'), 2);
  await until(4);
  await heard(written(4));
  t.equal(lines(), 4);
  await stop();
  t.equal(lines(), 4);
});

t.test('failures are a matter of the stages’ budgets; what was begun is ended', async (t) => {
  const root = t.testdir({ photos: {} });
  const photos = join(root, 'photos');
  writeFiles(photos, { 'broken.jpg': await truncated(), 'text.jpg': 'not a picture' });
  const job = (maxFailures: number, output: string) =>
    definePipeline({
      ...pipeline(imageFolder(photos), decode({ maxFailures }), resize(8)),
      sink: toShards(),
      output: join(root, output),
    });
  const patient = watching(job(5, 'patient'));
  await patient.heard((event) => event.type === 'progress' && event.failures === 2);
  await pictureFolder(photos, 4);
  await patient.until(4);
  t.match(await patient.stop(), { done: 4, failures: 2 });
  const again = watching(job(5, 'patient'));
  await again.heard(isWatching);
  t.match(await again.stop(), { done: 4, failures: 2 });
  await t.rejects(watching(job(0, 'strict')).ended, { code: 'STAGE_BUDGET' });
});

t.test('a run that ends by an error ends, and what was written counts', async (t) => {
  const root = t.testdir({ photos: {} });
  const photos = join(root, 'photos');
  await pictureFolder(photos, 20);
  let broken = true;
  const breaks = each(
    (sample) => {
      if (broken && sample.position === 15) throw new Error('broken');
      return sample;
    },
    { maxFailures: 0 },
  );
  const output = join(root, 'out');
  const job = definePipeline({
    ...pipeline(imageFolder(photos), breaks, decode(), resize(8)),
    sink: toShards({ shardBytes: 1000 }),
    output,
  });
  await t.rejects(watching(job).ended, { code: 'STAGE_BUDGET' });
  broken = false;
  const again = watching(job);
  // However much of it the first run had closed.
  await again.heard(isWatching);
  await pictureFolder(join(photos, 'more'), 10);
  await again.until(30 - behind(again.events));
  t.match(await again.stop(), { done: 30 });
  const keys = await keysOf(output);
  t.same([keys.length, new Set(keys).size], [30, 30]);
});

t.test('what cannot be watched', async (t) => {
  const root = t.testdir({ photos: {} });
  await pictureFolder(join(root, 'photos'), 1);
  const source = imageFolder(join(root, 'photos'));
  const ends = (from: typeof source, options: object = {}, sink: Sink = toShards()) =>
    run(definePipeline({ ...pipeline(from, decode(), resize(8)), sink, output: join(root, 'out') }), {
      watch: often,
      ...options,
    });
  await t.rejects(ends(source, { part: { index: 1, of: 2 } }), { code: 'WATCH_SINK', message: /part 1 of 2/ });
  await t.rejects(ends(source, {}, images()), { code: 'WATCH_SINK', message: /the sink images/ });
  const fromShards = definePipeline({
    ...pipeline(shards(join(root, 'shards')), resize(8)),
    sink: toShards(),
    output: join(root, 'out'),
  });
  await t.rejects(run(fromShards, { watch: true }), { code: 'WATCH_SOURCE', message: /got shards/ });
  await t.rejects(ends(imageFolder({ path: join(root, 'photos'), repeat: 2 })), {
    code: 'WATCH_SOURCE',
    message: /repeat/,
  });
  await t.rejects(ends(imageFolder({ path: join(root, 'photos'), labels: true })), {
    code: 'WATCH_SOURCE',
    message: /labels/,
  });
  await t.rejects(ends(imageFolder(join(root, 'none'))), { code: 'FOLDER_MISSING' });
});

t.test('a job that was run to its end goes on when it is watched, with what has arrived since', async (t) => {
  const root = t.testdir({ photos: {} });
  const photos = join(root, 'photos');
  const output = join(root, 'out');
  const job = definePipeline({
    ...pipeline(imageFolder(photos), decode({ maxFailures: 9 }), resize(8)),
    sink: toShards({ shardBytes: 1000 }),
    output,
  });
  await pictureFolder(photos, 20);
  writeFiles(photos, { '00005.jpg': 'no picture', 'zz.jpg': 'no picture' });
  t.match(await run(job), { done: 19, failures: 2 });
  const before = await keysOf(output);
  // In front of them in the order of names.
  await pictureFolder(join(photos, '0'), 10);
  const first = watching(job);
  await first.until(10);
  t.equal(behind(first.events), 19);
  t.match(await first.stop(), { done: 29 });
  const keys = await keysOf(output);
  t.same(keys.slice(0, 19), before, 'what was written stays');
  t.same([keys.length, new Set(keys).size], [29, 29]);
  const second = watching(job);
  await second.heard(isWatching);
  t.match(await second.stop(), { done: 29 });

  // Where files have gone since, nobody can say which position was whose.
  const other = { ...job, output: join(root, 'other') };
  await run(other);
  rmSync(join(photos, '00000.jpg'));
  await t.rejects(watching(other).ended, { code: 'SHARDS_OTHER', message: /it was run without --watch/ });
});

t.test('a folder of another pipeline: what differs, with both values, and what to do', async (t) => {
  const root = t.testdir({ photos: {} });
  await pictureFolder(join(root, 'photos'), 2);
  const job = (size: number, path?: string) =>
    definePipeline({
      ...pipeline(imageFolder(join(root, 'photos')), decode(), resize(size)),
      sink: toJsonl(path === undefined ? {} : { path }),
      output: join(root, 'out'),
    });
  await run(job(8));
  await t.rejects(run(job(9)), {
    code: 'SHARDS_OTHER',
    message:
      /pipeline-00000\.jsonl, which an earlier run with another pipeline has written: stages\[1\]\.resize\.size is 8 in it and 9 in the pipeline\. Choose another `output`, or start over/,
  });
  await run(job(8, join(root, 'aside')));
  await t.rejects(run(job(9, join(root, 'aside'))), { code: 'SHARDS_OTHER', message: /Choose another `path`/ });
});

t.test('a list of arrivals that is lost is not made anew, but with fresh', async (t) => {
  const root = t.testdir({ photos: {} });
  await pictureFolder(join(root, 'photos'), 2);
  const output = join(root, 'out');
  const job = definePipeline({
    ...pipeline(imageFolder(join(root, 'photos')), decode(), resize(8)),
    sink: toShards(),
    output,
  });
  const first = watching(job);
  await first.until(2);
  await first.stop();
  rmSync(join(output, 'arrivals.jsonl'));
  await t.rejects(watching(job).ended, { code: 'WATCH_ARRIVALS' });
  // The same folder without watching is another job.
  await t.rejects(run(job), { code: 'SHARDS_OTHER', message: /it was run with --watch\. Choose another `output`, or/ });
  const abort = new AbortController();
  const summary = await run(job, {
    watch: often,
    fresh: true,
    signal: abort.signal,
    onEvent: (event) => event.type === 'progress' && event.done === 2 && abort.abort(),
  });
  t.equal(summary.done, 2);
});

t.test('killed while photos arrive, begun again, and stopped by a signal: each photo once', async (t) => {
  const root = t.testdir({ photos: {} });
  const photos = join(root, 'photos');
  writeFiles(root, {
    'job.yaml': `
source: { image-folder: photos }
stages: [decode, { resize: 8 }]
sink: { shards: { shardBytes: 4000 } }
output: out
`,
  });
  await pictureFolder(photos, 400);
  const started = () =>
    spawn(process.execPath, ['bin/patchstream.mjs', 'run', join(root, 'job.yaml'), '--watch', '--json'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
  const heard = (child: ReturnType<typeof started>, hear: (done: number, earlier: number) => void) => {
    const events: RunEvent[] = [];
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      const lines = text.split('\n');
      text = lines.pop()!;
      for (const line of lines) {
        const event = JSON.parse(line) as RunEvent;
        events.push(event);
        if (event.type === 'progress') hear(event.done, behind(events));
      }
    });
  };
  const first = started();
  heard(first, (done) => done >= 60 && first.kill('SIGKILL'));
  t.strictSame(await once(first, 'exit'), [null, 'SIGKILL']);
  await pictureFolder(join(photos, 'second'), 50);
  const before = await keysOf(join(root, 'out')).catch(() => []);
  const second = started();
  let stopped = false;
  heard(second, (done, earlier) => {
    // A second signal would end it at once.
    if (done >= 450 - earlier && !stopped) stopped = second.kill('SIGINT');
  });
  t.strictSame(await once(second, 'exit'), [130, null]);
  const keys = await keysOf(join(root, 'out'));
  t.equal(keys.length, 450);
  t.equal(new Set(keys).size, 450);
  t.same(keys.slice(0, before.length), before);
});
