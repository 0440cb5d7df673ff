import { z } from 'zod';
import { decode, defineSource, embed, imageFolder, pipeline, resize } from '../../../src/index.ts';
import { rawPicture } from '../../../src/vision/picture.ts';

/**
 * Our side of bench/embed.ts, on line with embed.py. `open`: photographs read for ever, decoded, cut and turned into vectors; `how` is `coupled`, `loader` (batches of pictures, no
 * model), or `encoder` (pictures of the model's size that lie in memory). `turn`: so many batches are skipped, so many are timed.
 */
interface Request {
  readonly open?: Opening;
  readonly turn?: { readonly skip: number; readonly batches: number };
  readonly vectors?: Opening & { readonly count: number };
}

interface Opening {
  readonly how: 'coupled' | 'loader' | 'encoder';
  readonly folder: string;
  readonly weights: string;
  readonly side: number;
  readonly batch: number;
}

let stream: AsyncIterator<unknown> | undefined;
let perItem = 1;
let batch = 32;

export async function hello(): Promise<object> {
  return { version: 'patchstream', settings: [{}] };
}

export async function answer({ open, turn, vectors }: Request): Promise<object> {
  if (open !== undefined) return begin(open);
  if (vectors !== undefined) return { rows: await firstRows(vectors, vectors.count) };
  for (let n = 0; n < turn!.skip * (batch / perItem); n++) await stream!.next();
  const begun = performance.now();
  const items = turn!.batches * (batch / perItem);
  for (let n = 0; n < items; n++) await stream!.next();
  return { ms: performance.now() - begun, images: items * perItem };
}

async function begin(open: Opening): Promise<object> {
  await stream?.return?.();
  batch = open.batch;
  perItem = open.how === 'loader' ? batch : 1;
  stream = streamOf(open)[Symbol.asyncIterator]();
  await stream.next();
  return { opened: true };
}

const passes = 1_000_000;

function streamOf({ how, folder, weights, side, batch: size }: Opening): AsyncIterable<unknown> {
  const photos = imageFolder({ path: folder, repeat: passes });
  if (how === 'loader') return pipeline(photos, decode(), resize(side)).batches(size, { views: true });
  if (how === 'encoder') return pipeline(pixels({ side }), embed({ from: weights, batch: size })).samples();
  return pipeline(photos, decode(), resize(side), embed({ from: weights, batch: size })).samples();
}

/** Pictures of the model's size that lie in memory: rendering them is a copy. */
const pixels = defineSource({
  name: 'pixels',
  summary: 'Noise.',
  options: z.strictObject({ side: z.int() }),
  spec: ({ side }) => ({ fields: { picture: 'picture' }, size: [side, side] }),
  async open({ side }) {
    const data = Uint8Array.from({ length: side * side * 3 }, (_, i) => (i * 7919) % 256);
    const picture = rawPicture({ data, width: side, height: side, channels: 3 });
    return { count: 1e9, key: (index) => String(index), read: () => ({ picture }) };
  },
});

async function firstRows({ folder, weights, side, batch: size }: Opening, count: number): Promise<number[][]> {
  const rows: number[][] = [];
  const photos = pipeline(imageFolder(folder), decode(), resize(side), embed({ from: weights, batch: size }));
  for await (const { embedding } of photos.samples()) {
    rows.push(Array.from(embedding));
    if (rows.length === count) break;
  }
  return rows;
}
