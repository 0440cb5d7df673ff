import { attention, layerNorm, linear, linearGelu, type RelativePositions, residual } from '../../backends/ops.ts';
import * as tf from '../../backends/tf.ts';
import { fail, nearest } from '../../errors.ts';
import type { Paths } from '../classifier/drop-path.ts';
import type { Params } from '../model.ts';
import { showAttention } from './attention-watch.ts';

/** The parameter `name`. @throws MODEL_PARAMETER when there is none. */
export function parameter(params: Params, name: string): tf.Tensor {
  const found = params[name];
  if (found === undefined)
    throw fail('MODEL_PARAMETER', { name, suggestion: nearest(name, Object.keys(params)) ?? 'another file' });
  return found;
}

/** The linear map `name` (`.weight`, `.bias`) on the last axis: [..., in] -> [..., out]. */
export function project(params: Params, name: string, x: tf.Tensor): tf.Tensor {
  return linear(x, parameter(params, `${name}.weight`), parameter(params, `${name}.bias`));
}

/** The layer normalisation `name` on the last axis, eps 1e-6. Same shape. */
export function norm(params: Params, name: string, x: tf.Tensor): tf.Tensor {
  return layerNorm(x, parameter(params, `${name}.weight`), parameter(params, `${name}.bias`));
}

/** What a block adds its own table to: the buckets of its sequences. */
export type Relative = Omit<RelativePositions, 'table'>;

/**
 * A pre-norm transformer block: x + Attn(LN(x)), then x + MLP(LN(x)) with an exact GELU and four times the width.
 * Source: Dosovitskiy et al. 2021, section 3.1.
 *
 * @param x [B, T, D]. @param prefix of the block's parameters, `blocks.0`.
 * @param relative positions of the sequence, for a block that has a table of them.
 * @param paths what the two branches count for in each row, where some are dropped.
 * @returns [B, T, D].
 */
export function block(
  params: Params,
  prefix: string,
  x: tf.Tensor,
  heads: number,
  relative?: Relative,
  paths?: Paths,
): tf.Tensor {
  // What gradients need they have kept; the rest goes at the end of the block, not of the step.
  return tf.tidy(() => {
    const table = relative && { ...relative, table: parameter(params, `${prefix}.attn.rpe_k.lookup_table_weight`) };
    const qkv = project(params, `${prefix}.attn.qkv`, norm(params, `${prefix}.norm1`, x));
    showAttention(prefix, qkv as tf.Tensor3D, heads, table);
    const mixed = attention(qkv as tf.Tensor3D, heads, table);
    const attended = residual(x, project(params, `${prefix}.attn.proj`, mixed), paths?.attention);
    const [weight, bias] = [parameter(params, `${prefix}.mlp.fc1.weight`), parameter(params, `${prefix}.mlp.fc1.bias`)];
    const hidden = linearGelu(norm(params, `${prefix}.norm2`, attended), weight, bias);
    return residual(attended, project(params, `${prefix}.mlp.fc2`, hidden), paths?.mlp);
  });
}
