import {
  attention,
  layerNorm,
  linear,
  linearGelu,
  type Positions,
  type RelativePositions,
  residual,
} from '../../backends/ops.ts';
import * as tf from '../../backends/tf.ts';
import { fail, nearest } from '../../errors.ts';
import type { Paths } from '../classifier/drop-path.ts';
import type { Params } from '../model.ts';
import { showAttention } from './attention-watch.ts';
import { rpeTable } from './parameters.ts';

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

/** What stands between the tokens of a sequence: rows of the block's own table by buckets, or a bias [h, T, T] for each head and pair. */
export type Relative = Pick<RelativePositions, 'buckets' | 'scaled'> | Exclude<Positions, RelativePositions>;

/**
 * A pre-norm transformer block: x + Attn(LN(x)), then x + MLP(LN(x)) with an exact GELU and four times the width. What its parameters have it does: with
 * `attn.q_bias` and `attn.v_bias` in the place of `attn.qkv.bias` keys have no bias, with `gamma_1` and `gamma_2` each branch is scaled channel by channel, with tables of relative positions for
 * queries and values (`rpe_q`, `rpe_v`) beside that for keys attention has their terms too.
 * Sources: Dosovitskiy et al. 2021, section 3.1; Bao et al. 2021 and Touvron et al. 2021 for the latter.
 *
 * @param x [B, T, D]. @param prefix of the block's parameters, `blocks.0`.
 * @param relative positions of the sequence, for a block that has any.
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
    const qkv = linear(
      norm(params, `${prefix}.norm1`, x),
      parameter(params, `${prefix}.attn.qkv.weight`),
      qkvBias(params, `${prefix}.attn`),
    ) as tf.Tensor3D;
    const positions = positionsOf(params, prefix, relative);
    showAttention(prefix, qkv, heads, positions);
    const mixed = project(params, `${prefix}.attn.proj`, attention(qkv, heads, positions));
    const attended = residual(x, scaled(params, `${prefix}.gamma_1`, mixed), paths?.attention);
    const [weight, bias] = [parameter(params, `${prefix}.mlp.fc1.weight`), parameter(params, `${prefix}.mlp.fc1.bias`)];
    const hidden = linearGelu(norm(params, `${prefix}.norm2`, attended), weight, bias);
    const made = project(params, `${prefix}.mlp.fc2`, hidden);
    return residual(attended, scaled(params, `${prefix}.gamma_2`, made), paths?.mlp);
  });
}

function positionsOf(params: Params, prefix: string, relative: Relative | undefined): Positions | undefined {
  if (relative === undefined || 'bias' in relative) return relative;
  const attn = `${prefix}.attn`;
  return {
    ...relative,
    table: parameter(params, rpeTable(attn, 'k')),
    queryTable: params[rpeTable(attn, 'q')],
    valueTable: params[rpeTable(attn, 'v')],
  };
}

/** [3D]: one of its own, or those of queries and values with zeros for the keys between them. */
function qkvBias(params: Params, prefix: string): tf.Tensor {
  const q = params[`${prefix}.q_bias`];
  if (q === undefined) return parameter(params, `${prefix}.qkv.bias`);
  return tf.concat([q, tf.zerosLike(q), parameter(params, `${prefix}.v_bias`)]);
}

function scaled(params: Params, name: string, branch: tf.Tensor): tf.Tensor {
  const gain = params[name];
  return gain === undefined ? branch : branch.mul(gain);
}
