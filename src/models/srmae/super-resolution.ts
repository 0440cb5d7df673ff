import type { Constants } from '../../backends/constants.ts';
import { conv3x3, linear, prelu, residual } from '../../backends/ops.ts';
import { enlarging, halving, mixCells } from '../../backends/resample.ts';
import * as tf from '../../backends/tf.ts';
import { parameter } from '../layers/vit.ts';
import type { Params } from '../model.ts';
import {
  superResolutionPrefix as prefix,
  type SuperResolution,
  type SuperResolutionName,
} from './super-resolution.options.ts';

/**
 * Runs a super-resolution module over a grid of tokens.
 *
 * @param x [N, rows, columns, C]; for `hpb` at least 2 × 2 cells, and C a multiple of 16.
 * @returns the shape of x.
 */
export function superResolve(
  module: SuperResolutionName | SuperResolution,
  params: Params,
  x: tf.Tensor4D,
  constants: Constants,
): tf.Tensor4D {
  if (typeof module === 'object') return module.apply(ownParameters(params), x);
  if (module === 'none') return x;
  if (module === 'residual') return residual(x, reduced(params, prefix, x)) as tf.Tensor4D;
  return highPreserving(params, x, constants);
}

/** The parameters of a module of one's own by the names that it gave them. */
function ownParameters(params: Params): Params {
  const start = `${prefix}.`;
  const own = Object.entries(params).filter(([name]) => name.startsWith(start));
  return Object.fromEntries(own.map(([name, value]) => [name.slice(start.length), value]));
}

/**
 * ESRT's high-preserving block: details are taken out, what is left passes five times through one block at half the size, and both meet again.
 * Source: the code of ESRT (Lu et al. 2022).
 */
function highPreserving(params: Params, x: tf.Tensor4D, constants: Constants): tf.Tensor4D {
  const e = arfb(params, `${prefix}.arfb_in`, x);
  const { low, high, enlarge } = highFrequencies(e, constants);
  const detail = arfb(params, `${prefix}.arfb_high`, high);
  let coarse = low;
  for (let i = 0; i < 5; i++) coarse = arfb(params, `${prefix}.arfb_low`, coarse);
  const fused = pointwise(params, `${prefix}.fuse`, tf.concat([enlarge(coarse), detail], 3)).relu();
  const refined = arfb(params, `${prefix}.arfb_out`, channelAttention(params, `${prefix}.ca`, fused as tf.Tensor4D));
  return residual(refined, x) as tf.Tensor4D;
}

/**
 * ESRT's high-frequency filter: x without its 2 × 2 means enlarged again, exactly zero where x is constant over the grid.
 *
 * @returns `low` [N, ⌊rows/2⌋, ⌊columns/2⌋, C], the means; `high`, the shape of x; `enlarge`, from the first shape to the second.
 */
export function highFrequencies(x: tf.Tensor4D, constants: Constants) {
  const [N, rows, columns, C] = x.shape;
  const half = [Math.floor(rows / 2), Math.floor(columns / 2)] as const;
  const size = `${rows} × ${columns}`;
  const down = constants.get(`halving ${size}`, () => halving([rows, columns])) as tf.Tensor2D;
  const up = constants.get(`enlarging to ${size}`, () => enlarging(half, [rows, columns])) as tf.Tensor2D;
  const shrink = (whole: tf.Tensor4D) =>
    mixCells(whole.reshape([N, rows * columns, C]), down).reshape([N, ...half, C]) as tf.Tensor4D;
  const enlarge = (small: tf.Tensor4D) =>
    mixCells(small.reshape([N, half[0] * half[1], C]), up).reshape(x.shape) as tf.Tensor4D;
  // The filter takes out what is constant; taken out beforehand, it leaves no trace of rounding.
  const centred = x.sub(x.slice([0, 0, 0, 0], [-1, 1, 1, -1])) as tf.Tensor4D;
  return { low: shrink(x), high: centred.sub(enlarge(shrink(centred))) as tf.Tensor4D, enlarge };
}

/** ESRT's adaptive residual feature block: two residual units, fused, weighed by channel and added to what came in. Same shape. */
function arfb(params: Params, name: string, x: tf.Tensor4D): tf.Tensor4D {
  // What gradients need they have kept; the rest goes at the end of the block.
  return tf.tidy(() => {
    const scaled = (i: number, value: tf.Tensor) => value.mul(parameter(params, `${name}.scale${i}`));
    const a = residualUnit(params, `${name}.ru1`, x);
    const b = residualUnit(params, `${name}.ru2`, a);
    const both = pointwise(params, `${name}.fuse1`, tf.concat([scaled(3, b), scaled(4, a)], 3)).relu();
    const weighed = channelAttention(params, `${name}.ca`, both as tf.Tensor4D);
    const f = conv3x3(weighed, parameter(params, `${name}.fuse2.weight`) as tf.Tensor4D).relu();
    return residual(scaled(5, x), scaled(6, f)) as tf.Tensor4D;
  });
}

function residualUnit(params: Params, name: string, x: tf.Tensor4D): tf.Tensor4D {
  const [kept, added] = [parameter(params, `${name}.scale1`), parameter(params, `${name}.scale2`)];
  return residual(x.mul(kept), reduced(params, name, x).mul(added)) as tf.Tensor4D;
}

/** 3 × 3 to half the channels, PReLU, 3 × 3 back. Same shape. */
function reduced(params: Params, name: string, x: tf.Tensor4D): tf.Tensor4D {
  const narrow = prelu(convolve(params, `${name}.conv1`, x), parameter(params, `${name}.act.weight`));
  return convolve(params, `${name}.conv2`, narrow as tf.Tensor4D);
}

/** Weighs the channels by what their means over the grid say. Same shape. */
function channelAttention(params: Params, name: string, x: tf.Tensor4D): tf.Tensor4D {
  const hidden = pointwise(params, `${name}.fc1`, x.mean([1, 2], true)).relu();
  return x.mul(pointwise(params, `${name}.fc2`, hidden).sigmoid());
}

function convolve(params: Params, name: string, x: tf.Tensor4D): tf.Tensor4D {
  const [weight, bias] = [parameter(params, `${name}.weight`), parameter(params, `${name}.bias`)];
  return conv3x3(x, weight as tf.Tensor4D, bias as tf.Tensor1D);
}

/** A 1 × 1 convolution, with a bias where there is one. */
function pointwise(params: Params, name: string, x: tf.Tensor): tf.Tensor {
  return linear(x, parameter(params, `${name}.weight`), params[`${name}.bias`]);
}
