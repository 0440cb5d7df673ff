import t from 'tap';
import { bytesPerSample, chooseMicroBatch, type MicroBatchNeeds } from '../../src/train/microbatch.ts';

// LoMaR nano on 64 px: two windows of 5 × 5 patches and a cls token each.
const needs: MicroBatchNeeds = {
  batch: 32,
  tokens: 52,
  width: 64,
  depth: 4,
  heads: 2,
  sequence: 26,
  cellBytes: 12_416,
  memory: 2 ** 30,
  enoughTokens: 1000,
};

t.test('the smallest divisor that keeps the backend busy', (t) => {
  t.equal(chooseMicroBatch(needs).microBatch, 32, '16 would be 832 tokens');
  t.equal(chooseMicroBatch({ ...needs, enoughTokens: 400 }).microBatch, 8);
  t.match(chooseMicroBatch({ ...needs, enoughTokens: 400 }).reason, /8 of 32: 416 tokens/);
  t.equal(chooseMicroBatch({ ...needs, batch: 30, enoughTokens: 400 }).microBatch, 10, 'a divisor of this batch');
  t.match(chooseMicroBatch({ ...needs, batch: 4 }), { microBatch: 4, reason: /the whole batch/ });
  t.end();
});

t.test('a decoder counts too', (t) => {
  const decoder = { tokens: 65, width: 32, depth: 2, heads: 2, sequence: 65 };
  t.match(chooseMicroBatch({ ...needs, also: [decoder], enoughTokens: 400 }), { microBatch: 4, reason: /468 tokens/ });
  t.equal(bytesPerSample({ ...needs, also: [decoder] }) - bytesPerSample(needs), 4 * 2 * 65 * (34 * 32 + 3 * 2 * 65));
  t.end();
});

t.test('memory comes first', (t) => {
  const each = bytesPerSample(needs);
  t.match(chooseMicroBatch({ ...needs, memory: 5 * each }), { microBatch: 4, reason: /would not fit/ });
  t.match(chooseMicroBatch({ ...needs, memory: each / 2 }), { microBatch: 1, reason: /least possible/ });
  t.end();
});

t.test('pairs stay together', (t) => {
  t.equal(chooseMicroBatch({ ...needs, batch: 6, enoughTokens: 100, even: true }).microBatch, 2);
  t.equal(chooseMicroBatch({ ...needs, batch: 18, memory: 3.5 * bytesPerSample(needs), even: true }).microBatch, 2);
  t.equal(chooseMicroBatch({ ...needs, batch: 1, even: true }).microBatch, 1, 'a batch of one has no pairs');
  t.end();
});
