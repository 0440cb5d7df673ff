import fc from 'fast-check';
import t from 'tap';
import { bestOf, withoutGain } from '../../src/train/judge.ts';

const judged = (...values: number[]) => values.map((value, i) => ({ step: 10 * i, value }));

t.test('the best value, and of equal ones the earliest', (t) => {
  t.same(bestOf([], 'higher'), undefined);
  t.same(bestOf(judged(1, 3, 3, 2), 'higher'), { step: 10, value: 3 });
  t.same(bestOf(judged(2, 1, 3, 1), 'lower'), { step: 10, value: 1 });
  t.end();
});

t.test('evaluations in a row that brought nothing better', (t) => {
  const count = (values: number[], minDelta = 0) => withoutGain(judged(...values), { better: 'higher', minDelta });
  t.equal(count([]), 0);
  t.equal(count([1]), 0);
  t.equal(count([1, 1, 0.5]), 2);
  t.equal(count([1, 0.9, 1.1]), 0);
  t.equal(count([1, 1.05, 1.09], 0.1), 2, 'a little better is not better enough, of the best before them');
  t.equal(count([1, 1.05, 1.2], 0.1), 0);
  t.equal(withoutGain(judged(3, 2, 2), { better: 'lower', minDelta: 0 }), 1);
  t.end();
});

t.test('with no least gain, it counts from the best on', (t) => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 5 }), { minLength: 1 }), fc.boolean(), (values, higher) => {
      const better = higher ? 'higher' : 'lower';
      const all = judged(...values);
      const place = all.findIndex(({ step }) => step === bestOf(all, better)!.step);
      return withoutGain(all, { better, minDelta: 0 }) === values.length - 1 - place;
    }),
  );
  t.end();
});
