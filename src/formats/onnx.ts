import { ProtoMessage } from './proto.ts';

/**
 * Files of ONNX: a graph of operations with its weights. Sources: github.com/onnx/onnx, docs/IR.md, docs/ExternalData.md and onnx/onnx.proto, with the numbers of
 * messages' fields.
 */

/** The version of the operators' set: the first with LayerNormalization; onnxruntime reads it since 1.12, onnxruntime-web as well. */
export const onnxOperators = 17;
/** The version of the format that came with it. */
const formatVersion = 8;

/** The types of values in the order of their numbers. */
export const onnxTypeNames = [
  ...(['undefined', 'float32', 'uint8', 'int8', 'uint16', 'int16', 'int32', 'int64', 'string', 'bool'] as const),
  ...(['float16', 'float64', 'uint32', 'uint64', 'complex64', 'complex128', 'bfloat16'] as const),
  ...(['float8e4m3fn', 'float8e4m3fnuz', 'float8e5m2', 'float8e5m2fnuz', 'uint4', 'int4', 'float4e2m1'] as const),
] as const;

/** The types that are written. */
export type OnnxType = 'float32' | 'uint8' | 'int32' | 'int64' | 'bool';

/** The number of a type, as the operator Cast has it. */
export function onnxTypeNumber(type: OnnxType): number {
  return onnxTypeNames.indexOf(type);
}

/** Whole numbers and lists of them, texts, and numbers with a fraction. */
export type OnnxAttribute = number | readonly number[] | string | { readonly float: number };

export interface OnnxNode {
  readonly name: string;
  readonly operator: string;
  /** Names of values; an empty one stands for an input that is left out. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, OnnxAttribute>>;
}

/** What goes in or comes out; a side that is a text is one that differs from call to call. */
export interface OnnxValue {
  readonly name: string;
  readonly type: OnnxType;
  readonly shape: readonly (number | string)[];
}

/** A tensor of the graph. */
export interface OnnxTensor {
  readonly name: string;
  readonly type: OnnxType;
  readonly shape: readonly number[];
  /** Little-endian, row by row. */
  readonly bytes: Uint8Array;
}

export interface OnnxGraph {
  readonly name: string;
  readonly about: string;
  readonly nodes: readonly OnnxNode[];
  readonly tensors: readonly OnnxTensor[];
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
  /** Texts by their names. */
  readonly metadata: Readonly<Record<string, string>>;
  /** The version of patchstream. */
  readonly version: string;
}

/** A graph as it is written: the file, and where the tensors do not fit into it the file beside it. */
export interface OnnxFiles {
  readonly model: Iterable<Uint8Array>;
  readonly data?: Iterable<Uint8Array>;
}

/** Readers of protocol buffers take messages of less than 2 GiB; this leaves room for the nodes. */
const mostInside = 2 ** 31 - 2 ** 24;
/** Tensors of fewer bytes stay in the file: readers look into shapes when they open it. */
const leastOutside = 1024;
/** Where a tensor may begin in the file beside, so that readers can map it. */
const alignment = 4096;

/**
 * Encodes a graph.
 *
 * @param dataName of the file with the tensors, which lies beside the other. @param most bytes of tensors in the file itself.
 */
export function onnxFiles(graph: OnnxGraph, dataName: string, most = mostInside): OnnxFiles {
  const bytes = graph.tensors.reduce((sum, tensor) => sum + tensor.bytes.length, 0);
  if (bytes <= most) return { model: modelOf(graph, tensorInside).pieces() };
  const data: Uint8Array[] = [];
  let at = 0;
  const model = modelOf(graph, (tensor) => {
    if (tensor.bytes.length < leastOutside) return tensorInside(tensor);
    const padding = -at & (alignment - 1);
    data.push(new Uint8Array(padding), tensor.bytes);
    const place = { location: dataName, offset: at + padding, length: tensor.bytes.length };
    at += padding + tensor.bytes.length;
    return tensorOutside(tensor, place);
  });
  return { model: model.pieces(), data };
}

function modelOf(graph: OnnxGraph, tensorMessage: (tensor: OnnxTensor) => ProtoMessage): ProtoMessage {
  const model = new ProtoMessage()
    .int(1, formatVersion)
    .message(8, new ProtoMessage().text(1, '').int(2, onnxOperators))
    .text(2, 'patchstream')
    .text(3, graph.version)
    .text(6, graph.about)
    .message(7, graphMessage(graph, tensorMessage));
  for (const [key, value] of Object.entries(graph.metadata)) model.message(14, entry(key, value));
  return model;
}

function graphMessage(
  { name, nodes, tensors, inputs, outputs }: OnnxGraph,
  tensorMessage: (tensor: OnnxTensor) => ProtoMessage,
): ProtoMessage {
  const graph = new ProtoMessage();
  for (const node of nodes) graph.message(1, nodeMessage(node));
  graph.text(2, name);
  for (const tensor of tensors) graph.message(5, tensorMessage(tensor));
  for (const value of inputs) graph.message(11, valueMessage(value));
  for (const value of outputs) graph.message(12, valueMessage(value));
  return graph;
}

function nodeMessage({ name, operator, inputs, outputs, attributes }: OnnxNode): ProtoMessage {
  const node = new ProtoMessage();
  for (const input of inputs) node.text(1, input);
  for (const output of outputs) node.text(2, output);
  node.text(3, name).text(4, operator);
  for (const [key, value] of Object.entries(attributes)) node.message(5, attributeMessage(key, value));
  return node;
}

/** Kinds of attributes by their numbers. */
const kinds = { float: 1, int: 2, string: 3, ints: 7 } as const;

function attributeMessage(name: string, value: OnnxAttribute): ProtoMessage {
  const attribute = new ProtoMessage().text(1, name);
  if (typeof value === 'number') return attribute.int(3, value).int(20, kinds.int);
  if (typeof value === 'string') return attribute.text(4, value).int(20, kinds.string);
  if ('float' in value) return attribute.float(2, value.float).int(20, kinds.float);
  for (const one of value) attribute.int(8, one);
  return attribute.int(20, kinds.ints);
}

function valueMessage({ name, type, shape }: OnnxValue): ProtoMessage {
  const sides = new ProtoMessage();
  for (const side of shape) {
    const own = new ProtoMessage();
    sides.message(1, typeof side === 'number' ? own.int(1, side) : own.text(2, side));
  }
  const tensor = new ProtoMessage().int(1, onnxTypeNumber(type)).message(2, sides);
  return new ProtoMessage().text(1, name).message(2, new ProtoMessage().message(1, tensor));
}

function tensorHead({ name, type, shape }: OnnxTensor): ProtoMessage {
  const tensor = new ProtoMessage();
  for (const side of shape) tensor.int(1, side);
  return tensor.int(2, onnxTypeNumber(type)).text(8, name);
}

function tensorInside(tensor: OnnxTensor): ProtoMessage {
  return tensorHead(tensor).bytes(9, tensor.bytes);
}

function tensorOutside(
  tensor: OnnxTensor,
  place: { readonly location: string; readonly offset: number; readonly length: number },
): ProtoMessage {
  const message = tensorHead(tensor);
  for (const [key, value] of Object.entries(place)) message.message(13, entry(key, String(value)));
  const external = 1;
  return message.int(14, external);
}

function entry(key: string, value: string): ProtoMessage {
  return new ProtoMessage().text(1, key).text(2, value);
}
