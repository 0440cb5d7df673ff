import { join } from 'node:path';
import t from 'tap';
import * as tf from '../../src/backends/tf.ts';
import { imageFolder } from '../../src/datasets/index.ts';
import { definePipeline, pipeline } from '../../src/pipeline/define.ts';
import { lomar } from '../../src/pipeline/models.ts';
import { run } from '../../src/pipeline/run.ts';
import { decode, mask, randomResizedCrop, windows } from '../../src/stages/index.ts';
import { pictureFolder } from '../kit/folder.ts';

const MiB = 2 ** 20;

t.test('300 steps: the number of tensors is constant and resident memory flat', async (t) => {
  const root = t.testdir();
  await pictureFolder(join(root, 'photos'), 60);
  const tensors: number[] = [];
  const memory: number[] = [];
  await run(
    definePipeline({
      ...pipeline(
        imageFolder({ path: join(root, 'photos'), repeat: 8 }),
        decode(),
        randomResizedCrop({ size: 64 }),
        windows({ patch: 8, size: 5, views: 2 }),
        mask(0.6),
      ),
      train: {
        model: lomar({ size: 'nano', target: 'pixels' }),
        batch: 16,
        microBatch: 8,
        steps: 300,
        thread: 'main',
        backend: 'wasm',
        optimizer: { adamw: { lr: 1e-3 } },
      },
      output: join(root, 'run'),
    }),
    {
      onEvent(event) {
        if (event.type !== 'progress' || event.done < 20) return;
        tensors.push(tf.memory().numTensors);
        memory.push(process.memoryUsage.rss() / MiB);
      },
    },
  );
  // Progress is told between steps, where only parameters, optimizer state and constants are kept.
  const kept = new Set(tensors.slice(0, -1));
  t.comment(`tensors: ${[...kept].join(' ')}; resident MiB: ${memory.map(Math.round).join(' ')}`);
  t.ok(memory.length > 10, `${memory.length} looks`);
  t.equal(kept.size, 1, 'one number of tensors throughout');
  const settled = memory.slice(Math.floor(memory.length / 4), -1);
  t.ok(settled.at(-1)! - Math.min(...settled) < 32, 'flat');
  t.end();
});
