import * as tf from '../../backends/tf.ts';
import type { FloatTensor, LateTensor, Safetensors } from '../../formats/safetensors.ts';
import type { Model } from '../../models/model.ts';
import type { OptimizerState } from '../optimizers/optimizer.ts';
import type { Learner } from '../step.ts';
import type { Checkpoint } from './checkpoint.ts';
import { initialValues } from './initial-values.ts';
import { fromFile } from './stored-values.ts';

/** Parameters and fixed tables in the layout of files; each parameter is read from the backend when its turn comes. */
export function modelTensors(
  model: Model,
  params: Readonly<Record<string, tf.Tensor>>,
): Map<string, FloatTensor | LateTensor> {
  return new Map<string, FloatTensor | LateTensor>([...late(model, params, ''), ...(model.fixed?.() ?? [])]);
}

/** The optimizer's moments in the layout of files, `<moment>.<name>`, read from the backend one by one. */
export function optimizerTensors(model: Model, state: OptimizerState): Map<string, LateTensor> {
  return new Map(Object.entries(state.moments).flatMap(([moment, values]) => late(model, values, `${moment}.`)));
}

function late(model: Model, values: Readonly<Record<string, tf.Tensor>>, prefix: string): [string, LateTensor][] {
  return Object.entries(values).map(([name, tensor]) => {
    const { shape, toFile } = model.stored(name);
    return [prefix + name, { shape, read: async () => toFile((await tensor.data()) as Float32Array) }];
  });
}

/**
 * Gives parameters the values of a file.
 * @throws CHECKPOINT_MISMATCH when the file is of another model.
 */
export function loadParams(
  model: Model,
  params: Readonly<Record<string, tf.Variable>>,
  stored: Safetensors,
  where: string,
): void {
  assign(params, fromFile(stored, Object.keys(params), model.stored, { where }));
}

/**
 * Gives parameters the first values that a file has for them, its own or an encoder's; the others stay as they are. Returns what the user
 * should know.
 * @throws WEIGHTS_MISMATCH when the file is of another model.
 */
export function loadInitial(
  model: Model,
  params: Readonly<Record<string, tf.Variable>>,
  stored: Safetensors,
  where: string,
): readonly string[] {
  const { values, notes } = initialValues(model, stored, where);
  assign(Object.fromEntries([...values.keys()].map((name) => [name, params[name]!])), values);
  return notes;
}

/** Gives parameters, moments and the average the values of a checkpoint, bit for bit as they were saved. */
export function loadCheckpoint({ model, params, state, average }: Learner, checkpoint: Checkpoint): void {
  const where = checkpoint.path;
  loadParams(model, params, checkpoint.model, where);
  for (const [moment, variables] of Object.entries(state.moments)) {
    const options = { prefix: `${moment}.`, where };
    assign(variables, fromFile(checkpoint.optimizer, Object.keys(variables), model.stored, options));
  }
  if (average !== undefined && checkpoint.average !== undefined)
    loadParams(model, average.values, checkpoint.average, where);
  state.step = checkpoint.state.updates;
}

function assign(
  variables: Readonly<Record<string, tf.Variable>>,
  values: ReadonlyMap<string, () => Float32Array>,
): void {
  for (const [name, variable] of Object.entries(variables)) {
    const fresh = tf.tensor(values.get(name)!(), variable.shape);
    variable.assign(fresh);
    fresh.dispose();
  }
}
