/**
 * Does memory stay as it is over many samples? `npm run bench -- memory embed` makes vectors of 102,000 photographs (those of the fixtures, 500 times) with MAE nano at 64 px, and
 * `npm run bench -- memory search` looks for ten vectors among a million of 384 numbers, in shards of 20,000. Prints MiB of the process while it runs; nothing is compared.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
// Built: trainers and encoders are threads of their own.
import { decode, definePipeline, embed, imageFolder, mae, mask, resize, run as runPipeline, toNpy } from 'patchstream';
import { Random } from '../src/random.ts';
import { searchVectors } from '../src/runs/search/search.ts';
import type { Row } from './peers/row.ts';

const photos = fileURLToPath(new URL('../fixtures/photos', import.meta.url));

/** Every so many samples a number is taken. */
const every = 10_000;

const mebibytes = () => Math.round(process.memoryUsage.rss() / 2 ** 20);

export async function run([what = 'embed']: readonly string[] = []): Promise<{ rows: Row[]; notes: string[] }> {
  const folder = mkdtempSync(join(tmpdir(), 'patchstream-memory-'));
  try {
    return { rows: [], notes: [await (what === 'search' ? overVectors() : overPictures(folder))] };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function overPictures(folder: string): Promise<string> {
  const trained = join(folder, 'trained');
  const stages = [decode(), resize(64), mask({ patch: 8, ratio: 0.5 })] as const;
  const train = { model: mae({ size: 'nano' }), batch: 8, steps: 2 };
  await runPipeline(definePipeline({ name: 'encoder', source: imageFolder(photos), stages, train, output: trained }));
  const seen: string[] = [];
  let next = every;
  const job = definePipeline({
    name: 'vectors',
    source: imageFolder({ path: photos, repeat: 500 }),
    stages: [decode(), resize(64), embed({ from: trained })],
    sink: toNpy(),
    output: join(folder, 'vectors'),
  });
  const { done, seconds } = await runPipeline(job, {
    onEvent(event) {
      if (event.type !== 'progress' || event.done < next) return;
      seen.push(`${event.done}: ${mebibytes()}`);
      next = event.done + every;
    },
  });
  return `embed, ${done} pictures in ${seconds.toFixed(0)} s, MiB of the process after so many: ${seen.join(', ')}`;
}

async function overVectors(): Promise<string> {
  const [width, rows, count] = [384, 20_000, 1_000_000];
  const random = new Random(1, 'vectors', 'bench');
  const values = Float32Array.from({ length: rows * width }, () => random.uniform() - 0.5);
  const seen: string[] = [];
  const set = {
    path: 'memory',
    width,
    async *batches() {
      for (let at = 0; at < count; at += rows) {
        // Others each time, so that nothing is found twice.
        values[at / rows] = 1;
        yield { keys: Array.from({ length: rows }, (_, i) => `v${at + i}`), values };
        if ((at + rows) % (10 * every) === 0) seen.push(`${at + rows}: ${mebibytes()}`);
      }
    },
  };
  const questions = { width, values: values.slice(0, 10 * width) };
  const start = performance.now();
  await searchVectors(set, questions);
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  return `search, ${count} vectors in ${seconds} s, MiB of the process after so many: ${seen.join(', ')}`;
}
