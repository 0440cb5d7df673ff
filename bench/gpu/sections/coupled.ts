/** Loader and trainer in one run, from JPEGs and from raw records: images/s of the second half of its steps, and how long the trainer waited for pictures. */
import { digits, kit, row, whileTime } from '../child.ts';
import { runPipeline, stepLines } from '../pipelines.ts';

/** The model that asks most of a loader at the papers' size: MAE's encoder sees a quarter of each picture. */
const [size, batch, microBatch, steps] = kit.tiny ? (['nano', 16, 8, 12] as const) : (['small', 512, 256, 24] as const);

async function train(from: 'jpeg' | 'raw'): Promise<void> {
  const name = `coupled-${from}`;
  await runPipeline({ name, from, model: 'mae', size, batch, microBatch, steps });
  const settled = stepLines(name).slice(steps >> 1);
  const seconds = settled.reduce((sum, { imagesPerSecond }) => sum + batch / imagesPerSecond, 0);
  const waited = settled.reduce((sum, { dataWaitMs }) => sum + dataWaitMs, 0) / 1000;
  row({
    what: `mae ${size} from ${from === 'raw' ? 'raw records' : 'JPEGs'}`,
    batch,
    microBatch,
    images: digits((batch * settled.length) / seconds),
    waiting: digits(waited / seconds, 2),
  });
}

await whileTime(['jpeg', 'raw'] as const, { name: String, seconds: kit.tiny ? 5 : 10 }, train);
process.exit();
