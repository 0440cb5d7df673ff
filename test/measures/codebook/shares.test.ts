import t from 'tap';
import { sharesOf } from '../../../src/measures/codebook/shares.ts';

t.test('codes in even use, and in uneven', (t) => {
  const even = sharesOf([5, 5, 5, 5]);
  t.ok(Math.abs(even.perplexity - 4) < 1e-12);
  t.same([even.used, even.commonest], [1, 0.25]);
  const one = sharesOf([0, 7, 0, 0]);
  t.same(one, { perplexity: 1, used: 0.25, commonest: 1 });
  const three = sharesOf([2, 1, 1, 0]);
  t.ok(Math.abs(three.perplexity - 2 ** 1.5) < 1e-12, '1.5 bits');
  t.same([three.used, three.commonest], [0.75, 0.5]);
  t.end();
});
