import { access, rename, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fail } from '../errors.ts';
import { checkpointFolder, newestCheckpoint, runFolderOf } from '../train/checkpoint.ts';
import { encodeSafetensors, floatsOf } from '../train/safetensors.ts';
import { encoderTensors, readWeights } from '../train/weights-file.ts';
import { type Command, exits, onlyWord } from './command.ts';

/** `patchstream export <run, checkpoint or file>` */
export const exportWeights: Command = {
  name: 'export',
  usage: '<run, checkpoint or file>',
  summary: "Write a model's weights as one safetensors file with timm's names.",
  options: {
    encoder: { type: 'boolean', about: 'The encoder alone: what fine-tuning begins with.' },
    output: {
      type: 'string',
      value: 'file',
      about: 'The file to write. Default: model.safetensors, or encoder.safetensors, in the run’s folder.',
    },
  },
  async run(given, { stdout, stderr }) {
    const { weights, folder } = await found(onlyWord(exportWeights, given), (text) => stderr.write(`${text}\n`));
    const encoder = given.flag('encoder');
    const path = given.text('output') ?? join(folder, encoder ? 'encoder.safetensors' : 'model.safetensors');
    const stored = await readWeights(weights);
    const kept = encoder ? encoderTensors(stored) : stored.tensors;
    const tensors = new Map(
      [...kept].map(([name, tensor]) => [name, { shape: tensor.shape, data: floatsOf(tensor, weights) }] as const),
    );
    // A checkpoint's own file must stay as its digest says, and no other file is ours to replace.
    if (await isThere(path)) throw fail('EXPORT_EXISTS', { path });
    await writeFile(`${path}.tmp`, Buffer.concat(encodeSafetensors(tensors, stored.metadata)));
    await rename(`${path}.tmp`, path);
    const values = [...tensors.values()].reduce((sum, { data }) => sum + data.length, 0);
    stdout.write(`${tensors.size} tensors, ${values.toLocaleString('en')} values: ${path}\n`);
    return exits.ok;
  },
};

/** What is to be read, and the folder to write to, for a run's folder, a checkpoint's, or a file. */
async function found(word: string, note: (text: string) => void): Promise<{ weights: string; folder: string }> {
  const isFolder = (await stat(word).catch(() => undefined))?.isDirectory() === true;
  if (!isFolder) return { weights: word, folder: dirname(word) };
  if (await isThere(join(word, 'state.json'))) return { weights: word, folder: runFolderOf(word) };
  const newest = await newestCheckpoint(checkpointFolder(word), (error) => note(error.message));
  if (newest === undefined) throw fail('CHECKPOINT_NONE', { folder: checkpointFolder(word) });
  return { weights: newest.path, folder: word };
}

function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
