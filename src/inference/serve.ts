import { createHash } from 'node:crypto';
import type { MessagePort } from 'node:worker_threads';
import * as tf from '../backends/tf.ts';
import { upload } from '../backends/upload.ts';
import { fail } from '../errors.ts';
import { openSafetensors } from '../formats/safetensors.ts';
import { vectorsOf } from '../models/layers/vectors.ts';
import { isClassifier, isEncoder, isTokenizer, type Model } from '../models/model.ts';
import { readTrained } from '../train/weights/weights-file.ts';
import { type OpenModel, openModel } from '../train/worker/open-model.ts';
import { packError } from '../train/worker/protocol.ts';
import { likeliest } from './likeliest.ts';
import type { FromInference, InferenceSetup, Rows, Task, ToInference } from './protocol.ts';

/** The side of a trained model that computes, in a thread of its own: opens it, and answers each batch by its rows. What is thrown is sent. */
export async function serve(port: MessagePort, setup: InferenceSetup): Promise<void> {
  const say = (message: FromInference, memory: ArrayBuffer[] = []) => port.postMessage(message, memory);
  // Batches that come while the model is opened wait.
  let last: Promise<void> = Promise.resolve();
  const opening = openTrained(setup, (text) => say({ type: 'note', text }));
  opening.catch((error: unknown) => say({ type: 'error', error: packError(error) }));
  port.on('message', ({ buffer }: ToInference) => {
    last = last.then(async () => {
      const rows = await rowsOf(await opening, buffer, setup);
      say(
        { type: 'rows', rows },
        [rows.values, rows.classes].flatMap((each) => (each ? [each.buffer as ArrayBuffer] : [])),
      );
    });
    last.catch((error: unknown) => say({ type: 'error', error: packError(error) }));
  });
}

/**
 * Opens what was found under a path, if it is still the same.
 *
 * @throws TRAINED_CHANGED, and what `openModel` throws.
 */
export async function openTrained(
  { where, digest, weights, model }: Pick<InferenceSetup, 'where' | 'digest' | 'weights' | 'model'>,
  note: (text: string) => void,
): Promise<OpenModel> {
  // What is to be said of the file was said when it was found.
  const { model: stored, state, part } = await readTrained(where, () => {}, weights);
  const found = (part && state?.digests[part]) ?? (await digestOf(where));
  if (found !== digest) throw fail('TRAINED_CHANGED', {}, { where });
  // The model was read from the same file: what it says of itself beside that may lack values of the environment.
  return openModel(model, { stored: { ...stored, metadata: {} }, where, classNames: state?.classNames }, { note });
}

/** Of a file of weights that no checkpoint vouches for. */
async function digestOf(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of openSafetensors(file).pieces()) hash.update(piece);
  return hash.digest('hex');
}

async function rowsOf({ model, params }: OpenModel, buffer: number, setup: InferenceSetup): Promise<Rows> {
  const { memory, batch, size, task } = setup;
  const [height, width] = size;
  const bytes = batch * height * width * 3;
  const data = new Uint8Array(memory, buffer * bytes, bytes);
  const picture = upload({ dtype: 'uint8', shape: [batch, height, width, 3], data });
  const answer = tf.tidy(() => answerOf(model, task, { params, picture }));
  picture.dispose();
  try {
    // A copy: what a backend gives may be its own memory.
    const values = Float32Array.from((await answer.data()) as Float32Array);
    return task.kind === 'predict' ? likeliest(values, batch, task.top) : { values };
  } finally {
    answer.dispose();
  }
}

/** Vectors [N, D] or [N, n, D], scores of classes [N, C], or codes [N, n]. */
export function answerOf(
  model: Model,
  task: Task,
  { params, picture }: { readonly params: OpenModel['params']; readonly picture: tf.Tensor },
): tf.Tensor {
  if (task.kind === 'predict') {
    if (!isClassifier(model)) throw fail('PREDICT_MODEL', { model: model.name });
    return model.classify(params, { picture });
  }
  if (task.kind === 'tokenize') {
    if (!isTokenizer(model)) throw fail('TOKENIZE_MODEL', { model: model.name });
    return model.tokenize(params, { picture });
  }
  if (!isEncoder(model)) throw fail('EMBED_MODEL', { model: model.name });
  return vectorsOf(model, params, picture, task.pool);
}
