import { type BackendChoice, type BackendWish, chooseBackend } from '../../backends/choose.ts';
import * as tf from '../../backends/tf.ts';
import { fewThreads } from '../../backends/torch/prepare.ts';
import { fail } from '../../errors.ts';
import type { Safetensors } from '../../formats/safetensors.ts';
import { buildModel } from '../../models/index.ts';
import type { Model } from '../../models/model.ts';
import { Random } from '../../random.ts';
import type { TrainDefinition } from '../definition.ts';
import { aboutKey, type WhichWeights } from '../weights/checkpoint.ts';
import { loadInitial, loadParams } from '../weights/weights.ts';
import { readTrained, readWeights } from '../weights/weights-file.ts';

/** A model with its parameters, to predict with. The caller owns `params` and calls `dispose`. */
export interface OpenModel {
  readonly model: Model;
  readonly params: Record<string, tf.Variable>;
  readonly choice: BackendChoice;
  /** The names of the classes that its checkpoint was trained on, where that says so. */
  readonly classNames?: readonly string[] | undefined;
  dispose(): void;
}

/** Weights read from a file, and which. */
export interface StoredWeights {
  readonly stored: Safetensors;
  readonly where: string;
  /** Of a checkpoint that was trained on labels. */
  readonly classNames?: readonly string[] | undefined;
}

interface ModelOptions {
  /** A model made in the running program, instead of one built by name. */
  readonly model?: Model | undefined;
  /** Hears what the user should know: the backend taken, a broken checkpoint passed over. */
  note?(text: string): void;
  /** Which weights of a checkpoint; by default its average where it has one. */
  readonly which?: WhichWeights | undefined;
}

/**
 * The model of a definition with the weights of a file, on the backend that the definition names.
 * @throws WEIGHTS_BROKEN, WEIGHTS_FOREIGN, CHECKPOINT_MISMATCH, and what backend and model throw.
 */
export async function openModel(
  definition: Pick<TrainDefinition, 'model' | 'backend' | 'device' | 'precision'>,
  weights: string | StoredWeights,
  options: ModelOptions = {},
): Promise<OpenModel> {
  const { stored, where, classNames } = typeof weights === 'string' ? await storedIn(weights, options) : weights;
  const [expected, found] = [aboutModel(definition.model), stored.metadata[aboutKey]];
  if (found !== undefined && found !== expected) throw fail('WEIGHTS_FOREIGN', { expected, found }, { where });
  const opened = await modelWith(definition, 0, options, (model, params) => loadParams(model, params, stored, where));
  return { ...opened, classNames };
}

async function storedIn(where: string, { which, note = () => {} }: ModelOptions): Promise<StoredWeights> {
  const { model, state } = await readTrained(where, note, which);
  return { stored: model, where, classNames: state?.classNames };
}

/** The model of a definition as its training begins: fresh parameters, or those of `init`. Otherwise as `openModel`. */
export async function openFreshModel(
  definition: Pick<TrainDefinition, 'model' | 'backend' | 'device' | 'precision' | 'seed' | 'init'>,
  options: ModelOptions = {},
): Promise<OpenModel> {
  const { init, seed } = definition;
  const stored = init === undefined ? undefined : await readWeights(init, options.note ?? (() => {}));
  return modelWith(definition, seed, options, (model, params) => {
    // What the training will say of them it says itself.
    if (stored !== undefined && init !== undefined) loadInitial(model, params, stored, init);
  });
}

async function modelWith(
  definition: Pick<TrainDefinition, 'model' | 'backend' | 'device' | 'precision'>,
  seed: number,
  { model: given, note = () => {} }: ModelOptions,
  load: (model: Model, params: OpenModel['params']) => void,
): Promise<OpenModel> {
  const choice = await takeBackend(definition, note);
  const model = given ?? (await buildModel(definition.model));
  const params = model.init((parameter) => new Random(seed, 'init', parameter));
  const dispose = () => {
    tf.dispose(params);
    model.dispose();
  };
  try {
    load(model, params);
  } catch (error) {
    dispose();
    throw error;
  }
  return { model, params, choice, dispose };
}

/** A model in one line: its name, its options, and how the pictures are cut for it. */
export function aboutModel({ name, options, shown, spec: { grid, windows } }: TrainDefinition['model']): string {
  return JSON.stringify({ [name]: shown ?? options, patch: grid?.patch, K: windows?.K });
}

/** Chooses the backend that a definition names. @throws BACKEND_MISSING, DEVICE_MISSING */
export async function takeBackend(
  { backend, device, precision = 'float32' }: Pick<TrainDefinition, 'backend' | 'device' | 'precision'>,
  note: (text: string) => void,
): Promise<BackendChoice> {
  // The options have seen to it that it is one of these.
  const named = (device === 'cuda' ? 'cuda:0' : device) as NonNullable<BackendWish['device']>;
  const choice = await chooseBackend({ backend, device: named, precision }, { warn: note });
  const few = fewThreads();
  if (few !== undefined) note(few);
  return choice;
}
