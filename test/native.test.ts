import t from 'tap';
import { shortenOpenmpWaits } from '../src/native.ts';

t.test('OpenMP’s threads spin for a short while, unless the user has said how they wait', (t) => {
  const before = { ...process.env };
  const after = (env: Record<string, string>) => {
    for (const name of ['GOMP_SPINCOUNT', 'OMP_WAIT_POLICY']) delete process.env[name];
    Object.assign(process.env, env);
    shortenOpenmpWaits();
    return process.env.GOMP_SPINCOUNT;
  };
  t.teardown(() => {
    for (const name of ['GOMP_SPINCOUNT', 'OMP_WAIT_POLICY']) delete process.env[name];
    Object.assign(process.env, before);
  });
  t.equal(after({}), '1000');
  t.equal(after({ GOMP_SPINCOUNT: '7' }), '7');
  t.equal(after({ OMP_WAIT_POLICY: 'active' }), undefined);
  t.end();
});
