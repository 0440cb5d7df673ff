import t from 'tap';
import { type OnnxGraph, onnxFiles } from '../../src/formats/onnx.ts';
import { readOnnx } from '../kit/onnx.ts';

const floats = (values: readonly number[]) => new Uint8Array(Float32Array.from(values).buffer);
const weight = Array.from({ length: 600 }, (_, i) => i / 7);

const graph: OnnxGraph = {
  name: 'sum',
  about: 'x + weight',
  nodes: [
    { name: 'add', operator: 'Add', inputs: ['x', 'weight'], outputs: ['y'], attributes: {} },
    {
      name: 'other',
      operator: 'Other',
      inputs: ['y', '', 'one'],
      outputs: ['a', 'b'],
      attributes: { whole: -1, list: [2, -3], text: 'é', part: { float: 0.25 } },
    },
  ],
  tensors: [
    { name: 'weight', type: 'float32', shape: [600], bytes: floats(weight) },
    { name: 'one', type: 'int64', shape: [1], bytes: new Uint8Array(BigInt64Array.of(-1n).buffer) },
    { name: 'again', type: 'float32', shape: [20, 30], bytes: floats(weight) },
  ],
  inputs: [{ name: 'x', type: 'uint8', shape: ['N', 600] }],
  outputs: [{ name: 'a', type: 'float32', shape: ['N', 600] }],
  metadata: { key: 'wörd' },
  version: '1.2.3',
};

t.test('a graph is what an independent reader reads', (t) => {
  const { model, data } = onnxFiles(graph, 'sum.onnx.data');
  t.equal(data, undefined);
  const read = readOnnx(Buffer.concat([...model]));
  t.match(read, {
    version: [17],
    producer: ['patchstream', '1.2.3'],
    metadata: { key: 'wörd' },
    nodes: [{ name: 'add', operator: 'Add' }, { operator: 'Other' }],
    inputs: [{ name: 'x', type: 2, shape: ['N', 600] }],
    outputs: [{ name: 'a', type: 1, shape: ['N', 600] }],
  });
  t.same([...read.tensors.keys()], ['weight', 'one', 'again']);
  const { dims, type, bytes } = read.tensors.get('weight')!;
  t.same([dims, type], [[600], 1]);
  t.same(Buffer.from(bytes!), Buffer.from(floats(weight)));
  t.end();
});

t.test('tensors that do not fit the file lie beside it, small ones do not', (t) => {
  const { model, data } = onnxFiles(graph, 'sum.onnx.data', 4000);
  const beside = Buffer.concat([...data!]);
  const { tensors } = readOnnx(Buffer.concat([...model]));
  t.ok(tensors.get('one')!.bytes, 'a reader looks into shapes when it opens the file');
  for (const [name, offset] of [
    ['weight', 0],
    ['again', 4096],
  ] as const) {
    const { bytes, external } = tensors.get(name)!;
    t.equal(bytes, undefined);
    t.same(external, { location: 'sum.onnx.data', offset: `${offset}`, length: '2400' });
    t.ok(beside.subarray(offset, offset + 2400).equals(floats(weight)));
  }
  t.end();
});
