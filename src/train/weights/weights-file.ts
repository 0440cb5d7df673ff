import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fail, messageOf, PatchstreamError } from '../../errors.ts';
import { openSafetensors, type Safetensors, type StoredTensor } from '../../formats/safetensors.ts';
import { unlessGone } from '../../whole-file.ts';
import {
  checkpointAt,
  checkpointFolder,
  checkpointNames,
  newestCheckpoint,
  readModel,
  type StoredModel,
  undigested,
} from './checkpoint.ts';
import { insteadOf, pipelineFile } from './no-weights.ts';

/**
 * The tensors of a weights file: a `.safetensors` file, a checkpoint's folder, or a run's, whose newest whole checkpoint is taken. The digests of
 * a checkpoint are compared; values are read when they are asked for.
 *
 * @param note hears of broken checkpoints that are passed over, and of a checkpoint without a digest.
 * @throws WEIGHTS_MISSING, WEIGHTS_PIPELINE, WEIGHTS_BROKEN, CHECKPOINT_BROKEN
 */
export async function readWeights(path: string, note: (text: string) => void): Promise<Safetensors> {
  return (await readTrained(path, note)).model;
}

/** Weights, with what their checkpoint says of them, where they are of one. */
export type TrainedWeights = Pick<StoredModel, 'model'> & Partial<Pick<StoredModel, 'state'>>;

/** Errors that say what is wrong by themselves. */
const ownCodes = ['CHECKPOINT_BROKEN', 'FILE_UNREADABLE', 'WEIGHTS_MISSING', 'WEIGHTS_PIPELINE', 'WEIGHTS_BROKEN'];

/** As `readWeights`, with the state of the checkpoint. */
export async function readTrained(path: string, note: (text: string) => void): Promise<TrainedWeights> {
  try {
    if ((await stat(path).catch(unlessGone)) === undefined)
      throw fail('WEIGHTS_MISSING', { path, advice: insteadOf(path) });
    const isPipeline = pipelineFile(path);
    if (isPipeline !== undefined) throw isPipeline;
    const checkpoint = await checkpointAt(path);
    if (checkpoint !== undefined) return await namedModel(checkpoint, note);
    if (!(await isFolder(path))) return { model: openSafetensors(path) };
    return await inFolder(path, note);
  } catch (cause) {
    if (cause instanceof PatchstreamError && ownCodes.includes(cause.code)) throw cause;
    throw fail('WEIGHTS_BROKEN', { found: messageOf(cause) }, { where: path, cause });
  }
}

async function namedModel(path: string, note: (text: string) => void): Promise<StoredModel> {
  const found = await readModel(path);
  if (found.state.digest === undefined) note(undigested(path));
  return found;
}

async function isFolder(path: string): Promise<boolean> {
  return (await stat(path)).isDirectory();
}

/** Of a run's newest checkpoint; of any other folder the file in it. */
async function inFolder(folder: string, note: (text: string) => void): Promise<TrainedWeights> {
  const checkpoints = checkpointFolder(folder);
  const newest = await newestCheckpoint(checkpoints, readModel, note);
  if (newest !== undefined) return newest;
  const names = await checkpointNames(checkpoints);
  // Weights beside broken checkpoints are not what was asked for.
  if (names.length > 0) throw fail('CHECKPOINT_BROKEN', { found: 'none of them is' }, { where: checkpoints });
  const file = join(folder, 'model.safetensors');
  if ((await stat(file).catch(unlessGone)) === undefined)
    throw fail('WEIGHTS_BROKEN', { found: 'a folder without checkpoints and model.safetensors' }, { where: folder });
  return { model: openSafetensors(file) };
}

/** Whether a tensor of a file belongs to the encoder: what remains of a masked model after its pre-training. */
export function isOfEncoder(name: string): boolean {
  return name === 'cls_token' || name === 'pos_embed' || /^(patch_embed|blocks|norm)\./.test(name);
}

/** The encoder's part of a file. */
export function encoderTensors({ tensors }: Safetensors): Map<string, StoredTensor> {
  return new Map([...tensors].filter(([name]) => isOfEncoder(name)));
}
