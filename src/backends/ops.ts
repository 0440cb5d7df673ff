import { fused, hasFused } from './fused.ts';
import { type Forward, withGradient } from './gradient.ts';
import * as tf from './tf.ts';

export { attention, attentionWeights } from './attention/attention.ts';
export { type PairBuckets, pairBuckets, rowBuckets } from './attention/buckets.ts';
export type { Positions, RelativePositions } from './attention/positions.ts';

/**
 * The operations that models are written in. Each has a composed form in plain tfjs, right on every backend, with a gradient of our own
 * where tfjs' is slow or missing; `fused.ts` says how a backend brings a kernel of its own. All are float32, run inside the caller's
 * `tf.tidy` or gradient, dispose nothing that they were given, and throw tfjs' shape errors.
 */

/**
 * x·W + b on the last axis.
 *
 * @param x [..., in]. @param weight [in, out]. @param bias [out], when there is one.
 * @returns [..., out].
 */
export function linear(x: tf.Tensor, weight: tf.Tensor, bias?: tf.Tensor): tf.Tensor {
  const [inner, outer] = weight.shape as [number, number];
  const rows = x.reshape([-1, inner]);
  const inputs = bias === undefined ? [rows, weight] : [rows, weight, bias];
  const y = withGradient(inputs, (...[a, w, b]) => {
    const [value, kept = a!] = fusedLinear(a!, w!, b, false) ?? [composedLinear(a!, w!, b)];
    return {
      value: value!,
      saved: [kept, w!],
      backward: (dy, [a, w]) => {
        const named = { dy, x: a!, weight: w! };
        const grads = fused('PatchstreamLinearGrad', named, { bias: b !== undefined });
        if (grads !== undefined) return grads;
        const products = [tf.matMul(dy, w!, false, true), tf.matMul(a!, dy, true, false)];
        return b === undefined ? products : [...products, dy.sum(0)];
      },
    };
  });
  return y.reshape([...x.shape.slice(0, -1), outer]);
}

/**
 * gelu(x·W + b), `linear` and `gelu` in one.
 *
 * @param x [..., in]. @param weight [in, out]. @param bias [out].
 * @returns [..., out].
 */
export function linearGelu(x: tf.Tensor, weight: tf.Tensor, bias: tf.Tensor): tf.Tensor {
  if (!hasFused('PatchstreamLinear')) return gelu(linear(x, weight, bias));
  const [inner, outer] = weight.shape as [number, number];
  const y = withGradient([x.reshape([-1, inner]), weight, bias] as [tf.Tensor, tf.Tensor, tf.Tensor], (a, w, b) => {
    const [value, saved, kept = a] = fusedLinear(a, w, b, true)!;
    return {
      value: value!,
      saved: [kept, w, saved!],
      backward: (dy, [a, w, saved]) => {
        const named = { dy, x: a!, weight: w!, saved: saved! };
        return fused('PatchstreamLinearGrad', named, { bias: true })!;
      },
    };
  });
  return y.reshape([...x.shape.slice(0, -1), outer]);
}

function fusedLinear(x: tf.Tensor, weight: tf.Tensor, bias: tf.Tensor | undefined, gelu: boolean) {
  return fused('PatchstreamLinear', bias === undefined ? { x, weight } : { x, weight, bias }, { gelu });
}

function composedLinear(x: tf.Tensor, weight: tf.Tensor, bias: tf.Tensor | undefined): tf.Tensor {
  if (bias === undefined) return tf.matMul(x, weight);
  return tf.fused.matMul({ a: x as tf.Tensor2D, b: weight as tf.Tensor2D, bias });
}

/**
 * x + change, of one shape, or x + scale·change. Its gradient keeps neither, where tfjs' keeps both for the sake of their shapes.
 *
 * @param scale [B, 1, …], a number for each row, where there is one; it has no gradient.
 */
export function residual(x: tf.Tensor, change: tf.Tensor, scale?: tf.Tensor): tf.Tensor {
  return withGradient(
    [x, change],
    (a, b): Forward<tf.Tensor[]> => ({
      value: a.add(scale === undefined ? b : b.mul(scale)),
      saved: scale === undefined ? [] : [scale],
      backward: (dy, [scale]) => [dy.clone(), scale === undefined ? dy.clone() : dy.mul(scale)],
    }),
  );
}

/**
 * Layer normalisation over the last axis: (x − mean)/√(var + eps)·gain + bias, var over n, not n − 1.
 * Source: Ba, Kiros and Hinton 2016.
 *
 * @param x [..., D]. @param gain [D]. @param bias [D].
 * @returns the shape of x.
 */
