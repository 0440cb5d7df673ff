import { graphOf, picturesSide } from '../backends/onnx/graph.ts';
import { Trace, withTrace } from '../backends/onnx/trace.ts';
import * as tf from '../backends/tf.ts';
import { fail } from '../errors.ts';
import type { OnnxGraph, OnnxTensor } from '../formats/onnx.ts';
import { isClassifier, isEncoder, isTokenizer, type Model, type Pool } from '../models/model.ts';
import type { WhichWeights } from '../train/weights/checkpoint.ts';
import { channelMean, channelStd } from '../vision/patches.ts';
import { poolOf } from './embed.ts';
import type { Task } from './protocol.ts';
import { answerOf, openTrained } from './serve.ts';
import { cutStages } from './stage.ts';
import type { Trained } from './trained.ts';

/** Pictures of a recording; two numbers without a common divisor tell what is a multiple of them. */
const counts = [3, 5] as const;

const answers = { embed: 'embedding', predict: 'logits', tokenize: 'codes' } as const;

export interface OnnxOptions {
  /** What a vector is, of a model with an encoder. */
  readonly pool?: Pool | undefined;
  readonly weights?: WhichWeights | undefined;
  /** The version of patchstream. */
  readonly version: string;
  /** Hears what the backend has to say. */
  note(text: string): void;
}

/**
 * A trained model as a graph of ONNX, from pictures of its size as bytes to what `embed`, `predict` or `tokenize` computes of them: its own forward pass, recorded. Meanwhile tfjs' backend is
 * the one that the weights are read on; then it is again the one before.
 *
 * @throws ONNX_MODEL, ONNX_POOL, ONNX_OPERATION, ONNX_BATCH, TRAINED_CHANGED, and what opening the model throws
 */
export async function onnxGraph(trained: Trained, options: OnnxOptions): Promise<OnnxGraph> {
  // None where nothing has used tfjs yet.
  const before: string | undefined = tf.getBackend();
  try {
    return await recordedGraph(trained, options);
  } finally {
    if (before !== undefined) await tf.setBackend(before);
  }
}

async function recordedGraph(trained: Trained, { pool, weights, version, note }: OnnxOptions): Promise<OnnxGraph> {
  const { where, digest, size, definition, classNames, stages } = trained;
  const { name, options, spec, module } = trained.model;
  const named = { name, options, spec, ...(module !== undefined && { module }) };
  const definitionOf = { model: named, backend: 'auto', device: 'cpu', precision: 'float32' } as const;
  const { model, params, dispose } = await openTrained({ where, digest, weights, model: definitionOf }, note);
  try {
    const task = taskOf(model, pool, trained);
    const [height, width] = size;
    const trace = new Trace(params);
    const recordings = withTrace(trace, () =>
      counts.map((count) =>
        trace.record([count, height, width, 3], (picture) => answerOf(model, task, { params, picture })),
      ),
    );
    const answer = answers[task.kind];
    const graph = graphOf([recordings[0]!, recordings[1]!], 'picture', answer);
    const tensors = [...graph.constants, ...(await parameterTensors(params, graph.parameters))];
    return {
      name,
      about: `${name}, from pictures of ${width} × ${height} px (RGB, bytes, rows of pixels) to ${answer}`,
      nodes: graph.nodes,
      tensors,
      inputs: [{ name: 'picture', type: 'uint8', shape: [picturesSide, height, width, 3] }],
      outputs: [graph.answer],
      metadata: {
        'patchstream.model': JSON.stringify({ [name]: options }),
        'patchstream.digest': digest,
        'patchstream.size': JSON.stringify(size),
        'patchstream.cut': JSON.stringify(
          cutStages(stages).map(({ definition, options }) => ({ [definition.name]: options })),
        ),
        ...(task.kind === 'embed' && { 'patchstream.pool': task.pool }),
        // Models of the user's have rules of their own.
        ...(definition !== undefined && {
          'patchstream.mean': JSON.stringify(channelMean),
          'patchstream.std': JSON.stringify(channelStd),
        }),
        ...(task.kind === 'predict' &&
          classNames !== undefined && { 'patchstream.labels': JSON.stringify(classNames) }),
      },
      version,
    };
  } finally {
    dispose();
  }
}

/** What a model is asked: a classifier for scores, unless a way of pooling is named. */
function taskOf(model: Model, pool: OnnxOptions['pool'], trained: Trained): Task {
  if (pool !== undefined && !isEncoder(model)) throw fail('ONNX_POOL', { model: model.name });
  if (pool !== undefined || (isEncoder(model) && !isClassifier(model)))
    return { kind: 'embed', pool: poolOf({ pool }, trained) };
  if (isClassifier(model)) return { kind: 'predict', top: 1 };
  if (isTokenizer(model)) return { kind: 'tokenize' };
  throw fail('ONNX_MODEL', { model: model.name });
}

/** Parameters as the model has them in memory: a linear map's is [in, out]. */
async function parameterTensors(
  params: Readonly<Record<string, tf.Variable>>,
  names: readonly string[],
): Promise<OnnxTensor[]> {
  const tensors: OnnxTensor[] = [];
  for (const name of names) {
    const { shape, dtype } = params[name]!;
    const { buffer, byteOffset, byteLength } = await params[name]!.data<'float32'>();
    tensors.push({ name, type: dtype as 'float32', shape, bytes: new Uint8Array(buffer, byteOffset, byteLength) });
  }
  return tensors;
}
