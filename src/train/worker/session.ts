import { readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { type BackendChoice, type BackendWish, chooseBackend } from '../../backends/choose.ts';
import { keepWithin } from '../../backends/moments.ts';
import * as tf from '../../backends/tf.ts';
import { fewThreads } from '../../backends/torch/prepare.ts';
import { fail } from '../../errors.ts';
import type { Safetensors } from '../../formats/safetensors.ts';
import { anonymousBytes, machine } from '../../machine.ts';
import { buildModel } from '../../models/index.ts';
import type { Model } from '../../models/model.ts';
import { Random } from '../../random.ts';
import { classDifference } from '../../sources/classes.ts';
import { FolderGuard } from '../../whole-file.ts';
import { adamwOptions, decisive, saveRule, scheduleOf, stepsOf, type TrainDefinition } from '../definition.ts';
import { differences } from '../differences.ts';
import { epochAt } from '../epoch.ts';
import type { LoopOptions, Progress } from '../loop.ts';
import { type MetricsFile, openMetrics } from '../metrics.ts';
import { adamw, disposeState } from '../optimizer.ts';
import {
  aboutKey,
  type Checkpoint,
  checkpointFolder,
  checkpointNames,
  digestDefinition,
  newestCheckpoint,
  readCheckpoint,
  saveCheckpoint,
} from '../weights/checkpoint.ts';
import { removeCheckpoints } from '../weights/checkpoint-names.ts';
import { trainedText } from '../weights/trained-on.ts';
import { loadCheckpoint, loadInitial, loadParams, modelTensors, optimizerTensors } from '../weights/weights.ts';
import { readTrained, readWeights, type TrainedWeights } from '../weights/weights-file.ts';

/** A run that is ready to train: all of the loop's options but where micro-batches come from and when it is told to stop. */
export interface Session {
  readonly loop: Omit<LoopOptions, 'next' | 'stopping'> & { readonly from: Progress };
  readonly choice: BackendChoice;
  /** The checkpoint that the run goes on from, if any. */
  readonly resumed: string | undefined;
  /** Names of the later checkpoints, which are broken. */
  readonly passedOver: readonly string[];
  /** A checkpoint was read by who measures it, and may go. */
  measured(path: string): void;
  /** Frees tensors and closes files. */
  close(): Promise<void>;
}

export interface SessionOptions {
  /** A model made in the running program, instead of one built by name. */
  readonly model?: Model | undefined;
  /** Hears what the user should know: the backend taken, a broken checkpoint passed over. */
  note?(text: string): void;
  /** Hears of each checkpoint once it is whole. */
  saved?(path: string, step: number): void;
}

/**
 * Opens a run's folder: chooses the backend, builds the model, takes up the newest whole checkpoint or starts from fresh parameters,
 * and cuts `metrics.jsonl` to where it goes on. What an earlier run has left of a training that is begun afresh goes with its first step.
 * @throws CHECKPOINT_MISMATCH when the folder holds a checkpoint of another definition; WEIGHTS_CLASSES; errors of backend and model.
 */
export async function openSession(definition: TrainDefinition, options: SessionOptions = {}): Promise<Session> {
  const { note = () => {}, saved = () => {} } = options;
  const { folder, seed, checkpoint, classNames } = definition;
  const checkpoints = checkpointFolder(folder);
  await mkdir(folder, { recursive: true });
  const guard = new FolderGuard(folder);
  const fresh = definition.fresh === true;
  const newest = fresh ? undefined : await newestCheckpoint(checkpoints, readCheckpoint, note);
  const passedOver = fresh ? [] : await laterThan(newest, checkpoints);
  if (passedOver.length > 0 && newest === undefined) note('The training starts from the beginning.');
  const digest = digestDefinition(decisive(definition));
  // As JSON has it: what is not set is not there.
  const decides: unknown = JSON.parse(JSON.stringify(definition.decides ?? decisive(definition)));
  refuseForeign(newest, digest, decides);
  refuseClasses(newest, classNames);

  const choice = await takeBackend(definition, note);
  keepWithin(machine(), anonymousBytes(), definition.loadingBytes);
  const model = options.model ?? (await buildModel(definition.model));
  const optimizer = adamw(model.decays, adamwOptions(definition));
  const params = model.init((parameter) => new Random(seed, 'init', parameter));
  const state = optimizer.init(params);
  const dispose = () => {
    tf.dispose(params);
    disposeState(state);
    model.dispose();
  };
  try {
    if (newest !== undefined) loadCheckpoint(model, params, state, newest);
    else if (definition.init !== undefined) {
      const { init } = definition;
      const first = await readTrained(init, note);
      refuseOtherClasses(first, init, classNames);
      for (const text of loadInitial(model, params, first.model, init)) note(text);
    }
    const from = { step: newest?.state.step ?? 0, position: newest?.state.position ?? 0 };
    let metrics: MetricsFile | undefined;
    const begun = async () => {
      if (metrics !== undefined) return metrics;
      if (fresh) await removeCheckpoints(checkpoints);
      metrics = await openMetrics(join(folder, 'metrics.jsonl'), from.step);
      return metrics;
    };
    if (!fresh) await begun();
    // Those that are to be measured stay until they are.
    const held = new Set<string>();
    const hold = (path: string) => definition.evaluate !== undefined && held.add(basename(path));
    if (newest !== undefined) hold(newest.path);

    const save = async ({ step, position }: Progress) => {
      // Rows first: a checkpoint must never be ahead of the metrics it is resumed with.
      await (await begun()).sync();
      const whole = {
        state: {
          ...{ step, position, updates: state.step, seed, versions: versions(), definition: digest, decides },
          ...(classNames && { classNames }),
        },
        model: modelTensors(model, params),
        optimizer: optimizerTensors(model, state),
        about: aboutModel(definition.model),
        ...(definition.trained && { trained: trainedText({ ...definition.trained, classNames }) }),
      };
      guard.check();
      const path = await saveCheckpoint(checkpoints, whole, checkpoint.keep, held);
      hold(path);
      saved(path, step);
    };
    return {
      loop: {
        model,
        params,
        optimizer,
        state,
        schedule: scheduleOf(definition),
        batch: definition.batch,
        steps: stepsOf(definition),
        count: definition.count,
        dropLast: definition.dropLast,
        seed,
        from,
        onNotANumber: definition.onNotANumber,
        onStep: async (measures) => (await begun()).append(measures),
        note,
        save,
        due: saveRule(definition, epochAt(from.position, definition)),
      },
      choice,
      resumed: newest?.path,
      passedOver,
      measured: (path) => held.delete(basename(path)),
      close: async () => {
        dispose();
        await metrics?.close();
      },
    };
  } catch (error) {
    dispose();
    throw error;
  }
}

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

type ModelOptions = Pick<SessionOptions, 'model' | 'note'>;

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

async function storedIn(where: string, { note = () => {} }: ModelOptions): Promise<StoredWeights> {
  const { model, state } = await readTrained(where, note);
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
function aboutModel({ name, options, shown, spec: { grid, windows } }: TrainDefinition['model']): string {
  return JSON.stringify({ [name]: shown ?? options, patch: grid?.patch, K: windows?.K });
}

async function laterThan(newest: Checkpoint | undefined, folder: string): Promise<readonly string[]> {
  const names = await checkpointNames(folder);
  return newest === undefined ? names : names.slice(names.indexOf(basename(newest.path)) + 1);
}

function refuseForeign(newest: Checkpoint | undefined, digest: string, decides: unknown): void {
  if (newest === undefined || newest.state.definition === digest) return;
  const { decides: stored } = newest.state;
  const found =
    (stored === undefined ? undefined : differences(stored, decides)) ??
    'it was made with another model, data, batch, length, seed, optimizer or schedule, and does not say which';
  throw fail('CHECKPOINT_MISMATCH', { found }, { where: newest.path });
}

/** Ranks of labels must mean what they meant: another name under the same rank is another class to the weights. */
function refuseClasses(newest: Checkpoint | undefined, classNames: readonly string[] | undefined): void {
  const trained = newest?.state.classNames;
  if (newest === undefined || trained === undefined || classNames === undefined) return;
  const difference = classDifference(trained, classNames);
  if (difference === undefined) return;
  throw fail('CHECKPOINT_MISMATCH', { found: `the source now has ${difference}` }, { where: newest.path });
}

/** As above, of the weights that a training begins with: they have a head only where they were trained on labels. */
function refuseOtherClasses({ state }: TrainedWeights, where: string, classNames: readonly string[] | undefined): void {
  if (state?.classNames === undefined || classNames === undefined) return;
  const found = classDifference(state.classNames, classNames);
  if (found !== undefined) throw fail('WEIGHTS_CLASSES', { found }, { where });
}

async function takeBackend(
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

/** Versions that a checkpoint was made with, for those who compare two. */
function versions(): Record<string, string> {
  const own = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  return { patchstream: own.version, tfjs: tf.version.tfjs, node: process.versions.node };
}
