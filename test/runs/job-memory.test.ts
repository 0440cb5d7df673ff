import { join } from 'node:path';
import t from 'tap';
import { z } from 'zod';
import { definePipeline } from '../../src/runs/loader/define.ts';
import { run } from '../../src/runs/run.ts';
import { images } from '../../src/sinks/images.ts';
import type { Sink } from '../../src/sinks/sink.ts';
import { toShards } from '../../src/sinks/to-shards.ts';
import { toWebdataset } from '../../src/sinks/to-webdataset.ts';
import { imageFolder } from '../../src/sources/image-folder.ts';
import { shards } from '../../src/sources/shards.ts';
import { defineSource, type Source } from '../../src/sources/source.ts';
import { webdataset } from '../../src/sources/webdataset.ts';
import { decode } from '../../src/stages/decode.ts';
import { type Picture, rawPicture } from '../../src/vision/picture.ts';
import { openSource } from '../kit/runs/jobs.ts';

const count = 300;
const side = 40;
const { signal } = new AbortController();

/** Bytes that no two samples share. */
const bytesOf = (index: number, length: number) =>
  Uint8Array.from({ length }, (_, i) => (index * 197 + i * 31 + ((index * i) >> 3)) & 255);
const codes = { codes: { dtype: 'uint8', shape: [60] } } as const;

const several = defineSource({
  name: 'several',
  summary: 'Pictures and bytes, of which no two are alike.',
  options: z.strictObject({}),
  spec: () => ({ fields: { picture: 'picture', ...codes } }),
  async open() {
    return {
      count,
      key: (index) => String(index).padStart(3, '0'),
      read: (index) => ({
        picture: rawPicture({ data: bytesOf(index, 3 * side * side), width: side, height: side, channels: 3 }),
        codes: bytesOf(index + 1, 60),
      }),
    };
  },
});

/*
 * The memory of a file or a record is used again once another file has been made of its picture. What a sink keeps beside that, or has not written yet, must not lie in it.
 */
t.test('what a job makes stays as it is while the memory of its records and files is used again', async (t) => {
  const folder = t.testdir({});
  const make = async (name: string, source: Source<never>, sink: Sink, stages: object[] = []) => {
    await run(definePipeline({ name, source, stages, sink, output: join(folder, name) } as never));
    return join(folder, name);
  };
  /** Samples of shards that are not as they were. */
  const wrong = async (output: string, fields: object = {}) => {
    const source = await openSource(shards.definition, { path: join(output, 'shards'), fields } as never);
    t.equal(source.count, count);
    const found: number[] = [];
    for (let index = 0; index < count; index++) {
      const read = (await source.read(index, signal)) as { picture: Picture; codes?: Uint8Array };
      const same = Buffer.from((await read.picture.pixels()).data).equals(bytesOf(index, 3 * side * side));
      if (!same || (read.codes && !Buffer.from(read.codes).equals(bytesOf(index + 1, 60)))) found.push(index);
    }
    await source.close?.();
    return found;
  };

  const raw = await make('raw', several() as never, toShards());
  const records = shards({ path: join(raw, 'shards'), fields: codes } as never) as never;
  t.same(await wrong(await make('png', records, toShards({ pictures: 'png' })), codes), [], 'shards');
  const tars = webdataset(join(await make('tars', records, toWebdataset({ pictures: 'png' })), 'webdataset'));
  const files = imageFolder(join(await make('files', records, images({ sheet: false })), 'images'));
  const png = toShards({ pictures: 'png' });
  t.same(await wrong(await make('of-tars', tars as never, png, [decode()])), [], 'tars');
  t.same(await wrong(await make('of-files', files as never, png, [decode()])), [], 'files');
  t.same(await wrong(await make('as-they-were', files as never, toShards({ pictures: 'file' }))), [], 'as they were');
});
