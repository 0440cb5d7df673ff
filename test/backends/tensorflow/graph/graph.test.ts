import t from 'tap';
import { kinds } from '../../../../src/backends/tensorflow/attributes.ts';
import { differenceOf, Graph } from '../../../../src/backends/tensorflow/graph/graph.ts';

const values = (...numbers: number[]) => ({
  dtype: 1,
  shape: [numbers.length],
  bytes: new Uint8Array(Float32Array.from(numbers).buffer),
});

/** x·numbers, and what `operation` makes of it. */
function graphOf(numbers: readonly number[], operation = 'Exp'): Graph {
  const graph = new Graph();
  const x = graph.placeholder(1, [2]);
  const [product] = graph.operation('Mul', [], [x, graph.constant(values(...numbers))], [1]);
  graph.operation(operation, [], [product!], [1]);
  return graph;
}

t.test('types are named that an operation finds by its inputs when it is called', (t) => {
  const graph = new Graph();
  const [x, ids] = [graph.placeholder(1, [3, 2]), graph.placeholder(3, [4])];
  const axis = graph.constant({ dtype: 3, shape: [], bytes: new Uint8Array(4) });
  graph.operation('GatherV2', [{ name: 'batch_dims', type: kinds.int, value: 0 }], [x, ids, axis], [1]);
  t.same(graph.nodes.at(-1)!.attributes, [
    { name: 'batch_dims', type: kinds.int, value: 0 },
    { name: 'Tparams', type: kinds.type, value: 1 },
    { name: 'Tindices', type: kinds.type, value: 3 },
    { name: 'Taxis', type: kinds.type, value: 3 },
  ]);
  const T = { name: 'T', type: kinds.type, value: 1 };
  graph.operation('Square', [T], [x], [1]);
  t.same(graph.nodes.at(-1)!.attributes, [T], 'not what is named already');
  t.equal(graph.calls, 2);
  const parts = graph.operation('SplitV', [], [x, ids, axis], [1, 1]);
  t.same(parts, ['n5', 'n5:1'], 'each output has a name');
  graph.operation('Square', [], [parts[1]!], [1]);
  t.same(graph.nodes.at(-1)!.attributes, [T], 'and a type');
  t.end();
});

t.test('what is handed over is not asked for as it is', (t) => {
  const graph = new Graph();
  const x = graph.placeholder(1, [2]);
  const [square] = graph.operation('Square', [], [x], [1]);
  t.equal(graph.output(square!), square);
  t.equal(graph.output(x), 'n2');
  t.match(graph.nodes[2], { operation: 'Identity', inputs: [x] });
  t.end();
});

t.test('the first difference of two graphs: none, other values, or other operations', (t) => {
  const graph = graphOf([1, 2]);
  t.same(differenceOf(graph, graphOf([1, 2])), { kind: 'none', operation: '' });
  t.same(differenceOf(graph, graphOf([1, 3])), { kind: 'write', operation: 'Mul' });
  t.same(differenceOf(graph, graphOf([1, 2], 'Log')), { kind: 'sequence', operation: 'Log' });
  t.same(differenceOf(graph, graphOf([1, 2, 3])), { kind: 'sequence', operation: 'Const' });
  const longer = graphOf([1, 2]);
  longer.operation('Square', [], ['n3'], [1]);
  t.same(differenceOf(graph, longer), { kind: 'sequence', operation: 'Square' });
  t.same(differenceOf(longer, graph), { kind: 'sequence', operation: 'Square' });
  t.end();
});
