import { existsSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fail, messageOf } from '../errors.ts';
import { checkpointFolder, newestCheckpoint } from './checkpoint.ts';
import { decodeSafetensors, type Safetensors, type StoredTensor } from './safetensors.ts';

/**
 * The tensors of a weights file: a `.safetensors` file, a checkpoint's folder, or a run's, whose newest whole checkpoint is taken.
 * @throws WEIGHTS_BROKEN when there is none, or it is no such file.
 */
export async function readWeights(path: string): Promise<Safetensors> {
  try {
    const file = (await isFolder(path)) ? join(await checkpointIn(path), 'model.safetensors') : path;
    return decodeSafetensors(await readFile(file), file);
  } catch (cause) {
    throw fail('WEIGHTS_BROKEN', { found: messageOf(cause) }, { where: path, cause });
  }
}

async function isFolder(path: string): Promise<boolean> {
  return (await stat(path)).isDirectory();
}

/** The newest checkpoint of a run's folder; any other folder is a checkpoint itself. */
async function checkpointIn(folder: string): Promise<string> {
  const checkpoints = checkpointFolder(folder);
  if (!existsSync(checkpoints)) return folder;
  // One that is broken is told by the run that wrote it, when it goes on.
  const newest = await newestCheckpoint(checkpoints, () => {});
  return newest?.path ?? folder;
}

/** Whether a tensor of a file belongs to the encoder: what remains of a masked model after its pre-training. */
export function isOfEncoder(name: string): boolean {
  return name === 'cls_token' || name === 'pos_embed' || /^(patch_embed|blocks|norm)\./.test(name);
}

/** The encoder's part of a file. */
export function encoderTensors({ tensors }: Safetensors): Map<string, StoredTensor> {
  return new Map([...tensors].filter(([name]) => isOfEncoder(name)));
}
