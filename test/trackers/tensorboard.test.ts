import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import sharp from 'sharp';
import t from 'tap';
import type { Finished, Started, StepDone } from '../../src/events/events.ts';
import { definePipeline } from '../../src/runs/loader/define.ts';
import { run } from '../../src/runs/run.ts';
import { images } from '../../src/sinks/index.ts';
import { imageFolder } from '../../src/sources/index.ts';
import { decode, resize } from '../../src/stages/index.ts';
import { tensorboard } from '../../src/trackers/index.ts';
import { EventFile } from '../../src/trackers/tensorboard/event-file.ts';
import { scalarsEvent } from '../../src/trackers/tensorboard/event-protos.ts';
import { crc32c, tfRecord } from '../../src/trackers/tensorboard/records.ts';
import { openTensorboard } from '../../src/trackers/tensorboard/writer.ts';
import { pictureFolder } from '../kit/files/folder.ts';
import { checksum, readEvents, type TfEvent } from '../kit/runs/tfevents.ts';

const training = {
  step: 0,
  total: 9,
  batch: 4,
  parameters: 5,
  backend: 'wasm',
  device: 'cpu',
  why: '',
  onCores: true,
  cells: 9,
};
const started = (step: number): Started => ({
  ...{
    type: 'started',
    kind: 'training',
    name: 'lomar',
    digest: 'd',
    folder: '/elsewhere',
    training: { ...training, step },
  },
  pipeline: { seed: 7, train: { model: { lomar: { size: 'nano' } }, dropLast: true, betas: [0.9, 0.95] }, permits: 32 },
  machine: { cores: 2, memory: 2 ** 30 },
});
const step = (index: number, loss: number): StepDone => ({
  ...{
    type: 'step',
    step: index,
    epoch: 0.5,
    loss,
    gradNorm: 3,
    paramNorm: 4,
    lr: 0.1,
    imagesPerSecond: 80,
    keys: 'k',
  },
  ...{ dataWaitMs: 250, permitWaitMs: 0, microBatch: 4, uploadMs: 1, passMs: 2, updateMs: 3, ringFill: 0.5, cores: 2 },
});
const finished = (files: readonly string[] = []): Finished => ({
  ...{ type: 'finished', how: 'completed', stats: [] },
  summary: { lines: [], done: 9, failures: 0, drops: 0, seconds: 1, files },
});

function eventsIn(folder: string): TfEvent[][] {
  const names = readdirSync(join(folder, 'tensorboard')).sort();
  return names.map((name) => readEvents(readFileSync(join(folder, 'tensorboard', name))));
}

const scalars = (events: readonly TfEvent[], tag: string) =>
  events.flatMap(({ step = 0, summary }) =>
    (summary?.value ?? []).filter((value) => value.tag === tag).map((value) => [step, value.simple_value]),
  );

/** What readers keep: a start takes out what stands before it from its step on. */
function merged(files: readonly (readonly TfEvent[])[]): TfEvent[] {
  let kept: TfEvent[] = [];
  for (const event of files.flat()) {
    if (event.session_log?.status === 1) kept = kept.filter(({ step = 0 }) => step < (event.step ?? 0));
    kept.push(event);
  }
  return kept;
}

t.test('checksums are CRC-32C, and records are framed as readers want them', (t) => {
  // RFC 3720, B.4
  t.equal(crc32c(new Uint8Array(32)), 0x8a9136aa);
  t.equal(crc32c(new Uint8Array(32).fill(0xff)), 0x62a8ab43);
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => t.equal(crc32c(bytes), checksum(bytes))));
  const damaged = Buffer.concat([tfRecord(scalarsEvent({ seconds: 1, step: 2 }, { a: 1 }).encoded())]);
  t.match(readEvents(damaged), [{ wall_time: 1, step: 2, summary: { value: [{ tag: 'a', simple_value: 1 }] } }]);
  damaged[20]! ^= 1;
  t.throws(() => readEvents(damaged), /checksums/);
  t.end();
});

t.test('the reader of these tests reads what TensorBoard writes', (t) => {
  const events = readEvents(readFileSync('fixtures/tensorboard.tfevents'));
  t.match(events, [
    { wall_time: 1_700_000_000.5, file_version: 'brain.Event:2' },
    { step: 7, session_log: { status: 1 } },
    { step: 300, summary: { value: [{ tag: 'train/loss', simple_value: 0.25 }, { tag: 'é' }] } },
    { step: 2 ** 40, summary: { value: [{ tag: 'pictures/red', image: { width: 2, height: 1, colorspace: 3 } }] } },
    { summary: { value: [{ tag: '_hparams_/session_start_info' }] } },
    { summary: { value: [{ tag: '_hparams_/session_end_info' }] } },
  ]);
  const contents = events.slice(4).map(({ summary }) => summary!.value[0]!.metadata!.plugin_data.content);
  const { hparams } = contents[0]!.session_start_info as { hparams: { key: string; value: object }[] };
  t.same(
    new Map(hparams.map(({ key, value }) => [key, Object.values(value)[0]])),
    new Map<string, unknown>([
      ['lr', 0.5],
      ['name', 'nano'],
      ['flip', true],
    ]),
  );
  t.match(contents[1], { session_end_info: { status: 1, end_time_secs: 13.5 } });
  t.end();
});

