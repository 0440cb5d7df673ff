import { readFile, stat } from 'node:fs/promises';
import { fail, messageOf } from '../errors.ts';
import { decodeSafetensors, type Safetensors, type StoredTensor } from './safetensors.ts';

/**
 * The tensors of a weights file: a `.safetensors` file, or a checkpoint's folder.
 * @throws WEIGHTS_BROKEN when there is none, or it is no such file.
 */
export async function readWeights(path: string): Promise<Safetensors> {
  try {
    const file = (await stat(path)).isDirectory() ? `${path}/model.safetensors` : path;
    return decodeSafetensors(await readFile(file), file);
  } catch (cause) {
    throw fail('WEIGHTS_BROKEN', { found: messageOf(cause) }, { where: path, cause });
  }
}

/** Whether a tensor of a file belongs to the encoder: what remains of a masked model after its pre-training. */
export function isOfEncoder(name: string): boolean {
  return name === 'cls_token' || name === 'pos_embed' || /^(patch_embed|blocks|norm)\./.test(name);
}

/** The encoder's part of a file. */
export function encoderTensors({ tensors }: Safetensors): Map<string, StoredTensor> {
  return new Map([...tensors].filter(([name]) => isOfEncoder(name)));
}
