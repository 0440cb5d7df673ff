import t from 'tap';
import { builtin } from '../../../src/pipeline/builtin.ts';
import { soundPipeline } from '../../../src/pipeline/check.ts';
import { toCells } from '../../../src/runs/loader/batches.ts';
import { definePipeline, pipeline } from '../../../src/runs/loader/define.ts';
import { openLoader } from '../../../src/runs/loader/open.ts';
import { imageFolder } from '../../../src/sources/index.ts';
import { decode, mask, randomResizedCrop, windows } from '../../../src/stages/index.ts';
import { iterate } from '../../../src/streams/iterate.ts';
import { pictureFolder } from '../../kit/files/folder.ts';
import { growth, residentMiB } from '../../kit/runs/memory.ts';

t.test('20,000 images: resident memory stays flat and never more than P samples are open', async (t) => {
  const root = t.testdir();
  await pictureFolder(root, 400, 0.02);
  const definition = definePipeline({
    ...pipeline(
      imageFolder({ path: root, repeat: 50 }),
      decode(),
      randomResizedCrop({ size: 32 }),
      windows({ patch: 8, size: 2, views: 2 }),
      mask(0.5),
    ),
  });
  const sound = soundPipeline(definition, builtin, { ends: false });
  const opened = await openLoader(sound, { shuffle: true });
  const { loader } = opened;
  const memory: number[] = [];
  let seen = 0;
  for await (const { list, ring } of iterate(loader.ordered.pipe(toCells(loader, sound.spec, 32, 96)))) {
    seen += list.cells.length;
    ring.free(list.cells);
    if (seen % 512 < 32) memory.push(residentMiB());
  }
  await opened.close();
  const failures = loader.stats().reduce((sum, stage) => sum + stage.failures, 0);
  t.equal(seen + failures, 20_000);
  t.equal(loader.permits.open, 0);
  t.ok(loader.permits.most <= sound.capacity.permits, `${loader.permits.most} of ${sound.capacity.permits} permits`);
  t.comment(`resident MiB: ${memory.map(Math.round).join(' ')}`);
  // The first quarter warms up heaps and thread pools; from there on nothing may grow, not even for a moment.
  const settled = memory.slice(Math.floor(memory.length / 4));
  t.ok(growth(settled) < 32, `at most ${growth(settled).toFixed(1)} MiB above an earlier reading`);
  t.end();
});
