import { EventEmitter, once } from 'node:events';
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import t from 'tap';
import { z } from 'zod';
import type { RunEvent } from '../../src/events/events.ts';
import { RunLock } from '../../src/files/run-lock.ts';
import { batches } from '../../src/runs/loader/batches.ts';
import { definePipeline, pipeline } from '../../src/runs/loader/define.ts';
import { run } from '../../src/runs/run.ts';
import { images, toShards } from '../../src/sinks/index.ts';
import { imageFolder, shards } from '../../src/sources/index.ts';
import { decode, downsample, mask, resize, windows } from '../../src/stages/index.ts';
import { defineStage } from '../../src/stages/stage.ts';
import { drop, type Sample } from '../../src/streams/sample.ts';
import { each, type Stage } from '../../src/streams/stage.ts';
import { pictureFolder, writeFiles } from '../kit/files/folder.ts';
import { brokenFiles } from '../kit/pictures/pictures.ts';
import { saying } from '../kit/runs/said.ts';

const rowsOf = (file: string) =>
  readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((row) => JSON.parse(row) as Record<string, unknown>);

t.test('a job writes pictures in order, a manifest, a sheet, and what happened', async (t) => {
  const root = t.testdir();
  const photos = join(root, 'photos');
  const output = join(root, 'out');
  await pictureFolder(photos, 20);
  const broken = await brokenFiles();
  writeFiles(photos, Object.fromEntries(broken.map(({ name, bytes }) => [`broken/${name}`, bytes])));
  const job = definePipeline({
    ...pipeline(
      imageFolder(photos),
      decode(),
      resize(32),
      downsample(4),
      windows({ patch: 8, size: 2, views: 2 }),
      mask(0.5),
    ),
    sink: images({ sheet: { rows: 3 } }),
    output,
  });
  const events: RunEvent[] = [];
  const summary = await run(job, { onEvent: (event) => events.push(event) });
  t.match(summary, { done: 20, failures: broken.length, drops: 0 });
  const manifest = rowsOf(join(output, 'manifest.jsonl'));
  t.strictSame(
    manifest.map(({ key }) => key),
    Array.from({ length: 20 }, (_, i) => `${String(i).padStart(5, '0')}.jpg`),
  );
  t.ok(manifest.every(({ file }) => existsSync(join(output, file as string))));
  t.match(await sharp(join(output, 'sheet.png')).metadata(), { format: 'png' });

  const quarantine = rowsOf(join(output, 'quarantine.jsonl'));
  t.strictSame(
    new Map(quarantine.map(({ key, error }) => [key, (error as string).split(':')[0]])),
    new Map(broken.map(({ name, code }) => [`broken/${name}`, code])),
  );
  t.equal(events.filter(({ type }) => type === 'failure').length, broken.length);
  const last = events.filter((event) => event.type === 'progress').at(-1);
  t.match(last, { done: 20, total: 25, failures: 5 });
  t.match(rowsOf(join(output, 'events.jsonl')), [
    { event: 'start' },
    { event: 'stats' },
    { event: 'end', how: 'completed' },
  ]);
  t.match(JSON.parse(readFileSync(join(output, 'pipeline.json'), 'utf8')), {
    stages: [{ decode: {} }, { resize: { size: 32 } }],
  });

  const again = await run(job);
  t.equal(again.earlier, true);
  t.equal(again.done, 20);
  const fresh = await run(job, { fresh: true });
  t.equal(fresh.earlier, undefined);
  t.end();
});

t.test('a job that writes over the results of another pipeline says so', async (t) => {
  const earlier = '{"event":"start","digest":"of an earlier version"}\n';
  const root = t.testdir({ out: { 'pipeline.json': '{"seed": 3', 'events.jsonl': earlier } });
  await pictureFolder(join(root, 'photos'), 3);
  const told = async (size: number, options: { fresh?: boolean; threads?: number } = {}) => {
    const { threads = 1, ...rest } = options;
    const lines: string[] = [];
    const parts = pipeline(imageFolder(join(root, 'photos')), decode(), resize(size));
    const job = definePipeline({ ...parts, sink: images({ sheet: false }), output: join(root, 'out'), threads });
    await run(job, { ...rest, onEvent: saying(lines) });
    return lines.filter((line) => line.includes('replaced'));
  };
  t.match(await told(8), [/^What an earlier run has left in .*out is replaced\.$/], 'whatever that was');
  t.match(await told(9), [/out is replaced: stages\[1\]\.resize\.size is 8 in it and 9 in the pipeline\.$/]);
  rmSync(join(root, 'out', 'finished.json'));
  t.same(await told(9, { threads: 2 }), [], 'the same pipeline makes the same again');
  t.same(await told(10, { fresh: true }), [], 'who says so knows');
  t.end();
});

