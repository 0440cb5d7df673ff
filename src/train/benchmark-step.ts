import { awake } from '../awake-clock.ts';
import type { HostBatch, Model } from '../models/model.ts';
import type { TrainDefinition } from './definition.ts';
import type { Peak } from './flops.ts';
import { makeOptimizer } from './optimizers/make.ts';
import { disposeState } from './optimizers/optimizer.ts';
import { devicePeak } from './peak.ts';
import { chanceOf } from './random-source.ts';
import { Step } from './step.ts';
import { openFreshModel } from './worker/open-model.ts';

/** A trainer without a loader, on fresh weights. Owned by whoever made it, who calls `dispose`. */
export interface Alone {
  /** Which backend computes, and why. */
  readonly why: string;
  /** What the device could do. */
  peak(): Promise<Peak | undefined>;
  /**
   * Images per second, and milliseconds of a core per image, of steps of whole batches in micro-batches of that size, made of `fields` as often as they
   * are needed; nothing where there is no memory for them.
   */
  measure(
    fields: HostBatch,
    microBatch: number,
    milliseconds: number,
  ): Promise<{ readonly imagesPerSecond: number; readonly coreMs: number } | undefined>;
  dispose(): void;
}

/** Passes after which a backend has recorded and compiled a shape. */
const warmUpPasses = 6;

/** Opens the model of a definition with fresh parameters, to time its steps. @throws what backend and model throw. */
export async function trainerAlone(
  definition: TrainDefinition,
  options: { readonly model?: Model; note?(text: string): void } = {},
): Promise<Alone> {
  const { model, params, choice, dispose } = await openFreshModel(definition, options);
  const optimizer = makeOptimizer(definition.optimizer, model.decays);
  const state = optimizer.init(params);
  const step = new Step({ model, params, optimizer, state });
  const { batch } = definition;
  return {
    why: choice.why,
    peak: () => devicePeak(choice),
    async measure(fields, microBatch, milliseconds) {
      const samples = repeated(fields, microBatch);
      const rows = Array.from({ length: microBatch }, (_, n) => n);
      const chance = chanceOf({ keys: rows.map(String), positions: rows }, { seed: definition.seed, step: 0 });
      const add = () => step.add(samples, undefined, chance);
      for (let pass = 0; pass < warmUpPasses; pass++) {
        step.clear();
        add();
      }
      await step.measure();
      step.clear();
      if (step.refused !== undefined && step.refused <= microBatch) return undefined;
      const [began, cpu] = [awake.now(), process.cpuUsage()];
      let steps = 0;
      while (steps < 2 || awake.now() - began < milliseconds) {
        for (let done = 0; done < batch; done += microBatch) add();
        await step.measure();
        step.update(1e-6);
        step.clear();
        steps++;
      }
      const { user, system } = process.cpuUsage(cpu);
      const images = steps * batch;
      return {
        imagesPerSecond: (1000 * images) / (awake.now() - began),
        coreMs: (user + system) / 1000 / images,
      };
    },
    dispose() {
      step.dispose();
      disposeState(state);
      dispose();
    },
  };
}

/** As many samples as asked for, the given ones over and over. */
function repeated(fields: HostBatch, count: number): HostBatch {
  return Object.fromEntries(
    Object.entries(fields).map(([name, { dtype, shape, data }]) => {
      const [given = 1, ...rest] = shape;
      const perRow = data.length / given;
      const copy = new (data.constructor as new (length: number) => typeof data)(count * perRow);
      for (let n = 0; n < count; n++)
        copy.set(data.subarray((n % given) * perRow, ((n % given) + 1) * perRow), n * perRow);
      return [name, { dtype, shape: [count, ...rest], data: copy }];
    }),
  );
}
