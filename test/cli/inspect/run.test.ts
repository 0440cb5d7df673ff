import { appendFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { lomar } from '../../../src/models/index.ts';
import { definePipeline, pipeline } from '../../../src/runs/loader/define.ts';
import { run } from '../../../src/runs/run.ts';
import { toJsonl } from '../../../src/sinks/index.ts';
import { imageFolder } from '../../../src/sources/index.ts';
import { decode, mask, randomResizedCrop, windows } from '../../../src/stages/index.ts';
import { pictureFolder } from '../../kit/files/folder.ts';
import { patchstream } from '../../kit/runs/terminal.ts';
import { type Coupled, coupled } from '../../kit/training/coupled.ts';
import { planted } from '../../kit/training/planted.ts';

const jsonl = (rows: readonly unknown[]) => rows.map((row) => `${JSON.stringify(row)}\n`).join('');

/** Writes what a run of the plan would have left. */
async function runFolder(folder: string, { plan }: { readonly plan: Coupled }) {
  const { rows, stats } = await coupled(plan);
  const { batch, permits, cores, cells, trainer } = plan;
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    join(folder, 'pipeline.json'),
    JSON.stringify({ name: 'planted', permits, threads: 8, train: { batch } }),
  );
  writeFileSync(join(folder, 'metrics.jsonl'), jsonl(rows));
  const events = [
    { event: 'start', digest: '0' },
    { event: 'machine', cores, onCores: trainer.onCores === true, cells },
    { event: 'stats', stats },
    { event: 'end', how: 'completed', stats },
  ];
  writeFileSync(join(folder, 'events.jsonl'), jsonl(events));
}

for (const [name, plant] of Object.entries(planted)) {
  t.test(`inspect names the planted bottleneck: ${name}`, async (t) => {
    const folder = join(t.testdir(), 'run');
    await runFolder(folder, plant);
    const { code, out } = await patchstream(['inspect', folder]);
    t.equal(code, 0);
    t.match(out, /^planted: 40 steps, completed\. The (loader|trainer) is the bottleneck .*\n$/, 'one paragraph');
    const { out: json } = await patchstream(['inspect', folder, '--json']);
    const { cause, stage, knob } = plant;
    t.match(JSON.parse(json), { explanation: { cause, knob, ...(stage && { stage }) } });
  });
}

t.test('a real training is explained, with what the tuner has done', async (t) => {
  const root = t.testdir();
  await pictureFolder(join(root, 'photos'), 30);
  const output = join(root, 'run');
  const { lines } = await run(
    definePipeline({
      ...pipeline(
        imageFolder({ path: join(root, 'photos'), repeat: 8 }),
        decode(),
        randomResizedCrop({ size: 32 }),
        windows({ patch: 8, size: 3, views: 2 }),
        mask(0.5),
      ),
      name: 'real',
      train: { model: lomar({ width: 32, depth: 2, heads: 2 }), batch: 8, steps: 40, thread: 'main', backend: 'wasm' },
      output,
    }),
  );
  t.ok(
    lines.some((line) => /The (loader|trainer) is the bottleneck/.test(line)),
    lines.join('\n'),
  );
  const { out } = await patchstream(['inspect', output]);
  const said = lines.find((line) => line.includes('is the bottleneck'))!;
  t.ok(out.startsWith(`real: 40 steps, completed. ${said}`), `${out} says what the run has said: ${said}`);
  t.match(out, /It computes [\d.]+ GFLOP\/s\./, 'and how much it computes; so short a training measures no peak');
  t.match(
    (await patchstream(['inspect', output, '--peak', '2'])).out,
    /FLOP\/s, [\w. ]+ % of 2 TFLOP\/s \(as given\)\./,
  );
  t.same((await patchstream(['inspect', output, '--peak', '2'])).err, '');
  t.match(await patchstream(['inspect', join(output, 'checkpoints', 'step-00000040'), '--peak', '2']), {
    code: 0,
    err: /^--peak is left out: .*step-00000040 is .*checkpoint.*, which does not compute\.$/m,
  });
  t.match(await patchstream(['inspect', output, '--peak', 'much']), { code: 2, err: /ARGUMENT.*much.*`--peak 121`/ });
  const report = readFileSync(join(output, 'report.html'), 'utf8');
  t.ok(report.includes(said.slice(0, said.indexOf('. '))), 'and the report');
  t.match(report, /Computed, by the model’s multiply-adds<\/th><td>[\d.]+ GFLOP\/s/);
  t.match(out, /The tuner (is|has settled) at micro-batch \d+ and \d+ threads?\./);
});

