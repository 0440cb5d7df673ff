/**
 * Steps that are launched as a whole (on CUDA as graphs) beside the same that are replayed call by call: that fifty of them, under a changing rate, equal those computed
 * in JavaScript, and how long each takes.
 */

import type { Precision } from '../../../src/backends/torch/precision.ts';
import type { EncoderSize } from '../../../src/models/layers/encoder.options.ts';
import { Random } from '../../../src/random.ts';
import { relativeError } from '../../parity/answers.ts';
import { type Given, openTraining } from '../../train-step/training.ts';
import { digits, isTimeFor, kit, lineOf, middle, row, useTorch, whileTime } from '../child.ts';
import { tolerances } from '../differences.ts';
import { kitPlan, openNoise } from '../settings.ts';

type Model = 'lomar' | 'mae';
const steps = 50;
const [size, N]: readonly [EncoderSize, number] = kit.tiny ? ['nano', 4] : ['base', 128];
const warm = 6;
const timed = kit.tiny ? 3 : 9;
/** What adding up in another order may do in bfloat16, where a device does not add up in one order. */
const bound = { float32: tolerances.loss, bfloat16: 1e-2 } as const;

interface Case {
  readonly model: Model;
  readonly precision: 'float32' | 'bfloat16';
}

async function lossesOf({ model }: Case, how: Pick<Given, 'launch' | 'replay'>) {
  const random = (parameter: string) => new Random(7, parameter, 'bench');
  const training = await openTraining(kitPlan(model, 'nano', 4, kit.tiny), { ...how, random });
  const losses: number[] = [];
  for (let i = 0; i < steps + warm; i++) losses.push(await training.loss(1e-4 * (1 + (i % 5))));
  const told = training.told();
  training.dispose();
  return { losses, told };
}

async function compare(each: Case): Promise<void> {
  await take(each.precision);
  const { losses, told } = await lossesOf(each, { launch: true });
  const { losses: expected } = await lossesOf(each, { replay: false });
  const worst = Math.max(
    ...losses.map((loss, i) => relativeError(Float32Array.of(loss), Float32Array.of(expected[i]!))),
  );
  row({
    what: `${steps} launches of ${each.model} nano`,
    precision: each.precision,
    last: losses.at(-1),
    lastThere: expected.at(-1),
    worst: digits(worst, 2),
    more: told,
    ok: worst <= bound[each.precision],
  });
}

async function take(precision: Precision): Promise<void> {
  const { precision: taken } = await useTorch(kit.device, precision);
  if (taken !== precision) throw new Error(`${kit.device} computes ${precision} in ${taken}`);
}

async function time({ model, precision }: Case): Promise<void> {
  await take(precision);
  const found = new Map<string, number>();
  for (const launch of [true, false]) {
    const training = await openNoise(kitPlan(model, size, N, kit.tiny), { launch });
    try {
      for (let i = 0; i < warm; i++) await training.step();
      const times: number[] = [];
      while (times.length < timed && (times.length < 3 || isTimeFor(2))) times.push(await training.step());
      found.set(launch ? 'launched' : 'replayed', digits(middle(times)));
      row({
        what: `${model} ${size}`,
        precision,
        microBatch: N,
        launch,
        ms: digits(middle(times)),
        more: training.told(),
      });
    } finally {
      training.dispose();
    }
  }
  const [launched = Number.NaN, replayed = Number.NaN] = [found.get('launched'), found.get('replayed')];
  row({ what: `${model} ${size}`, precision, ratio: digits(replayed / launched, 3) });
}

const cases: readonly Case[] = [
  { model: 'lomar', precision: 'bfloat16' },
  { model: 'mae', precision: 'bfloat16' },
  { model: 'lomar', precision: 'float32' },
  { model: 'mae', precision: 'float32' },
];
const nameOf = ({ model, precision }: Case) => `${model} ${precision}`;
const told = (work: (each: Case) => Promise<void>) => (each: Case) =>
  work(each).catch((error: unknown) => row({ what: nameOf(each), error: lineOf(error) }));
await whileTime(cases, { name: nameOf, seconds: 4 }, told(compare));
await whileTime(cases, { name: nameOf, seconds: kit.tiny ? 2 : 12 }, told(time));
process.exit();
