/**
 * The JPEG loader on 1, 2, 4, 8 and 16 cores beside this machine's torchvision, as both make batches of random crops of 224 px: a process held to so many cores
 * for each row. Without an argument this is the section; with one it is such a process.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { decode, imageFolder, pipeline, randomFlip, randomResizedCrop } from '../../../src/index.ts';
import { startPython } from '../../peers/python.ts';
import { digits, errorLine, kit, lineOf, photos, row, whileTime } from '../child.ts';

const side = 224;
const batch = 64;
const repeat = 32;
/** How long each side is measured. */
const seconds = kit.tiny ? 1 : 1.5;

/** Batches for so long, after those that fill what is to be filled. */
async function images(): Promise<number> {
  const chain = pipeline(
    imageFolder({ path: photos, repeat }),
    decode(),
    randomResizedCrop({ size: side, scale: [0.2, 1] }),
    randomFlip(),
  );
  let [began, count] = [Number.POSITIVE_INFINITY, 0];
  for await (const { fields } of chain.batches(batch, { shuffle: true, epochs: 1000, views: true })) {
    if (fields.picture.shape[1] !== side) throw new Error(`a batch of ${fields.picture.shape}`);
    const now = performance.now();
    if (began === Number.POSITIVE_INFINITY) began = now + 300;
    if (now > began) count += batch;
    if (now > began + seconds * 1000) return (count * 1000) / (now - began);
  }
  throw new Error('it ended');
}

/** The processors that this process may run on, by their numbers. */
function processors(): number[] {
  const text = /^Cpus_allowed_list:\s*(\S+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
  return text.split(',').flatMap((part) => {
    const [from = 0, to = from] = part.split('-').map(Number);
    return Array.from({ length: to - from + 1 }, (_, i) => from + i);
  });
}

function ownRate(cores: readonly number[]): number {
  const program = [process.execPath, fileURLToPath(import.meta.url), 'once'];
  const { status, stdout, stderr, error } = spawnSync('taskset', ['-c', cores.join(), ...program], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(error?.message ?? errorLine(stderr));
  return Number(stdout);
}

async function compare(): Promise<void> {
  const all = processors();
  const counts = [1, 2, 4, 8, 16].filter((count) => count <= all.length);
  const python =
    kit.python === ''
      ? undefined
      : await startPython('gpu/sections/peer_loader.py', { modules: ['sys'], args: [photos] });
  row({ what: 'torchvision', ...(python?.hello ?? { missing: 'no python here has torch' }) });
  const ways = (python?.hello.ways ?? []) as readonly string[];
  await whileTime(counts, { name: (count) => `${count} cores`, seconds: 8 }, async (count) => {
    const cores = all.slice(0, count);
    const own = ownRate(cores);
    row({ what: `${count} cores`, side: 'ours', images: digits(own) });
    for (const way of ways) {
      const what = { what: `${count} cores`, side: way };
      try {
        const { images } = await python!.ask({ way, cores, batch, side, seconds });
        row({ ...what, images: digits(Number(images)), ratio: digits(own / Number(images), 3) });
      } catch (error) {
        row({ ...what, error: lineOf(error) });
      }
    }
  });
}

if (process.argv[2] === 'once') console.log(await images());
else await compare();
process.exit();
