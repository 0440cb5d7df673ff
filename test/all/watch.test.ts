import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import sharp from 'sharp';
import t from 'tap';
import type { RunEvent } from '../../src/events/events.ts';
import { Random } from '../../src/random.ts';
import { pipeline } from '../../src/runs/loader/define.ts';
import { shards } from '../../src/sources/shards.ts';

/** A picture whose only colour is its number. */
const numbered = (number: number) =>
  sharp({
    create: {
      width: 4,
      height: 4,
      channels: 3,
      background: { r: number >> 16, g: (number >> 8) & 255, b: number & 255 },
    },
  })
    .png()
    .toBuffer();

const isAllWritten = (event: RunEvent) => event.type === 'notice' && event.code === 'WATCH_WRITTEN';

const bursts = 12;
const [least, most] = [50, 300];

t.test('bursts of photos in every way, moved, removed, and killed again and again: each photo once', async (t) => {
  const root = t.testdir({ photos: {}, outside: {}, out: {} });
  const photos = join(root, 'photos');
  const random = new Random(7, 'watch', 'bursts');
  /** Where each photo lies now that is there. */
  const at = new Map<number, string>();
  const removed = new Set<number>();
  let made = 0;

  /** Photos that come all at once: into a folder, by a name that is given last, with a folder around them, or with times of long ago. */
  const arrive = async (burst: number) => {
    const how = burst % 4;
    const folder = join(photos, how === 2 ? `burst-${burst}` : `folder-${random.integer(5)}`);
    const first = how === 2 ? join(root, 'outside', `burst-${burst}`) : folder;
    mkdirSync(first, { recursive: true });
    const count = least + random.integer(most - least);
    for (let i = 0; i < count; i++) {
      const number = made++;
      const bytes = await numbered(number);
      const path = join(first, `${number}.png`);
      if (how === 1) {
        writeFileSync(`${path}.part`, bytes);
        renameSync(`${path}.part`, path);
      } else {
        writeFileSync(path, bytes);
      }
      // As what unpacks or copies them may set them: to whole seconds, or all to the same.
      if (how === 3) utimesSync(path, 1e9, 1e9);
      if (how === 2) utimesSync(path, 1.5e9 + burst, 1.5e9 + burst);
      if (how !== 2) at.set(number, path);
    }
    if (how !== 2) return;
    renameSync(first, folder);
    for (let number = made - count; number < made; number++) at.set(number, join(folder, `${number}.png`));
  };

  /** Some are moved, to other folders and names, and some are removed, whether they were taken or not. */
  const stir = () => {
    for (const [number, path] of at) {
      const chance = random.uniform();
      if (chance < 0.03) {
        const folder = join(photos, `sorted-${random.integer(4)}`);
        mkdirSync(folder, { recursive: true });
        const to = join(folder, `${number}-${made}.png`);
        renameSync(path, to);
        at.set(number, to);
      } else if (chance < 0.04) {
        rmSync(path);
        at.delete(number);
        removed.add(number);
      }
    }
  };

  /** Runs the job; after each event `hear` may end it. */
  const started = (hear: (event: RunEvent, end: (signal: NodeJS.Signals) => void) => void) => {
    const child = spawn(process.execPath, ['test/kit/runs/watched.mjs', photos, join(root, 'out')], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    createInterface(child.stdout).on('line', (line) =>
      hear(JSON.parse(line) as RunEvent, (signal) => child.kill(signal)),
    );
    return once(child, 'exit');
  };

  for (let burst = 0; burst < bursts; burst++) {
    await arrive(burst);
    const events = 1 + random.integer(6);
    let heard = 0;
    const ended = started((event, end) => {
      heard++;
      if (heard === 2) stir();
      // Every fourth burst comes while the job is at work, and is not followed by a kill at once.
      if (heard === 3 && burst % 4 === 1) stir();
      // Where all is taken before it comes to that, then.
      if (heard === events + 2 || isAllWritten(event)) end('SIGKILL');
    });
    if (burst % 3 === 0) await arrive(burst + bursts);
    t.strictSame((await ended)[1], 'SIGKILL');
  }
  await arrive(2 * bursts);
  // All that is there is at rest from its first look to its second, and so is taken in one.
  const exit = await started((event, end) => {
    if (isAllWritten(event)) end('SIGTERM');
  });
  t.strictSame(exit, [0, null]);

  const taken = new Map<number, number>();
  for await (const { picture } of pipeline(shards(join(root, 'out/shards'))).samples()) {
    const { data } = await picture.pixels();
    const number = (data[0]! << 16) + (data[1]! << 8) + data[2]!;
    taken.set(number, (taken.get(number) ?? 0) + 1);
  }
  const there = readdirSync(photos, { recursive: true }).filter((name) => String(name).endsWith('.png'));
  t.equal(there.length, at.size);
  t.comment(`${made} photos, ${removed.size} removed, ${taken.size} taken`);
  t.same(
    [...at.keys()].filter((number) => !taken.has(number)),
    [],
    'none is forgotten',
  );
  t.same(
    [...taken].filter(([, times]) => times > 1),
    [],
    'none is taken twice',
  );
});
