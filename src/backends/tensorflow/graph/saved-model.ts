import { ProtoMessage } from '../../../formats/proto.ts';
import { type Attribute, kinds } from '../attributes.ts';
import type { GraphNode, TensorValues } from './graph.ts';

// Graphs as TensorFlow loads them, with the numbers of their fields. Sources: tensorflow/core/protobuf/{saved_model,meta_graph}.proto, tensorflow/core/framework/{graph,node_def,attr_value,tensor,
// tensor_shape,versions}.proto.

/** What names the one graph of a saved model, as the loader asks for it. */
export const tag = 'serve';

/** The version of graphs that TensorFlow 2.9 writes, the oldest that is meant: newer ones read it. */
const producer = 1087;

/** The file `saved_model.pb`. */
export function savedModel(nodes: readonly GraphNode[]): Uint8Array {
  const graph = new ProtoMessage();
  for (const node of nodes) graph.message(1, nodeDef(node));
  graph.message(4, new ProtoMessage().int(1, producer));
  const meta = new ProtoMessage().message(1, new ProtoMessage().text(4, tag)).message(2, graph);
  return new ProtoMessage().int(1, 1).message(2, meta).encoded();
}

function nodeDef({ name, operation, inputs, attributes }: GraphNode): ProtoMessage {
  const node = new ProtoMessage().text(1, name).text(2, operation);
  for (const input of inputs) node.text(3, input);
  for (const attribute of attributes)
    node.message(5, new ProtoMessage().text(1, attribute.name).message(2, attributeValue(attribute)));
  return node;
}

function attributeValue({ name, type, value }: Attribute): ProtoMessage {
  const message = new ProtoMessage();
  if (type === kinds.shape) return message.message(7, tensorShape(value as readonly number[]));
  if (type === kinds.tensor) return message.message(8, tensorProto(value as TensorValues));
  if (Array.isArray(value) || ArrayBuffer.isView(value)) {
    const list = new ProtoMessage();
    for (const each of value as Iterable<unknown>) simple(list, name, type, each);
    return message.message(1, list);
  }
  return simple(message, name, type, value);
}

/** One value, whose field has the same number alone and in a list. */
function simple(message: ProtoMessage, name: string, type: number, value: unknown): ProtoMessage {
  if (type === kinds.string) return message.text(2, String(value));
  if (type === kinds.float) return message.float(4, Number(value));
  const field = { [kinds.int]: 3, [kinds.bool]: 5, [kinds.type]: 6 }[type];
  if (field === undefined)
    throw new Error(`the attribute ${name} is of kind ${type}, which graphs are not written with`);
  return message.int(field, Number(value));
}

/** Zeros need not be written out. */
function tensorProto({ dtype, shape, bytes }: TensorValues): ProtoMessage {
  const tensor = new ProtoMessage().int(1, dtype).message(2, tensorShape(shape));
  return bytes.every((byte) => byte === 0) ? tensor : tensor.bytes(4, bytes);
}

function tensorShape(shape: readonly number[]): ProtoMessage {
  const message = new ProtoMessage();
  for (const size of shape) message.message(2, new ProtoMessage().int(1, size));
  return message;
}
