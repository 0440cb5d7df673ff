import { stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { counted } from '../counts.ts';
import { fail, printable } from '../errors.ts';
import { floatsOf, safetensorsParts } from '../formats/safetensors.ts';
import { checkpointAt, checkpointFolder, checkpointNames, runFolderOf } from '../train/weights/checkpoint.ts';
import { encoderTensors, readWeights } from '../train/weights/weights-file.ts';
import { writeOnce } from '../whole-file.ts';
import { type Command, exits, onlyWord, weightsOf, weightsOption } from './command.ts';

/** `patchstream export <run, checkpoint or file>` */
export const exportWeights: Command = {
  name: 'export',
  usage: '<run, checkpoint or file>',
  works: true,
  summary: "Write a model's weights as one safetensors file with timm's names.",
  options: {
    encoder: { type: 'boolean', about: 'The encoder alone: what fine-tuning begins with.' },
    weights: weightsOption,
    output: {
      type: 'string',
      value: 'file',
      about: 'The file to write. Default: model.safetensors, or encoder.safetensors, in the run’s folder.',
    },
  },
  async run(given, { stdout, stderr }) {
    const word = onlyWord(exportWeights, given);
    const encoder = given.flag('encoder');
    const folder = await folderFor(word);
    const path = given.text('output') ?? join(folder, encoder ? 'encoder.safetensors' : 'model.safetensors');
    const { weights } = weightsOf(exportWeights, given);
    const stored = await readWeights(word, (text) => stderr.write(`${printable(text)}\n`), weights);
    const kept = encoder ? encoderTensors(stored) : stored.tensors;
    let values = 0;
    const tensors = new Map(
      [...kept].map(([name, tensor]) => {
        values += tensor.shape.reduce((product, side) => product * side, 1);
        return [name, { shape: tensor.shape, read: () => floatsOf(tensor, word) }] as const;
      }),
    );
    // A checkpoint's own file must stay as its digest says, and no other file is ours to replace.
    const taken = fail('EXPORT_EXISTS', { path });
    await writeOnce(path, safetensorsParts(tensors, stored.metadata), { taken });
    stdout.write(`${counted(tensors.size, 'tensor')}, ${counted(values, 'value')}: ${path}\n`);
    return exits.ok;
  },
};

/** The folder to write to, for a run's folder, a checkpoint's, or a file. @throws CHECKPOINT_NONE for a run without any. */
async function folderFor(word: string): Promise<string> {
  if (!(await isFolder(word))) return dirname(word);
  if ((await checkpointAt(word)) !== undefined) return runFolderOf(word);
  const checkpoints = checkpointFolder(word);
  if ((await checkpointNames(checkpoints)).length === 0) throw fail('CHECKPOINT_NONE', { folder: checkpoints });
  return word;
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    // What cannot be read is said where it is read.
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    return false;
  }
}