export function layerNorm(x: tf.Tensor, gain: tf.Tensor, bias: tf.Tensor, eps = 1e-6): tf.Tensor {
  const rows = x.reshape([-1, x.shape[x.rank - 1]!]);
  const y = withGradient([rows, gain, bias], (a, g, b): Forward<tf.Tensor[]> => {
    const [value, mean, rstd] = fused('PatchstreamLayerNorm', { x: a, gain: g, bias: b }, { eps }) ?? [];
    if (value !== undefined && mean !== undefined && rstd !== undefined) {
      return {
        value,
        saved: [a, mean, rstd, g],
        backward: (dy, [a, mean, rstd, g]) =>
          fused('PatchstreamLayerNormGrad', { dy, x: a!, mean: mean!, rstd: rstd!, gain: g! })!,
      };
    }
    const centred = a.sub(a.mean(-1, true));
    const scale = centred.square().mean(-1, true).add(eps).rsqrt();
    const unit = centred.mul(scale);
    return {
      value: unit.mul(g).add(b),
      saved: [unit, scale, g],
      backward: (dy, [unit, scale, g]) => {
        const dUnit = dy.mul(g!);
        const along = dUnit.mul(unit!).mean(-1, true);
        const dx = dUnit.sub(dUnit.mean(-1, true)).sub(unit!.mul(along)).mul(scale!);
        return [dx, dy.mul(unit!).sum(0), dy.sum(0)];
      },
    };
  });
  return y.reshape(x.shape);
}

/**
 * x·Φ(x), the exact form by the error function, element by element. Source: Hendrycks and Gimpel 2016.
 *
 * @param x any shape. @returns the shape of x.
 */
export function gelu(x: tf.Tensor): tf.Tensor {
  return withGradient([x], (a): Forward<tf.Tensor[]> => {
    const [y, slope] = fused('PatchstreamGelu', { x: a }) ?? [];
    if (y !== undefined && slope !== undefined) {
      return { value: y, saved: [slope], backward: (dy, [slope]) => [dy.mul(slope!)] };
    }
    // The cumulative share is kept, so that the error function, the dear part, is computed once.
    const cdf = normalCdf(a);
    return { value: a.mul(cdf), saved: [a, cdf], backward: (dy, [a, cdf]) => [dy.mul(geluSlope(a!, cdf!))] };
  });
}

const normalCdf = (x: tf.Tensor) => x.mul(Math.SQRT1_2).erf().add(1).mul(0.5);

const geluSlope = (x: tf.Tensor, cdf: tf.Tensor) =>
  x
    .square()
    .mul(-0.5)
    .exp()
    .mul(1 / Math.sqrt(2 * Math.PI))
    .mul(x)
    .add(cdf);

/**
 * x where it is positive, slope·x elsewhere, a slope for each channel. Source: He et al. 2015.
 *
 * @param x [..., C]. @param slope [C]. @returns the shape of x.
 */
export function prelu(x: tf.Tensor, slope: tf.Tensor): tf.Tensor {
  const C = x.shape[x.rank - 1]!;
  return withGradient([x, slope], (a, s) => {
    const positive = a.relu();
    return {
      value: positive.add(a.sub(positive).mul(s)),
      saved: [a, s] as const,
      backward: (dy, [a, s]) => {
        const isPositive = a.step();
        const elsewhere = tf.sub(1, isPositive);
        const dSlope = dy.mul(a).mul(elsewhere).reshape([-1, C]).sum(0);
        return [dy.mul(isPositive.add(elsewhere.mul(s))), dSlope];
      },
    };
  });
}

/**
 * Picks tokens by index, each sample its own. The gradient is a product with a one-hot matrix: `UnsortedSegmentSum` is missing on wasm,
 * and `batchDims` loops over samples.
 *
 * @param x [N, n, D] float32. @param ids [N, k] int32 in 0 … n − 1; the same id may come more than once.
 * @returns [N, k, D].
 */
export function gatherTokens(x: tf.Tensor3D, ids: tf.Tensor2D): tf.Tensor3D {
  const [N, n, D] = x.shape;
  const k = ids.shape[1];
  return withGradient([x], (a): Forward<tf.Tensor[]> => {
    const [value] = fused('PatchstreamGatherTokens', { x: a, ids }) ?? [];
    if (value !== undefined) {
      return {
        value,
        saved: [ids],
        backward: (dy, [ids]) => fused('PatchstreamGatherTokensGrad', { dy, ids: ids! }, { n })!,
      };
    }
    const offsets = tf.range(0, N, 1, 'int32').mul(tf.scalar(n, 'int32')).reshape([N, 1]);
    const rows = ids
      .add(offsets)
      .reshape([N * k])
      .toInt();
    return {
      value: tf.gather(a.reshape([N * n, D]), rows).reshape([N, k, D]),
      saved: [ids],
      backward: (dy, [ids]) => [
        // tfjs' one-hot matrices have two columns at least.
        n === 1 ? dy.sum(1, true) : tf.matMul(tf.oneHot(ids!, n).toFloat(), dy, true, false),
      ],
    };
  }) as tf.Tensor3D;
}

