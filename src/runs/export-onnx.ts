import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { fail } from '../errors.ts';
import { type OnnxValue, onnxFiles } from '../formats/onnx.ts';
import { foundTrained } from '../inference/trained.ts';
import type { Pool } from '../models/model.ts';
import { version } from '../pipeline/version.ts';
import type { WhichWeights } from '../train/weights/checkpoint.ts';
import { discard, unlessGone, writeOnce } from '../whole-file.ts';

export interface ModelToExport {
  /** A run, a checkpoint or a file of weights; a relative path starts at the working directory, as that of `output` does. */
  readonly from: string;
  /** The file to write, `model.onnx`. */
  readonly output: string;
  /** What a vector is, of a model with an encoder. Default: the mean over the patches' tokens; of a classifier none, but scores. */
  readonly pool?: Pool | undefined;
  readonly weights?: WhichWeights | undefined;
  /** Hears what is to be said of the checkpoint and the backend. */
  note?(text: string): void;
}

/** A file of ONNX that was written. */
export interface ExportedModel {
  /** What the model takes and gives; N counts pictures. */
  readonly input: OnnxValue;
  readonly answer: OnnxValue;
  readonly nodes: number;
  /** The file beside `output` with the tensors, where they are too large for it. */
  readonly data?: string;
}

const pools: readonly unknown[] = [undefined, 'mean', 'cls', 'patches'];

/**
 * Writes a trained model as a file of ONNX, from pictures as bytes to vectors, scores of classes or codes. Other work with tfjs in the same thread must wait until it is done.
 *
 * @throws OPTION_VALUE, EXPORT_EXISTS, FILE_WRITE, ONNX_MODEL, ONNX_POOL, ONNX_OPERATION, ONNX_BATCH, and what `embed` says of the model.
 */
export async function exportOnnx({
  from,
  output,
  pool,
  weights,
  note = () => {},
}: ModelToExport): Promise<ExportedModel> {
  if (!pools.includes(pool)) {
    const expected = '`mean`, `cls` or `patches`';
    throw fail('OPTION_VALUE', { option: 'pool', expected, found: `${pool}`, advice: 'Leave it out for the mean.' });
  }
  const taken = (path: string) => fail('EXPORT_EXISTS', { path });
  // Before the work of making it.
  if ((await stat(output).catch(unlessGone)) !== undefined) throw taken(output);
  const trained = foundTrained(from, process.cwd(), weights);
  for (const text of trained.notes) note(text);
  // Only here, so that what only looks at arguments never loads tfjs.
  const { onnxGraph } = await import('../inference/onnx.ts');
  const graph = await onnxGraph(trained, { pool, weights, version: version(), note });
  const beside = `${output}.data`;
  const { model, data } = onnxFiles(graph, basename(beside));
  if (data !== undefined) await writeOnce(beside, data, { taken: taken(beside) });
  try {
    await writeOnce(output, model, { taken: taken(output) });
  } catch (error) {
    if (data !== undefined) await discard(beside);
    throw error;
  }
  const [input, answer] = [graph.inputs[0]!, graph.outputs[0]!];
  return { input, answer, nodes: graph.nodes.length, ...(data !== undefined && { data: beside }) };
}
