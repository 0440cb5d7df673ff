import t from 'tap';
import { differences } from '../../src/train/differences.ts';

const own = {
  seed: 7,
  train: { batch: 48, steps: 900, optimizer: { adamw: { lr: 0.01, betas: [0.9, 0.95] } } },
  stages: { resize: { size: 64 }, mask: { ratio: 0.6 } },
  order: ['resize', 'mask'],
  spec: { size: [64, 64] },
};

t.test('what differs, by its name, with both values', (t) => {
  const told = (change: object, mine: unknown = own) => differences({ ...own, ...change }, mine);
  t.equal(told({}), undefined);
  t.equal(told({ seed: 8 }), 'seed is 8 in it and 7 in the pipeline');
  const { steps: _, ...endless } = own.train;
  t.equal(
    told({ train: { ...endless, epochs: 2 } }),
    'train.steps is not set in it and 900 in the pipeline; train.epochs is 2 in it and not set in the pipeline',
  );
  t.equal(
    told({ train: { ...own.train, optimizer: { adamw: { lr: 0.01, betas: [0.9, 0.999] } } } }),
    'train.optimizer.adamw.betas is [0.9, 0.999] in it and [0.9, 0.95] in the pipeline',
  );
  t.equal(
    told({ stages: { mask: own.stages.mask }, order: ['mask'] }),
    'stages.resize is not set in it and { size: 64 } in the pipeline',
    'what follows from it is not told',
  );
  t.equal(
    told({ order: ['mask', 'resize'] }),
    "order is ['mask', 'resize'] in it and ['resize', 'mask'] in the pipeline",
    'but where it is all',
  );
  t.equal(
    told({ list: [{ a: 1 }, { a: 2 }] }, { ...own, list: [{ a: 1 }, { a: 3 }] }),
    'list[1].a is 2 in it and 3 in the pipeline',
  );
  const many = differences({ a: 1, b: 1, c: 1, d: 1, e: 1, f: 1 }, { a: 2, b: 2, c: 2, d: 2, e: 2, f: 2 });
  t.match(many, /^a is 1 .*d is 1 in it and 2 in the pipeline; and 2 more differ$/);
  t.end();
});

t.test('a file may say anything', (t) => {
  let deep: unknown = 1;
  for (let i = 0; i < 100_000; i++) deep = [deep];
  const wide = Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`key${i}`, i]));
  const proto = JSON.parse('{"__proto__": {"seed": 9}, "constructor": 1}');
  for (const stored of [
    null,
    3,
    'x'.repeat(10_000),
    [],
    deep,
    wide,
    proto,
    { seed: deep },
    { train: wide },
    { seed: 'a\u001b[2J\n' },
  ]) {
    const told = differences(stored, own)!;
    t.ok(told.length < 1000 && !/\p{Cc}/u.test(told), told.slice(0, 60));
  }
  t.end();
});
