import { pipeline, randomFlip, randomResizedCrop, shards, webdataset } from '../../../src/index.ts';
import { batch, cropped, side } from '../../loader/ours.ts';

/** The protocol of streams/stream.py: an endless stream of batches, a turn at a time. */
type Request =
  | {
      readonly open: {
        readonly folder: string | string[];
        /** `raw`: shards, of pixels or of files. `folder` may also be the addresses of tars. */
        readonly setting: { readonly from: From; readonly views: boolean; readonly size?: number };
      };
    }
  | { readonly turn: { readonly skip: number; readonly batches: number } };

type From = 'files' | 'raw' | 'tars';

const many = 1 << 16;

let size = side;
let stream:
  | AsyncIterator<{
      readonly fields: { readonly picture: { readonly dtype: string; readonly shape: readonly number[] } };
    }>
  | undefined;

export async function hello(): Promise<object> {
  return { version: 'patchstream' };
}

export async function answer(request: Request): Promise<object> {
  if ('open' in request) {
    const { folder, setting } = request.open;
    await stream?.return?.();
    size = setting.size ?? side;
    const options = { shuffle: true, epochs: many, views: setting.views };
    const batches = chainOf(folder, setting.from).batches(batch, options);
    stream = batches[Symbol.asyncIterator]();
    return {};
  }
  const { skip, batches } = request.turn;
  for (let i = 0; i < skip; i++) await next();
  const begun = performance.now();
  for (let i = 0; i < batches; i++) await next();
  return { ms: performance.now() - begun, images: batches * batch };
}

function chainOf(folder: string | string[], from: From) {
  if (from === 'tars') return cropped(webdataset({ path: folder }), size);
  if (from === 'files') return cropped(String(folder), size);
  return pipeline(shards(String(folder)), randomResizedCrop({ size }), randomFlip());
}

async function next(): Promise<void> {
  const { value, done } = (await stream!.next()) as IteratorResult<{
    readonly fields: { readonly picture: { readonly dtype: string; readonly shape: readonly number[] } };
  }>;
  if (done) throw new Error('The stream ended.');
  const { dtype, shape } = value.fields.picture;
  const expected = [batch, size, size, 3];
  if (dtype !== 'uint8' || shape.join() !== expected.join()) throw new Error(`A batch of ${dtype} ${shape}.`);
}
