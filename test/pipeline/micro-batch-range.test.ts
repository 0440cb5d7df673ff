import t from 'tap';
import { imageFolder } from '../../src/datasets/index.ts';
import { builtin } from '../../src/pipeline/builtin.ts';
import { soundPipeline } from '../../src/pipeline/check.ts';
import { definePipeline, pipeline } from '../../src/pipeline/define.ts';
import { microBatchRange, ringCells } from '../../src/pipeline/micro-batch-range.ts';
import { lomar } from '../../src/pipeline/models.ts';
import { decode, mask, randomResizedCrop, windows } from '../../src/stages/index.ts';

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

t.test('cells that were asked for bound the search, and are too few for less than the safe guess', (t) => {
  t.match(range('auto', 64 * gibibyte, { cells: 140 }), { start: 32, most: 64, cells: 140 });
  t.throws(() => range('auto', 64 * gibibyte, { cells: 40 }), { code: 'CELLS_TOO_FEW' });
  t.end();
});