t.test('a cancelled job ends at once, keeps what it has written, and says so', async (t) => {
  const root = t.testdir();
  await pictureFolder(join(root, 'photos'), 60);
  const abort = new AbortController();
  const reached = new EventEmitter();
  const output = join(root, 'out');
  const job = definePipeline({
    ...pipeline(
      imageFolder(join(root, 'photos')),
      each(async <S extends Sample>(sample: S) => {
        if (sample.position === 30) {
          reached.emit('reached');
          // Never goes on by itself: only the cancellation ends it.
          await new Promise(() => {});
        }
        return sample;
      }),
      decode(),
      resize(8),
    ),
    sink: images({ sheet: false }),
    output,
  });
  const ended = run(job, { signal: abort.signal });
  await once(reached, 'reached');
  abort.abort('SIGINT');
  await t.rejects(ended, { code: 'RUN_CANCELLED', message: /SIGINT/ });
  t.match(rowsOf(join(output, 'events.jsonl')).at(-1), { event: 'end', how: 'cancelled' });
  t.notOk(existsSync(join(output, 'finished.json')));
  t.end();
});

t.test('folders that cannot be read or written', async (t) => {
  const root = t.testdir({ empty: {}, 'a-file': 'x', texts: { 'a.txt': 'x' } });
  await pictureFolder(join(root, 'photos'), 3);
  const job = (from: string, output: string) =>
    run(
      definePipeline({
        ...pipeline(imageFolder(join(root, from)), decode(), resize(8)),
        sink: images(),
        output: join(root, output),
      }),
    );
  await t.rejects(job('missing', 'o1'), { code: 'FOLDER_MISSING' });
  await t.rejects(job('empty', 'o2'), { code: 'FOLDER_EMPTY' });
  await t.rejects(job('texts', 'o3'), { code: 'FOLDER_EMPTY' });
  await t.rejects(job('a-file', 'o4'), { code: 'FOLDER_FILE' });
  await t.rejects(job('photos', 'a-file/out'), { code: 'OUTPUT_FOLDER' });
  t.end();
});

t.test('a folder of which nothing can be used is an error, not an empty result', async (t) => {
  const root = t.testdir();
  writeFiles(join(root, 'photos'), Object.fromEntries((await brokenFiles()).map(({ name, bytes }) => [name, bytes])));
  const job = definePipeline({
    ...pipeline(imageFolder(join(root, 'photos')), decode(), resize(8)),
    sink: images(),
    output: join(root, 'out'),
  });
  await t.rejects(run(job), { code: 'NOTHING_LEFT', message: /PICTURE_/ });
  t.end();
});

/** A job that does `work` when the sample of a position comes through. */
function jobThat(root: string, at: number, work: () => void) {
  const stage = each(
    (sample: Sample) => {
      if (sample.position === at) work();
      return sample;
    },
    { name: 'meanwhile', concurrency: 1 },
  );
  return definePipeline({
    ...pipeline(imageFolder(join(root, 'photos')), decode(), stage, resize(8)),
    sink: images({ sheet: false }),
    output: join(root, 'out'),
  });
}

t.test('S5: what cannot be entered any more ends the run with the reason, through the run', async (t) => {
  if (!existsSync('/dev/full')) return t.end();
  const root = t.testdir();
  await pictureFolder(join(root, 'photos'), 12);
  writeFiles(join(root, 'photos'), { '00006x.jpg': 'text' });
  const quarantine = join(root, 'out/quarantine.jsonl');
  // A device on which every write fails like on a full disk.
  const job = jobThat(root, 1, () => symlinkSync('/dev/full', quarantine));
  await t.rejects(run({ ...job, permits: 4, threads: 1 }), {
    code: 'FILE_WRITE',
    message: /quarantine\.jsonl must be written whole; got a full disk\. Make room/,
    cause: { code: 'ENOSPC' },
  });
  t.notOk(existsSync(join(root, 'out/run.lock')));
  t.end();
});

t.test('L15: the folder of a job is moved while it runs', async (t) => {
  const root = t.testdir();
  await pictureFolder(join(root, 'photos'), 12);
  const job = jobThat(root, 4, () => renameSync(join(root, 'out'), join(root, 'moved')));
  await t.rejects(run({ ...job, permits: 4, threads: 1 }), {
    code: 'OUTPUT_GONE',
    message: /Restore it and run again/,
  });
  t.notOk(existsSync(join(root, 'out')), 'and is not made anew');
  t.end();
});

