import { mkdir, readdir, readFile, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { floatsOf } from '../../../src/formats/safetensors.ts';
import {
  checkpointFolder,
  checkpointName,
  checkpointNames,
  digestDefinition,
  newestCheckpoint,
  readCheckpoint,
  readModel,
  runFolderOf,
  saveCheckpoint,
  type ToSave,
} from '../../../src/train/weights/checkpoint.ts';
import { removeCheckpoints } from '../../../src/train/weights/checkpoint-names.ts';
import { fromFile, type Layout } from '../../../src/train/weights/stored-values.ts';
import { readWeights } from '../../../src/train/weights/weights-file.ts';

const toSave = (step: number): ToSave => ({
  state: { step, position: step * 4, updates: step, seed: 7, versions: { patchstream: '0' }, definition: 'd' },
  model: new Map([['weight', { shape: [2, 1], data: Float32Array.of(step, 0.1) }]]),
  optimizer: new Map([['exp_avg.weight', { shape: [2, 1], data: Float32Array.of(3, 4) }]]),
});

const newest = (folder: string, note: (text: string) => void = () => {}) =>
  newestCheckpoint(folder, readCheckpoint, note);

const plain: Layout = () => ({ shape: [2, 1], toFile: (data) => data, fromFile: (data) => data });

t.test('L1, S4: only checkpoints are deleted, and none that is to be read', async (t) => {
  const root = t.testdir({ checkpoints: { 'step-00000002': { 'notes.txt': 'mine' }, 'step-00000003': 'a file' } });
  const folder = checkpointFolder(root);
  for (const step of [4, 5, 6]) await saveCheckpoint(folder, toSave(step), 1, new Set(['step-00000004']));
  const mine = ['step-00000002', 'step-00000003'];
  t.same(await checkpointNames(folder), [...mine, 'step-00000004', 'step-00000006']);
  await saveCheckpoint(folder, toSave(7), 1);
  t.same(await checkpointNames(folder), [...mine, 'step-00000007']);
  await t.rejects(saveCheckpoint(folder, toSave(2), 1), {
    code: 'CHECKPOINT_WRITE',
    message: /what no checkpoint is made of/,
  });
  await removeCheckpoints(folder);
  t.same(await checkpointNames(folder), mine);
  t.equal(await readFile(join(folder, 'step-00000002/notes.txt'), 'utf8'), 'mine');
  await t.rejects(saveCheckpoint(checkpointFolder(join(root, 'gone')), toSave(1)), { code: 'CHECKPOINT_WRITE' }, 'L15');
});

t.test('what is saved is read again, and the last are kept', async (t) => {
  const folder = checkpointFolder(t.testdir());
  t.equal(await newest(folder), undefined);
  for (const step of [1, 20, 300]) await saveCheckpoint(folder, toSave(step), 2);
  t.same(await checkpointNames(folder), ['step-00000020', 'step-00000300']);
  const newestOne = (await newest(folder))!;
  t.match(newestOne.state, { format: 2, step: 300, position: 1200, seed: 7 });
  t.same(fromFile(newestOne.model, ['weight'], plain).get('weight')!(), Float32Array.of(300, 0.1));
  t.same([...newestOne.optimizer.tensors.keys()], ['exp_avg.weight']);
  t.equal(checkpointFolder(runFolderOf(newestOne.path)), folder);
  t.equal(checkpointName(123456789), 'step-123456789');
});

t.test('a broken checkpoint is told of and an older one taken', async (t) => {
  const folder = t.testdir();
  for (const step of [1, 2, 3, 4, 5]) await saveCheckpoint(folder, toSave(step), 9);
  await truncate(join(folder, 'step-00000005', 'model.safetensors'), 20);
  await writeFile(join(folder, 'step-00000004', 'state.json'), '{"format": 3}');
  const optimizer = join(folder, 'step-00000003', 'optimizer.safetensors');
  const bytes = await readFile(optimizer);
  bytes[bytes.length - 1]! ^= 1;
  await writeFile(optimizer, bytes);
  await mkdir(join(folder, 'step-00000009'));
  const skipped: string[] = [];
  const taken = await newest(folder, (text) => skipped.push(text));
  t.equal(taken?.state.step, 2);
  t.equal(skipped.length, 5);
  t.equal(
    skipped.at(-1),
    'The older checkpoint step-00000002 is taken in place of step-00000009, step-00000005, step-00000004, step-00000003.',
  );
  t.match(
    skipped.join('\n'),
    /CHECKPOINT_BROKEN.*step-00000009[\s\S]*model\.safetensors[\s\S]*format must be 1 or 2[\s\S]*digest/,
  );
  await t.rejects(readCheckpoint(join(folder, 'step-00000003')), { code: 'CHECKPOINT_BROKEN' });

  // The run goes on from step 2 and comes to step 3 again: the broken one is replaced.
  await saveCheckpoint(folder, toSave(3), 9);
  t.equal((await readCheckpoint(join(folder, 'step-00000003'))).state.step, 3);
});

t.test('L14: whatever is changed in a checkpoint is noticed by every way to read it', async (t) => {
  const folder = t.testdir();
  const path = await saveCheckpoint(checkpointFolder(folder), toSave(200));
  const state = join(path, 'state.json');
  const whole = await readFile(state, 'utf8');
  const changes = [
    whole.replace('"step": 200', '"step": 100'),
    whole.replace('"position": 800', '"position": 804'),
    whole.replace('"definition": "d"', '"definition": "e"'),
    whole.replace(/,\s*"digest": "[^"]*"/, ''),
    whole.replace(/("digest": ")[0-9a-f]/, '$1x'),
    whole.slice(0, 40),
  ];
  const ways: Readonly<Record<string, () => Promise<unknown>>> = {
    readCheckpoint: () => readCheckpoint(path),
    readModel: () => readModel(path),
    'the folder': () => readWeights(path, () => {}),
    'the file in it': () => readWeights(join(path, 'model.safetensors'), () => {}),
    'the run': () => readWeights(folder, () => {}),
  };
  const refused = async (what: string) => {
    for (const [way, read] of Object.entries(ways))
      await t.rejects(read(), { code: 'CHECKPOINT_BROKEN' }, `${what}: ${way}`);
  };
  for (const changed of changes) {
    t.not(changed, whole);
    await writeFile(state, changed);
    await refused(changed);
  }
  await writeFile(state, whole);
  for (const part of ['model.safetensors', 'optimizer.safetensors']) {
    const bytes = await readFile(join(path, part));
    await writeFile(join(path, part), bytes.with(bytes.length - 1, bytes.at(-1)! ^ 1));
    await refused(part);
    await writeFile(join(path, part), bytes);
  }
  await rm(state);
  await refused('no state.json');
  await writeFile(state, whole);
  for (const read of Object.values(ways)) await t.resolves(read());
});

t.test('L14: of a run whose newest checkpoint is broken an older one is read, and that is said', async (t) => {
  const folder = t.testdir();
  for (const step of [1, 2]) await saveCheckpoint(checkpointFolder(folder), toSave(step));
  await writeFile(join(checkpointFolder(folder), 'step-00000002', 'state.json'), '{');
  const notes: string[] = [];
  const { tensors } = await readWeights(folder, (text) => notes.push(text));
  t.equal(floatsOf(tensors.get('weight')!)[0], 1);
  t.match(notes, [/^CHECKPOINT_BROKEN.*step-00000002: .*state\.json/, /older checkpoint step-00000001 is taken/]);
});

t.test('L14: a checkpoint that cannot be read for now is not taken for broken, nor an older one for it', async (t) => {
  const root = t.testdir();
  const folder = checkpointFolder(root);
  for (const step of [1, 2]) await saveCheckpoint(folder, toSave(step), 2);
  for (const part of ['state.json', 'model.safetensors', 'optimizer.safetensors']) {
    const path = join(folder, checkpointName(2), part);
    const bytes = await readFile(path);
    await rm(path);
    await symlink(part, path);
    const ways: readonly (() => Promise<unknown>)[] = [
      () => newest(folder),
      () => newestCheckpoint(folder, readModel, () => {}),
      () => readWeights(root, () => {}),
    ];
    for (const read of ways)
      await t.rejects(read(), { code: 'FILE_UNREADABLE', message: /links that lead in a circle/ }, part);
    await rm(path);
    await writeFile(path, bytes);
  }
  t.equal((await newest(folder))?.state.step, 2);
});

t.test('L14: a checkpoint of format 1, which has no digest of its state, is read, and that is said', async (t) => {
  const folder = join(import.meta.dirname, '../../../fixtures/checkpoint-format-1');
  const notes: string[] = [];
  const taken = (await newest(folder, (text) => notes.push(text)))!;
  t.match(taken.state, { format: 1, step: 2, position: 8, seed: 7 });
  t.same(fromFile(taken.model, ['weight'], plain).get('weight')!(), Float32Array.of(2, 0.1));
  t.match(notes, [/step-00000002 is of an earlier version: it has no digest/]);
  await readWeights(taken.path, (text) => notes.push(text));
  t.equal(notes.length, 2);
});

t.test('what a killed run left half-written is no checkpoint, and goes', async (t) => {
  const folder = t.testdir({ '.step-00000001-x': { 'model.safetensors': 'half' } });
  t.equal(await newest(folder), undefined);
  await saveCheckpoint(folder, toSave(2));
  t.same(await readdir(folder), ['step-00000002']);
});

t.test('broken checkpoints of later steps do not push out the whole ones', async (t) => {
  const folder = t.testdir({ 'step-00000060': { 'state.json': 'cut' }, 'step-00000070': {} });
  await saveCheckpoint(folder, toSave(10), 2);
  await saveCheckpoint(folder, toSave(20), 2);
  t.same(await checkpointNames(folder), ['step-00000010', 'step-00000020']);
});

t.test('a checkpoint that cannot be written is told, and leaves nothing behind', async (t) => {
  const folder = t.testdir({ checkpoints: 'a file' });
  await t.rejects(saveCheckpoint(`${folder}/checkpoints`, toSave(1)), { code: 'CHECKPOINT_WRITE' });
});

t.test('C2: a checkpoint is written and read tensor by tensor, never as a copy of all', async (t) => {
  const folder = t.testdir();
  const values = 1 << 12;
  const written: number[] = [];
  const late = (n: number) => ({
    shape: [values],
    async read() {
      const [name] = (await readdir(folder)).filter((each) => each.startsWith('.step-'));
      written.push((await stat(join(folder, name!, 'model.safetensors'))).size);
      return new Float32Array(values).fill(n);
    },
  });
  const model = new Map([0, 1, 2].map((n) => [`w${n}`, late(n)]));
  const path = await saveCheckpoint(folder, { ...toSave(1), model });
  const [first] = written;
  t.same(
    written,
    [first, first! + 4 * values, first! + 8 * values],
    'a tensor is asked for when the one before it is written',
  );

  const checkpoint = await readCheckpoint(path);
  const layout: Layout = () => ({ shape: [values], toFile: (data) => data, fromFile: (data) => data });
  const read = fromFile(checkpoint.model, [...model.keys()], layout);
  t.equal(read.get('w2')!()[values - 1], 2);
  t.not(read.get('w1')!().buffer, read.get('w1')!().buffer, 'nothing is kept');
  t.equal(checkpoint.model.tensors.get('w1')!.bytes.buffer.byteLength, 4 * values, 'a tensor alone is read');
  // What was opened can be read though it is deleted meanwhile, as an evaluation beside a training needs.
  await rm(path, { recursive: true });
  t.equal(read.get('w1')!()[0], 1);
  const short = { ...toSave(2), model: new Map([['w', { shape: [2], data: Float32Array.of(1) }]]) };
  await t.rejects(saveCheckpoint(folder, short), { code: 'CHECKPOINT_WRITE', message: /w has 1 value, not 2/ });
});

t.test('a checkpoint of another model is refused', async (t) => {
  const { model } = await readCheckpoint(await saveCheckpoint(t.testdir(), toSave(1)));
  t.throws(() => fromFile(model, ['bias'], plain), { code: 'CHECKPOINT_MISMATCH', message: /lacks bias/ });
  const lacking = ['bias', 'weight', 'a', 'b', 'c', 'd'];
  const all = /lacks bias, \[2, 1\]; it lacks a, .*; it lacks c, [^;]*; and 1 more do not fit\./;
  t.throws(() => fromFile(model, lacking, plain), { code: 'CHECKPOINT_MISMATCH', message: all });
  const other: Layout = () => ({ ...plain(''), shape: [1, 2] });
  t.throws(() => fromFile(model, ['weight'], other), { code: 'CHECKPOINT_MISMATCH', message: /\[2, 1\].*\[1, 2\]/ });
});

t.test('a digest of a definition does not depend on the order of its keys', (t) => {
  t.equal(digestDefinition({ a: 1, b: { c: [1, 2], d: 3 } }), digestDefinition({ b: { d: 3, c: [1, 2] }, a: 1 }));
  t.not(digestDefinition({ a: [1, 2] }), digestDefinition({ a: [2, 1] }));
  t.end();
});
