import t from 'tap';
import { prepareThreads } from '../src/library-threads.ts';
import { computeThreads } from '../src/machine.ts';

t.test('OpenMP’s threads spin for a short while, unless the user has said how they wait', (t) => {
  const before = { ...process.env };
  const after = (env: Record<string, string>) => {
    for (const name of ['GOMP_SPINCOUNT', 'OMP_WAIT_POLICY']) delete process.env[name];
    Object.assign(process.env, env);
    prepareThreads();
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

t.test(
  'C3, S6: TensorFlow starts a thread for each core that the process may use, OpenBLAS none, unless the user has said how many',
  (t) => {
    const names = ['TF_NUM_INTRAOP_THREADS', 'TF_NUM_INTEROP_THREADS', 'OPENBLAS_NUM_THREADS', 'OMP_NUM_THREADS'];
    const before = { ...process.env };
    const after = (env: Record<string, string>) => {
      for (const name of names) delete process.env[name];
      Object.assign(process.env, env);
      prepareThreads();
      return names.slice(0, 3).map((name) => process.env[name]);
    };
    t.teardown(() => {
      for (const name of names) delete process.env[name];
      Object.assign(process.env, before);
    });
    t.same(after({}), [`${computeThreads({})}`, `${computeThreads({})}`, '1']);
    t.same(after({ OMP_NUM_THREADS: '3' }), ['3', '3', '1']);
    t.same(after({ TF_NUM_INTRAOP_THREADS: '7', OMP_NUM_THREADS: '3' }), ['7', '3', '1']);
    t.end();
  },
);
