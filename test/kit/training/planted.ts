import type { Cause } from '../../../src/balance/bottleneck.ts';
import type { Coupled } from './coupled.ts';

/** A training in good balance: the trainer is busy. */
export const plain: Coupled = {
  cores: 8,
  threads: 8,
  permits: 32,
  cells: 3 * 32 + 8,
  batch: 64,
  microBatch: 32,
  steps: 40,
  sourceMs: 2,
  stages: [{ name: 'decode', ms: 0.1 }],
  renderMs: 2.5,
  trainer: { passMs: 1, sampleMs: 0.5, uploadMs: 0.02, updateMs: 2 },
};

export interface Planted {
  readonly plan: Coupled;
  readonly cause: Cause;
  readonly stage?: string;
  readonly knob: string;
  /** The same with the knob turned, or the part mended. */
  readonly better: Coupled;
}

/** Uploads hold the cells for a quarter of the time, which a ring of two micro-batches and little more cannot make up for. */
const heldCells: Coupled = {
  ...plain,
  renderMs: 4.5,
  trainer: { passMs: 1, sampleMs: 0.4, uploadMs: 0.2, updateMs: 2 },
};

/** Trainings with one thing wrong. */
export const planted: Readonly<Record<string, Planted>> = {
  'the source is slow': {
    plan: { ...plain, sourceMs: 25 },
    cause: 'source',
    stage: 'source',
    knob: 'source',
    better: plain,
  },
  'one stage is slow': {
    plan: { ...plain, stages: [...plain.stages, { name: 'lookup', ms: 12, concurrency: 8 }] },
    cause: 'stage',
    stage: 'lookup',
    knob: 'lookup.concurrency',
    better: { ...plain, stages: [...plain.stages, { name: 'lookup', ms: 12, concurrency: 24 }] },
  },
  'rendering is slow': {
    plan: { ...plain, renderMs: 9 },
    cause: 'render',
    stage: 'render',
    knob: 'source',
    better: plain,
  },
  'rendering has too few threads': {
    plan: { ...plain, threads: 2 },
    cause: 'render',
    stage: 'render',
    knob: 'threads',
    better: plain,
  },
  'the trainer is slow': {
    plan: { ...plain, trainer: { ...plain.trainer, sampleMs: 1.5 } },
    cause: 'trainer',
    knob: 'device',
    better: { ...plain, trainer: { ...plain.trainer, sampleMs: 1.5 } },
  },
  'the micro-batch is too small': {
    plan: { ...plain, microBatch: 4, trainer: { ...plain.trainer, passMs: 3, sampleMs: 0.4 } },
    cause: 'micro-batch',
    knob: 'microBatch',
    better: { ...plain, trainer: { ...plain.trainer, passMs: 3, sampleMs: 0.4 } },
  },
  'the ring is too small': {
    plan: { ...heldCells, cells: 34 },
    cause: 'ring',
    knob: 'cells',
    better: heldCells,
  },
  'permits are too few': {
    plan: { ...plain, permits: 8, sourceMs: 6 },
    cause: 'permits',
    knob: 'permits',
    better: { ...plain, permits: 64, sourceMs: 6 },
  },
  'samples fail': {
    plan: { ...plain, renderMs: 5, fails: 0.4 },
    cause: 'failures',
    stage: 'render',
    knob: 'source',
    better: { ...plain, renderMs: 5 },
  },
  'uploads are slow': {
    plan: { ...plain, trainer: { ...plain.trainer, uploadMs: 0.5 } },
    cause: 'upload',
    knob: 'size',
    better: plain,
  },
  'the cores are shared': {
    plan: { ...plain, trainer: { ...plain.trainer, sampleMs: 1.2, onCores: true }, renderMs: 6 },
    cause: 'cores',
    knob: 'source',
    better: { ...plain, trainer: { ...plain.trainer, sampleMs: 1.2, onCores: true }, renderMs: 0.1 },
  },
};
