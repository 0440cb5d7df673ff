import { gradients } from '../../src/backends/gradients.ts';
import * as tf from '../../src/backends/tf.ts';
import { uploadAll } from '../../src/backends/upload.ts';
import { prepareWasm } from '../../src/backends/wasm/wasm.ts';
import { encoderSizes } from '../../src/models/layers/encoder.options.ts';
import { lomar } from '../../src/models/lomar/network.ts';
import { type LomarShape, lomarCost } from '../../src/models/lomar/options.ts';
import { Random } from '../../src/random.ts';
import { adamw } from '../../src/train/optimizers/adamw.ts';
import { noiseBatch } from '../peers/noise.ts';

const [N, M, side] = [8, 4, 224];
const shape: LomarShape = { ...encoderSizes.tiny, patch: 16, K: 7, target: 'patchNorm', rpeScaled: false };

/**
 * How much of wasm's product rate does a step of LoMaR ViT-Tiny reach (224 px, patch 16, 4 windows of 7 × 7, 80 % hidden, 8 images:
 * forward, backward, AdamW, counted as 3 forward passes of 2 FLOP per multiply-add)? Against the best rate of tfjs' wasm `matMul` in the
 * same process. Both sides: best of several, after a warm-up; the products before and after the steps.
 */
export async function wasmAgainstProducts() {
  await prepareWasm();
  const before = productRate();
  const ours = stepRate();
  const theirs = Math.max(before, productRate());
  const what = 'wasm lomar tiny micro-batch 8 float32 against own matmul';
  return { what, ours, theirs, unit: 'GFLOP/s', ratio: ours / theirs };
}

/** The least seconds of `times` runs, after `warm` runs that are not counted. */
function bestOf(times: number, warm: number, f: () => void): number {
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < warm + times; i++) {
    const start = performance.now();
    f();
    if (i >= warm) best = Math.min(best, performance.now() - start);
  }
  return best / 1000;
}

/** GFLOP/s of the best of three products of kinds that the step is made of, and a large square one. */
function productRate(): number {
  const rates = [
    [1024, 1024, 1024],
    [1600, 768, 192],
    [192, 1600, 768],
  ].map(([n, d, m]) => {
    const [a, b] = [tf.ones([n!, d!]), tf.ones([d!, m!])];
    const seconds = bestOf(8, 3, () => tf.matMul(a, b).dispose());
    tf.dispose([a, b]);
    return (2 * n! * d! * m!) / seconds / 1e9;
  });
  return Math.max(...rates);
}

/** GFLOP/s of a training step. */
function stepRate(): number {
  const model = lomar(shape);
  const params = model.init((name) => new Random(0, name, 'bench'));
  const optimizer = adamw((name) => model.decays(name));
  const state = optimizer.init(params);
  const batch = noiseBatch({ N, side, patch: shape.patch, ratio: 0.8, windows: { K: shape.K, M } });
  const seconds = bestOf(4, 2, () => {
    const inputs = uploadAll(model.inputs(batch));
    const { value, gradients: found } = gradients(() => model.loss(params, inputs).sum, params);
    optimizer.update(params, Object.values(found), state, { lr: 1e-4, scale: 1 / (N * M) });
    value.dataSync();
    tf.dispose([value, ...Object.values(found), ...Object.values(inputs)]);
  });
  const { macs } = lomarCost(shape, { size: [side, side], M });
  return (N * macs * 3 * 2) / seconds / 1e9;
}
