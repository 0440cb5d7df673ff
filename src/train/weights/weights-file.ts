import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fail, reasonOf } from '../../errors.ts';
import {
  looksLikeSafetensors,
  openSafetensors,
  type Safetensors,
  type StoredTensor,
} from '../../formats/safetensors.ts';
import { systemCode, unlessGone } from '../../whole-file.ts';
import {
  checkpointAt,
  checkpointFolder,
  checkpointNames,
  newestCheckpoint,
  readModel,
  type StoredModel,
  undigested,
} from './checkpoint.ts';
import { type WhichWeights, whichOf } from './checkpoint-state.ts';
import { insteadOf, pipelineFile } from './no-weights.ts';

/**
 * The tensors of a weights file: a `.safetensors` file, a checkpoint's folder, or a run's, whose newest whole checkpoint is taken. The digests of
 * a checkpoint are compared; values are read when they are asked for.
 *
 * @param note hears of broken checkpoints that are passed over, and of a checkpoint without a digest.
 * @param which of the weights of a checkpoint are meant; by default its average where it has one, and the file that `path` names.
 * @throws WEIGHTS_MISSING, WEIGHTS_PIPELINE, WEIGHTS_BROKEN, WEIGHTS_AVERAGE, CHECKPOINT_BROKEN, SAFETENSORS_INVALID, FILE_UNREADABLE
 */
export async function readWeights(
  path: string,
  note: (text: string) => void,
  which?: WhichWeights,
): Promise<Safetensors> {
  return (await readTrained(path, note, which)).model;
}

/** Weights, with what their checkpoint says of them, where they are of one. */
export type TrainedWeights = Pick<StoredModel, 'model'> & Partial<Pick<StoredModel, 'state' | 'part'>>;

/** As `readWeights`, with the state of the checkpoint. */
export async function readTrained(
  path: string,
  note: (text: string) => void,
  which?: WhichWeights,
): Promise<TrainedWeights> {
  try {
    if ((await stat(path).catch(unlessGone)) === undefined)
      throw fail('WEIGHTS_MISSING', { path, advice: insteadOf(path) });
    const isPipeline = pipelineFile(path);
    if (isPipeline !== undefined) throw isPipeline;
    const checkpoint = await checkpointAt(path);
    if (checkpoint !== undefined) return await namedModel(checkpoint, note, which ?? whichOf(path));
    if (await isFolder(path)) return await inFolder(path, note, which);
    return fileAlone(path, which);
  } catch (cause) {
    if (systemCode(cause) === undefined) throw cause;
    throw fail('FILE_UNREADABLE', { file: path, reason: reasonOf(cause) }, { cause });
  }
}

async function namedModel(path: string, note: (text: string) => void, which?: WhichWeights): Promise<StoredModel> {
  const found = await readModel(path, which);
  if (found.state.digest === undefined) note(undigested(path));
  return found;
}

async function isFolder(path: string): Promise<boolean> {
  return (await stat(path)).isDirectory();
}

/** Of a run's newest checkpoint; of any other folder the file in it. */
async function inFolder(folder: string, note: (text: string) => void, which?: WhichWeights): Promise<TrainedWeights> {
  const checkpoints = checkpointFolder(folder);
  const newest = await newestCheckpoint(checkpoints, (path) => readModel(path, which), note);
  if (newest !== undefined) return newest;
  const names = await checkpointNames(checkpoints);
  // Weights beside broken checkpoints are not what was asked for.
  if (names.length > 0) throw fail('CHECKPOINT_BROKEN', { found: 'none of them is' }, { where: checkpoints });
  const file = join(folder, 'model.safetensors');
  if ((await stat(file).catch(unlessGone)) === undefined)
    throw fail('WEIGHTS_BROKEN', { found: 'a folder without checkpoints and model.safetensors' }, { where: folder });
  return fileAlone(file, which);
}

/** A file that is part of no checkpoint: whatever it holds are its weights. */
function fileAlone(file: string, which: WhichWeights | undefined): TrainedWeights {
  if (which === 'ema') throw fail('WEIGHTS_AVERAGE', {}, { where: file });
  return { model: openWeights(file) };
}

/** As `openSafetensors`. @throws WEIGHTS_BROKEN too, for a file of another kind */
export function openWeights(file: string): Safetensors {
  if (looksLikeSafetensors(file)) return openSafetensors(file);
  throw fail('WEIGHTS_BROKEN', { found: 'a file of another kind' }, { where: file });
}

/** Whether a tensor of a file belongs to the encoder: what remains of a masked model after its pre-training. */
export function isOfEncoder(name: string): boolean {
  return name === 'cls_token' || name === 'pos_embed' || /^(patch_embed|blocks|norm|rel_pos_bias)\./.test(name);
}

/** The encoder's part of a file. */
export function encoderTensors({ tensors }: Safetensors): Map<string, StoredTensor> {
  return new Map([...tensors].filter(([name]) => isOfEncoder(name)));
}
