import t from 'tap';
import { Budget, type Failure } from '../../src/streams/failures.ts';

const sample = { key: 'a', position: 200, epoch: 0 };

t.test('a budget holds for an earlier run and this one together', (t) => {
  const before = { seen: 100, out: 96, failures: new Map([['decode', 4]]) };
  const told: Failure[] = [];
  const spend = (max: number | '5%', came: number, stage = 'decode') => {
    const budget = new Budget(stage, max, (failure) => told.push(failure), before);
    return budget.spend(sample, new Error('broken'), came);
  };
  t.match(spend(4, 10), { code: 'STAGE_BUDGET', message: /got 5 of 110/ });
  t.equal(spend(5, 10), undefined);
  t.equal(spend('5%', 1), undefined, 'five of 101');
  t.equal(spend(1, 10, 'resize'), undefined, 'each stage has its own');
  const most = new Budget('decode', '5%', () => {}, { ...before, failures: new Map([['decode', 9]]) });
  t.match(most.spend(sample, new Error('broken'), 1), { code: 'STAGE_BUDGET', message: /got 10 of 101/ });
  t.equal(told.length, 4, 'only those of this run are reported');
  t.end();
});