t.test('L1: a run takes no name that somebody else has, whatever is asked for', async (t) => {
  const root = t.testdir({ out: { 'pipeline.json': 'mine' } });
  await pictureFolder(join(root, 'photos'), 3);
  const job = jobThat(root, -1, () => {});
  for (const fresh of [false, true]) {
    await t.rejects(run(job, { fresh }), {
      code: 'OUTPUT_OTHER',
      message: /created: pipeline\.json.*--fresh does not delete it/,
    });
  }
  t.same(readdirSync(join(root, 'out')), ['pipeline.json'], 'no lock stays');
  rmSync(join(root, 'out/pipeline.json'));
  await t.rejects(run({ ...job, source: imageFolder(join(root, 'none')) }), { code: 'FOLDER_MISSING' });
  t.equal((await run(job)).done, 3, 'a run that failed early has taken none');
  t.equal((await run(job, { fresh: true })).done, 3);
  t.end();
});

t.test('hostile file names are escaped wherever they are shown', async (t) => {
  const root = t.testdir();
  const photos = join(root, 'photos');
  await pictureFolder(photos, 2);
  const name = 'evil\u001b[2J\u202egpj.jpg';
  writeFiles(photos, { [name]: 'text' });
  const output = join(root, 'out');
  const events: RunEvent[] = [];
  const job = definePipeline({
    ...pipeline(imageFolder(photos), decode({ maxFailures: 0 }), resize(8)),
    sink: images(),
    output,
  });
  const error = (await run(job, { onEvent: (event) => events.push(event) }).catch((e: unknown) => e)) as Error;
  t.match(error, { code: 'STAGE_BUDGET' });
  // biome-ignore lint/suspicious/noControlCharactersInRegex: looking for them is the test
  t.notMatch(error.message, /[\u0000-\u001f\u202e]/);
  t.match(error.message, 'evil\\u{1b}[2J\\u{202e}gpj.jpg');
  t.notOk(existsSync(join(output, 'written.jsonl.tmp')), 'nothing is under way when a run has ended');
  t.end();
});

t.test('a folder belongs to one run at a time; one that was killed does not keep it', async (t) => {
  const root = t.testdir();
  await pictureFolder(join(root, 'photos'), 3);
  const output = join(root, 'out');
  const job = definePipeline({
    ...pipeline(imageFolder(join(root, 'photos')), decode(), resize(8)),
    sink: images(),
    output,
  });
  writeFiles(output, { 'run.lock': String(process.ppid) });
  await t.rejects(run(job), { code: 'RUN_BUSY' });
  // No process has this number: it is above what systems give out.
  writeFiles(output, { 'run.lock': '2147483646' });
  t.equal((await run(job)).done, 3);
  t.notOk(existsSync(join(output, 'run.lock')));
  t.end();
});

t.test('a refused run leaves the record of the finished one; results that are gone are made again', async (t) => {
  const root = t.testdir();
  await pictureFolder(join(root, 'photos'), 3);
  const output = join(root, 'out');
  const from = (path: string) =>
    definePipeline({ ...pipeline(imageFolder(join(root, path)), decode(), resize(8)), sink: images(), output });
  await run(from('photos'));
  const record = readFileSync(join(output, 'pipeline.json'), 'utf8');
  await t.rejects(run(from('nowhere')), { code: 'FOLDER_MISSING' });
  t.equal(readFileSync(join(output, 'pipeline.json'), 'utf8'), record);
  t.equal((await run(from('photos'))).earlier, true);
  rmSync(join(output, 'sheet.png'));
  t.equal((await run(from('photos'))).earlier, undefined);
  t.ok(existsSync(join(output, 'sheet.png')));
  t.end();
});

t.test('a stage that gives other shapes than it has declared fails, in a job too', async (t) => {
  const root = t.testdir();
  await pictureFolder(join(root, 'photos'), 3);
  const lying = defineStage({
    name: 'lying',
    summary: 'Declares three numbers and gives seven.',
    options: z.strictObject({}),
    needs: ['picture'],
    output: (spec) => ({ ...spec, fields: { ...spec.fields, colours: { dtype: 'float32', shape: [3] } } }),
    run: () => (sample: Sample) => ({ ...sample, colours: new Float32Array(7) }),
  });
  const job = definePipeline({
    ...pipeline(imageFolder(join(root, 'photos')), decode(), resize(8), lying()),
    sink: images(),
    output: join(root, 'out'),
  });
  await t.rejects(run(job), { code: 'NOTHING_LEFT', message: /FIELD_SHAPE.*float32 \[3\].*Float32Array of 7/ });
  t.end();
});

