/**
 * Images/s against the micro-batch, with the memory of the card beside; and where `microBatch: auto` is after 50 steps on that curve. On noise, so that no loader
 * has a say; the tuner's run has the photographs, whose wait it leaves out itself.
 */
import type { EncoderSize } from '../../../src/models/layers/encoder.options.ts';
import { digits, isTimeFor, kit, lineOf, middle, row, useTorch, whileTime } from '../child.ts';
import { cardMemory } from '../machine.ts';
import { runPipeline, stepLines } from '../pipelines.ts';
import { kitPlan, openNoise } from '../settings.ts';

/** The tuner's curve, and then one of a larger model. */
const sizes: readonly EncoderSize[] = kit.tiny ? ['nano'] : ['small', 'base'];
const microBatches = kit.tiny ? [1, 2, 4, 8] : [8, 16, 32, 64, 128, 256, 512];
const [warm, timed, tunedSteps] = [4, 5, 50];

/** Times the micro-batches from the smallest on, for what the card holds only grows. Answers images/s by micro-batch. */
async function curve(size: EncoderSize): Promise<Map<number, number>> {
  const rates = new Map<number, number>();
  const before = cardMemory();
  await whileTime(microBatches, { name: (N) => `lomar ${size} ${N}`, seconds: kit.tiny ? 2 : 6 }, async (N) => {
    const training = await openNoise(kitPlan('lomar', size, N, kit.tiny));
    try {
      for (let i = 0; i < warm; i++) await training.step();
      const times: number[] = [];
      for (let i = 0; i < timed; i++) times.push(await training.step());
      const images = (N * 1000) / middle(times);
      rates.set(N, images);
      const memory = cardMemory();
      row({
        what: `lomar ${size}`,
        microBatch: N,
        images: digits(images),
        ...(memory === undefined || before === undefined
          ? { processGiB: digits(process.memoryUsage.rss() / 2 ** 30, 3) }
          : { cardGiB: digits((memory - before) / 1024, 3) }),
        more: training.told(),
      });
    } finally {
      training.dispose();
    }
  });
  return rates;
}

/** Trains with `microBatch: auto` and says where on the curve it stands at the end. */
async function tune(size: EncoderSize, rates: ReadonlyMap<number, number>): Promise<void> {
  const batch = microBatches.at(-1)!;
  const wish = {
    name: 'tuned',
    from: 'raw',
    model: 'lomar',
    size,
    batch,
    microBatch: 'auto',
    steps: tunedSteps,
  } as const;
  // A run that has no time for all of its steps has lines of those that it did.
  const over = () => Date.now() > kit.deadline - 1000;
  await runPipeline(wish, over).catch((error: unknown) => {
    if (!/ended before/.test(lineOf(error))) throw error;
  });
  const lines = stepLines('tuned');
  const chosen = lines.at(-1)!.microBatch;
  const best = [...rates].reduce((a, b) => (b[1] > a[1] ? b : a));
  const there = rates.get(chosen);
  row({
    what: `microBatch: auto, lomar ${size}`,
    steps: lines.length,
    tried: [...new Set(lines.map(({ microBatch }) => microBatch))],
    chosen,
    best: best[0],
    ...(there !== undefined && { ofBest: digits(there / best[1], 3) }),
  });
}

await useTorch(kit.device);
for (const [i, size] of sizes.entries()) {
  const rates = await curve(size);
  if (i > 0 || rates.size === 0) continue;
  if (!isTimeFor(kit.tiny ? 5 : 12)) row({ cut: ['microBatch: auto'] });
  else await tune(size, rates).catch((error: unknown) => row({ what: 'microBatch: auto', error: lineOf(error) }));
}
process.exit();
