import t from 'tap';
import { PatchstreamError } from '../../src/errors.ts';
import type { Positioned } from '../../src/files/positioned.ts';
import { type OnnxGraph, onnxFiles } from '../../src/formats/onnx.ts';
import { onnxSummary } from '../../src/formats/onnx-summary.ts';
import { ProtoMessage } from '../../src/formats/proto.ts';
import { Random } from '../../src/random.ts';

const file = (bytes: Uint8Array): Positioned => ({
  name: 'x.onnx',
  size: bytes.length,
  read: async (offset, length) => Buffer.from(bytes.subarray(offset, offset + length)),
});
const node = (name: string, operator: string) => ({ name, operator, inputs: ['x'], outputs: [name], attributes: {} });

const graph: OnnxGraph = {
  name: 'g',
  about: 'what it is',
  nodes: [node('a', 'Add'), node('b', 'MatMul'), node('c', 'MatMul')],
  tensors: [
    { name: 'weight', type: 'float32', shape: [20, 30], bytes: new Uint8Array(2400) },
    { name: 'one', type: 'int64', shape: [1], bytes: new Uint8Array(8) },
  ],
  inputs: [{ name: 'x', type: 'uint8', shape: ['N', 8, 8, 3] }],
  outputs: [{ name: 'c', type: 'float32', shape: ['N', 2] }],
  metadata: { 'patchstream.size': '[8,8]' },
  version: '1.2.3',
};

const expected = {
  format: 8,
  operators: { 'ai.onnx': 17 },
  producer: 'patchstream 1.2.3',
  about: 'what it is',
  inputs: [{ name: 'x', type: 'uint8', shape: ['N', 8, 8, 3] }],
  outputs: [{ name: 'c', type: 'float32', shape: ['N', 2] }],
  nodes: 3,
  operations: { MatMul: 2, Add: 1 },
  tensors: 2,
  values: 601,
  types: ['float32', 'int64'],
  data: {},
  metadata: { 'patchstream.size': '[8,8]' },
};

t.test('a file of ours, with its tensors inside and beside it', async (t) => {
  t.same(await onnxSummary(file(Buffer.concat([...onnxFiles(graph, 'd').model]))), expected);
  const { model } = onnxFiles(graph, 'd.data', 100);
  t.same(await onnxSummary(file(Buffer.concat([...model]))), { ...expected, data: { 'd.data': 2400 } });
});

t.test('files of other programs: domains, graphs in nodes, inputs of any kind, packed sides', async (t) => {
  const text = (value: string) => new ProtoMessage().text(1, value);
  const inner = new ProtoMessage().message(1, new ProtoMessage().text(4, 'Mul'));
  const attribute = (field: number) => new ProtoMessage().text(1, 'body').message(field, inner);
  const loop = new ProtoMessage().text(4, 'Loop').message(5, attribute(6)).message(5, attribute(11));
  const shape = new ProtoMessage().message(1, new ProtoMessage()).message(1, new ProtoMessage().int(1, -1));
  const typed = (type: ProtoMessage) => text('x').message(2, type);
  const message = new ProtoMessage()
    .int(1, 3)
    .message(8, text('com.microsoft').int(2, 1))
    .message(8, new ProtoMessage().int(2, 9))
    .message(
      7,
      new ProtoMessage()
        .message(1, loop)
        .message(1, new ProtoMessage().text(4, 'Gelu').text(7, 'com.microsoft'))
        .message(1, new ProtoMessage().text(4, 'Relu').text(7, 'ai.onnx'))
        .message(5, new ProtoMessage().bytes(1, Uint8Array.of(3, 4)).int(2, 16).text(8, 'w'))
        .message(11, text('w'))
        .message(11, text('bare'))
        .message(11, typed(new ProtoMessage().message(1, new ProtoMessage().int(1, 10).message(2, shape))))
        .message(11, typed(new ProtoMessage().message(1, new ProtoMessage().int(1, 99))))
        .message(12, typed(new ProtoMessage().message(4, new ProtoMessage()))),
    )
    .message(30, text('a field that is not known'));
  t.match(await onnxSummary(file(message.encoded())), {
    format: 3,
    operators: { 'com.microsoft': 1, 'ai.onnx': 9 },
    nodes: 5,
    operations: { Mul: 2, Loop: 1, Relu: 1, 'com.microsoft.Gelu': 1 },
    types: ['bfloat16'],
    values: 12,
    inputs: [
      { name: 'bare', type: 'of no type' },
      { name: 'x', type: 'float16', shape: ['?', -1] },
      { name: 'x', type: 'type 99' },
    ],
    outputs: [{ name: 'x', type: 'sequence' }],
  });
});

