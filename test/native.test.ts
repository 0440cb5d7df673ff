import t from 'tap';
import { prepareThreads } from '../src/library-threads.ts';
import { computeThreads } from '../src/machine.ts';
import { torchAddon } from '../src/native.ts';

t.test('OpenMP’s threads spin for a short while, unless the user has said how they wait', (t) => {
  const before = { ...process.env };
  const after = (env: Record<string, string>) => {
    for (const name of ['GOMP_SPINCOUNT', 'OMP_WAIT_POLICY']) delete process.env[name];
    Object.assign(process.env, env);
    const loaded = prepareThreads();
    const { GOMP_SPINCOUNT } = process.env;
    loaded();
    return GOMP_SPINCOUNT;
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
      const loaded = prepareThreads();
      const set = names.slice(0, 3).map((name) => process.env[name]);
      loaded();
      return set;
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

t.test('issue 16: the environment of a program that uses the library is as it was when libraries are loaded', (t) => {
  const before = { ...process.env };
  t.teardown(() => {
    for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name];
    Object.assign(process.env, before);
  });
  delete process.env.OPENBLAS_NUM_THREADS;
  delete process.env.TF_NUM_INTEROP_THREADS;
  process.env.TF_NUM_INTRAOP_THREADS = '7';
  const own = { ...process.env };
  const [first, second] = [prepareThreads(), prepareThreads()];
  first();
  t.equal(process.env.OPENBLAS_NUM_THREADS, '1', 'another is still loading');
  process.env.TF_NUM_INTEROP_THREADS = '5';
  second();
  t.same(process.env, { ...own, TF_NUM_INTEROP_THREADS: '5' }, 'what the program sets meanwhile stays');
  delete process.env.TF_NUM_INTEROP_THREADS;
  torchAddon();
  t.same(process.env, own, 'libtorch is loaded');
  t.end();
});
