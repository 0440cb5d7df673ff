import { stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { counted } from '../counts.ts';
import { fail, printable } from '../errors.ts';
import { floatsOf, safetensorsParts } from '../formats/safetensors.ts';
import { exportOnnx } from '../runs/export-onnx.ts';
import { checkpointAt, checkpointFolder, checkpointNames, runFolderOf } from '../train/weights/checkpoint.ts';
import { encoderTensors, readWeights } from '../train/weights/weights-file.ts';
import { writeOnce } from '../whole-file.ts';
import { type Command, exits, type Given, onlyWord, type Terminal, weightsOf, weightsOption } from './command.ts';

/** `patchstream export <run, checkpoint or file>` */
export const exportWeights: Command = {
  name: 'export',
  usage: '<run, checkpoint or file>',
  works: true,
  summary: "Write a model's weights as one safetensors file with timm's names, or the model itself as a file of ONNX.",
  options: {
    encoder: { type: 'boolean', about: 'The weights of the encoder alone: what fine-tuning begins with.' },
    weights: weightsOption,
    pool: {
      type: 'string',
      value: 'name',
      about:
        "Of an encoder in ONNX, what a vector is: `mean` over the patches' tokens (the default), `cls`, or `patches`.",
    },
    output: {
      type: 'string',
      value: 'file',
      about:
        'The file to write: one that ends in .onnx is the model, another its weights. Default: model.safetensors, or encoder.safetensors, in the run’s folder.',
    },
  },
  async run(given, { stdout, stderr }) {
    const word = onlyWord(exportWeights, given);
    const encoder = given.flag('encoder');
    const output = given.text('output');
    if (output?.toLowerCase().endsWith('.onnx')) return exportModel(word, output, given, { stdout, stderr });
    if (given.text('pool') !== undefined)
      throw unfit('--pool', 'It is for a file that ends in .onnx: name one with --output.');
    const folder = await folderFor(word);
    const path = output ?? join(folder, encoder ? 'encoder.safetensors' : 'model.safetensors');
    const { weights } = weightsOf(exportWeights, given);
    const stored = await readWeights(word, (text) => stderr.write(`${printable(text)}\n`), weights);
    const kept = encoder ? encoderTensors(stored) : stored.tensors;
    if (encoder && kept.size === 0) throw fail('EXPORT_ENCODER', { path: word });
    if (kept.size === 0) throw fail('WEIGHTS_BROKEN', { found: 'a file without tensors' }, { where: word });
    let values = 0;
    const tensors = new Map(
      [...kept].map(([name, tensor]) => {
        values += tensor.shape.reduce((product, side) => product * side, 1);
        return [name, { shape: tensor.shape, read: () => floatsOf(tensor, word) }] as const;
      }),
    );
    await writeOnce(path, safetensorsParts(tensors, stored.metadata), { taken: taken(path) });
    stdout.write(`${counted(tensors.size, 'tensor')}, ${counted(values, 'value')}: ${path}\n`);
    return exits.ok;
  },
};

/** The model of a run, a checkpoint or a file of weights as a graph of operations. */
async function exportModel(
  from: string,
  output: string,
  given: Given,
  { stdout, stderr }: Pick<Terminal, 'stdout' | 'stderr'>,
): Promise<number> {
  if (given.flag('encoder')) throw unfit('--encoder', 'Of a model with an encoder ONNX has that alone: leave it out.');
  const pool = given.text('pool');
  if (pool !== undefined && pool !== 'mean' && pool !== 'cls' && pool !== 'patches')
    throw unfit(`--pool ${pool}`, 'It must be `mean`, `cls` or `patches`.');
  const note = (text: string) => stderr.write(`${printable(text)}\n`);
  const made = await exportOnnx({ from, output, pool, ...weightsOf(exportWeights, given), note });
  const [takes, gives] = [made.input, made.answer].map(
    ({ name, type, shape }) => `${name} ${type} [${shape.join(', ')}]`,
  );
  const also = made.data === undefined ? '' : `, its tensors in ${made.data}`;
  stdout.write(`${takes} to ${gives}, ${counted(made.nodes, 'node')}: ${output}${also}\n`);
  return exits.ok;
}

/** A checkpoint's own file must stay as its digest says, and no other file is ours to replace. */
function taken(path: string) {
  return fail('EXPORT_EXISTS', { path });
}

function unfit(found: string, advice: string) {
  return fail('ARGUMENT', { command: 'patchstream export', found, advice });
}

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
