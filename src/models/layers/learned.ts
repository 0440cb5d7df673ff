import * as tf from '../../backends/tf.ts';
import { fail, nearest } from '../../errors.ts';
import type { HostBatch, HostTensor, Model } from '../model.ts';
import { decays, drawParameter, type Parameter, storedForm } from './parameters.ts';

/**
 * The part of a model that its list of parameters decides.
 *
 * @throws MODEL_PARAMETER for a name that is not in the list.
 */
export function learned(list: readonly Parameter[]): Pick<Model, 'parameters' | 'init' | 'stored' | 'decays'> {
  const byName = new Map(list.map((each) => [each.name, each]));
  const find = (name: string): Parameter => {
    const found = byName.get(name);
    if (found === undefined)
      throw fail('MODEL_PARAMETER', { name, suggestion: nearest(name, byName.keys()) ?? list[0]?.name ?? 'no name' });
    return found;
  };
  return {
    parameters: [...byName.keys()],
    init: (random) => {
      const fresh = list.map((each) => {
        const values = drawParameter(each, random(each.name));
        return [each.name, tf.tidy(() => tf.variable(tf.tensor(values, [...each.shape])))] as const;
      });
      return Object.fromEntries(fresh);
    },
    stored: (name) => storedForm(find(name)),
    decays: (name) => decays(find(name)),
  };
}

/** The input `name` of a step. @throws MODEL_FIELD when it was not given. */
export function input(inputs: Readonly<Record<string, tf.Tensor>>, name: string): tf.Tensor {
  const found = inputs[name];
  if (found === undefined) throw fail('MODEL_FIELD', { field: name, expected: 'given', found: 'nothing' });
  return found;
}

/** The field `name` of a micro-batch on the host. @throws MODEL_FIELD when it is missing, or of another type or rank. */
export function field(batch: HostBatch, name: string, dtype: HostTensor['dtype'], rank: number): HostTensor {
  const found = batch[name];
  if (found === undefined || found.dtype !== dtype || found.shape.length !== rank) {
    const what = found === undefined ? 'nothing' : `${found.dtype} [${found.shape.join(', ')}]`;
    throw fail('MODEL_FIELD', { field: name, expected: `${dtype} of rank ${rank}`, found: what });
  }
  return found;
}
