import t from 'tap';
import { Calls } from '../../../src/backends/tensorflow/calls.ts';
import { standInBinding } from '../../kit/backends/stand-in-binding.ts';

t.test('what a kernel makes is freed, but for what it gives away; constants are made once', (t) => {
  const { backend, handles, called, tensor, held } = standInBinding(t);
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
    t.equal(held(given), 45);
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
  const { backend, handles, tensor, held } = standInBinding(t);
  const x = tensor(3);
  const calls = new Calls(backend);
  calls.replace(x, calls.op('Mul', [calls.of(x), calls.of(x)]));
  t.equal(held(x), 9);
  t.equal(handles.size, 1);
  calls.op('Mul', [calls.of(x), calls.of(x)]);
  t.throws(() => calls.op('Fails', []), /no such operation/);
  calls.end();
  t.equal(handles.size, 1);
  t.end();
});
