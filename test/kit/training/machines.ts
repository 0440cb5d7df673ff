import { readFileSync } from 'node:fs';
import { divisorsOf } from '../../../src/balance/tune-micro-batch.ts';
import { Random } from '../../../src/random.ts';
import type { Machine } from '../runs/machine.ts';

interface StageTimes {
  readonly passMs: number;
  readonly sampleMs: number;
  readonly stages: Readonly<Record<string, { readonly mean: number; readonly p99: number }>>;
}

const recorded = Object.values(
  (
    JSON.parse(readFileSync(new URL('../../../fixtures/balance/stage-times.json', import.meta.url), 'utf8')) as {
      readonly models: Readonly<Record<string, StageTimes>>;
    }
  ).models,
);

/** The kinds of machine; each makes what its name says of times that real runs took. */
export const kinds = ['gpu-bound', 'loader-bound', 'balanced', 'bursty', 'memory-limited', 'shared-cores'] as const;

/**
 * Late machine `index` of a set that is the same each time: a GPU that a pass of hundreds of samples keeps busy, since handing the pass over takes as long
 * as computing dozens of them. An H200 computed 301 images of LoMaR-B a second in passes of 16 and 383 in passes of 256: 12 ms a pass, 2.56 ms a sample; of
 * the tiny model, 31 ms a pass and 0.2 ms a sample.
 */
export function lateMachine(index: number): Machine {
  const random = new Random(2026, 'late machines', String(index));
  const pick = <T>(values: readonly T[]): T => values[random.integer(values.length)]!;
  const between = (low: number, high: number) => low * (high / low) ** random.uniform();
  const [passMs, sampleMs] = index === 0 ? [12.1, 2.563] : [between(5, 50), between(0.1, 3)];
  const batch = index === 0 ? 512 : pick([256, 384, 512, 1000, 1024, 2048, 4096]);
  const fits = index === 0 ? 300 : Math.floor(between(64, 4096));
  const cores = pick([8, 16, 32]);
  return {
    name: `${index} late`,
    cores,
    batch,
    passMs,
    sampleMs,
    lanes: index === 0 ? 1 : pick([1, 8, 16, 32]),
    cached: 1 << 20,
    spill: 0,
    stepMs: between(2, 20),
    fits,
    answers: true,
    // Made high, and then nearly all of the device's memory is allowed.
    estimated: Math.max(16, Math.floor(fits * between(0.7, 1.5))),
    loadMs: (sampleMs * cores) / between(1, 4),
    diskMs: 0,
    bursts: { share: 0, factor: 1, steps: 8 },
    shared: false,
    noise: pick([0.001, 0.003, 0.01]),
  };
}

/** Machine `index` of a set that is the same each time. */
export function machine(index: number): Machine {
  const random = new Random(2026, 'machines', String(index));
  const kind = kinds[index % kinds.length]!;
  const pick = <T>(values: readonly T[]): T => values[random.integer(values.length)]!;
  const between = (low: number, high: number) => low * (high / low) ** random.uniform();
  const base = pick(recorded);
  const stage = (name: string) => base.stages[name]?.mean ?? 0.02;
  const shared = kind === 'shared-cores' || (kind === 'memory-limited' && random.uniform() < 0.3);
  const cores = shared ? pick([1, 2, 4, 8, 16]) : pick([1, 2, 4, 8, 12, 16, 32, 64]);
  const batch = pick([32, 48, 64, 96, 100, 128, 192, 256, 384, 512, 1000, 1024, 4096]);
  // A GPU is that much faster than the two cores of the recording, and its passes have a floor.
  const faster = shared ? between(0.5, 2) * Math.max(1, cores / 2) : between(10, 300);
  const sampleMs = base.sampleMs / faster;
  const passMs = shared ? base.passMs / between(1, 4) : between(0.3, 12);
  const loading = (stage('decode') + stage('render') / 4) * between(0.2, 3);
  // The rate of the loader at all cores, over that of the trainer.
  const aim = kind === 'loader-bound' ? between(0.2, 0.8) : kind === 'gpu-bound' ? between(1.6, 12) : between(0.8, 1.6);
  const loadMs = shared ? loading : (sampleMs * cores) / aim;
  const fits = kind === 'memory-limited' ? pick(divisorsOf(batch)) + random.integer(3) : 4 * batch;
  const answers = !shared;
  return {
    name: `${index} ${kind}`,
    cores,
    batch,
    passMs,
    sampleMs,
    lanes: shared ? 1 : pick([1, 4, 8, 16]),
    cached: pick([16, 64, 256]),
    spill: pick([0, 0.02, 0.1]),
    stepMs: between(0.5, 5),
    fits,
    answers,
    // Where nobody answers, the estimate is what keeps a run alive, and it is made high.
    estimated: answers ? 4 * batch : Math.max(1, Math.floor(fits * between(0.8, 1))),
    loadMs,
    diskMs: random.uniform() < 0.5 ? 0 : loadMs * between(0.1, 1),
    bursts:
      kind === 'bursty'
        ? { share: between(0.05, 0.3), factor: between(1.5, 4), steps: pick([2, 4, 8]) }
        : { share: 0, factor: 1, steps: 8 },
    shared,
    noise: pick([0.003, 0.01, 0.03]),
  };
}
