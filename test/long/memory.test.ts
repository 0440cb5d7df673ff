import t from 'tap';
import { imageFolder } from '../../src/datasets/index.ts';
import { toCells } from '../../src/pipeline/batches.ts';
import { builtin } from '../../src/pipeline/builtin.ts';
import { soundPipeline } from '../../src/pipeline/check.ts';
import { definePipeline, pipeline } from '../../src/pipeline/define.ts';
import { openLoader } from '../../src/pipeline/open.ts';
import { decode, mask, randomResizedCrop, windows } from '../../src/stages/index.ts';
import { iterate } from '../../src/streams/iterate.ts';
import { pictureFolder } from '../kit/folder.ts';

const MiB = 2 ** 20;

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
    if (seen % 2000 < 32) memory.push(process.memoryUsage.rss() / MiB);
  }
  await opened.close();
  const failures = loader.stats().reduce((sum, stage) => sum + stage.failures, 0);
  t.equal(seen + failures, 20_000);
  t.equal(loader.permits.open, 0);
  t.ok(loader.permits.most <= sound.capacity.permits, `${loader.permits.most} of ${sound.capacity.permits} permits`);
  // The first quarter warms up heaps and thread pools; from there on nothing may grow with the number of images.
  const settled = memory.slice(Math.floor(memory.length / 4));
  const growth = settled.at(-1)! - Math.min(...settled);
  t.comment(`resident MiB: ${memory.map(Math.round).join(' ')}`);
  t.ok(growth < 32, `${growth.toFixed(1)} MiB more at the end`);
  t.end();
});
