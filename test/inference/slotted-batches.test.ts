import fc from 'fast-check';
import t from 'tap';
import { idleMs, SlottedBatches } from '../../src/inference/slotted-batches.ts';

/** Batches whose rows are the values that were filled in, and which are computed when the test says so. */
function batches({ size, buffers, ahead }: { size: number; buffers: number; ahead: number }) {
  const memory = Array.from({ length: buffers }, () => new Array<number | undefined>(size));
  const open: { buffer: number; end: (error?: Error) => void }[] = [];
  const timers: { ring: () => void; cleared: boolean }[] = [];
  const sent: { buffer: number; count: number; filled: number }[] = [];
  const made = new SlottedBatches<readonly (number | undefined)[]>({
    ...{ size, buffers, ahead },
    compute: ({ buffer, count }) => {
      const rows = [...memory[buffer]!];
      sent.push({ buffer, count, filled: rows.filter((value) => value !== undefined).length });
      return new Promise((resolve, reject) =>
        open.push({
          buffer,
          end(error) {
            memory[buffer] = new Array(size);
            if (error) reject(error);
            else resolve(rows);
          },
        }),
      );
    },
    timer(_, ring) {
      const timer = { ring, cleared: false };
      timers.push(timer);
      return {
        refresh: () => {},
        clear: () => {
          timer.cleared = true;
        },
      };
    },
  });
  const row = async (slot: number, value: number, filled: Promise<void> = Promise.resolve()) => {
    const rows = await made.rows(slot, async (buffer) => {
      await filled;
      memory[buffer]![slot] = value;
    });
    return rows[slot];
  };
  const idle = () => timers.filter(({ cleared }) => !cleared).at(-1);
  return { made, row, open, sent, timers, idle, memory };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

t.test('every sample is given the row of its own slot, whatever comes when, fails or waits', async (t) => {
  const sample = fc.record({ slot: fc.nat(7), fails: fc.boolean(), late: fc.nat(3) });
  await fc.assert(
    fc.asyncProperty(fc.array(sample, { maxLength: 60 }), fc.integer({ min: 1, max: 3 }), async (samples, ahead) => {
      const { row, open, sent, idle } = batches({ size: 8, buffers: 4, ahead });
      let over = 0;
      const results = samples.map(async ({ slot, fails, late }, i) => {
        let filled: Promise<unknown> = Promise.resolve();
        for (let n = 0; n < late; n++) filled = filled.then(turn);
        const fill = filled.then(() => {
          if (fails) throw new Error('broken');
        });
        // Those that wait for a buffer are heard later.
        fill.catch(() => {});
        try {
          return await row(slot, i, fill);
        } catch (error) {
          return (error as Error).message;
        } finally {
          over += 1;
        }
      });
      for (let n = 0; over < samples.length; n++) {
        if (n > 2000) throw new Error('it stands still');
        await turn();
        if (open.length > ahead) throw new Error('too many batches at a time');
        // Now and then, and whenever nothing else could happen.
        if (n % 3 === 2) open.shift()?.end();
        if (n % 7 === 6) idle()?.ring();
      }
      const expected = samples.map(({ fails }, i) => (fails ? 'broken' : i));
      t.same(await Promise.all(results), expected);
      // A batch holds what was filled, and nothing of what failed.
      t.ok(sent.every(({ count, filled }) => count === filled && count > 0));
    }),
    { numRuns: 60 },
  );
});

t.test('a full batch goes at once; one with holes when the next is half full, or when nothing comes', async (t) => {
  const { row, open, sent, idle } = batches({ size: 4, buffers: 4, ahead: 1 });
  const first = [0, 1, 2, 3].map((slot) => row(slot, slot));
  await turn();
  t.equal(sent.length, 1);
  open.shift()!.end();
  t.same(await Promise.all(first), [0, 1, 2, 3]);
  // Slot 3 is missing, as of a sample that has failed.
  const second = [0, 1, 2].map((slot) => row(slot, 10 + slot));
  await turn();
  t.equal(sent.length, 1, 'it waits');
  t.ok(idle(), 'a timer runs');
  const third = [0, 1].map((slot) => row(slot, 20 + slot));
  await turn();
  t.same(sent[1], { buffer: sent[1]!.buffer, count: 3, filled: 3 });
  open.shift()!.end();
  t.same(await Promise.all(second), [10, 11, 12]);
  await turn();
  t.equal(sent.length, 2, 'the rest waits');
  idle()!.ring();
  t.equal(sent.length, 3);
  open.shift()!.end();
  t.same(await Promise.all(third), [20, 21]);
  t.ok(idleMs > 0);
});

t.test('samples that wait for a slot are given those of samples that have failed', async (t) => {
  const { row, open, sent, idle } = batches({ size: 1, buffers: 2, ahead: 1 });
  const broken = () => {
    const fill = turn().then(() => {
      throw new Error('broken');
    });
    fill.catch(() => {});
    return row(0, 0, fill).catch((error: Error) => error.message);
  };
  const asked = [broken(), broken(), broken(), row(0, 7), row(0, 8)];
  for (let n = 0; n < 9; n++) {
    await turn();
    open.shift()?.end();
    idle()?.ring();
  }
  t.equal(sent.length, 2, 'nothing stands still');
  t.same(await Promise.all(asked), ['broken', 'broken', 'broken', 7, 8]);
});

t.test('more samples than there are slots wait for a buffer, and none is lost when a batch fails', async (t) => {
  const { row, open, sent } = batches({ size: 2, buffers: 2, ahead: 1 });
  const asked = Array.from({ length: 9 }, (_, i) => row(0, i).catch((error: Error) => error.message));
  for (let n = 0; n < 9; n++) {
    await turn();
    t.equal(open.length, n < 8 ? 1 : open.length);
    open.shift()?.end(n === 4 ? new Error('no memory') : undefined);
  }
  await turn();
  for (const one of open.splice(0)) one.end();
  t.ok(sent.every(({ count }) => count === 1));
  t.same(asked.length, 9);
});
