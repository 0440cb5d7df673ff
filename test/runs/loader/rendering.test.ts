import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import t from 'tap';
import { z } from 'zod';
import type { BufferPool } from '../../../src/files/buffer-pool.ts';
import type { Batch, BatchOptions } from '../../../src/runs/loader/batches.ts';
import { pipeline } from '../../../src/runs/loader/define.ts';
import { imageFolder } from '../../../src/sources/index.ts';
import { defineSource } from '../../../src/sources/source.ts';
import { cropBox, decode, randomFlip, randomResizedCrop, resize, stages } from '../../../src/stages/index.ts';
import { each } from '../../../src/streams/stage.ts';
import type { Picture } from '../../../src/vision/picture.ts';
import { gradient } from '../../kit/pictures/pictures.ts';

/** A folder of pictures that differ, three of which are broken. */
async function photos(folder: string): Promise<string> {
  for (let i = 0; i < 60; i++) {
    const { width, height, data } = gradient(40 + i, 90 - i);
    data.fill((i * 37) % 256, 0, 900);
    const jpeg = await sharp(data, { raw: { width, height, channels: 3 } })
      .jpeg()
      .toBuffer();
    const whole = i % 7 === 3 ? await sharp(jpeg).png().toBuffer() : jpeg;
    const name = `${String(i).padStart(2, '0')}.${i % 7 === 3 ? 'png' : 'jpg'}`;
    writeFileSync(join(folder, name), i % 20 === 5 ? whole.subarray(0, whole.length / 2) : whole);
  }
  return folder;
}

async function all(batches: AsyncIterable<Batch<{ picture: Picture }>>) {
  const seen: unknown[] = [];
  for await (const { keys, fields } of batches)
    seen.push({ keys, pixels: Buffer.from(fields.picture.data).toString('base64') });
  return seen;
}

t.test('batches are the same whether files are read into memory that is used again or not', async (t) => {
  const folder = await photos(t.testdir());
  const keep = each((sample: { key: string; position: number; epoch: number; bytes: Uint8Array }) => sample);
  const crop = randomResizedCrop({ size: 16, maxFailures: '20%' });
  for (const options of [{}, { shuffle: true, epochs: 3 }, { views: true, epochs: 2 }] satisfies BatchOptions[]) {
    for (const n of [1, 16]) {
      const source = imageFolder(folder);
      const reused = await all(
        pipeline(source, decode({ maxFailures: '20%' }), crop, randomFlip()).batches(n, options),
      );
      const kept = await all(
        pipeline(source, keep, decode({ maxFailures: '20%' }), crop, randomFlip()).batches(n, options),
      );
      t.same(reused, kept, `${n} at a time with ${JSON.stringify(options)}`);
    }
  }
});

/** A folder whose `read` records what it was given; each sample has a box. */
function telling(folder: string, given: Set<BufferPool | undefined>) {
  const { definition } = imageFolder;
  return defineSource({
    name: 'telling',
    summary: 'A folder.',
    options: z.strictObject({}),
    spec: () => ({
      fields: { bytes: 'bytes' as const, box: { dtype: 'int32', shape: [4] } },
      formats: ['jpeg' as const, 'png' as const],
    }),
    async open(_, context) {
      const opened = await definition.open(definition.options.parse({ path: folder }), context);
      return {
        ...opened,
        async read(index, signal, memory) {
          given.add(memory);
          const { bytes } = (await opened.read(index, signal, memory)) as { bytes: Uint8Array };
          return { bytes, box: Int32Array.of(4, 4, 20, 20) };
        },
      };
    },
  })();
}

t.test('memory is lent only where nothing can keep what lies in it', async (t) => {
  const folder = await photos(t.testdir());
  const chain = [decode({ maxFailures: '20%' }), randomResizedCrop({ size: 16 }), randomFlip()] as const;
  const own: Uint8Array[] = [];
  const keep = each((sample: { key: string; position: number; epoch: number; bytes: Uint8Array }) => {
    own.push(sample.bytes);
    return sample;
  });
  const lent = new Set<BufferPool | undefined>();
  await all(pipeline(telling(folder, lent), ...chain).batches(8, { epochs: 2 }));
  t.equal([...lent].filter((memory) => memory !== undefined).length, 1, 'a chain of stages that forget');

  const kept = new Set<BufferPool | undefined>();
  await all(pipeline(telling(folder, kept), keep, ...chain).batches(8, { epochs: 2 }));
  t.same([...kept], [undefined], 'a function of the user, who may keep the bytes');
  t.equal(new Set(own.map(({ buffer }) => buffer)).size, own.length, 'and has them for good');

  const seen = new Set<BufferPool | undefined>();
  for await (const _ of pipeline(telling(folder, seen), ...chain).samples());
  t.same([...seen], [undefined], 'samples that are handed out');
});

t.test(
  'every stage but face-crop lets go of its sample: memory is lent to a chain with crop-box, and the pixels stay the same',
  async (t) => {
    t.same(
      stages.filter(({ definition }) => definition.retainsInput !== false).map(({ definition }) => definition.name),
      ['face-crop'],
    );
    const folder = await photos(t.testdir());
    const keep = each(
      (sample: { key: string; position: number; epoch: number; bytes: Uint8Array; box: Int32Array }) => sample,
    );
    const opened = decode({ maxFailures: '20%' });
    const lent = new Set<BufferPool | undefined>();
    const reused = await all(pipeline(telling(folder, lent), opened, cropBox(), resize(16)).batches(8, { epochs: 2 }));
    t.equal([...lent].filter((memory) => memory !== undefined).length, 1);
    const kept = await all(
      pipeline(telling(folder, new Set()), keep, opened, cropBox(), resize(16)).batches(8, { epochs: 2 }),
    );
    t.same(reused, kept);
  },
);
