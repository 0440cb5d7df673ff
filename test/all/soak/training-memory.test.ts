import { join } from 'node:path';
import t from 'tap';
import { lomar } from '../../../src/models/index.ts';
import { definePipeline, pipeline } from '../../../src/runs/loader/define.ts';
import { run } from '../../../src/runs/run.ts';
import { imageFolder } from '../../../src/sources/index.ts';
import { decode, mask, randomResizedCrop, windows } from '../../../src/stages/index.ts';
import { pictureFolder } from '../../kit/files/folder.ts';
import { growth, residentMiB } from '../../kit/runs/memory.ts';

t.test('300 steps leave resident memory flat', async (t) => {
  const root = t.testdir();
  await pictureFolder(join(root, 'photos'), 60);
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
        memory.push(residentMiB());
      },
    },
  );
  t.comment(`resident MiB: ${memory.map(Math.round).join(' ')}`);
  t.ok(memory.length > 10, `${memory.length} looks`);
  // The first quarter warms up heaps and thread pools; from there on nothing may grow, not even for a moment.
  const settled = memory.slice(Math.floor(memory.length / 4));
  t.ok(growth(settled) < 32, `at most ${growth(settled).toFixed(1)} MiB above an earlier reading`);
  t.end();
});
