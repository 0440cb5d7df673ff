import { monitorEventLoopDelay } from 'node:perf_hooks';
import t from 'tap';
import { pipeline } from '../../../src/runs/loader/define.ts';
import { imageFolder } from '../../../src/sources/index.ts';
import { decode, randomFlip, randomResizedCrop } from '../../../src/stages/index.ts';
import { pictureFolder } from '../../kit/files/folder.ts';
import { growth, residentMiB } from '../../kit/runs/memory.ts';

// The delays of the event loop are told, not judged: another program that has the core makes them as long. The 5 ms of the resolution are in them.
t.test('200,000 images: memory stays flat', async (t) => {
  const root = t.testdir();
  await pictureFolder(root, 400, 0);
  const chain = pipeline(
    imageFolder({ path: root, repeat: 500 }),
    decode(),
    randomResizedCrop({ size: 32 }),
    randomFlip(),
  );
  const delay = monitorEventLoopDelay({ resolution: 5 });
  const memory: number[] = [];
  const long: number[] = [];
  let seen = 0;
  delay.enable();
  for await (const { size } of chain.batches(250, { shuffle: true, views: true })) {
    seen += size;
    if (seen % 5000 !== 0) continue;
    if (seen > 5000) long.push(delay.max / 1e6);
    delay.disable();
    // A full collection is this test's own, and keeps the loop for longer than the loader ever does.
    memory.push(residentMiB());
    delay.reset();
    delay.enable();
  }
  delay.disable();
  t.equal(seen, 200_000);
  t.comment(`resident MiB: ${memory.map(Math.round).join(' ')}`);
  t.comment(`longest delay in each 5,000 images, ms: ${long.map((ms) => ms.toFixed(1)).join(' ')}`);
  const settled = memory.slice(Math.floor(memory.length / 4));
  t.ok(growth(settled) < 32, `at most ${growth(settled).toFixed(1)} MiB above an earlier reading`);
  t.end();
});