t.test('runs that were killed, are old, or were cut off are told of as far as they can be', async (t) => {
  const folder = join(t.testdir(), 'run');
  const plant = planted['the source is slow']!;
  await runFolder(folder, plant);
  appendFileSync(join(folder, 'events.jsonl'), `${JSON.stringify({ event: 'start' })}\n{"event":"st`);
  appendFileSync(join(folder, 'metrics.jsonl'), '{"step":40,"lo');
  t.match((await patchstream(['inspect', folder])).out, /running, or was killed\. The loader is the bottleneck/);
  const old = { step: 0, epoch: 0, loss: 1, imagesPerSecond: 10, dataWaitMs: 1, permitWaitMs: 1, keys: '0' };
  writeFileSync(join(folder, 'metrics.jsonl'), jsonl([old, old, old, old]));
  t.match((await patchstream(['inspect', folder])).out, /too few steps with all measures/);
  writeFileSync(join(folder, 'metrics.jsonl'), '');
  const bare = await patchstream(['inspect', folder, '--peak', '2']);
  t.match(bare.out, /0 steps/);
  t.match(bare.err, /--peak is left out: it is not known how much a step of this run computes\./);
});

t.test('issue 16: events that cannot be read are counted, and one that is being written is not', async (t) => {
  const folder = join(t.testdir(), 'run');
  await runFolder(folder, Object.values(planted)[0]!);
  appendFileSync(join(folder, 'events.jsonl'), '{"event":"sta\n{"event":"sta');
  t.match(
    (await patchstream(['inspect', folder])).out,
    / 40 steps, completed\. 1 line of events\.jsonl cannot be read\. /,
  );
});

t.test('what is no training is told of', async (t) => {
  const root = t.testdir({
    other: {},
    half: { 'metrics.jsonl': '', 'pipeline.json': '{"name":"\u001b[2J"}', 'events.jsonl': '' },
  });
  t.match(await patchstream(['inspect', join(root, 'nowhere')]), { code: 2, err: /INSPECT_NOTHING.*nothing there/ });
  t.match(await patchstream(['inspect', join(root, 'other')]), { code: 2, err: /INSPECT_NOTHING.*a folder/ });
  t.match(await patchstream(['inspect', join(root, 'half')]), { code: 2, err: /RUN_FOLDER.*describes no training/ });
  rmSync(join(root, 'half', 'pipeline.json'));
  t.match(await patchstream(['inspect', join(root, 'half')]), { code: 2, err: /RUN_FOLDER/ });
  t.match(await patchstream(['inspect']), { code: 2 });
});

t.test('a job is inspected as well: what sets its pace, and how its reads went', async (t) => {
  const root = t.testdir();
  await pictureFolder(join(root, 'photos'), 6);
  const output = join(root, 'job');
  await run(
    definePipeline({
      name: 'small',
      source: imageFolder(join(root, 'photos')),
      stages: [decode()],
      sink: toJsonl(),
      output,
    }),
  );
  const { out, code } = await patchstream(['inspect', output]);
  t.equal(code, 0);
  t.match(out, /^small: a job, 6 samples done, completed\. The (sink|stage) \S+.* sets the pace\. /);
  const stats = [
    { stage: '0:source', in: 9, out: 5, busyMs: 9, elapsedMs: 10, concurrency: 1, meanWaiting: 0, mean: 1, p10: 1 },
  ];
  const reading = {
    ...{ state: 'full', medianMs: 200, p99Ms: 210, inFlight: 256, places: 256, bytesPerSecond: 0 },
    ...{ slowShare: 0.97, slowState: 'full', helps: 'shards' },
  };
  writeFileSync(join(output, 'events.jsonl'), jsonl([{ event: 'start' }, { event: 'stats', stats, reading }]));
  t.match(
    (await patchstream(['inspect', output])).out,
    /5 samples done, running, or was killed\. Reading from the disk or network sets the pace: for 97 % .*Shards would help.* 200 ms, 99 of 100 at most 210 ms; 256\.0 are in flight/,
  );
  t.match(JSON.parse((await patchstream(['inspect', output, '--json'])).out), {
    reading,
    explanation: { stage: 'source' },
  });
});
