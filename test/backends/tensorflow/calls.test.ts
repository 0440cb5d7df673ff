import t from 'tap';
import { Calls, type Output, type TensorflowBackend } from '../../../src/backends/tensorflow/calls.ts';

/** A binding that keeps count of its handles, and multiplies and fails. */
function standIn() {
  const handles = new Map<number, { shape: readonly number[]; values: readonly number[] }>();
  const called: unknown[] = [];
  let next = 0;
  const add = (shape: readonly number[], values: readonly number[]) => {
    handles.set(next, { shape, values });
    return next++;
  };
  const backend = {
    binding: {
      executeOp(name: string, attributes: readonly object[], inputs: readonly number[]): Output[] {
        called.push([name, attributes]);
        if (name === 'Fails') throw new Error('no such operation');
        const [a, b] = inputs.map((id) => handles.get(id)!.values[0]!);
        return [{ id: add([], [a! * b!]), shape: [], dtype: 1 }];
      },
      createTensor: (shape: readonly number[], _: number, values: ArrayLike<number>) => add(shape, Array.from(values)),
      deleteTensor: (id: number) => void t.ok(handles.delete(id), 'freed once'),
      ...{
        TF_FLOAT: 1,
        TF_INT32: 3,
        TF_ATTR_STRING: 0,
        TF_ATTR_INT: 1,
        TF_ATTR_FLOAT: 2,
        TF_ATTR_BOOL: 3,
        TF_ATTR_TYPE: 4,
      },
    },
    tensorMap: new Map<object, { id: number }>(),
    getInputTensorIds: (tensors: readonly { dataId: object }[]) =>
      tensors.map(({ dataId }) => backend.tensorMap.get(dataId)!.id),
  };
  const tensor = (value: number) => {
    const dataId = {};
    backend.tensorMap.set(dataId, { id: add([], [value]) });
    return { dataId, shape: [], dtype: 'float32' as const };
  };
  const held = (dataId: object) => handles.get(backend.tensorMap.get(dataId)!.id)!.values[0];
  return { backend: backend as unknown as TensorflowBackend, handles, called, tensor, held };
}

t.test('what a kernel makes is freed, but for what it gives away; constants are made once', (t) => {
  const { backend, handles, called, tensor, held } = standIn();
  const x = tensor(3);
  for (const round of [1, 2]) {
    const calls = new Calls(backend);
    const squared = calls.op('Mul', [calls.of(x), calls.of(x)]);
    const halved = calls.op('Mul', [squared, calls.constant(0.5)], { adj_x: true, padding: 'SAME', strides: [1, 1] });
    calls.ints([2, 3]);
    const again = calls.op('Mul', [halved, calls.number(10)]);
    const given = calls.give(again);
    calls.free(halved);
    calls.end();
    t.equal(held(given.dataId), 45);
    t.equal(handles.size, 3 + round, 'the input, two constants, what was given away');
    t.throws(() => calls.give(again), /is not one of this call/);
  }
  t.match(called[1], [
    'Mul',
    [
      { name: 'adj_x', type: 3, value: true },
      { name: 'padding', type: 0, value: 'SAME' },
      { name: 'strides', type: 1, value: [1, 1] },
    ],
  ]);
  t.end();
});

t.test('values are replaced where a tensor lies, and an operation that fails leaves nothing behind', (t) => {
  const { backend, handles, tensor, held } = standIn();
  const x = tensor(3);
  const calls = new Calls(backend);
  calls.replace(x, calls.op('Mul', [calls.of(x), calls.of(x)]));
  t.equal(held(x.dataId), 9);
  t.equal(handles.size, 1);
  calls.op('Mul', [calls.of(x), calls.of(x)]);
  t.throws(() => calls.op('Fails', []), /no such operation/);
  calls.end();
  t.equal(handles.size, 1);
  t.end();
});
