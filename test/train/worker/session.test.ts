import fs, { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { open as openFile } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { basename, join } from 'node:path';
import t, { type Test } from 'tap';
import * as tf from '../../../src/backends/tf.ts';
import { floatsOf, openSafetensors } from '../../../src/formats/safetensors.ts';
import { machine } from '../../../src/machine.ts';
import type { Model } from '../../../src/models/model.ts';
import { type TorchAddon, torchAddon } from '../../../src/native.ts';
import type { TrainDefinition } from '../../../src/train/definition.ts';
import type { Measures } from '../../../src/train/metrics.ts';
import { aboutKey, readCheckpoint, readModel, saveCheckpoint } from '../../../src/train/weights/checkpoint.ts';
import { openFreshModel, openModel } from '../../../src/train/worker/open-model.ts';
import { openSession, type Session, type SessionOptions } from '../../../src/train/worker/session.ts';
import { withoutTorch } from '../../kit/training/torch.ts';
import { linearModel, smallDefinition, smallSpec } from '../../kit/training/train.ts';

const plan = { name: 'linear', options: { a: 1 }, spec: smallSpec };
const definitionOf = (folder: string, change: Partial<TrainDefinition> = {}) =>
  smallDefinition(folder, { model: plan, ...change });

/** The smallest model, which counts how often it was freed. */
function counted(): { model: Model; freed: () => number } {
  let count = 0;
  return { model: { ...linearModel(), dispose: () => count++ }, freed: () => count };
}

interface Opened {
  readonly session: Session;
  readonly notes: string[];
  readonly saved: unknown[];
  readonly freed: () => number;
}

async function open(t: Test, definition: TrainDefinition, more: SessionOptions = {}): Promise<Opened> {
  const notes: string[] = [];
  const saved: unknown[] = [];
  const { model, freed } = counted();
  const session = await openSession(definition, {
    model,
    note: (text) => notes.push(text),
    saved: (path, step) => saved.push([basename(path), step]),
    ...more,
  });
  let isOpen = true;
  const close = async () => {
    if (isOpen) await session.close();
    isOpen = false;
  };
  t.teardown(close);
  return { session: { ...session, close }, notes, saved, freed };
}

const row = (step: number) => ({ step, epoch: step * 0.4, loss: 1, keys: 'k' }) as Measures;
const names = (folder: string) =>
  existsSync(join(folder, 'checkpoints')) ? readdirSync(join(folder, 'checkpoints')).sort() : [];
const rows = (folder: string) =>
  readFileSync(join(folder, 'metrics.jsonl'), 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line).step);
const stateIn = (folder: string, name: string) =>
  JSON.parse(readFileSync(join(folder, 'checkpoints', name, 'state.json'), 'utf8'));

/** Makes `count` steps of nothing but their rows, gives the parameters a value by which they are known, and saves. */
async function stepTo({ session }: Opened, step: number): Promise<void> {
  const { loop } = session;
  for (let at = loop.from.step; at < step; at++) await loop.onStep!(row(at));
  tf.tidy(() => loop.params.bias!.assign(tf.tensor1d([step])));
  tf.tidy(() => loop.state.moments.exp_avg!.bias!.assign(tf.tensor1d([step / 2])));
  loop.state.step = step - 1;
  await loop.save!({ step, position: step * 4 });
}

t.test('a run from the beginning: folder, rows, and what the loop is given', async (t) => {
  const folder = join(t.testdir(), 'deep/run');
  const { session, notes, freed } = await open(t, definitionOf(folder, { dropLast: true, onNotANumber: 'skip' }));
  const { loop, choice, resumed, passedOver } = session;
  t.same([resumed, passedOver, choice.backend], [undefined, [], 'wasm']);
  t.same(readdirSync(folder), ['metrics.jsonl']);
  t.match(loop, {
    batch: 4,
    steps: 8,
    count: 10,
    dropLast: true,
    seed: 7,
    from: { step: 0, position: 0 },
    onNotANumber: 'skip',
  });
  t.same(Object.keys(loop.params), ['weight', 'bias']);
  t.same([loop.schedule({ step: 0, epoch: 0 }), loop.schedule({ step: 2, epoch: 0.8 }), loop.state.step], [0, 3e-3, 0]);
  t.same(
    [1, 2, 3, 4, 6].map((step) => loop.due!({ step, position: step * 4 } as never, step * 0.4)),
    [false, false, true, false, true],
  );
  loop.note!('hello');
  t.equal(notes.at(-1), 'hello');
  t.equal(freed(), 0);
  t.same(
    (await open(t, definitionOf(join(folder, 'b'), { length: { epochs: 2 } }))).session.loop.steps,
    Number.POSITIVE_INFINITY,
  );
});

