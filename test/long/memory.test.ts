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
    if (seen % 512 < 32) memory.push(process.memoryUsage.rss() / MiB);
  }
  await opened.close();
  const failures = loader.stats().reduce((sum, stage) => sum + stage.failures, 0);
  t.equal(seen + failures, 20_000);
  t.equal(loader.permits.open, 0);
  t.ok(loader.permits.most <= sound.capacity.permits, `${loader.permits.most} of ${sound.capacity.permits} permits`);
  t.comment(`resident MiB: ${memory.map(Math.round).join(' ')}`);
  // The collector lets memory rise and takes it back: what must not grow with the images is where it comes back to.
  const quarter = Math.floor(memory.length / 4);
  const floor = (from: number) => Math.min(...memory.slice(from, from + quarter));
  const growth = floor(memory.length - quarter) - floor(quarter);
  t.ok(growth < 32, `${growth.toFixed(1)} MiB between the second and the last quarter`);
  t.end();
});
