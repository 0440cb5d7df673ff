import { existsSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { profileText } from '../../src/cli/profile.ts';
import { lomar } from '../../src/models/index.ts';
import { builtin } from '../../src/pipeline/builtin.ts';
import { soundPipeline } from '../../src/pipeline/check.ts';
import { definePipeline, pipeline } from '../../src/runs/loader/define.ts';
import { profile, together } from '../../src/runs/profile.ts';
import { imageFolder } from '../../src/sources/index.ts';
import { decode, mask, randomResizedCrop, windows } from '../../src/stages/index.ts';
import { pictureFolder, writeFiles } from '../kit/files/folder.ts';
import { patchstream } from '../kit/runs/terminal.ts';

async function training(root: string) {
  await pictureFolder(join(root, 'photos'), 12);
  return soundPipeline(
    definePipeline({
      ...pipeline(
        imageFolder({ path: join(root, 'photos'), repeat: 2 }),
        decode(),
        randomResizedCrop({ size: 32 }),
        windows({ patch: 8, size: 3, views: 2 }),
        mask(0.5),
      ),
      name: 'profiled',
      train: { model: lomar({ width: 32, depth: 1, heads: 2 }), batch: 8, steps: 4, backend: 'wasm' },
      output: join(root, 'run'),
    }),
    builtin,
  );
}

t.test('loader and trainer are measured on their own, and the slower is named', async (t) => {
  const root = t.testdir();
  const found = await profile(await training(root), { search: true, milliseconds: 40 });
  const { loader, trainer, search } = found;
  t.equal(found.count, 24);
  t.ok(loader.imagesPerSecond > 0 && loader.coreMs > 0 && loader.bytesPerImage > 100);
  t.same(
    search!.map(({ microBatch }) => microBatch),
    [1, 2, 4, 8],
  );
  t.ok(search!.every(({ imagesPerSecond }) => imagesPerSecond! <= 1.02 * trainer!.imagesPerSecond));
  t.ok(found.imagesPerSecond <= Math.min(loader.imagesPerSecond, trainer!.imagesPerSecond));
  t.ok(Math.abs(found.epochSeconds * found.imagesPerSecond - 24) < 1e-6);
  t.ok(found.memory > 1e6);
  t.notOk(existsSync(join(root, 'run')), 'nothing is written');
  t.match(
    profileText(found),
    /loader .*images\/s.*\ntrainer .*micro-batch \d+.*\ncomputing .*FLOP\/s, [\d.]+ % of .*\ntogether .*\nbottleneck [\s\S]*train:\n {2}microBatch: \d+\n$/,
  );
});

t.test('what is predicted of two parts', (t) => {
  const part = (imagesPerSecond: number, coreMs: number) => ({ imagesPerSecond, coreMs });
  t.same(together(part(500, 1), part(300, 0), 4), { imagesPerSecond: 300, bottleneck: 'trainer' });
  t.same(together(part(200, 1), part(300, 0), 4), { imagesPerSecond: 200, bottleneck: 'loader' });
  t.same(together(part(400, 5), part(300, 5), 2), { imagesPerSecond: 200, bottleneck: 'cores' });
  t.same(together(part(400, 5), undefined), { imagesPerSecond: 400, bottleneck: 'loader' });
  t.end();
});

t.test('a job has a loader alone, and a pipeline with problems is told of', async (t) => {
  const root = t.testdir();
  await pictureFolder(join(root, 'photos'), 8);
  writeFiles(root, {
    'job.yaml':
      'source: { image-folder: ./photos }\nstages: [decode, { resize: 32 }]\nsink: { images: {} }\noutput: ./out\n',
    'wrong.yaml': 'source: { image-folder: ./photos }\nstages: [decod]\nsink: { images: {} }\n',
    'empty.yaml': 'source: { image-folder: ./nothing }\nstages: [decode]\nsink: { images: {} }\noutput: ./out\n',
  });
  const job = await patchstream(['profile', join(root, 'job.yaml'), '--json']);
  t.equal(job.code, 0);
  const { loader, trainer, bottleneck } = JSON.parse(job.out) as Record<string, unknown>;
  t.match(
    { loader, trainer, bottleneck },
    { loader: { imagesPerSecond: Number }, trainer: undefined, bottleneck: 'loader' },
  );
  const peak = await patchstream(['profile', join(root, 'job.yaml'), '--peak', '2']);
  t.match(peak.err, /--peak is left out: it is not known how much a step of this pipeline computes\./);
  t.equal((await patchstream(['profile', join(root, 'wrong.yaml')])).code, 2);
  t.equal((await patchstream(['profile', join(root, 'empty.yaml')])).code, 2);
  t.notOk(existsSync(join(root, 'out')));
});
