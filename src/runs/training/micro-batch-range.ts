import { divisorsOf } from '../../balance/tune-micro-batch.ts';
import { machine } from '../../machine.ts';
import { cellsOf } from '../../pipeline/cells.ts';
import type { ResolvedTrain } from '../../pipeline/resolve/outputs.ts';
import type { Resolved } from '../../pipeline/resolve/resolve.ts';
import type { CellLayout } from '../../train/cells.ts';
import { bytesPerSample, chooseMicroBatch, stateBytes, workPerToken } from '../../train/microbatch.ts';
import { numbersPerParameter } from '../../train/optimizers/options.ts';
import type { DeviceRoom } from './training-device.ts';

/** Where the micro-batch begins and how far it may go. */
export interface MicroBatchRange {
  readonly start: number;
  /** The largest that may be tried; absent where it is fixed. */
  readonly most?: number;
  /** The model mixes samples in pairs: only even ones may be tried. */
  readonly even?: boolean;
  /** Why it begins there. */
  readonly reason: string;
}

/** Tokens per pass beyond which a larger micro-batch computes no faster on a few cores: where the search begins. */
const enoughTokens = 2000;
/**
 * Floating-point operations of a pass beyond which a larger one computes hardly faster on a GPU: handing a pass over takes 10 to 30 ms, whatever its size, so
 * that half a second of an H200's float32 hides it.
 */
const enoughWork = 25e12;
/** Samples with which it begins for a model that does not say what a sample takes. */
const unknownStart = 16;
/**
 * Shares of the memory that is free, on a cpu beside the training's state, that passes, and rendered samples, may be expected to take. A device answers a pass that finds no memory, and the estimate is
 * high: there, nearly all may be tried, and half to begin with.
 */
const share = { passes: 0.6, cells: 0.25, devicePasses: 0.9, deviceStart: 0.5 };

/**
 * The micro-batch of a training: as asked, or a safe guess to begin with and the bound of the search: what the machine's memory allows by a high
 * estimate, and what `cells` has room for. @param free bytes of the host. @param device that computes, where it has memory of its own.
 */
export function microBatchRange(
  train: ResolvedTrain,
  { spec, definition, capacity }: Pick<Resolved, 'spec' | 'definition' | 'capacity'>,
  { cellBytes }: Pick<CellLayout, 'cellBytes'>,
  free: number = machine().free,
  device?: DeviceRoom,
): MicroBatchRange {
  const { microBatch, batch, model } = train;
  if (microBatch !== 'auto') return { start: microBatch, reason: `${microBatch} of ${batch}: as asked.` };
  const work = model.definition.work?.(model.options, spec);
  const { parameters = 0 } = model.definition.cost?.(model.options, spec) ?? {};
  const left = Math.max(0, free - stateBytes(parameters, numbersPerParameter(train)));
  const inPasses =
    work === undefined
      ? Number.POSITIVE_INFINITY
      : (device === undefined ? share.passes * left : share.devicePasses * device.free) /
        bytesPerSample({ ...work, batch, cellBytes, memory: 0, enoughTokens });
  const inRing = (share.cells * (device === undefined ? left : free)) / (3 * Math.max(1, cellBytes));
  const even = model.definition.pairs?.(model.options) ?? false;
  const divisors = divisorsOf(batch, Math.max(even ? 2 : 1, Math.floor(Math.min(inRing, inPasses))), even);
  const largest = divisors.at(-1)!;
  const guess =
    work === undefined
      ? { microBatch: divisors.find((n) => n >= unknownStart) ?? largest, reason: '' }
      : chooseMicroBatch({
          ...work,
          batch,
          cellBytes,
          memory: device === undefined ? share.passes * left : share.deviceStart * device.free,
          enoughTokens: device === undefined ? enoughTokens : Math.ceil(enoughWork / workPerToken(work)),
          even,
        });
  const start = Math.min(guess.microBatch, largest);
  // Cells that were asked for have to do, for the guess at least, which is told where they do not.
  const { cells } = definition;
  const inCells = cells === undefined ? largest : (cells - (capacity.mostThreads ?? capacity.threads)) / 2;
  const most = divisors.filter((n) => n <= Math.max(start, inCells)).at(-1)!;
  const pairs = even ? { even } : {};
  if (work === undefined) {
    return {
      start,
      most,
      ...pairs,
      reason: `${start} of ${batch} to begin with: the model does not say what a sample takes.`,
    };
  }
  return {
    start,
    most,
    ...pairs,
    reason: start === guess.microBatch ? guess.reason : `${start} of ${batch}: more would not fit.`,
  };
}

/** Cells of the ring: as asked, or as many as the largest micro-batch that may be tried wants. */
export function ringCells(
  { start, most = start }: MicroBatchRange,
  { definition, capacity }: Pick<Resolved, 'definition' | 'capacity'>,
): number {
  const { cells } = definition;
  return cellsOf(cells, cells === undefined ? most : start, capacity.threads);
}
