import type * as tf from '../../backends/tf.ts';
import type { Encoder, Params, Pool } from '../model.ts';

/** Vectors of whole pictures [N, H, W, 3]: [N, D], or [N, n, D] of each patch. Call inside `tf.tidy`. */
export function vectorsOf(model: Encoder, params: Params, picture: tf.Tensor, pool: Pool): tf.Tensor {
  if (pool === 'mean' && model.encodeMean !== undefined) return model.encodeMean(params, { picture });
  const tokens = model.encode(params, { picture });
  if (pool === 'cls') return tokens.slice([0, 0, 0], [-1, 1, -1]).squeeze([1]);
  const patches = tokens.slice([0, 1, 0], [-1, -1, -1]);
  return pool === 'mean' ? patches.mean(1) : patches;
}
