import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { pictureFolder, writeFiles } from '../kit/files/folder.ts';
import { patchstream } from '../kit/runs/terminal.ts';

const pipeline = `
name: tiny
seed: 3
source: { image-folder: { path: photos } }
stages:
  - decode
  - random-resized-crop: 32
  - windows: { patch: 8, size: 3, views: 2 }
  - mask: 0.5
train:
  model: { lomar: { width: 32, depth: 1, heads: 2, target: pixels } }
  batch: 4
  steps: 2
  thread: main
  backend: wasm
evaluate: { reconstruction: { on: held-out } }
output: run
`;

t.test('evaluate and reconstruct: a trained model, and everything that can be missing', async (t) => {
  const root = t.testdir({ 'tiny.yaml': pipeline });
  await pictureFolder(join(root, 'photos'), 12);
  await pictureFolder(join(root, 'held-out'), 3);
  await pictureFolder(join(root, 'mine'), 2);
  const file = join(root, 'tiny.yaml');

  const untrained = await patchstream(['evaluate', file]);
  t.match(untrained, { code: 2, err: /^CHECKPOINT_NONE/ });
  t.match(await patchstream(['run', file]), { code: 0, out: /this model[\s\S]*report: / });

  const told = await patchstream(['evaluate', file]);
  t.equal(told.code, 0, told.err);
  for (const name of ['this model', 'mean patch', 'nearest patch', 'smooth fill']) t.match(told.out, name);
  const json = await patchstream(['evaluate', file, '--json', '--on', join(root, 'mine')]);
  t.match(JSON.parse(json.out), {
    ours: Number,
    meanPatch: Number,
    nearestPatch: Number,
    smoothFill: Number,
    images: 2,
  });

  const drawn = await patchstream(['reconstruct', file, '--pictures', '2', '--output', join(root, 'drawn.png')]);
  t.equal(drawn.code, 0, drawn.err);
  t.ok(existsSync(join(root, 'drawn.png')));

  writeFiles(root, { 'plain.yaml': pipeline.replace(/evaluate: .*\n/, '') });
  const own = readFileSync(join(root, 'run', 'reconstruction.png'));
  for (const [at, name] of ['reconstruction-mine.png', 'reconstruction-mine-2.png'].entries()) {
    const which = at === 0 ? file : join(root, 'plain.yaml');
    const made = await patchstream(['reconstruct', which, '--pictures', '1', '--on', join(root, 'mine')]);
    t.match(made, { code: 0, out: `${name}\n` }, `M8: ${made.err}`);
    t.ok(existsSync(join(root, 'run', name)));
  }
  t.same(readFileSync(join(root, 'run', 'reconstruction.png')), own, 'M8: the picture of the run stays');

  t.match(await patchstream(['evaluate', file, '--on', join(root, 'nowhere')]), { code: 2, err: /^EVALUATE_FOLDER/ });
  const picture = join(root, 'photos', '00000.jpg');
  t.match(await patchstream(['evaluate', file, '--checkpoint', picture]), { code: 2, err: /^WEIGHTS_BROKEN/ });
  const foreign = ['evaluate', file, '--set', 'train.model.lomar.target=patchNorm'];
  t.match(await patchstream(foreign), { code: 2, err: /^WEIGHTS_FOREIGN/ });
  for (const count of ['0', '65', 'many']) {
    t.match(await patchstream(['reconstruct', file, '--pictures', count]), { code: 2, err: /1 to 64/ });
  }
  t.match(await patchstream(['evaluate']), { code: 2 });
  writeFiles(root, { 'job.yaml': pipeline.replace(/train:[\s\S]*evaluate/, 'evaluate') });
  t.match(await patchstream(['evaluate', join(root, 'job.yaml')]), { code: 2, err: /EVALUATE_TRAIN/ });
});
