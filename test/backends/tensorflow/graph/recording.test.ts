import t from 'tap';
import { Calls } from '../../../../src/backends/tensorflow/calls.ts';
import { Recording } from '../../../../src/backends/tensorflow/graph/recording.ts';
import { standInBinding } from '../../../kit/backends/stand-in-binding.ts';

t.test('operations, constants and what was there before are written down; all is computed as ever', (t) => {
  const { backend, binding, tensor, held } = standInBinding(t);
  const [x, earlier] = [tensor(3, [2]), tensor(7)];
  // Numbers of kernels that were made before are constants all the same.
  new Calls(backend).constant(0.5);
  const recording = new Recording(backend, [x]);
  const calls = new Calls(backend);
  const product = calls.op('Mul', [calls.of(x), calls.constant(0.5)]);
  const whole = calls.op('Mul', [product, calls.of(earlier)]);
  const given = calls.give(calls.op('Mul', [whole, calls.number(2)]));
  calls.end();
  let added = 0;
  recording.give(given, () => {
    added = held(given);
    const others = new Calls(backend);
    others.op('Square', [others.of(given)]);
    others.end();
  });
  recording.stop();
  t.equal(added, 21);
  t.equal(backend.binding, binding, 'the backend is as it was');
  t.same(
    recording.graph.nodes.map(({ name, operation, inputs }) => [name, operation, ...inputs]),
    [
      ['n0', 'Placeholder'],
      ['n1', 'Const'],
      ['n2', 'Mul', 'n0', 'n1'],
      ['n3', 'Placeholder'],
      ['n4', 'Mul', 'n2', 'n3'],
      ['n5', 'Const'],
      ['n6', 'Mul', 'n4', 'n5'],
    ],
    'and not what is called while a tensor is given away',
  );
  t.same(recording.feeds, [
    { name: 'n0', given: 0 },
    { name: 'n3', dataId: earlier.dataId },
  ]);
  t.same(recording.outputs, ['n6']);
  t.equal(recording.graph.calls, 3);
  t.match(recording, { unknown: '', reads: '', frees: false, keeps: false });
  calls.op('Square', [calls.of(x)]);
  calls.end();
  t.equal(recording.graph.calls, 3, 'nothing after its end');
  t.end();
});

t.test('what cannot be done again by a graph is found', (t) => {
  const { backend, tensor, free } = standInBinding(t);
  const recorded = (compute: (calls: Calls) => void) => {
    const recording = new Recording(backend, []);
    const calls = new Calls(backend);
    compute(calls);
    calls.end();
    recording.stop();
    const { unknown, reads, frees, keeps } = recording;
    return { unknown, reads, frees, keeps };
  };
  const x = tensor(3);
  const nothing = { unknown: '', reads: '', frees: false, keeps: false };
  t.same(
    recorded((calls) => void calls.op('RandomUniform', [])),
    { ...nothing, unknown: 'RandomUniform' },
    'chance',
  );
  const own = backend.binding.createTensor([], 1, Float32Array.of(2));
  t.match(
    recorded((calls) => void calls.op('Square', [own])),
    { ...nothing, unknown: 'on a tensor that tfjs does not know' },
  );
  t.same(
    recorded((calls) => void backend.binding.tensorDataSync(calls.op('Square', [calls.of(x)]))),
    { ...nothing, reads: 'Square' },
  );
  t.same(
    recorded((calls) => void backend.binding.tensorDataSync(calls.of(x))),
    { ...nothing, reads: 'an input' },
    'what was there before may be another the next time',
  );
  t.same(
    recorded((calls) => void backend.binding.tensorDataSync(calls.number(2))),
    nothing,
    'a number of the pass itself is a constant that is compared',
  );
  t.same(
    recorded((calls) => void calls.give(calls.op('Square', [calls.of(x)]))),
    { ...nothing, keeps: true },
  );
  t.same(
    recorded(() => free(x)),
    { ...nothing, frees: true },
  );
  t.end();
});
