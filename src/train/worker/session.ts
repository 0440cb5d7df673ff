import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { BackendChoice } from '../../backends/choose.ts';
import { keepWithin } from '../../backends/moments.ts';
import * as tf from '../../backends/tf.ts';
import { fail } from '../../errors.ts';
import { anonymousBytes, machine } from '../../machine.ts';
import { buildModel } from '../../models/index.ts';
import type { Model } from '../../models/model.ts';
import { Random } from '../../random.ts';
import { classDifference } from '../../sources/classes.ts';
import { FolderGuard, makeFolder } from '../../whole-file.ts';
import { decisive, saveRule, scheduleOf, stepsOf, type TrainDefinition } from '../definition.ts';
import { differences } from '../differences.ts';
import { Average } from '../ema.ts';
import { epochAt } from '../epoch.ts';
import type { LoopOptions, Progress } from '../loop.ts';
import { type MetricsFile, openMetrics } from '../metrics.ts';
import { makeOptimizer } from '../optimizers/make.ts';
import { disposeState } from '../optimizers/optimizer.ts';
import {
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
import { loadCheckpoint, loadInitial, modelTensors, optimizerTensors } from '../weights/weights.ts';
import { readTrained, type TrainedWeights } from '../weights/weights-file.ts';
import { aboutModel, takeBackend } from './open-model.ts';

/** A run that is ready to train: all of the loop's options but where micro-batches come from and when it is told to stop. */
export interface Session {
  readonly loop: Omit<LoopOptions, 'next' | 'stopping'> & { readonly from: Progress };
  readonly choice: BackendChoice;
  /** The checkpoint that the run goes on from, if any. */
  readonly resumed: string | undefined;
  /** Names of the later checkpoints, which are broken. */
  readonly passedOver: readonly string[];
  /** A checkpoint was read by who measures it, and may go: a training that may be ended by what is measured goes on. */
  measured(path: string): void;
  /** The checkpoint that stays while it is the best, by its name. */
  keepBest(name: string): void;
  /** The training is to end, whatever is still to be measured. */
  proceed(): void;
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
  await makeFolder(folder);
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
  const optimizer = makeOptimizer(definition.optimizer, model.decays);
  const params = model.init((parameter) => new Random(seed, 'init', parameter));
  const state = optimizer.init(params);
  let average: Average | undefined;
  const dispose = () => {
    tf.dispose(params);
    disposeState(state);
    average?.dispose();
    model.dispose();
  };
  try {
    if (newest === undefined && definition.init !== undefined) {
      const { init } = definition;
      const first = await readTrained(init, note);
      refuseOtherClasses(first, init, classNames);
      for (const text of loadInitial(model, params, first.model, init)) note(text);
    }
    if (definition.ema !== undefined) average = new Average(params, definition.ema);
    const learner = { model, params, optimizer, state, average, clip: definition.clip?.norm };
    if (newest !== undefined) loadCheckpoint(learner, newest);
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
    let best: string | undefined;
    const waiting = new Map<string, () => void>();
    const proceed = (name: string) => {
      waiting.get(name)?.();
      waiting.delete(name);
    };
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
        ...(average && { average: modelTensors(model, average.values) }),
        about: aboutModel(definition.model),
        ...(definition.trained && { trained: trainedText({ ...definition.trained, classNames }) }),
      };
      guard.check();
      const kept = best === undefined ? held : new Set([...held, best]);
      const path = await saveCheckpoint(checkpoints, whole, checkpoint.keep, kept);
      hold(path);
      const judged = definition.judged && new Promise<void>((resolve) => waiting.set(basename(path), resolve));
      saved(path, step);
      await judged;
    };
    return {
      loop: {
        ...learner,
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
      measured: (path) => {
        held.delete(basename(path));
        proceed(basename(path));
      },
      keepBest: (name) => {
        best = name;
      },
      proceed: () => {
        for (const name of waiting.keys()) proceed(name);
      },
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

/** Versions that a checkpoint was made with, for those who compare two. */
function versions(): Record<string, string> {
  const own = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  return { patchstream: own.version, tfjs: tf.version.tfjs, node: process.versions.node };
}