t.test('a checkpoint: rows first, all of the state, and those that it is told of', async (t) => {
  const folder = t.testdir({});
  const classNames = ['a', 'b'];
  const opened = await open(t, definitionOf(folder, { classNames, decides: { x: 1, none: undefined } }));
  await stepTo(opened, 3);
  t.same(rows(folder), [0, 1, 2]);
  t.same(opened.saved, [['step-00000003', 3]]);
  t.match(stateIn(folder, 'step-00000003'), {
    ...{
      format: 2,
      step: 3,
      position: 12,
      updates: 2,
      seed: 7,
      classNames,
      decides: { x: 1 },
      definition: /^[0-9a-f]{16}$/,
    },
    versions: { patchstream: /^\d+\.\d+\.\d+/, tfjs: tf.version.tfjs, node: process.versions.node },
  });
  const { model, optimizer } = await readCheckpoint(join(folder, 'checkpoints/step-00000003'));
  t.same([...model.tensors.keys()], ['weight', 'bias']);
  t.same([...optimizer.tensors.keys()], ['exp_avg.weight', 'exp_avg.bias', 'exp_avg_sq.weight', 'exp_avg_sq.bias']);
  t.equal(model.metadata[aboutKey], '{"linear":{"a":1},"patch":4,"K":3}');
  await stepTo(opened, 4);
  await stepTo(opened, 5);
  t.same(names(folder), ['step-00000004', 'step-00000005'], 'two are kept');
  const without = t.testdir({});
  await stepTo(await open(t, definitionOf(without, { model: { ...plan, shown: { a: '$A' } } })), 1);
  t.notOk('classNames' in stateIn(without, 'step-00000001'));
  t.match(stateIn(without, 'step-00000001').decides, { batch: 4, seed: 7, model: { name: 'linear' } });
  const weights = await openSafetensors(join(without, 'checkpoints/step-00000001/model.safetensors'));
  t.match(weights.metadata[aboutKey], /^\{"linear":\{"a":"\$A"\}/, 'what is shown of the options, not what they are');
});

t.test('rows are on the disk before a checkpoint is begun that counts them', async (t) => {
  const folder = t.testdir({});
  const opened = await open(t, definitionOf(folder));
  const probe = await openFile(join(folder, 'metrics.jsonl'));
  const prototype = Object.getPrototypeOf(probe) as typeof probe;
  await probe.close();
  const { sync } = prototype;
  const begun: boolean[] = [];
  prototype.sync = function (this: typeof probe) {
    begun.push(existsSync(join(folder, 'checkpoints')));
    return sync.call(this);
  };
  t.teardown(() => Object.assign(prototype, { sync }));
  await stepTo(opened, 1);
  t.same(begun.slice(0, 2), [false, true]);
});

t.test('a run that goes on: weights, moments, counts and rows are those of the newest checkpoint', async (t) => {
  const folder = t.testdir({});
  const first = await open(t, definitionOf(folder));
  await stepTo(first, 3);
  await first.session.loop.onStep!(row(3));
  await first.session.close();
  t.same(rows(folder), [0, 1, 2, 3]);
  const init = join(folder, 'no-such-file');
  const { session, notes } = await open(t, definitionOf(folder, { device: 'cpu', init: undefined }));
  t.same([session.resumed, session.passedOver], [join(folder, 'checkpoints/step-00000003'), []]);
  t.same(session.loop.from, { step: 3, position: 12 });
  t.same(
    [
      [...session.loop.params.bias!.dataSync()],
      [...session.loop.state.moments.exp_avg!.bias!.dataSync()],
      session.loop.state.step,
    ],
    [[3], [1.5], 2],
  );
  t.same(rows(folder), [0, 1, 2], 'rows of steps that are made again are cut');
  t.same(
    notes.filter((text) => /beginning/.test(text)),
    [],
  );
  await t.rejects(
    open(t, definitionOf(folder, { init })),
    { code: 'CHECKPOINT_MISMATCH' },
    'another init is another run',
  );
  const epochs = { everyEpochs: 1, keep: 2 };
  const { session: byEpoch } = await open(t, definitionOf(folder, { checkpoint: epochs }));
  t.equal(byEpoch.loop.due!({ step: 4 } as never, 1.6), false, 'the epoch of the checkpoint was saved');
  t.equal(byEpoch.loop.due!({ step: 5 } as never, 2), true);
});

t.test('checkpoints of another run are refused: what differs, or that nobody knows', async (t) => {
  const folder = t.testdir({});
  await stepTo(await open(t, definitionOf(folder, { classNames: ['a', 'b'] })), 2);
  const where = join(folder, 'checkpoints/step-00000002');
  const refused = (change: Partial<TrainDefinition>, message: RegExp) =>
    t.rejects(open(t, definitionOf(folder, change)), { code: 'CHECKPOINT_MISMATCH', message, where });
  await refused({ batch: 2 }, /batch is 4 in it and 2 in the pipeline/);
  await refused({ decides: { seed: 1 }, data: 3 }, /seed is 7 in it and 1 in the pipeline/);
  await refused({ classNames: ['a', 'c'] }, /the source now has classes that are only there: /);
  await refused({ classNames: ['b', 'a'] }, /the same classes in another order/);
  const nobody = /with another model, data, batch, length, seed, optimizer or schedule, and does not say which/;
  const { decides } = stateIn(folder, 'step-00000002');
  await refused({ data: 'other', decides }, nobody);
  for (const change of [{}, { classNames: ['a', 'b'] }, { classNames: undefined }, { onNotANumber: 'skip' as const }])
    t.equal((await open(t, definitionOf(folder, change))).session.loop.from.step, 2);
  const unset = t.testdir({});
  const list = { decides: { list: [undefined] } };
  await stepTo(await open(t, definitionOf(unset, list)), 1);
  const asJson = definitionOf(unset, { ...list, data: 'other' });
  await t.rejects(open(t, asJson), { code: 'CHECKPOINT_MISMATCH', message: nobody }, 'both as JSON has them');
  const old = t.testdir({});
  await stepTo(await open(t, definitionOf(old)), 1);
  t.equal(
    (await open(t, definitionOf(old, { classNames: ['x'] }))).session.loop.from.step,
    1,
    'one that names no classes',
  );
  const { model, optimizer, state } = await readCheckpoint(join(old, 'checkpoints/step-00000001'));
  t.ok(model && optimizer && state.decides);
  const bare = t.testdir({});
  const { decides: _, digest: _digest, digests: _digests, format: _format, ...rest } = state;
  await saveCheckpoint(join(bare, 'checkpoints'), {
    state: { ...rest, definition: 'x' },
    model: new Map(),
    optimizer: new Map(),
  });
  await t.rejects(open(t, definitionOf(bare)), { code: 'CHECKPOINT_MISMATCH', message: nobody });
});

t.test('checkpoints that are broken are passed over, and named', async (t) => {
  const folder = t.testdir({});
  const first = await open(t, definitionOf(folder, { checkpoint: { everySteps: 3, keep: 9 } }));
  for (const step of [1, 2, 3]) await stepTo(first, step);
  const spoil = (step: number) => writeFileSync(join(folder, `checkpoints/step-0000000${step}/state.json`), '{');
  spoil(3);
  spoil(2);
  const second = await open(t, definitionOf(folder));
  t.same([second.session.passedOver, second.session.loop.from.step], [['step-00000002', 'step-00000003'], 1]);
  t.notMatch(second.notes.join('\n'), /from the beginning/);
  spoil(1);
  const third = await open(t, definitionOf(folder));
  t.same(
    [third.session.passedOver, third.session.loop.from.step],
    [['step-00000001', 'step-00000002', 'step-00000003'], 0],
  );
  t.equal(third.notes.filter((text) => text === 'The training starts from the beginning.').length, 1);
  const fourth = await open(t, definitionOf(folder, { fresh: true }));
  t.same([fourth.session.passedOver, fourth.notes.filter((text) => /beginning|broken/.test(text))], [[], []]);
});

t.test('a training that begins afresh takes nothing away before its first step, and then once', async (t) => {
  const folder = t.testdir({});
  await stepTo(await open(t, definitionOf(folder, { seed: 1 })), 2);
  const before = rows(folder);
  const unused = await open(t, definitionOf(folder, { fresh: true }));
  t.same([unused.session.resumed, unused.session.loop.from], [undefined, { step: 0, position: 0 }]);
  await unused.session.close();
  t.same([names(folder), rows(folder)], [['step-00000002'], before]);
  const used = await open(t, definitionOf(folder, { fresh: true }));
  await used.session.loop.onStep!(row(0));
  t.same([names(folder), rows(folder)], [[], [0]]);
  await used.session.loop.save!({ step: 1, position: 4 });
  await used.session.loop.onStep!(row(1));
  t.same([names(folder), rows(folder)], [['step-00000001'], [0, 1]]);
  const saving = await open(t, definitionOf(folder, { fresh: true }));
  await saving.session.loop.save!({ step: 7, position: 28 });
  t.same([names(folder), rows(folder)], [['step-00000007'], []], 'a save begins it too');
});

t.test('checkpoints that are to be measured stay until they are', async (t) => {
  const folder = t.testdir({});
  const change = { evaluate: { steps: 1 }, checkpoint: { everySteps: 3, keep: 1 } };
  const first = await open(t, definitionOf(folder, change));
  t.equal(first.session.loop.due!({ step: 1 } as never, 0.4), true, 'one is saved where it is to be measured');
  for (const step of [1, 2, 3]) await stepTo(first, step);
  t.same(names(folder), ['step-00000001', 'step-00000002', 'step-00000003']);
  first.session.measured(join(folder, 'checkpoints/step-00000001'));
  await stepTo(first, 4);
  t.same(names(folder), ['step-00000002', 'step-00000003', 'step-00000004']);
  await first.session.close();
  const second = await open(t, definitionOf(folder, change));
  await stepTo(second, 5);
  t.same(names(folder), ['step-00000004', 'step-00000005'], 'also the one that the run goes on from');
  const third = await open(t, definitionOf(folder, { ...change, evaluate: undefined }));
  await stepTo(third, 6);
  t.same(names(folder), ['step-00000006'], 'nobody measures them');
});

t.test('a folder that is another by now is not written to', async (t) => {
  const root = t.testdir({});
  const folder = join(root, 'run');
  const opened = await open(t, definitionOf(folder));
  renameSync(folder, join(root, 'moved'));
  mkdirSync(folder);
  await t.rejects(opened.session.loop.save!({ step: 1, position: 4 }), { code: 'OUTPUT_GONE' });
  t.same([readdirSync(folder), opened.saved], [[], []]);
});

t.test('tensors and model are freed once, when it is closed or when it cannot be opened', async (t) => {
  const folder = t.testdir({});
  const tensors = () => tf.memory().numTensors;
  await (await open(t, definitionOf(join(folder, 'first')))).session.close();
  const before = tensors();
  const opened = await open(t, definitionOf(folder));
  t.equal(tensors(), before + 6, 'parameters and their moments');
  await stepTo(opened, 1);
  await opened.session.close();
  t.same([tensors(), opened.freed()], [before, 1]);
  await t.rejects(
    async () => opened.session.loop.onStep!(row(1)),
    { code: 'FILE_WRITE' },
    'the file of rows is closed',
  );

  const refused = async (definition: TrainDefinition, code: string) => {
    const { model, freed } = counted();
    await t.rejects(openSession(definition, { model }), { code });
    t.same([tensors(), freed()], [before, 1], code);
  };
  await refused(definitionOf(join(folder, 'second'), { init: join(folder, 'nowhere') }), 'WEIGHTS_MISSING');
  const other = t.testdir({ 'metrics.jsonl': {} });
  await refused(definitionOf(other), 'FILE_WRITE');
});

t.test('first weights of a file, where the run does not go on', async (t) => {
  const root = t.testdir({});
  const first = await open(t, definitionOf(join(root, 'first')));
  await stepTo(first, 9);
  const init = join(root, 'first/checkpoints/step-00000009');
  const folder = join(root, 'second');
  const second = await open(t, definitionOf(folder, { init }));
  t.same(
    [[...second.session.loop.params.bias!.dataSync()], second.session.loop.state.step, second.session.resumed],
    [[9], 0, undefined],
  );
  const named = await open(t, definitionOf(join(root, 'third'), { classNames: ['a', 'b'] }));
  await stepTo(named, 1);
  const other = { init: join(root, 'third/checkpoints/step-00000001'), classNames: ['b', 'a'] };
  await t.rejects(open(t, definitionOf(join(root, 'fourth'), other)), { code: 'WEIGHTS_CLASSES', where: other.init });
  for (const classNames of [['a', 'b'], undefined])
    t.equal((await open(t, definitionOf(join(root, 'fourth'), { ...other, classNames }))).session.loop.from.step, 0);
  t.ok(await open(t, definitionOf(join(root, 'fifth'), { init, classNames: ['a'] })), 'weights that name no classes');
  const { model, state } = await readCheckpoint(other.init);
  const more = new Map(['bias', 'head.weight'].map((name) => [name, { shape: [1], data: Float32Array.of(6) }]));
  more.set('weight', { shape: [1, 3], data: Float32Array.of(1, 2, 3) });
  t.same([...model.tensors.keys()], ['weight', 'bias']);
  const { classNames: _, digest: _digest, digests: _digests, format: _format, ...nameless } = state;
  const headed = await saveCheckpoint(join(root, 'headed'), { state: nameless, model: more, optimizer: new Map() });
  const sixth = await open(t, definitionOf(join(root, 'sixth'), { init: headed }));
  t.same([...sixth.session.loop.params.bias!.dataSync()], [6]);
  t.match(sixth.notes.join('\n'), /head\.weight/, 'what was left out of them is said');
  await stepTo(second, 1);
  rmSync(init, { recursive: true });
  t.same(
    [...(await open(t, definitionOf(folder, { init }))).session.loop.params.bias!.dataSync()],
    [1],
    'not read again',
  );
});

t.test('a model to predict with: stored weights, or those that its training begins with', async (t) => {
  const root = t.testdir({});
  const first = await open(t, definitionOf(root, { classNames: ['a', 'b'] }));
  const begins = [...first.session.loop.params.weight!.dataSync()];
  await stepTo(first, 2);
  const path = join(root, 'checkpoints/step-00000002');
  const tensors = () => tf.memory().numTensors;
  const before = tensors();
  const definition = definitionOf('');
  const of = async (opening: ReturnType<typeof openModel>) => {
    const { model, params, classNames, choice, dispose } = await opening;
    const told = [[...params.bias!.dataSync()], [...params.weight!.dataSync()], classNames, choice.backend, model.name];
    t.equal(tensors(), before + 2);
    dispose();
    return told;
  };
  t.same(await of(openModel(definition, path, counted())), [[2], begins, ['a', 'b'], 'wasm', 'linear']);
  t.same(
    await of(openModel(definition, root, counted())),
    [[2], begins, ['a', 'b'], 'wasm', 'linear'],
    'of a run the newest',
  );
  const stored = (await readModel(path)).model;
  t.same(await of(openModel(definition, { stored, where: path }, counted())), [
    [2],
    begins,
    undefined,
    'wasm',
    'linear',
  ]);
  t.same(await of(openFreshModel(definition, counted())), [[0], begins, undefined, 'wasm', 'linear']);
  t.not((await of(openFreshModel({ ...definition, seed: 8 }, counted())))[1], begins);
  t.same(await of(openFreshModel({ ...definition, init: path }, counted())), [
    [2],
    begins,
    undefined,
    'wasm',
    'linear',
  ]);
  t.equal(tensors(), before);

  const foreign = definitionOf('', { model: { ...plan, options: { a: 2 } } });
  const about = (a: number) => `{"linear":{"a":${a}},"patch":4,"K":3}`;
  const { model, freed } = counted();
  const error = await openModel(foreign, path, { model }).catch((error: unknown) => error);
  t.match(error, { code: 'WEIGHTS_FOREIGN', where: path });
  t.ok(
    [about(1), about(2)].every((text) => (error as Error).message.includes(text)),
    String(error),
  );
  const silent = { ...stored, metadata: {} };
  t.same((await of(openModel(foreign, { stored: silent, where: path }, counted())))[0], [2], 'weights that do not say');
  const lacking = { ...stored, metadata: {}, tensors: new Map([...stored.tensors].slice(1)) };
  await t.rejects(openModel(definition, { stored: lacking, where: path }, { model }), { code: 'CHECKPOINT_MISMATCH' });
  t.same([tensors(), freed()], [before, 1], 'what cannot be loaded is freed');
});

t.test('the device: cuda is the first of them', async (t) => {
  const device = (device: string) => openFreshModel({ ...definitionOf(''), device }, counted());
  await t.rejects(device('cuda'), { code: 'DEVICE_MISSING', message: /cuda:0/ });
  await t.rejects(device('cuda:1'), { code: 'DEVICE_MISSING', message: /cuda:1/ });
});

t.test('torch with fewer threads than were asked for is said', { skip: withoutTorch }, async (t) => {
  const { OMP_NUM_THREADS: before } = process.env;
  t.teardown(() => {
    if (before === undefined) delete process.env.OMP_NUM_THREADS;
    else process.env.OMP_NUM_THREADS = before;
  });
  const torch = definitionOf(t.testdir({}), { backend: 'torch', device: 'cpu' });
  const few = /^The system gives fewer than 4,096 threads/;
  const first = await open(t, torch);
  t.same(
    first.notes.filter((text) => few.test(text)),
    [],
  );
  await first.session.close();
  process.env.OMP_NUM_THREADS = '4096';
  t.equal((await open(t, torch)).notes.filter((text) => few.test(text)).length, 1);
});

t.test(
  'within a limit of the process’s memory torch is held to what the loader leaves',
  { skip: withoutTorch },
  async (t) => {
    const addon = torchAddon() as TorchAddon;
    const { boundMemory } = addon;
    const bounds: number[] = [];
    addon.boundMemory = (bytes) => bounds.push(bytes);
    const { readFileSync: real } = fs;
    const limited = (path: string, ...rest: unknown[]) =>
      path === '/proc/self/limits' ? `Max data size  ${2 ** 31}  ${2 ** 31}  bytes\n` : real(path, ...(rest as []));
    Object.assign(fs, { readFileSync: limited });
    syncBuiltinESMExports();
    t.teardown(() => Object.assign(addon, { boundMemory }));
    t.teardown(() => {
      Object.assign(fs, { readFileSync: real });
      syncBuiltinESMExports();
    });
    // Elsewhere than on Linux nothing says so.
    if (machine().whole === undefined) return;
    for (const loadingBytes of [0, 2 ** 29])
      await (
        await open(t, definitionOf(t.testdir({}), { backend: 'torch', device: 'cpu', loadingBytes }))
      ).session.close();
    const [whole, shared] = bounds as [number, number];
    t.ok(shared > 0 && shared < whole - 2 ** 28 && whole < machine().memory, `${whole} and ${shared} bytes`);
  },
);

t.test('the weights’ average is saved beside them and read again, bit for bit', async (t) => {
  const folder = t.testdir({});
  const ema = { decay: 0.5 };
  const first = await open(t, definitionOf(folder, { ema }));
  const { average, params, state } = first.session.loop;
  t.same([...average!.values.weight!.dataSync()], [...params.weight!.dataSync()], 'it begins with them');
  await stepTo(first, 1);
  tf.tidy(() => average!.values.bias!.assign(tf.tensor1d([0.1])));
  state.step = 2;
  await first.session.loop.save!({ step: 2, position: 8 });
  await first.session.close();
  const path = join(folder, 'checkpoints/step-00000002');
  t.same(readdirSync(path).sort(), ['ema.safetensors', 'model.safetensors', 'optimizer.safetensors', 'state.json']);
  const bias = async (which?: 'model' | 'ema') => {
    const { model: stored, part } = await readModel(path, which);
    return [part, ...floatsOf(stored.tensors.get('bias')!)];
  };
  t.same(await bias(), ['ema.safetensors', Math.fround(0.1)], 'the average is what is used');
  t.same(await bias('model'), ['model.safetensors', 1]);
  const { session } = await open(t, definitionOf(folder, { ema }));
  t.same([...session.loop.average!.values.bias!.dataSync()], [Math.fround(0.1)]);
  t.same([...session.loop.params.bias!.dataSync()], [1]);
  await session.close();
  await t.rejects(open(t, definitionOf(folder)), { code: 'CHECKPOINT_MISMATCH', message: /ema/ });
  const { params: used } = await openModel(definitionOf(folder), path, { model: counted().model });
  t.same([...used.bias!.dataSync()], [Math.fround(0.1)]);
  const { params: trained } = await openModel(definitionOf(folder), path, { model: counted().model, which: 'model' });
  t.same([...trained.bias!.dataSync()], [1]);
  tf.dispose([used, trained] as tf.TensorContainer);
  // A changed average is noticed, whichever weights are asked for.
  writeFileSync(join(path, 'ema.safetensors'), 'gone');
  await t.rejects(readModel(path, 'model'), { code: 'CHECKPOINT_BROKEN', message: /ema.safetensors/ });
});

t.test('a checkpoint without an average has none to give', async (t) => {
  const folder = t.testdir({});
  await stepTo(await open(t, definitionOf(folder)), 1);
  const path = join(folder, 'checkpoints/step-00000001');
  await t.rejects(readModel(path, 'ema'), { code: 'WEIGHTS_AVERAGE' });
  t.equal((await readModel(path, 'model')).part, 'model.safetensors');
});

t.test('another optimizer is another run, and says so', async (t) => {
  const folder = t.testdir({});
  const first = await open(t, definitionOf(folder));
  await stepTo(first, 1);
  await first.session.close();
  const lion = { lion: { lr: 1e-3, weightDecay: 0.5, betas: [0.9, 0.99] as [number, number] } };
  await t.rejects(open(t, definitionOf(folder, { optimizer: lion })), {
    code: 'CHECKPOINT_MISMATCH',
    message: /optimizer\.lion is not set in it/,
  });
  await t.rejects(open(t, definitionOf(folder, { clip: { norm: 1 } })), {
    code: 'CHECKPOINT_MISMATCH',
    message: /clip is not set in it/,
  });
});

t.test('the best checkpoint stays; a training that is judged waits for the judgement', async (t) => {
  const folder = t.testdir({});
  const checkpoint = { everySteps: 1, keep: 1 };
  const opened = await open(t, definitionOf(folder, { checkpoint }));
  await stepTo(opened, 1);
  opened.session.keepBest('step-00000001');
  await stepTo(opened, 2);
  await stepTo(opened, 3);
  t.same(names(folder), ['step-00000001', 'step-00000003']);
  opened.session.keepBest('step-00000003');
  await stepTo(opened, 4);
  t.same(names(folder), ['step-00000003', 'step-00000004']);
  await opened.session.close();
  const saved: string[] = [];
  const judged = await open(t, definitionOf(t.testdir({}), { judged: true }), {
    saved: (path) => saved.push(path),
  });
  let isOver = false;
  const saving = stepTo(judged, 1).then(() => {
    isOver = true;
  });
  while (saved.length === 0) await new Promise(setImmediate);
  for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
  t.equal(isOver, false);
  judged.session.measured(saved[0]!);
  await saving;
  const second = stepTo(judged, 2);
  while (saved.length === 1) await new Promise(setImmediate);
  judged.session.proceed();
  await second;
});
