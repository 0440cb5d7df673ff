import t from 'tap';
import { lomar } from '../../../src/models/index.ts';
import { builtin } from '../../../src/pipeline/builtin.ts';
import { soundPipeline } from '../../../src/pipeline/check.ts';
import { definePipeline, pipeline } from '../../../src/runs/loader/define.ts';
import { microBatchRange, ringCells } from '../../../src/runs/training/micro-batch-range.ts';
import { imageFolder } from '../../../src/sources/index.ts';
import { decode, mask, randomResizedCrop, windows } from '../../../src/stages/index.ts';

const gibibyte = 2 ** 30;

function resolved(microBatch: number | 'auto', { batch = 256, cells = undefined as number | undefined } = {}) {
  return soundPipeline(
    definePipeline({
      ...pipeline(
        imageFolder('./photos'),
        decode(),
        randomResizedCrop({ size: 64 }),
        windows({ patch: 8, size: 5, views: 4 }),
        mask(0.6),
      ),
      name: 'range',
      threads: 2,
      ...(cells !== undefined && { cells }),
      train: { model: lomar({ size: 'nano' }), batch, microBatch, steps: 10 },
      output: './run',
    }),
    builtin,
  );
}

const range = (microBatch: number | 'auto', free: number, options: { batch?: number; cells?: number } = {}) => {
  const whole = resolved(microBatch, options);
  const found = microBatchRange(whole.train!, whole, { cellBytes: 12_608 }, free);
  return { ...found, cells: ringCells(found, whole) };
};

t.test('a fixed micro-batch is not searched, and the ring is as large as it wants', (t) => {
  t.same(range(32, gibibyte), { start: 32, reason: '32 of 256: as asked.', cells: 96 });
  t.end();
});

t.test('with memory enough the whole batch may be tried, and the ring has room for it', (t) => {
  t.match(range('auto', 64 * gibibyte), { start: 32, most: 256, cells: 768 });
  t.end();
});

t.test('what the free memory does not allow is not tried', (t) => {
  const { start, most, cells } = range('auto', gibibyte / 32);
  t.ok(most! < 256 && start <= most! && 256 % most! === 0, `${start} to ${most}`);
  t.ok(cells >= 2 * most!);
  t.match(range('auto', 1000), { start: 1, most: 1 }, 'one sample is always tried');
  t.end();
});

t.test('on a GPU the guess comes from the work of a pass, within the memory of the device', (t) => {
  const on = (size: 'tiny' | 'small' | 'base', free: number) => {
    const whole = soundPipeline(
      definePipeline({
        ...pipeline(
          imageFolder('./photos'),
          decode(),
          randomResizedCrop({ size: 224 }),
          windows({ patch: 16, size: 7, views: 4 }),
          mask(0.8),
        ),
        name: 'device',
        train: { model: lomar({ size }), batch: 4096, steps: 10 },
        output: './run',
      }),
      builtin,
    );
    return microBatchRange(whole.train!, whole, { cellBytes: 150_720 }, 64 * gibibyte, { free: free * gibibyte });
  };
  t.match(
    on('base', 139),
    { start: 256, reason: /51,200 tokens/ },
    'where one H200 computed 383 images/s, and 301 with 16',
  );
  t.ok(
    on('small', 139).start > 256 && on('tiny', 139).start > on('small', 139).start,
    'a small model takes more to be busy',
  );
  const { start, most } = on('base', 24);
  t.ok(start < 64 && most! > start && most! < 256, `${start} to ${most} on a small one`);
  t.end();
});

t.test('cells that were asked for bound the search, and are too few for less than the safe guess', (t) => {
  t.match(range('auto', 64 * gibibyte, { cells: 140 }), { start: 32, most: 64, cells: 140 });
  t.throws(() => range('auto', 64 * gibibyte, { cells: 40 }), { code: 'CELLS_TOO_FEW' });
  t.end();
});
