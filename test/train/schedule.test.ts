import t, { type Test } from 'tap';
import { peakRate, schedule } from '../../src/train/schedule.ts';

const near = (t: Pick<Test, 'ok'>, found: number, expected: number, what: string) =>
  t.ok(Math.abs(found - expected) <= 1e-12, `${what}: ${found}, expected ${expected}`);

t.test('the recipe of 400 epochs: batch 4096, base rate 1.5e-4, warm-up 20', (t) => {
  const rate = schedule({ baseLr: 1.5e-4, warmup: { epochs: 20 } }, { batch: 4096, length: { epochs: 400 } });
  for (const [epoch, expected] of [
    [0, 0],
    [10, 1.2e-3],
    [20, 2.4e-3],
    [210, 1.2e-3],
    [400, 0],
  ] as const) {
    near(t, rate({ step: 0, epoch }), expected, `epoch ${epoch}`);
  }
  t.end();
});

t.test('in steps, with a floor, and past the end', (t) => {
  const rate = schedule({ lr: 1, minLr: 0.2, warmup: { steps: 10 } }, { batch: 1, length: { steps: 110 } });
  for (const [step, expected] of [
    [0, 0],
    [5, 0.5],
    [10, 1],
    [60, 0.6],
    [110, 0.2],
    [500, 0.2],
  ] as const) {
    near(t, rate({ step, epoch: 0 }), expected, `step ${step}`);
  }
  t.end();
});

t.test('warm-up in epochs, length in steps, and the other way round', (t) => {
  // 10 steps are an epoch.
  const at = (step: number) => ({ step, epoch: step / 10 });
  const mixed = schedule({ lr: 1, warmup: { epochs: 2 } }, { batch: 1, length: { steps: 100 } });
  const steps = schedule({ lr: 1, warmup: { steps: 20 } }, { batch: 1, length: { steps: 100 } });
  const other = schedule({ lr: 1, warmup: { steps: 20 } }, { batch: 1, length: { epochs: 10 } });
  for (const step of [0, 7, 20, 21, 60, 99, 100]) {
    near(t, mixed(at(step)), steps(at(step)), `step ${step}`);
    near(t, other(at(step)), steps(at(step)), `step ${step}, length in epochs`);
  }
  t.end();
});

t.test('constant, with and without a warm-up', (t) => {
  const run = { batch: 512, length: { steps: 100 } };
  near(t, schedule({ shape: 'constant', baseLr: 1 }, run)({ step: 99, epoch: 0 }), 2, 'constant');
  near(t, schedule({ shape: 'constant', lr: 1, warmup: { steps: 4 } }, run)({ step: 1, epoch: 0 }), 0.25, 'rising');
  t.end();
});

t.test('rates for other batches, and one of the two', (t) => {
  near(t, peakRate({ baseLr: 1.5e-4 }, 256), 1.5e-4, '256');
  near(t, peakRate({ baseLr: 1.5e-4 }, 64), 3.75e-5, '64');
  near(t, peakRate({ lr: 3e-3 }, 64), 3e-3, 'absolute');
  t.throws(() => peakRate({}, 64), /SCHEDULE_RATE: .* got neither/);
  t.throws(() => peakRate({ lr: 1, baseLr: 1 }, 64), /SCHEDULE_RATE: .* got both/);
  t.end();
});
