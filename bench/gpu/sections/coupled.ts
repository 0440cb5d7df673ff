/**
 * Loader and trainer in one run, from JPEGs and from raw records: images/s of the second half of its steps, and how long the trainer waited for pictures. The models that ask
 * most of a loader at the papers' size: MAE's encoder sees a quarter of each picture. In float32 and in bfloat16. Beside them compiled PyTorch in bfloat16 on the same JPEGs,
 * fed by torchvision's DataLoader with its best decoder and with the usual one, Pillow.
 */
import { setTimeout } from 'node:timers/promises';
import type { Precision } from '../../../src/backends/torch/precision.ts';
import { startPython } from '../../peers/python.ts';
import { digits, isTimeFor, kit, lineOf, photos, row, whileTime } from '../child.ts';
import { runPipeline, stepLines } from '../pipelines.ts';
import { kitPlan } from '../settings.ts';

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
  if (from === 'jpeg') own.set(`${model} ${size} ${precision}`, (batch * settled.length) / seconds);
  row({
    what: `${model} ${size} from ${from === 'raw' ? 'raw records' : 'JPEGs'}`,
    precision,
    batch,
    microBatch,
    images: digits((batch * settled.length) / seconds),
    waiting: digits(waited / seconds, 2),
  });
}

/** What ours made of JPEGs, by model and size: images in a second. */
const own = new Map<string, number>();

/** Seconds that steps on both of torchvision's loaders take, beside compiling. */
const trainingSeconds = kit.tiny ? 10 : 25;

/** Compiled PyTorch on the same pictures. */
async function trainTheirs({ model, size }: Pick<Case, 'model' | 'size'>): Promise<void> {
  const { config } = kitPlan(model, size, microBatch, kit.tiny);
  const what = `${model} ${size} from JPEGs`;
  const python = await startPython('gpu/sections/peer_coupled.py', { modules: ['sys'], args: [kit.device, photos] });
  try {
    const open = { model, config, N: microBatch, side: kit.tiny ? 32 : 224, precision: 'bfloat16' };
    const left = Math.max(0, kit.deadline - Date.now() - trainingSeconds * 1000);
    const ready = await Promise.race([python.ask({ open }), setTimeout(Math.min(left, 2 ** 31 - 1))]);
    if (ready === undefined) throw new Error('it was not compiled in time');
    for (const way of python.hello.ways as readonly string[]) {
      const side = `PyTorch compiled, ${way}`;
      if (!isTimeFor(trainingSeconds / 2)) row({ what, side, cut: ['it would not end in time'] });
      else {
        const { images, waiting } = await python.ask({ way, steps: kit.tiny ? 4 : steps });
        const ours = own.get(`${model} ${size} bfloat16`);
        row({
          ...{
            what,
            side,
            precision: 'bfloat16',
            microBatch,
            images: digits(Number(images)),
            waiting: digits(Number(waiting), 2),
          },
          ...(ours !== undefined && { ratio: digits(ours / Number(images), 3) }),
        });
      }
    }
  } catch (error) {
    row({ what, side: 'PyTorch compiled', error: lineOf(error) });
  } finally {
    python.kill();
  }
}

await whileTime(cases, { name: nameOf, seconds: kit.tiny ? 5 : 12 }, train);
const compared = cases.filter(({ precision, from }, i) => precision === 'bfloat16' && from === 'jpeg' && i < 2);
if (kit.python === '') row({ what: 'PyTorch', missing: 'no python here has torch: ours is measured alone' });
else {
  const named = { name: nameOf, seconds: trainingSeconds * (kit.tiny ? 1 : 2) };
  await whileTime(compared, named, trainTheirs);
}
process.exit();
