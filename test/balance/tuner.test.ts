import fc from 'fast-check';
import t from 'tap';
import { divisorsOf } from '../../src/balance/tune-micro-batch.ts';
import { type Decision, Tuner } from '../../src/balance/tuner.ts';
import {
  aloneMs,
  cellsOf,
  type Machine,
  MachineRun,
  mostOf,
  mostThreadsOf,
  sweep,
  throughput,
} from '../kit/runs/machine.ts';
import { lateMachine, machine } from '../kit/training/machines.ts';

const machines = 200;

function tunerOf(machine: Machine, guess = 16): Tuner {
  const { batch, cores } = machine;
  const most = mostOf(machine);
  const divisors = divisorsOf(batch, most);
  const start = { microBatch: divisors.find((n) => n >= guess) ?? most, threads: cores };
  return new Tuner({
    batch,
    start,
    microBatch: { most },
    threads: { most: mostThreadsOf(machine) },
    cells: cellsOf(machine),
  });
}

/** Trains for so many steps with the tuner at the knobs. */
function tune(machine: Machine, steps: number, tuner = tunerOf(machine), run = new MachineRun(machine, 'run')) {
  const decisions: Decision[] = [];
  for (let step = 0; step < steps; step++) {
    const decision = tuner.read(run.step(tuner.setting));
    if (decision !== undefined) decisions.push(decision);
  }
  return { tuner, decisions, setting: tuner.setting };
}

t.test(`${machines} machines: 0.95 of the sweep's best, settled within 200 steps, never ended by memory`, (t) => {
  const ratios: number[] = [];
  for (let index = 0; index < machines; index++) {
    const at = machine(index);
    const { decisions, setting } = tune(at, 400);
    const { best, rate } = sweep(at);
    const steps = at.bursts.share > 0 ? 120 : 24;
    const ratio = throughput(at, setting, { steps }) / rate;
    ratios.push(ratio);
    const last = decisions.at(-1)!;
    const told = `${at.name}: ${ratio.toFixed(3)}, ${JSON.stringify(setting)} beside ${JSON.stringify(best)}, settled at ${last.steps}`;
    if (!(ratio >= 0.95 && last.kind === 'settled' && last.steps <= 200)) t.fail(told);
  }
  t.equal(ratios.length, machines);
  t.ok(Math.min(...ratios) >= 0.95, `the worst ${Math.min(...ratios)}`);
  t.end();
});

/** The share of the best micro-batch's speed, by the trainer's own time, that the one has that is used after 50 steps. */
function shareAfter50(at: Machine, guess: number): number {
  const { setting } = tune(at, 50, tunerOf(at, guess));
  const sizes = divisorsOf(at.batch, Math.min(mostOf(at), at.fits));
  return Math.min(...sizes.map((n) => aloneMs(at, n))) / aloneMs(at, setting.microBatch);
}

t.test(
  'after 50 steps the micro-batch computes within a tenth of the best, on CPUs and on GPUs that saturate late',
  (t) => {
    const late = Array.from({ length: 100 }, (_, index) => lateMachine(index));
    for (const [name, all, guesses] of [
      ['as on CPUs', Array.from({ length: machines }, (_, index) => machine(index)), [16]],
      // Whatever was guessed from the device: right, or far below and above.
      ['late', late, [16, 64, 256, 1024]],
    ] as const) {
      for (const guess of guesses) {
        const worst = all
          .map((at) => ({ name: at.name, share: shareAfter50(at, guess) }))
          .reduce((a, b) => (b.share < a.share ? b : a));
        t.ok(worst.share >= 0.9, `${name}, from ${guess}: at least ${worst.share.toFixed(3)}, on ${worst.name}`);
      }
    }
    const [h200] = late;
    t.ok(aloneMs(h200!, 16) / aloneMs(h200!, 256) > 1.2, 'where the guess for CPUs loses a fifth');
    t.end();
  },
);

/** A machine like the first of the set, with what is to be different. */
const plain = (change: Partial<Machine>): Machine => ({
  ...machine(0),
  batch: 64,
  cores: 8,
  passMs: 2,
  sampleMs: 0.5,
  lanes: 1,
  cached: 1024,
  spill: 0,
  loadMs: 0.4,
  diskMs: 0,
  fits: 256,
  estimated: 64,
  noise: 0.003,
  ...change,
});

t.test('a machine where a larger pass is killed, not refused, is never asked for one', (t) => {
  const at = plain({ fits: 20, answers: false, estimated: 18 });
  const { setting } = tune(at, 300);
  t.equal(setting.microBatch, 16);
  t.throws(() => new MachineRun(at, 'run').step({ microBatch: 32, threads: 4 }), 'it would have been');
  t.end();
});

t.test('a refused pass is remembered, and not asked for again once it is known', (t) => {
  const { decisions, setting } = tune(plain({ fits: 20, answers: true }), 300);
  t.equal(setting.microBatch, 16);
  const refused = decisions.filter(({ why }) => why.includes('found no memory'));
  t.equal(refused.length, 1);
  t.match(refused[0], { kind: 'try', why: /A pass of 32 found no memory; \d+ is tried/ });
  t.end();
});

