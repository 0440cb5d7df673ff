import t, { type Test } from 'tap';
import type { TensorflowBackend } from '../../../src/backends/tensorflow/calls.ts';
import { type List, registerLists } from '../../../src/backends/tensorflow/lists.ts';
import * as tf from '../../../src/backends/tf.ts';
import { type Run, standInBinding } from '../../kit/backends/stand-in-binding.ts';

interface At {
  readonly rate: number;
  readonly form?: string;
}

/** Multiplies what is in the first list by what is in the second, and gives rate times the first product. */
function register(t: Test, told: string[] = []) {
  const kernelName = 'TestLists';
  registerLists<At>(
    kernelName,
    {
      numbers: ({ rate }) => [rate],
      form: ({ form = '' }) => form,
      compute(c, [values, factors], [rate]) {
        const products = values!.map((value, i) => c.op('Mul', [c.of(value), c.of(factors![i]!)]));
        const given = c.op('Mul', [products[0]!, rate!]);
        for (const [i, product] of products.entries()) c.replace(values![i]!, product);
        return [given];
      },
    },
    (text) => told.push(text),
  );
  t.teardown(() => tf.unregisterKernel(kernelName, 'tensorflow'));
  const { kernelFunc } = tf.getKernel(kernelName, 'tensorflow');
  return (backend: TensorflowBackend, lists: readonly List[], attrs: At) =>
    kernelFunc({
      inputs: lists as unknown as tf.NamedTensorInfoMap,
      attrs: attrs as unknown as tf.NamedAttrMap,
      backend,
    }) as tf.TensorInfo[];
}

t.test('what is called again and again with lists of the same shapes runs as a graph', (t) => {
  const runs: Run[] = [];
  const { backend, handles, loaded, tensor, held, free } = standInBinding(t, (run) => {
    runs.push(run);
    const { n0, n1, n2, n3, n4 } = run.given as Record<'n0' | 'n1' | 'n2' | 'n3' | 'n4', number>;
    return [n0 * n2, n1 * n3, n0 * n2 * n4];
  });
  const call = register(t);
  const lists = [
    [tensor(2), tensor(3)],
    [tensor(10), tensor(100)],
  ];
  for (const [i, rate] of [0.5, 0.25, 0.125, 2].entries()) {
    const [given] = call(backend, lists, { rate });
    t.equal(held(given!), 2 * 10 ** (i + 1) * rate);
    t.equal(held(lists[0]![1]!), 3 * 100 ** (i + 1));
    free(given!);
    t.equal(handles.size, 4, 'the tensors alone are left');
  }
  t.equal(loaded.length, 1, 'one graph');
  t.same(runs, [
    { given: { n0: 200, n1: 30000, n2: 10, n3: 100, n4: 0.125 }, wanted: ['n5:0', 'n6:0', 'n7:0'] },
    { given: { n0: 2000, n1: 3000000, n2: 10, n3: 100, n4: 2 }, wanted: ['n5:0', 'n6:0', 'n7:0'] },
  ]);
  call(backend, lists, { rate: 1, form: 'another' });
  call(backend, [[tensor(2, [1])], [tensor(3, [1])]], { rate: 1 });
  t.equal(runs.length, 2, 'other forms and other shapes are called for themselves');
  t.end();
});

t.test('lists that a graph cannot serve, and all on a GPU, are called', (t) => {
  const { backend, loaded, tensor, held } = standInBinding(t);
  const call = register(t);
  const twice = tensor(3);
  const pair = () => [tensor(2), tensor(2)];
  for (let i = 0; i < 5; i++) call(backend, [pair(), [twice, twice]], { rate: 1 });
  for (let i = 0; i < 5; i++) call({ ...backend, isUsingGpuDevice: true }, [pair(), pair()], { rate: 1 });
  for (let i = 0; i < 5; i++) call(backend, [[tensor(2)], [tensor(3)]], { rate: 1 });
  const value = tensor(2);
  call(backend, [[value], [tensor(3)]], { rate: 1 });
  t.equal(held(value), 6);
  t.equal(loaded.length, 0);
  t.end();
});

t.test('a graph that is refused is told of once, and the kernel is called', (t) => {
  const told: string[] = [];
  const { backend, tensor, held, sessions } = standInBinding(t, () => {
    throw new Error('no kernel');
  });
  const call = register(t, told);
  const pair = (value: number) => [tensor(value), tensor(value)];
  for (let i = 0; i < 5; i++) {
    const [given] = call(backend, [pair(2), pair(3)], { rate: 2 });
    t.equal(held(given!), 12);
  }
  t.same(told, [
    'TestLists is called and runs as no graph, because TensorFlow does not run the graph: no kernel. Only speed suffers.',
  ]);
  t.equal(sessions.size, 0);
  t.end();
});

t.test('graphs of other shapes are closed with one that is refused', (t) => {
  const told: string[] = [];
  let failing = false;
  const { backend, tensor, held, sessions } = standInBinding(t, ({ wanted }) => {
    if (failing) throw new Error('no kernel');
    return wanted.map(() => 1);
  });
  const call = register(t, told);
  const pair = (size: number) => [tensor(2, [size]), tensor(2, [size])];
  for (let i = 0; i < 3; i++) call(backend, [pair(1), pair(1)], { rate: 2 });
  t.equal(sessions.size, 1);
  failing = true;
  for (let i = 0; i < 3; i++) call(backend, [pair(2), pair(2)], { rate: 2 });
  t.equal(told.length, 1);
  t.equal(sessions.size, 0);
  const [given] = call(backend, [pair(1), pair(1)], { rate: 2 });
  t.equal(held(given!), 8, 'and called from then on');
  t.end();
});

t.test('graphs that were not used for long are closed', (t) => {
  const { backend, tensor, sessions } = standInBinding(t, ({ wanted }) => wanted.map(() => 1));
  const call = register(t);
  const pair = (size: number) => [tensor(2, [size]), tensor(2, [size])];
  for (let size = 1; size <= 70; size++)
    for (let i = 0; i < 3; i++) call(backend, [pair(size), pair(size)], { rate: 2 });
  t.equal(sessions.size, 64);
  t.end();
});
