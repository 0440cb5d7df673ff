import t from 'tap';
import { shortening } from '../../../src/train/optimizers/clip.ts';

t.test('a gradient that is too long is shortened, and no other', (t) => {
  t.equal(shortening(5, undefined), 1);
  t.equal(shortening(2, 3), 1);
  t.equal(shortening(6, 3), 3 / (6 + 1e-6));
  t.equal(shortening(0, 3), 1);
  t.throws(() => shortening(undefined, 3), /measured before it is clipped/);
  t.end();
});
