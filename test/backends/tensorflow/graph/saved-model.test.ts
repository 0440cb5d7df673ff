import t from 'tap';
import { kinds } from '../../../../src/backends/tensorflow/attributes.ts';
import type { GraphNode } from '../../../../src/backends/tensorflow/graph/graph.ts';
import { savedModel } from '../../../../src/backends/tensorflow/graph/saved-model.ts';

const node = (operation: string, attribute: GraphNode['attributes'][number], inputs: string[] = []): GraphNode => ({
  name: 'n',
  operation,
  inputs,
  attributes: [{ ...attribute, name: 'a' }],
});

/** The bytes of a field that holds others. */
const field = (number: number, ...bytes: number[]) => [number * 8 + 2, bytes.length, ...bytes];
const text = (value: string) => [...Buffer.from(value)];

/** What a node's attribute is written as. */
function expected(operation: string, value: number[], inputs: number[] = []): number[] {
  const def = [...field(1, ...text('n')), ...field(2, ...text(operation)), ...inputs];
  const graph = [
    ...field(1, ...def, ...field(5, ...field(1, ...text('a')), ...field(2, ...value))),
    ...field(4, 8, (1087 % 128) | 128, 1087 >> 7),
  ];
  return [8, 1, ...field(2, ...field(1, ...field(4, ...text('serve'))), ...field(2, ...graph))];
}

const attributes = {
  'a text': [{ type: kinds.string, value: 'SAME' }, field(2, ...text('SAME'))],
  'a whole number': [{ type: kinds.int, value: 7 }, [3 * 8, 7]],
  'a number': [{ type: kinds.float, value: 1 }, [4 * 8 + 5, 0, 0, 0x80, 0x3f]],
  'yes or no': [{ type: kinds.bool, value: true }, [5 * 8, 1]],
  'a type': [{ type: kinds.type, value: 3 }, [6 * 8, 3]],
  'whole numbers': [{ type: kinds.int, value: [1, 2] }, field(1, 3 * 8, 1, 3 * 8, 2)],
  'whole numbers of a typed array': [{ type: kinds.int, value: Int32Array.of(1, 2) }, field(1, 3 * 8, 1, 3 * 8, 2)],
  'no numbers': [{ type: kinds.int, value: [] }, field(1)],
  'a shape': [{ type: kinds.shape, value: [2, 3] }, field(7, ...field(2, 8, 2), ...field(2, 8, 3))],
  'a tensor': [
    { type: kinds.tensor, value: { dtype: 1, shape: [1], bytes: Uint8Array.of(0, 0, 0x80, 0x3f) } },
    field(8, 8, 1, ...field(2, ...field(2, 8, 1)), ...field(4, 0, 0, 0x80, 0x3f)),
  ],
  'zeros, which are not written out': [
    { type: kinds.tensor, value: { dtype: 1, shape: [1], bytes: new Uint8Array(4) } },
    field(8, 8, 1, ...field(2, ...field(2, 8, 1))),
  ],
} as const;

t.test('a graph is written as TensorFlow loads it, with attributes of all kinds', (t) => {
  for (const [what, [attribute, bytes]] of Object.entries(attributes))
    t.same([...savedModel([node('Op', { name: 'a', ...attribute })])], expected('Op', [...bytes]), what);
  const inputs = [...field(3, ...text('m')), ...field(3, ...text('m:1'))];
  t.same(
    [...savedModel([node('Op', { name: 'a', type: kinds.int, value: 7 }, ['m', 'm:1'])])],
    expected('Op', [3 * 8, 7], inputs),
    'inputs',
  );
  t.throws(() => savedModel([node('Op', { name: 'a', type: 9, value: 1 })]), /the attribute a is of kind 9/);
  t.end();
});
