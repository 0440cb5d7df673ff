import t from 'tap';
import { Constants } from '../../../src/backends/constants.ts';
import { pairBuckets } from '../../../src/backends/ops.ts';
import * as tf from '../../../src/backends/tf.ts';
import { prepareWasm } from '../../../src/backends/wasm/wasm.ts';
import { watchAttention } from '../../../src/models/layers/attention-watch.ts';
import { learned } from '../../../src/models/layers/learned.ts';
import { blockParameters } from '../../../src/models/layers/parameters.ts';
import { bucketCount, gridBuckets } from '../../../src/models/layers/relative.ts';
import { block } from '../../../src/models/layers/vit.ts';
import { Random } from '../../../src/random.ts';
import { expectClose, expectNoTensorLeak, waves } from '../../kit/training/tensors.ts';

await prepareWasm((message) => t.comment(message));

const [B, T, D, heads] = [2, 7, 12, 3];
const d = D / heads;
const constants = new Constants();
const buckets = pairBuckets(constants, '2 × 3', bucketCount, () => gridBuckets(2, 3));
const params = learned(blockParameters('blocks.3', D, heads, { buckets: bucketCount })).init(
  (name) => new Random(7, name, 'init'),
);
// The table begins at zero, and biases too: numbers that show a mistake take their place.
for (const [i, [name, variable]] of Object.entries(params).entries())
  if (/qkv\.bias|rpe_k|norm1/.test(name))
    tf.tidy(() => variable.assign(tf.tensor(Float32Array.from(waves(variable.shape, i).data), variable.shape)));
const x = tf.tensor3d(Float32Array.from(waves([B, T, D]).data), [B, T, D]);

t.teardown(() => {
  tf.dispose([params, x]);
  constants.dispose();
});

/** softmax(qk/√d + q·R) in float64, number by number. [B, h, T, T] */
function expectedWeights(relative: { readonly scaled: boolean } | undefined): Float64Array {
  const of = (name: string) => params[`blocks.3.${name}`]!.dataSync();
  const [gain, shift] = [of('norm1.weight'), of('norm1.bias')];
  const [weight, bias, table] = [of('attn.qkv.weight'), of('attn.qkv.bias'), of('attn.rpe_k.lookup_table_weight')];
  const ids = gridBuckets(2, 3);
  const values = x.dataSync();
  const qkv = (b: number, i: number, column: number) => {
    const row = Array.from(values.subarray((b * T + i) * D, (b * T + i + 1) * D));
    const mean = row.reduce((sum, value) => sum + value, 0) / D;
    const deviation = Math.sqrt(row.reduce((sum, value) => sum + (value - mean) ** 2, 0) / D + 1e-6);
    const unit = row.map((value, j) => ((value - mean) / deviation) * gain[j]! + shift[j]!);
    return unit.reduce((sum, value, j) => sum + value * weight[j * 3 * D + column]!, bias[column]!);
  };
  const out: number[] = [];
  for (let b = 0; b < B; b++)
    for (let h = 0; h < heads; h++)
      for (let i = 0; i < T; i++) {
        const q = Array.from({ length: d }, (_, c) => qkv(b, i, h * d + c));
        const logits = Array.from({ length: T }, (_, j) => {
          const dot = q.reduce((sum, value, c) => sum + value * qkv(b, j, D + h * d + c), 0) / Math.sqrt(d);
          if (relative === undefined) return dot;
          const term = q.reduce((sum, value, c) => sum + value * table[c * bucketCount + ids[i * T + j]!]!, 0);
          return dot + term / (relative.scaled ? Math.sqrt(d) : 1);
        });
        const powers = logits.map(Math.exp);
        const whole = powers.reduce((sum, value) => sum + value, 0);
        out.push(...powers.map((value) => value / whole));
      }
  return Float64Array.from(out);
}

for (const relative of [undefined, { scaled: false }, { scaled: true }]) {
  const what = relative === undefined ? 'without positions' : `relative, ${relative.scaled ? 'scaled' : 'unscaled'}`;
  t.test(`the weights of a block are softmax(qk/√d + relative term) in float64: ${what}`, async (t) => {
    const run = () => block(params, 'blocks.3', x, heads, relative && { buckets, ...relative });
    tf.dispose(run());
    await expectNoTensorLeak(t, () => {
      const heard: string[] = [];
      let weights: tf.Tensor4D | undefined;
      const watched = watchAttention((prefix, of) => {
        heard.push(prefix);
        weights = tf.keep(of());
      }, run);
      const alone = run();
      t.same(heard, ['blocks.3'], 'heard while it is watched, and not after');
      t.same(weights!.shape, [B, heads, T, T]);
      expectClose(t, weights!.dataSync(), expectedWeights(relative), 1e-5);
      t.same(watched.dataSync(), alone.dataSync(), 'whoever watches changes nothing');
      tf.dispose([watched, alone, weights!]);
    });
  });
}

t.test('a watched pass that fails is watched no longer, and watchers nest', (t) => {
  const heard: string[] = [];
  const run = () => tf.dispose(block(params, 'blocks.3', x, heads));
  const failing = () => {
    throw new Error('planted');
  };
  watchAttention(
    () => heard.push('outer'),
    () => {
      t.throws(() => watchAttention(() => heard.push('inner'), failing), /planted/);
      run();
    },
  );
  run();
  t.same(heard, ['outer']);
  t.end();
});
