import * as tf from '../backends/tf.ts';
import type { Model } from '../models/model.ts';
import { type Checkpoint, fromFile } from './checkpoint.ts';
import { initialValues } from './initial-values.ts';
import type { OptimizerState } from './optimizer.ts';
import type { FloatTensor, Safetensors } from './safetensors.ts';

const moments = { first: 'exp_avg.', second: 'exp_avg_sq.' } as const;

/** Parameters and fixed tables in the layout of files, read from the backend. */
export async function modelTensors(
  model: Model,
  params: Readonly<Record<string, tf.Tensor>>,
): Promise<Map<string, FloatTensor>> {
  return new Map([...(await collect(model, params, '')), ...(model.fixed?.() ?? [])]);
}

/** The optimizer's moments in the layout of files, read from the backend: `exp_avg.<name>`, `exp_avg_sq.<name>`. */
export async function optimizerTensors(model: Model, state: OptimizerState): Promise<Map<string, FloatTensor>> {
  const first = await collect(model, state.first, moments.first);
  const second = await collect(model, state.second, moments.second);
  return new Map([...first, ...second]);
}

async function collect(model: Model, values: Readonly<Record<string, tf.Tensor>>, prefix: string) {
  const tensors = new Map<string, FloatTensor>();
  for (const [name, tensor] of Object.entries(values)) {
    const { shape, toFile } = model.stored(name);
    tensors.set(prefix + name, { shape, data: toFile((await tensor.data()) as Float32Array) });
  }
  return tensors;
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

/** Gives parameters and moments the values of a checkpoint, bit for bit as they were saved. */
export function loadCheckpoint(
  model: Model,
  params: Readonly<Record<string, tf.Variable>>,
  state: OptimizerState,
  checkpoint: Checkpoint,
): void {
  const where = checkpoint.path;
  loadParams(model, params, checkpoint.model, where);
  for (const moment of ['first', 'second'] as const) {
    const variables = state[moment];
    const options = { prefix: moments[moment], where };
    assign(variables, fromFile(checkpoint.optimizer, Object.keys(variables), model.stored, options));
  }
  state.step = checkpoint.state.updates;
}

function assign(variables: Readonly<Record<string, tf.Variable>>, values: ReadonlyMap<string, Float32Array>): void {
  for (const [name, variable] of Object.entries(variables)) {
    const fresh = tf.tensor(values.get(name)!, variable.shape);
    variable.assign(fresh);
    fresh.dispose();
  }
}
