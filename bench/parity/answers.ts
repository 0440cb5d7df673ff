import { gradients } from '../../src/backends/gradients.ts';
import * as tf from '../../src/backends/tf.ts';
import { uploadAll } from '../../src/backends/upload.ts';
import { type HostBatch, isCodePredictor, isRestorer, type Model, type Params } from '../../src/models/model.ts';
import { Random } from '../../src/random.ts';

/** Fresh parameters with noise added to every one, so that no table or bias is zero and hides what it multiplies. */
export function noisyParameters(model: Model): Record<string, tf.Variable> {
  const params = model.init((name) => new Random(0, name, 'parity'));
  for (const [name, variable] of Object.entries(params)) {
    const random = new Random(0, name, 'parity noise');
    const noise = Float32Array.from({ length: variable.size }, () => 0.03 * random.normal());
    tf.tidy(() => variable.assign(variable.add(tf.tensor(noise, variable.shape))));
  }
  return params;
}

/** What is compared of a forward pass: pixels shown, or scores of codes. */
function predictionOf(model: Model, params: Params, inputs: Record<string, tf.Tensor>): tf.Tensor {
  if (isRestorer(model)) return model.reconstruct(params, inputs);
  if (isCodePredictor(model)) return model.codeScores(params, inputs);
  throw new Error(`${model.name} has no prediction to compare.`);
}

/**
 * Loss, prediction and gradients by the names of Python's answer, in the layout of files.
 *
 * @param values the model's inputs.
 */
export async function answerOf(
  model: Model,
  params: Record<string, tf.Variable>,
  values: HostBatch,
): Promise<Map<string, Float32Array>> {
  const inputs = uploadAll(values);
  let terms = 1;
  const { value, gradients: found } = gradients(() => {
    const { sum, count } = model.loss(params, inputs);
    terms = model.terms?.(values) ?? count;
    return sum;
  }, params);
  const shown = predictionOf(model, params, inputs);
  const answer = new Map([
    ['loss', (await value.data()).map((sum) => sum / terms) as Float32Array],
    ['prediction', (await shown.data()) as Float32Array],
  ]);
  for (const [name, gradient] of Object.entries(found)) {
    const inFile = model.stored(name).toFile((await gradient.data()) as Float32Array);
    answer.set(
      `gradient.${name}`,
      inFile.map((sum) => sum / terms),
    );
  }
  tf.dispose([inputs, value, shown, found]);
  return answer;
}

/** L2 norm of the difference over that of what is expected, if that is not zero; NaN counts as infinitely wrong. */
export function relativeError(found: Float32Array, expected: Float32Array): number {
  let difference = 0;
  let norm = 0;
  for (let i = 0; i < expected.length; i++) {
    difference += (found[i]! - expected[i]!) ** 2;
    norm += expected[i]! ** 2;
  }
  const error = Math.sqrt(difference / (norm === 0 ? 1 : norm));
  return Number.isNaN(error) ? Number.POSITIVE_INFINITY : error;
}
