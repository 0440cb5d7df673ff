/**
 * Loader and trainer in one run, from JPEGs and from raw records: images/s of the second half of its steps, and how long the trainer waited for pictures. The models that ask
 * most of a loader at the papers' size: MAE's encoder sees a quarter of each picture. In float32 and in bfloat16.
 */
import type { Precision } from '../../../src/backends/torch/precision.ts';
import { digits, kit, row, whileTime } from '../child.ts';
import { runPipeline, stepLines } from '../pipelines.ts';

const [batch, microBatch, steps] = kit.tiny ? ([16, 8, 12] as const) : ([512, 256, 24] as const);

interface Case {
  readonly model: 'lomar' | 'mae';
  readonly size: 'nano' | 'small' | 'base';
  readonly precision: Precision;
  readonly from: 'jpeg' | 'raw';
}

const cases: readonly Case[] = kit.tiny
  ? [
      { model: 'mae', size: 'nano', precision: 'bfloat16', from: 'jpeg' },
      { model: 'lomar', size: 'nano', precision: 'float32', from: 'raw' },
    ]
  : [
      { model: 'mae', size: 'base', precision: 'bfloat16', from: 'jpeg' },
      { model: 'lomar', size: 'base', precision: 'bfloat16', from: 'jpeg' },
      { model: 'mae', size: 'small', precision: 'bfloat16', from: 'jpeg' },
      { model: 'mae', size: 'small', precision: 'float32', from: 'jpeg' },
      { model: 'mae', size: 'base', precision: 'bfloat16', from: 'raw' },
    ];
const nameOf = ({ model, size, precision, from }: Case) => `${model} ${size} ${precision} ${from}`;

async function train(each: Case): Promise<void> {
  const { model, size, precision, from } = each;
  const name = `coupled-${nameOf(each).replaceAll(' ', '-')}`;
  await runPipeline({ name, from, model, size, precision, batch, microBatch, steps });
  const settled = stepLines(name).slice(steps >> 1);
  const seconds = settled.reduce((sum, { imagesPerSecond }) => sum + batch / imagesPerSecond, 0);
  const waited = settled.reduce((sum, { dataWaitMs }) => sum + dataWaitMs, 0) / 1000;
  row({
    what: `${model} ${size} from ${from === 'raw' ? 'raw records' : 'JPEGs'}`,
    precision,
    batch,
    microBatch,
    images: digits((batch * settled.length) / seconds),
    waiting: digits(waited / seconds, 2),
  });
}

await whileTime(cases, { name: nameOf, seconds: kit.tiny ? 5 : 12 }, train);
process.exit();
