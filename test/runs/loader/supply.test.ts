import t from 'tap';
import { z } from 'zod';
import { SlottedBatches } from '../../../src/inference/slotted-batches.ts';
import { builtin } from '../../../src/pipeline/builtin.ts';
import { define } from '../../../src/pipeline/definition.ts';
import { resolvePipeline } from '../../../src/pipeline/resolve/resolve.ts';
import { loader } from '../../../src/runs/loader/engine.ts';
import { openLoader } from '../../../src/runs/loader/open.ts';
import { defineSource } from '../../../src/sources/source.ts';
import { defineStage } from '../../../src/stages/stage.ts';
import { iterate } from '../../../src/streams/iterate.ts';
import type { Sample } from '../../../src/streams/sample.ts';
import { each } from '../../../src/streams/stage.ts';

const bytesEach = 1 << 20;

/** Samples of a mebibyte each, which are read in their own time. */
const files = defineSource({
  name: 'files',
  summary: 'Files.',
  options: z.strictObject({ count: z.int() }),
  spec: () => ({ fields: { bytes: 'bytes' } }),
  open: async ({ count }) => ({
    count,
    key: (index) => `${index}.jpg`,
    read: (index) =>
      new Promise<{ bytes: Uint8Array }>((resolve) =>
        setImmediate(() => resolve({ bytes: new Uint8Array(bytesEach).fill(index) })),
      ),
  }),
});

/** The batches that were computed, by how many samples were in them. */
const sent: number[] = [];

/** Gathers samples as `embed` does; a batch that is not full never goes by its timer. */
const gathering = defineStage({
  name: 'gathering',
  summary: 'Gathers.',
  options: z.strictObject({ batch: z.int() }),
  needs: [],
  atATime: ({ batch }) => 4 * batch,
  output: (spec) => spec,
  run({ batch }, _, { supply }) {
    const batches = new SlottedBatches<number>({
      ...{ size: batch, buffers: 4, ahead: 2, supply },
      compute: ({ count }) => {
        sent.push(count);
        return new Promise((resolve) => setImmediate(resolve, count));
      },
      timer: () => ({ refresh: () => {}, clear: () => {} }),
    });
    return async (sample: Sample) => {
      await batches.rows(sample.position % batch, () => Promise.resolve());
      return sample;
    };
  },
});

async function positions(count: number, stages: Parameters<typeof define>[0]['stages'], permits?: number) {
  sent.length = 0;
  const definition = define({ name: 'x', source: files({ count }), stages, ...(permits && { permits }), threads: 2 });
  const resolved = resolvePipeline(definition, builtin, { ends: false });
  t.same(resolved.problems, []);
  const { loader, close } = await openLoader(resolved);
  const seen: number[] = [];
  for await (const { sample, permit } of iterate(loader.ordered)) {
    seen.push(sample.position);
    permit.return('delivered');
  }
  await close();
  return seen;
}

const all = (count: number) => Array.from({ length: count }, (_, i) => i);
const drops = (rest: number) =>
  each(
    async (sample: Sample) => {
      await new Promise(setImmediate);
      if (sample.position % 5 === rest) throw new Error('broken');
      return sample;
    },
    { maxFailures: 100 },
  );

t.test(
  'a batch goes at once where no further sample can come: few permits, few places, the end, failures',
  async (t) => {
    t.same(await positions(40, [gathering({ batch: 32 })], 9), all(40));
    t.same(sent, [9, 9, 9, 9, 4], 'as many as there are permits');
    t.same(await positions(40, [gathering({ batch: 32, concurrency: 3 })]), all(40));
    t.ok(sent.every((count) => count <= 3));
    t.same(await positions(40, [gathering({ batch: 32 })]), all(40));
    t.same(sent, [32, 8], 'full ones, and the last');
    for (const rest of [0, 4]) {
      const rests = all(40).filter((position) => position % 5 !== rest);
      t.same(await positions(40, [drops(rest), gathering({ batch: 16 })]), rests);
      t.same(await positions(40, [drops(rest), gathering({ batch: 16 })], 7), rests);
    }
  },
);

t.test(
  'files in flight are bound by their bytes where samples are gathered, and by no less than the threads need',
  async (t) => {
    const held = { now: 0, most: 0 };
    const run = async (most: number, free: number) => {
      held.most = 0;
      const read = () => {
        held.now++;
        held.most = Math.max(held.most, held.now);
        return { bytes: new Uint8Array(bytesEach) };
      };
      const { ordered } = loader(
        { count: 200, key: String, read },
        {
          ...{ seed: 1, threads: 2, permits: 128, shuffle: false, end: 200, gathered: { most, free } },
          stages: resolvePipeline(
            define({ name: 'x', source: files({ count: 200 }), stages: [gathering({ batch: 32 })] }),
            builtin,
            { ends: false },
          ).stages,
          onFailure: () => {},
          signal: new AbortController().signal,
        },
      );
      let count = 0;
      for await (const { permit } of iterate(ordered)) {
        count++;
        held.now--;
        permit.return('delivered');
      }
      t.equal(count, 200);
      return held.most;
    };
    t.equal(await run(20 * bytesEach, 8), 20);
    t.equal(await run(2 * bytesEach, 8), 8);
    t.equal(await run(1000 * bytesEach, 8), 128, 'permits hold where bytes do not');
  },
);
