import { backendMilliseconds } from '../../src/backends/replay/replay.ts';
import * as tf from '../../src/backends/tf.ts';
import { median } from '../../src/balance/tune-micro-batch.ts';
import { buildModel } from '../../src/models/index.ts';
import type { HostBatch } from '../../src/models/model.ts';
import { Random } from '../../src/random.ts';
import { adamw } from '../../src/train/optimizers/adamw.ts';
import { disposeState } from '../../src/train/optimizers/optimizer.ts';
import { Step, type StepOptions } from '../../src/train/step.ts';
import { noiseBatch } from '../peers/noise.ts';
import type { Plan } from './plans.ts';

/** A model with fresh parameters and its optimizer, to be trained on one micro-batch of noise, on the backend that was chosen. */
export interface Training {
  /** A step of the training loop of so many passes, by default one: upload, forward, backward, norms, AdamW. Gives its milliseconds. */
  step(passes?: number): Promise<number>;
  /** A step with this rate. Gives its loss. */
  loss(lr: number): Promise<number>;
  /** What a step cost beside the backend's own time. */
  told(): string;
  dispose(): void;
}

/** What a training may be given where the usual takes too long to draw, chance for the parameters and a micro-batch; and how it computes, as `StepOptions`. */
export interface Given extends Pick<StepOptions, 'launch' | 'replay'> {
  readonly random?: (parameter: string) => Random;
  readonly batch?: HostBatch;
}

export async function openTraining(
  { model: name, options, spec, noise }: Plan,
  { random = (parameter) => new Random(0, parameter, 'bench'), batch = noiseBatch(noise), ...how }: Given = {},
): Promise<Training> {
  const model = await buildModel({ name, options, spec });
  const params = model.init(random);
  const optimizer = adamw((parameter) => model.decays(parameter));
  const state = optimizer.init(params);
  const heard: string[] = [];
  const step = new Step({ model, params, optimizer, state }, { ...how, note: (text) => heard.push(text) });
  const javascript: number[] = [];
  return {
    async step(passes = 1) {
      const [begun, inBackend] = [performance.now(), backendMilliseconds()];
      for (let pass = 0; pass < passes; pass++) step.add(batch);
      await step.measure();
      step.update(1e-4);
      step.clear();
      const ms = performance.now() - begun;
      const now = backendMilliseconds();
      if (inBackend !== undefined && now !== undefined) javascript.push(ms - (now - inBackend));
      return ms;
    },
    async loss(lr) {
      step.add(batch);
      const { loss } = await step.measure();
      step.update(lr);
      step.clear();
      return loss;
    },
    told() {
      const { replayed, launched } = step.cost;
      const calls = replayed > 0 ? `${replayed} calls ${launched ? 'launched' : 'replayed'}` : 'not replayed';
      const own = javascript.length > 0 ? `, ${median(javascript).toFixed(1)} ms JavaScript` : '';
      return [`${calls}${own}`, ...heard].join('; ');
    },
    dispose() {
      step.dispose();
      tf.dispose(params);
      disposeState(state);
      model.dispose();
    },
  };
}
