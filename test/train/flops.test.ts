import t from 'tap';
import { computeText, trainingFlop, usedOf } from '../../src/train/flops.ts';

t.test('a training step is three forward passes, of two operations for each multiply-add', (t) => {
  t.equal(trainingFlop(1e9), 6e9);
  t.end();
});

t.test('operations in a second, and their share of what the device could do', (t) => {
  const compute = { flopPerSample: 6e9, peak: { flops: 3e12, of: 'a card, float32' } };
  t.same(usedOf(compute, 250), { flops: 1.5e12, mfu: 0.5 });
  t.same(usedOf({ flopPerSample: 6e9 }, 250), { flops: 1.5e12 });
  t.equal(computeText(compute, 250), '1.5 TFLOP/s, 50 % of 3 TFLOP/s (a card, float32)');
  t.equal(
    computeText({ ...compute, flopPerSample: 1e9 }, 0.1),
    '0.1 GFLOP/s, less than 0.01 % of 3 TFLOP/s (a card, float32)',
  );
  t.equal(computeText({ flopPerSample: 9.999e11 }, 1), '1 TFLOP/s');
  t.equal(computeText({ flopPerSample: 6e9 }, 1), '6 GFLOP/s');
  t.end();
});
