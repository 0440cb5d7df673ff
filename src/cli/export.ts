import { stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { counted } from '../counts.ts';
import { fail, printable } from '../errors.ts';
import { onnxFiles } from '../formats/onnx.ts';
import { floatsOf, safetensorsParts } from '../formats/safetensors.ts';
import { foundTrained } from '../inference/trained.ts';
import { version } from '../pipeline/version.ts';
import { checkpointAt, checkpointFolder, checkpointNames, runFolderOf } from '../train/weights/checkpoint.ts';
import { encoderTensors, readWeights } from '../train/weights/weights-file.ts';
import { discard, unlessGone, writeOnce } from '../whole-file.ts';
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
    if (output?.toLowerCase().endsWith('.onnx')) return exportOnnx(word, output, given, { stdout, stderr });
    if (given.text('pool') !== undefined)
      throw unfit('--pool', 'It is for a file that ends in .onnx: name one with --output.');
    const folder = await folderFor(word);
    const path = output ?? join(folder, encoder ? 'encoder.safetensors' : 'model.safetensors');
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
    await writeOnce(path, safetensorsParts(tensors, stored.metadata), { taken: taken(path) });
    stdout.write(`${counted(tensors.size, 'tensor')}, ${counted(values, 'value')}: ${path}\n`);
    return exits.ok;
  },
};

/** The model of a run, a checkpoint or a file of weights as a graph of operations. */
async function exportOnnx(
  word: string,
  path: string,
  given: Given,
  { stdout, stderr }: Pick<Terminal, 'stdout' | 'stderr'>,
): Promise<number> {
  if (given.flag('encoder')) throw unfit('--encoder', 'Of a model with an encoder ONNX has that alone: leave it out.');
  const pool = given.text('pool') ?? undefined;
  if (pool !== undefined && pool !== 'mean' && pool !== 'cls' && pool !== 'patches')
    throw unfit(`--pool ${pool}`, 'It must be `mean`, `cls` or `patches`.');
  const { weights } = weightsOf(exportWeights, given);
  // Before the work of making it.
  if ((await stat(path).catch(unlessGone)) !== undefined) throw taken(path);
  const trained = foundTrained(word, process.cwd(), weights);
  const note = (text: string) => stderr.write(`${printable(text)}\n`);
  for (const text of trained.notes) note(text);
  // Only here, so that what only looks at arguments never loads tfjs.
  const { onnxGraph } = await import('../inference/onnx.ts');
  const graph = await onnxGraph(trained, { pool, weights, version: version(), note });
  const beside = `${path}.data`;
  const { model, data } = onnxFiles(graph, basename(beside));
  if (data !== undefined) await writeOnce(beside, data, { taken: taken(beside) });
  try {
    await writeOnce(path, model, { taken: taken(path) });
  } catch (error) {
    if (data !== undefined) await discard(beside);
    throw error;
  }
  const [from, to] = [graph.inputs[0]!, graph.outputs[0]!].map(
    ({ name, type, shape }) => `${name} ${type} [${shape.join(', ')}]`,
  );
  const also = data === undefined ? '' : `, its tensors in ${beside}`;
  stdout.write(`${from} to ${to}, ${counted(graph.nodes.length, 'node')}: ${path}${also}\n`);
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