t.test('memory that ends after the run had settled makes the micro-batch smaller at once', (t) => {
  const { tuner } = tune(plain({}), 150);
  t.equal(tuner.settled, true);
  const { microBatch } = tuner.setting;
  const reading = { microBatch, busyMs: 30, waitMs: 0, stepMs: 30, ringFill: 1, refused: microBatch };
  t.match(tuner.read(reading), { kind: 'memory', microBatch: microBatch / 2 });
  t.equal(tuner.setting.microBatch, microBatch / 2);
  t.equal(tuner.read({ ...reading, microBatch: microBatch / 2 }), undefined, 'and that is all');
  t.end();
});

t.test('a settled run is left alone while the machine stays the same', (t) => {
  const { decisions } = tune(plain({ noise: 0.03 }), 3000);
  t.equal(decisions.at(-1)!.kind, 'settled');
  t.ok(decisions.at(-1)!.steps < 200, `settled at ${decisions.at(-1)!.steps}`);
  t.end();
});

t.test('when the balance shifts it is tuned again', (t) => {
  const before = plain({ loadMs: 0.4 });
  const { tuner } = tune(before, 400);
  t.ok(tuner.setting.threads < 8, `${tuner.setting.threads} threads suffice at first`);
  const after = plain({ loadMs: 3.2 });
  const { decisions } = tune(after, 400, tuner);
  t.match(decisions[0], { kind: 'again', why: /the balance has shifted/ });
  t.match(decisions.at(-1), { kind: 'settled' });
  const { rate } = sweep(after);
  t.ok(throughput(after, tuner.setting) > 0.95 * rate, JSON.stringify(tuner.setting));
  t.end();
});

t.test('what an earlier run has found is kept where it still holds, and tuned anew where not', (t) => {
  const at = plain({});
  const { tuner } = tune(at, 400);
  const options = {
    batch: 64,
    start: tuner.setting,
    microBatch: { most: 64 },
    threads: { most: 16 },
    cells: cellsOf(at),
  };
  const kept = tune(at, 100, new Tuner({ ...options, known: { busyMs: tuner.busyMs! } }));
  t.match(kept.decisions, [{ kind: 'settled', why: /as an earlier run has found/ }]);
  t.same(kept.setting, tuner.setting);
  const anew = tune(at, 300, new Tuner({ ...options, known: { busyMs: 3 * tuner.busyMs! } }));
  t.match(anew.decisions[0], { kind: 'again' });
  t.match(anew.decisions.at(-1), { kind: 'settled' });
  t.end();
});

t.test('fixed knobs stay where they are', (t) => {
  const at = plain({});
  const start = { microBatch: 8, threads: 2 };
  const steps = 300;
  const fixed = tune(at, steps, new Tuner({ batch: 64, start, cells: cellsOf(at) }));
  t.same([fixed.setting, fixed.decisions], [start, []]);
  const passes = tune(at, steps, new Tuner({ batch: 64, start, microBatch: { most: 64 }, cells: cellsOf(at) }));
  t.equal(passes.setting.threads, 2);
  t.ok(passes.setting.microBatch > 8);
  const threads = tune(at, steps, new Tuner({ batch: 64, start, threads: { most: 16 }, cells: cellsOf(at) }));
  t.equal(threads.setting.microBatch, 8);
  t.ok(threads.decisions.length > 0);
  t.end();
});

t.test(
  'whatever is measured, it asks for a divisor of the batch, within bounds, even where pairs stay together',
  (t) => {
    const time = fc.oneof(
      fc.double({ min: 0, max: 1e4, noNaN: true }),
      fc.constantFrom(0, Number.NaN, Number.POSITIVE_INFINITY),
    );
    const reading = fc.record({
      busyMs: time,
      waitMs: time,
      stepMs: time,
      ringFill: fc.double({ min: 0, max: 1, noNaN: true }),
      refused: fc.option(fc.integer({ min: 1, max: 300 }), { nil: undefined, freq: 40 }),
    });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 150 }).map((half) => 2 * half),
        fc.boolean(),
        fc.integer({ min: 2, max: 64 }),
        fc.array(reading, { maxLength: 300 }),
        (batch, even, mostThreads, readings) => {
          const tuner = new Tuner({
            batch,
            start: { microBatch: batch, threads: 1 },
            microBatch: { most: batch, even },
            threads: { most: mostThreads },
            cells: 3 * batch,
          });
          return readings.every((each) => {
            tuner.read({ ...each, microBatch: tuner.setting.microBatch });
            const { microBatch, threads } = tuner.setting;
            const within = microBatch >= 1 && microBatch <= batch && threads >= 1 && threads <= mostThreads;
            return within && batch % microBatch === 0 && !(even && microBatch % 2 === 1);
          });
        },
      ),
      { seed: 6, numRuns: 300 },
    );
    t.end();
  },
);
