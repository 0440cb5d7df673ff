import t from 'tap';
import { type Coupled, coupled } from '../kit/coupled.ts';

const base: Coupled = {
  cores: 8,
  threads: 8,
  permits: 32,
  cells: 3 * 32 + 8,
  batch: 64,
  microBatch: 32,
  steps: 60,
  sourceMs: 2,
  stages: [{ name: 'decode', ms: 0.1, core: true }],
  renderMs: 2.5,
  trainer: { passMs: 1, sampleMs: 0.5, uploadMs: 0.02, updateMs: 2 },
};

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