t.test('tensors are counted wherever they stand: in nodes, sparse, in functions of the file', async (t) => {
  const message = () => new ProtoMessage();
  const tensor = (name: string, sides: readonly number[], type = 1) =>
    sides
      .reduce((of, side) => of.int(1, side), message())
      .int(2, type)
      .text(8, name);
  const beside = (of: ProtoMessage, name: string, bytes: number) =>
    of
      .message(13, message().text(1, 'location').text(2, name))
      .message(13, message().text(1, 'length').text(2, String(bytes)));
  const attribute = (name: string) => message().text(1, name);
  const nodeOf = (operation: string, ...attributes: readonly ProtoMessage[]) =>
    attributes.reduce((of, one) => of.message(5, one), message()).text(4, operation);
  const sparse = (name: string, values: number) =>
    message()
      .message(1, tensor(name, [values], 11))
      .message(2, beside(tensor('places', [values], 7), 'places.bin', 8 * values))
      .int(3, 1000);
  const floats = attribute('value_floats').bytes(7, new Uint8Array(20));
  const functions = message()
    .text(1, 'Own')
    .message(7, nodeOf('Constant', attribute('value').message(5, tensor('', [6, 5], 16))))
    .message(11, attribute('default').message(5, tensor('', [9])));
  const graph = message()
    .message(1, nodeOf('Constant', attribute('value').message(5, beside(tensor('', [2, 3]), 'd.bin', 24))))
    .message(1, nodeOf('Constant', attribute('sparse_value').message(22, sparse('', 7))))
    .message(1, nodeOf('Constant', floats))
    .message(1, nodeOf('Constant', attribute('value_ints').int(8, 1).int(8, 300)))
    .message(1, nodeOf('Constant', attribute('value_ints').bytes(8, Uint8Array.of(1, 0xac, 2, 7))))
    .message(1, nodeOf('Constant', attribute('value_string').text(4, 'a')))
    .message(1, nodeOf('Reshape', attribute('allowzero').int(3, 1), attribute('axes').int(8, 1).int(8, 2)))
    .message(
      1,
      nodeOf(
        'Own',
        attribute('many')
          .message(10, tensor('', [4]))
          .message(10, tensor('', [])),
        attribute('s').message(23, sparse('', 3)),
      ),
    )
    .message(5, tensor('w', [10]))
    .message(15, sparse('s', 20))
    .message(11, message().text(1, 'x'))
    .message(11, message().text(1, 's'));
  const training = message()
    .message(1, message().message(5, tensor('begin', [100])))
    .message(2, message());
  const found = await onnxSummary(
    file(message().message(7, graph).message(20, training).message(25, functions).encoded()),
  );
  t.match(found, {
    nodes: 9,
    operations: { Constant: 7, Own: 1, Reshape: 1 },
    tensors: 14,
    values: 6 + 7 + 5 + 2 + 3 + 1 + 4 + 1 + 3 + 10 + 20 + 100 + 30 + 9,
    inputs: [{ name: 'x' }],
  });
  t.same([...found.types].sort(), ['bfloat16', 'float32', 'float64', 'int64', 'string']);
  t.same(found.data, { 'd.bin': 24, 'places.bin': 160 });
});

t.test('lists of a node that is no constant are passed over, however long they are', async (t) => {
  const long = new ProtoMessage().text(1, 'axes').bytes(8, new Uint8Array(2 ** 24));
  const node = new ProtoMessage().message(5, long).text(4, 'Reshape');
  const whole = file(new ProtoMessage().message(7, new ProtoMessage().message(1, node)).encoded());
  let read = 0;
  const counting: Positioned = {
    ...whole,
    read(offset, length) {
      read += length;
      return whole.read(offset, length);
    },
  };
  t.match(await onnxSummary(counting), { operations: { Reshape: 1 }, tensors: 0 });
  t.ok(read < 2 ** 20, `${read} bytes are read`);
});

t.test('what is none, or not whole, is an error with its place', async (t) => {
  const whole = Buffer.concat([...onnxFiles(graph, 'd').model]);
  const refused = (bytes: Uint8Array, message: RegExp) =>
    t.rejects(onnxSummary(file(bytes)), { code: 'ONNX_DAMAGED', message });
  await refused(new Uint8Array(0), /x\.onnx.*at byte 0: its end, and no graph before it/);
  await refused(Buffer.from('version https://git-lfs.github.com/spec/v1'), /at byte 0: bytes that are no field/);
  await refused(whole.subarray(0, 900), /a field of [\d,]+ bytes, of which \d+ are there/);
  await refused(
    new ProtoMessage().message(7, new ProtoMessage().message(1, new ProtoMessage())).encoded(),
    /no.*operation/,
  );
  const beside = (...place: readonly (readonly [string, string])[]) => {
    const tensor = new ProtoMessage().int(1, 3).int(2, 1);
    for (const [key, value] of place) tensor.message(13, new ProtoMessage().text(1, key).text(2, value));
    return new ProtoMessage().message(7, new ProtoMessage().message(5, tensor)).encoded();
  };
  for (const [key, value] of [
    ['offset', 'x'],
    ['length', '-1'],
    ['offset', '1e300'],
    ['location', 'd\0'],
  ] as const)
    await refused(beside(['location', 'd'], [key, value]), /a tensor in another file, at a place that is none/);
  const { data } = await onnxSummary(file(beside(['location', '__proto__'], ['length', '4'])));
  t.same(Object.entries(data), [['__proto__', 4]]);
  let deep = new ProtoMessage();
  for (let i = 0; i < 40; i++)
    deep = new ProtoMessage().message(
      1,
      new ProtoMessage().message(5, new ProtoMessage().message(6, deep)).text(4, 'If'),
    );
  await refused(new ProtoMessage().message(7, deep).encoded(), /more than 32 deep/);

  // Wherever it is cut and whatever bit is turned over, it is an error of the catalogue or a file that can be read.
  let [wrong, read] = [0, 0];
  const random = new Random(3, 'mutations', 'onnx');
  for (let i = 0; i < 400; i++) {
    const bytes = Buffer.from(whole.subarray(0, i % 2 === 0 ? random.integer(whole.length) : whole.length));
    if (bytes.length > 0) bytes[random.integer(Math.min(400, bytes.length))]! ^= 1 << random.integer(8);
    await onnxSummary(file(bytes)).then(
      () => read++,
      (error: unknown) => {
        wrong++;
        if (!(error instanceof PatchstreamError) || error.code !== 'ONNX_DAMAGED') t.fail(String(error));
      },
    );
  }
  t.ok(wrong > 200 && read > 20, `${wrong} refused, ${read} read`);
});
