import t from 'tap';
import { Tuner } from '../../src/balance/tuner.ts';
import { type Coupled, coupled } from '../kit/training/coupled.ts';
import { plain } from '../kit/training/planted.ts';

const base: Coupled = { ...plain, steps: 60 };

/** Images per second of the trainer, whose data are always there. */
function trainerAlone({ batch, microBatch, trainer: { passMs, sampleMs, uploadMs, updateMs } }: Coupled): number {
  return (1000 * batch) / ((batch / microBatch) * passMs + batch * (sampleMs + uploadMs) + updateMs);
}

/** Images per second of the loader, whose samples are taken at once. */
const loaderAlone = async (plan: Coupled) =>
  (await coupled({ ...plan, trainer: { passMs: 0, sampleMs: 0, uploadMs: 0, updateMs: 0 } })).rate;

t.test('coupled to a slower trainer, it runs at 0.97 of the trainer alone at least', async (t) => {
  const { rate } = await coupled(base);
  const alone = trainerAlone(base);
  t.ok((await loaderAlone(base)) > 1.2 * alone, 'the trainer is slower');
  t.ok(rate >= 0.97 * alone && rate <= 1.01 * alone, `${rate} of ${alone}`);
});

t.test('coupled to a slower loader, it runs at 0.97 of the loader alone at least', async (t) => {
  const plan = { ...base, renderMs: 10 };
  const { rate } = await coupled(plan);
  const alone = await loaderAlone(plan);
  t.ok(trainerAlone(plan) > 1.2 * alone, 'the loader is slower');
  t.ok(rate >= 0.97 * alone && rate <= 1.01 * alone, `${rate} of ${alone}`);
});

t.test(
  'where loader and trainer share the cores, the tuner reaches 0.9 of the best static setting at least',
  async (t) => {
    for (const [cores, renderMs, sampleMs] of [
      [2, 3, 2],
      [8, 2, 2],
    ] as const) {
      const shared: Coupled = {
        ...base,
        cores,
        threads: cores,
        cells: 3 * 64 + 16,
        renderMs,
        trainer: { ...base.trainer, passMs: 3, sampleMs, onCores: true },
      };
      let best = 0;
      for (const threads of [1, 2, 4, 8, 16]) {
        for (const microBatch of [4, 16, 64]) {
          if (threads > 2 * cores) continue;
          best = Math.max(best, (await coupled({ ...shared, threads, microBatch, steps: 16 })).rate);
        }
      }
      const start = { microBatch: 16, threads: cores };
      const most = { microBatch: { most: 64 }, threads: { most: Math.max(4, 2 * cores) } };
      const tuner = new Tuner({ batch: 64, start, ...most, cells: shared.cells });
      await coupled({ ...shared, steps: 200 }, tuner);
      t.ok(tuner.settled, `${cores} cores: settled within 200 steps`);
      const { rate } = await coupled({ ...shared, ...tuner.setting, steps: 24 });
      t.ok(rate >= 0.9 * best, `${cores} cores: ${rate} of ${best} at ${JSON.stringify(tuner.setting)}`);
    }
  },
);