/**
 * 3 × 3 convolution, stride 1, zero border, so that the sides stay. The filter's gradient is nine products of shifted pictures: wasm has
 * no kernel for it.
 *
 * @param x [N, H, W, C]. @param weight [3, 3, C, F]. @param bias [F], when there is one.
 * @returns [N, H, W, F].
 */
export function conv3x3(x: tf.Tensor4D, weight: tf.Tensor4D, bias?: tf.Tensor1D): tf.Tensor4D {
  const [N, H, W, C] = x.shape;
  const F = weight.shape[3];
  const inputs: tf.Tensor[] = bias === undefined ? [x, weight] : [x, weight, bias];
  return withGradient(inputs, (...[a, w, b]) => {
    const named = { x: a!, weight: w! };
    const [whole] = fused('PatchstreamConv3x3', b === undefined ? named : { ...named, bias: b }) ?? [];
    const composed = () => tf.conv2d(a as tf.Tensor4D, w as tf.Tensor4D, 1, 'same');
    return {
      value: whole ?? (b === undefined ? composed() : composed().add(b)),
      saved: [a!, w!] as const,
      backward: (dy, [a, w]) => {
        const fusedGrads = fused('PatchstreamConv3x3Grad', { dy, x: a, weight: w }, { bias: b !== undefined });
        if (fusedGrads !== undefined) return fusedGrads;
        const rows = dy.reshape([N * H * W, F]);
        const bordered = a.pad([
          [0, 0],
          [1, 1],
          [1, 1],
          [0, 0],
        ]);
        const taps = Array.from({ length: 9 }, (_, tap) => {
          const shifted = bordered.slice([0, Math.floor(tap / 3), tap % 3, 0], [N, H, W, C]);
          return tf.matMul(shifted.reshape([N * H * W, C]), rows, true, false);
        });
        const dx = tf.conv2dTranspose(dy as tf.Tensor4D, w as tf.Tensor4D, [N, H, W, C], 1, 'same');
        const grads = [dx, tf.stack(taps).reshape([3, 3, C, F])];
        return b === undefined ? grads : [...grads, rows.sum(0)];
      },
    };
  }) as tf.Tensor4D;
}

/**
 * Cross-entropy of logits with soft targets, −Σ target · log softmax(logits), row by row. Targets have no gradient.
 *
 * @param logits [N, C]. @param target [N, C], each row adding up to 1. @returns [N].
 */
export function softCrossEntropy(logits: tf.Tensor, target: tf.Tensor): tf.Tensor {
  return withGradient([logits], (a): Forward<tf.Tensor[]> => {
    const shifted = a.sub(a.max(-1, true));
    const whole = shifted.exp().sum(-1, true).log();
    return {
      value: whole.squeeze([-1]).sub(shifted.mul(target).sum(-1)),
      saved: [shifted.sub(whole), target],
      backward: (dy, [log, target]) => [log!.exp().sub(target!).mul(dy.expandDims(-1))],
    };
  });
}

/** What one step of AdamW needs beside its tensors. `step` counts from 1. */
export interface AdamWStep {
  readonly lr: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly eps: number;
  readonly weightDecay: number;
  readonly step: number;
}

/**
 * One step of Adam with decoupled weight decay: m ← β₁m + (1 − β₁)g; v ← β₂v + (1 − β₂)g²; p ← p − lr·wd·p − lr·m̂/(√v̂ + eps).
 * Source: Loshchilov and Hutter 2019. The old tensors are the caller's to dispose; nothing is changed in place, for backends keep packed
 * copies of weights by tensor.
 *
 * @param parameter any shape; @param grad, @param first (m) and @param second (v) the same.
 * @returns new tensors [parameter, first, second].
 */
export function adamw(
  parameter: tf.Tensor,
  grad: tf.Tensor,
  first: tf.Tensor,
  second: tf.Tensor,
  { lr, beta1, beta2, eps, weightDecay, step }: AdamWStep,
): [tf.Tensor, tf.Tensor, tf.Tensor] {
  return tf.tidy(() => {
    const m = first.mul(beta1).add(grad.mul(1 - beta1));
    const v = second.mul(beta2).add(grad.square().mul(1 - beta2));
    const change = m.mul(lr / (1 - beta1 ** step)).div(
      v
        .mul(1 / (1 - beta2 ** step))
        .sqrt()
        .add(eps),
    );
    const kept = weightDecay === 0 ? parameter : parameter.mul(1 - lr * weightDecay);
    return [kept.sub(change), m, v];
  });
}
