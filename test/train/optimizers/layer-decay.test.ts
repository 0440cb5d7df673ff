import t from 'tap';
import * as tf from '../../../src/backends/tf.ts';
import { prepareWasm } from '../../../src/backends/wasm/wasm.ts';
import { classifierOptions, classifierParameters, classifierShape } from '../../../src/models/classifier/options.ts';
import { adamw } from '../../../src/train/optimizers/adamw.ts';
import { layerScales } from '../../../src/train/optimizers/layer-decay.ts';
import { disposeState } from '../../../src/train/optimizers/optimizer.ts';
import { expectClose, expectNoTensorLeak } from '../../kit/training/tensors.ts';

await prepareWasm();

t.test('VECTOR: twelve blocks, 0.65', (t) => {
  for (const encoder of ['mae', 'lomar'] as const) {
    const options = classifierOptions.parse({ encoder, classes: 10, size: 'base', patch: 16 });
    const names = classifierParameters(classifierShape(options, { size: [224, 224] })).map(({ name }) => name);
    const scales = new Map(layerScales(names, 0.65).map((scale, i) => [names[i]!, scale]));
    for (const name of ['cls_token', 'patch_embed.proj.weight', ...(encoder === 'mae' ? ['pos_embed'] : [])])
      t.ok(Math.abs(scales.get(name)! - 0.003697) < 1e-6, name);
    t.ok(Math.abs(scales.get('blocks.0.attn.qkv.weight')! - 0.65 ** 12) < 1e-12);
    t.equal(scales.get('blocks.11.mlp.fc2.bias'), 0.65);
    if (encoder === 'lomar') t.equal(scales.get('blocks.11.attn.rpe_k.lookup_table_weight'), 0.65);
    for (const name of ['fc_norm.weight', 'head.weight', 'head.bias']) t.equal(scales.get(name), 1, name);
    t.ok(names.every((name) => scales.get(name)! > 0 && scales.get(name)! <= 1));
  }
  t.same(layerScales(['weight', 'bias'], 0.5), [1, 1], 'a model without blocks is one layer');
  t.same(layerScales(['cls_token', 'blocks.0.x', 'head'], 1), [1, 1, 1]);
  t.end();
});

t.test('AdamW moves each layer by its own rate, weight decay included', async (t) => {
  await expectNoTensorLeak(t, () => {
    const variable = () => tf.tidy(() => tf.variable(tf.tensor1d([1, -2])));
    const params = { 'blocks.0.w': variable(), 'blocks.1.w': variable(), 'head.w': variable(), cls_token: variable() };
    const optimizer = adamw((name) => name === 'head.w', { weightDecay: 0.5, layerDecay: 0.5 });
    const state = optimizer.init(params);
    for (let step = 0; step < 2; step++) {
      const gradients = Object.keys(params).map((_, i) => tf.tensor1d([3 + i, -7]));
      optimizer.update(params, gradients, state, { lr: 0.1 });
      tf.dispose(gradients);
    }
    // A constant gradient moves by the rate in each step.
    const moved = (rate: number) => [1 - 2 * rate, -2 + 2 * rate];
    expectClose(t, params.cls_token.dataSync(), moved(0.1 / 8), 1e-5);
    expectClose(t, params['blocks.0.w'].dataSync(), moved(0.1 / 4), 1e-5);
    expectClose(t, params['blocks.1.w'].dataSync(), moved(0.1 / 2), 1e-5);
    const decayed = (x: number, sign: number) => (x * 0.95 - sign * 0.1) * 0.95 - sign * 0.1;
    expectClose(t, params['head.w'].dataSync(), [decayed(1, 1), decayed(-2, -1)], 1e-5);
    t.equal(state.step, 2);
    tf.dispose(params as unknown as tf.TensorContainer);
    disposeState(state);
  });
});