t.test('every number is read back as it was written', async (t) => {
  const folder = t.testdir();
  const entry = fc.record({
    seconds: fc.double({ min: 0, max: 4e9, noNaN: true }),
    step: fc.maxSafeNat(),
    values: fc.dictionary(fc.string({ unit: 'binary', minLength: 1 }), fc.float()),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(entry, { maxLength: 5 }), async (entries) => {
      const file = await EventFile.create(folder);
      for (const { seconds, step, values } of entries) await file.add(scalarsEvent({ seconds, step }, values));
      await file.close();
      const last = readdirSync(folder).sort().at(-1)!;
      const read = readEvents(readFileSync(join(folder, last)));
      t.strictSame(
        read.map(({ wall_time, step = 0, summary }) => ({
          seconds: wall_time,
          step,
          values: (summary?.value ?? []).map(({ tag, simple_value }) => [tag, simple_value]),
        })),
        entries.map(({ values, ...rest }) => ({ ...rest, values: Object.entries(values) })),
      );
    }),
    { numRuns: 30 },
  );
});

t.test('a training: numbers of its steps, evaluations, pictures and options', async (t) => {
  const folder = t.testdir();
  const picture = join(folder, 'reconstruction.png');
  await sharp({ create: { width: 30, height: 20, channels: 3, background: 'red' } })
    .png()
    .toFile(picture);
  const seconds = 1_700_000_000;
  const tracker = await openTensorboard({ everySteps: 1 }, { started: started(0), folder }, () => 1000 * seconds);
  for (const index of [0, 1, 2]) await tracker.event(step(index, 3 - index));
  const numbers = { 'knn.top1': 0.75, 'reconstruction.ours': 0.25 };
  for (const last of [false, true])
    await tracker.event({ type: 'evaluation', step: 2, epoch: 1, last, numbers, lines: [] });
  await tracker.event(finished([join(folder, 'loss.svg'), picture, join(folder, 'gone.png')]));
  await tracker.close?.();
  const [events, ...more] = eventsIn(folder);
  t.same(more, []);
  t.match(events!.slice(0, 2), [
    { wall_time: seconds, file_version: 'brain.Event:2' },
    { step: 0, session_log: { status: 1 } },
  ]);
  t.same(scalars(events!, 'train/loss'), [
    [1, 3],
    [2, 2],
    [3, 1],
  ]);
  t.same(scalars(events!, 'speed/images_per_second')[0], [1, 80]);
  t.same(scalars(events!, 'evaluation/knn.top1'), [[2, 0.75]]);
  const values = events!.flatMap(({ summary }) => summary?.value ?? []);
  const shown = values.filter(({ image }) => image !== undefined);
  t.match(shown, [{ tag: 'pictures/reconstruction', image: { width: 30, height: 20, colorspace: 3 } }]);
  t.ok(Buffer.from(shown[0]!.image!.encoded_image_string).equals(readFileSync(picture)));
  const plugin = (tag: string) => values.find((value) => value.tag === tag)?.metadata?.plugin_data;
  const start = plugin('_hparams_/session_start_info');
  t.match(start, { plugin_name: 'hparams', content: { session_start_info: { start_time_secs: seconds } } });
  const { hparams } = start!.content.session_start_info as { hparams: { key: string; value: object }[] };
  t.same(Object.fromEntries(hparams.map(({ key, value }) => [key, Object.values(value)[0]])), {
    seed: 7,
    'train.model.lomar.size': 'nano',
    'train.dropLast': true,
    'train.betas.0': 0.9,
    'train.betas.1': 0.95,
  });
  t.match(plugin('_hparams_/session_end_info'), {
    content: { session_end_info: { status: 1, end_time_secs: seconds } },
  });
});

t.test('a run that is resumed goes on in a new file, and no step is there twice', async (t) => {
  const folder = t.testdir();
  for (const [from, to] of [
    [0, 5],
    [3, 7],
  ] as const) {
    const tracker = await openTensorboard({ everySteps: 1 }, { started: started(from), folder }, () => 1000);
    for (let index = from; index < to; index++) await tracker.event(step(index, 10 * to + index));
    await tracker.close?.();
  }
  const files = eventsIn(folder);
  t.equal(files.length, 2, 'within a second, too');
  t.same(
    scalars(merged(files), 'train/loss'),
    [50, 51, 52, 73, 74, 75, 76].map((loss, i) => [i + 1, loss]),
  );
  const anew = await openTensorboard({ everySteps: 2 }, { started: started(0), folder }, () => 1000);
  for (let index = 0; index < 4; index++) await anew.event(step(index, index));
  await anew.close?.();
  t.same(
    scalars(merged(eventsIn(folder)), 'train/loss'),
    [
      [2, 1],
      [4, 3],
    ],
    'one that begins anew takes the place of all; of the steps every second one',
  );
});

t.test('a job: how far it has come, and its contact sheet', async (t) => {
  const root = t.testdir();
  await pictureFolder(join(root, 'photos'), 6);
  const output = join(root, 'out');
  const job = definePipeline({
    source: imageFolder(join(root, 'photos')),
    stages: [decode(), resize(16)],
    sink: images({ sheet: { rows: 2 } }),
    track: [tensorboard()],
    output,
  });
  const notices: unknown[] = [];
  const { done } = await run(job, { onEvent: (event) => event.type === 'notice' && notices.push(event) });
  t.equal(done, 6);
  t.same(notices, []);
  const events = eventsIn(output)[0]!;
  t.match(scalars(events, 'samples/failed')[0]?.[1], 0);
  const sheet = events.flatMap(({ summary }) => summary?.value ?? []).find(({ tag }) => tag === 'pictures/sheet');
  t.match(await sharp(sheet!.image!.encoded_image_string).metadata(), { width: sheet!.image!.width, format: 'png' });
});
