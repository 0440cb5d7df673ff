import t from 'tap';
import * as tf from '../../../src/backends/tf.ts';
import { prepareTorch } from '../../../src/backends/torch/prepare.ts';
import type { TorchBackend } from '../../../src/backends/torch/torch.ts';
import { buildModel } from '../../../src/models/index.ts';
import { Random } from '../../../src/random.ts';
import { adamw } from '../../../src/train/optimizers/adamw.ts';
import { disposeState } from '../../../src/train/optimizers/optimizer.ts';
import { Step } from '../../../src/train/step.ts';
import { growth, residentMiB } from '../../kit/runs/memory.ts';
import { testDevice, withoutTorch } from '../../kit/training/torch.ts';
import { smallDefinition, smallFields } from '../../kit/training/train.ts';

t.test('1,000 replayed steps leave the memory of addon, tfjs and process flat', { skip: withoutTorch }, async (t) => {
  await prepareTorch(testDevice);
  const model = await buildModel(smallDefinition('').model);
  const params = model.init((name) => new Random(7, 'init', name));
  const optimizer = adamw(model.decays);
  const state = optimizer.init(params);
  const step = new Step({ model, params, optimizer, state });
  const { addon } = tf.backend() as TorchBackend;
  addon.setThreads(1);
  const batches = [0, 1, 2, 3].map((i) => smallFields([4 * i, 4 * i + 1, 4 * i + 2, 4 * i + 3]));
  const seen = new Set<string>();
  const resident: number[] = [];
  let replayed = 0;
  for (let i = 0; i < 1010; i++) {
    step.add(batches[i % 4]!);
    const { finite } = await step.measure();
    if (!finite) t.fail(`step ${i} is not finite`);
    step.update(1e-3);
    step.clear();
    if (step.cost.replayed > 0) replayed += 1;
    if (i < 10) continue;
    const { bytes, tensors } = addon.memory();
    seen.add(`${bytes} bytes, ${tensors} tensors, ${tf.memory().numTensors} of tfjs`);
    if (i % 50 === 0) resident.push(residentMiB());
  }
  t.ok(replayed >= 1000, `${replayed} replayed`);
  t.equal(seen.size, 1, [...seen].join('; '));
  const settled = resident.slice(5);
  t.ok(growth(settled) < 16, `at most ${growth(settled).toFixed(1)} MiB above an earlier reading`);
  step.dispose();
  tf.dispose(params);
  disposeState(state);
  model.dispose();
});