t.test('results are not written among the pictures they are made of', async (t) => {
  const root = t.testdir();
  await pictureFolder(join(root, 'photos'), 3);
  const job = (output: string) =>
    definePipeline({
      ...pipeline(imageFolder(join(root, 'photos')), decode(), resize(8)),
      sink: images(),
      output: join(root, output),
    });
  await t.rejects(run(job('photos')), { code: 'PIPELINE_PROBLEMS', message: /OUTPUT_IN_SOURCE/ });
  await t.rejects(run(job('photos/small')), { code: 'PIPELINE_PROBLEMS', message: /OUTPUT_IN_SOURCE/ });
  t.equal((await run(job('photos-small'))).done, 3);
  t.end();
});

t.test(
  'L2: a link among the photographs that leads to the results is refused before anything is read or removed',
  async (t) => {
    const root = t.testdir({ other: {} });
    await pictureFolder(join(root, 'photos'), 3);
    await pictureFolder(join(root, 'other'), 2);
    symlinkSync('../other', join(root, 'photos/other'));
    symlinkSync('../other/00000.jpg', join(root, 'photos/link.jpg'));
    const output = join(root, 'runs/job');
    const job = definePipeline({
      source: imageFolder(join(root, 'photos')),
      stages: [decode()],
      sink: images(),
      output,
    } as never);
    t.equal((await run(job)).done, 6, 'links that lead elsewhere are followed');
    const made = readdirSync(join(output, 'images'));
    const leads = ['../runs/job', '../runs/job/images', '../runs', '..'].map((to) => [to, 'results'] as const);
    for (const [to, name] of [...leads, [`../runs/job/images/${made[0]}`, 'z.jpg'] as const]) {
      const link = join(root, 'photos', name);
      symlinkSync(to, link);
      const message = /photos\/.*, a link that leads there: .*runs\/job lies in .*photos/;
      await t.rejects(run(job, { fresh: true }), { code: 'OUTPUT_IN_SOURCE', message }, to);
      rmSync(link);
    }
    t.same(readdirSync(join(output, 'images')), made);
    t.equal((await run(job, { fresh: true })).done, 6);
  },
);

t.test('what was lost is told with its place and reason, and another stage function is another run', async (t) => {
  const root = t.testdir();
  await pictureFolder(join(root, 'photos'), 6);
  writeFiles(join(root, 'photos'), { 'x.jpg': 'text' });
  const job = (stage: Stage<Sample, Sample>) =>
    definePipeline({
      ...pipeline(imageFolder(join(root, 'photos')), stage, decode(), resize(8)),
      sink: images(),
      output: join(root, 'out'),
    });
  const odd = job(each((s: Sample) => (s.position % 3 === 1 ? drop('odd') : s), { name: 'choose' }));
  const summary = await run(odd);
  t.match(summary.lines.join('\n'), /failed: 1 in decode; listed in .*quarantine\.jsonl\ndropped: 2 in choose \(odd\)/);
  t.equal((await run(odd)).earlier, true);
  t.equal((await run(job(each((s: Sample) => s, { name: 'choose' })))).earlier, undefined);
  await t.rejects(run(job(each(() => drop('all') as unknown as Sample, { name: 'none' }))), {
    code: 'NOTHING_LEFT',
    message: /7 dropped in none \(all\)/,
  });
  t.end();
});

t.test(
  'S2: a lock that a kill has left beside a result goes with the next start; one that is held stays',
  async (t) => {
    const root = t.testdir({});
    await pictureFolder(join(root, 'photos'), 2);
    const output = join(root, 'out');
    const job = definePipeline({
      ...pipeline(imageFolder(join(root, 'photos')), decode(), resize(8)),
      name: 'job',
      sink: images(),
      output,
    });
    await run(job);
    const lock = join(output, 'run.lock');
    writeFileSync(lock, '');
    t.equal((await run(job)).earlier, true);
    t.notOk(existsSync(lock));
    const held = await RunLock.take(lock, output);
    t.equal((await run(job)).earlier, true);
    t.ok(existsSync(lock));
    await held.release();
  },
);

t.test('L2: what a program reads may be the results of its own pipeline: nothing is written there', async (t) => {
  const root = t.testdir({});
  await pictureFolder(join(root, 'photos'), 3);
  const shape = [decode(), resize(8)] as const;
  const output = join(root, 'runs', 'pipeline');
  await run(
    definePipeline({
      ...pipeline(imageFolder(join(root, 'photos')), ...shape),
      name: 'pipeline',
      sink: toShards({}),
      output,
    }),
  );
  const read = { ...pipeline(shards(join(output, 'shards')), resize(8)), name: 'pipeline', output };
  let count = 0;
  for await (const { keys } of batches(definePipeline(read as never), 2)) count += keys.length;
  t.equal(count, 3);
});
