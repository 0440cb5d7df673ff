import t from 'tap';
import * as tf from '../../src/backends/tf.ts';
import { prepareWasm } from '../../src/backends/wasm.ts';
import type { Model } from '../../src/models/model.ts';
import { Random } from '../../src/random.ts';
import { adamw, disposeState } from '../../src/train/optimizer.ts';
import { Step } from '../../src/train/step.ts';
import { linearFields, linearModel } from '../kit/train.ts';

await prepareWasm();

/** A step over a fresh linear model, changed as given, for the time of `f`. */
function withStep(change: Partial<Model>, f: (step: Step) => void): void {
  const model = { ...linearModel(), ...change };
  const params = model.init((name) => new Random(7, 'init', name));
  const optimizer = adamw(model.decays);
  const state = optimizer.init(params);
  const step = new Step({ model, params, optimizer, state });
  try {
    f(step);
  } finally {
    step.dispose();
    tf.dispose(params);
    disposeState(state);
  }
}

t.test('memory that was lent is given back after the copy and before anything is computed', (t) => {
  const { inputs, loss } = linearModel();
  const heard: string[] = [];
  const change: Partial<Model> = {
    inputs: (batch) => {
      heard.push('inputs');
      return inputs(batch);
    },
    loss: (params, tensors) => {
      heard.push('loss');
      return loss(params, tensors);
    },
  };
  withStep(change, (step) => {
    step.add(linearFields([0, 1]), () => heard.push('copied'));
    t.same(heard, ['inputs', 'copied', 'loss']);
  });
  t.end();
});
