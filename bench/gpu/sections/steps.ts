/**
 * How long does a training step take, and how much of the card does it use? LoMaR, MAE and SRMAE at the papers' settings, in every precision. MFU is the step's
 * FLOP, by the model's own count, over those of a large product in the same precision on the same card in the same minute.
 */

import { linear } from '../../../src/backends/ops.ts';
import * as tf from '../../../src/backends/tf.ts';
import type { Precision } from '../../../src/backends/torch/precision.ts';
import type { EncoderSize } from '../../../src/models/layers/encoder.options.ts';
import { models } from '../../train-step/plans.ts';
import { digits, isTimeFor, kit, lineOf, middle, row, useTorch, whileTime } from '../child.ts';
import { flopOf, kitPlan, openNoise, precisions } from '../settings.ts';

/** Sizes in the order of their importance, and micro-batches that a card of 80 GB has room for. */
const sizes: readonly (readonly [EncoderSize, number])[] = kit.tiny
  ? [['nano', 4]]
  : [
      ['base', 128],
      ['small', 256],
      ['large', 64],
    ];
/** A step is recorded twice, compared with a replay, and replayed. */
const warm = 4;
const timed = 7;
const productSide = kit.tiny ? 512 : 8192;

/** The FLOP/s of a linear layer without a bias in the precision that was taken, the best of several. */
async function productRate(): Promise<number> {
  const [x, y] = tf.tidy(() => [
    tf.randomUniform([productSide, productSide]),
    tf.randomUniform([productSide, productSide]),
  ]);
  let best = 0;
  for (let round = 0; round < 4; round++) {
    const [began, products] = [performance.now(), 4];
    const corner = tf.tidy(() => {
      let last: tf.Tensor = x!;
      for (let i = 0; i < products; i++) last = linear(x!, y!);
      return last.slice([0, 0], [1, 1]);
    });
    await corner.data();
    corner.dispose();
    best = Math.max(best, (products * 2 * productSide ** 3 * 1000) / (performance.now() - began));
  }
  tf.dispose([x, y] as tf.Tensor[]);
  return best;
}

interface Case {
  readonly precision: Precision;
  readonly model: (typeof models)[number];
  readonly size: EncoderSize;
  readonly N: number;
}

async function time({ precision, model, size, N }: Case, product: number): Promise<void> {
  const plan = kitPlan(model, size, N, kit.tiny);
  const began = performance.now();
  const training = await openNoise(plan);
  try {
    const opened = (performance.now() - began) / 1000;
    for (let i = 0; i < warm; i++) await training.step();
    const times: number[] = [];
    while (times.length < timed && (times.length < 3 || isTimeFor(2))) times.push(await training.step());
    const ms = middle(times);
    const rate = (N * 1000) / ms;
    row({
      what: `${model} ${size}`,
      precision,
      microBatch: N,
      ms: digits(ms),
      least: digits(Math.min(...times)),
      images: digits(rate),
      tflops: digits((rate * flopOf(plan)) / 1e12, 3),
      mfu: digits((rate * flopOf(plan)) / product, 3),
      more: training.told(),
      opened: digits(opened, 2),
    });
  } finally {
    training.dispose();
  }
}

for (const precision of precisions) {
  const { precision: taken } = await useTorch(kit.device, precision);
  if (taken !== precision) {
    row({ precision, error: `${kit.device} computes it in ${taken}` });
    continue;
  }
  const product = await productRate();
  row({ what: `product of ${productSide}³`, precision, tflops: digits(product / 1e12, 3) });
  const cases = sizes.flatMap(([size, N]) => models.map((model) => ({ precision, model, size, N })));
  await whileTime(
    cases,
    { name: ({ model, size, N }) => `${precision} ${model} ${size} ${N}`, seconds: kit.tiny ? 3 : 8 },
    (each) =>
      time(each, product).catch((error: unknown) => {
        // How long something takes is no judgement: what does not run is told.
        row({
          what: `${each.model} ${each.size}`,
          precision,
          microBatch: each.N,
          error: lineOf(error),
        });
      }),
  );
}
process.exit();
