import { readMessage } from './proto.ts';

/** Reads files of ONNX, by a schema that is written as in onnx.proto. */
const schemas = {
  ModelProto:
    '1 ir_version int64; 2 producer_name string; 3 producer_version string; 6 doc_string string; 7 graph GraphProto; 8 opset_import *OperatorSetIdProto; 14 metadata_props *Entry',
  OperatorSetIdProto: '1 domain string; 2 version int64',
  Entry: '1 key string; 2 value string',
  GraphProto:
    '1 node *NodeProto; 2 name string; 5 initializer *TensorProto; 11 input *ValueInfoProto; 12 output *ValueInfoProto',
  NodeProto: '1 input *string; 2 output *string; 3 name string; 4 op_type string; 5 attribute *AttributeProto',
  AttributeProto: '1 name string; 2 f float; 3 i int64; 4 s string; 8 ints *int64; 20 type enum',
  TensorProto:
    '1 dims *int64; 2 data_type enum; 8 name string; 9 raw_data bytes; 13 external_data *Entry; 14 data_location enum',
  ValueInfoProto: '1 name string; 2 type TypeProto',
  TypeProto: '1 tensor_type TensorTypeProto',
  TensorTypeProto: '1 elem_type enum; 2 shape TensorShapeProto',
  TensorShapeProto: '1 dim *Dimension',
  Dimension: '1 dim_value int64; 2 dim_param string',
};

interface Entry {
  readonly key: string;
  readonly value: string;
}

interface RawTensor {
  readonly dims?: readonly number[];
  readonly data_type: number;
  readonly name: string;
  readonly raw_data?: Uint8Array;
  readonly external_data?: readonly Entry[];
}

interface RawValue {
  readonly name: string;
  readonly type: {
    readonly tensor_type: {
      readonly elem_type: number;
      readonly shape: { readonly dim?: readonly { readonly dim_value?: number; readonly dim_param?: string }[] };
    };
  };
}

interface RawModel {
  readonly ir_version: number;
  readonly producer_name: string;
  readonly producer_version: string;
  readonly opset_import: readonly { readonly version: number }[];
  readonly metadata_props: readonly Entry[];
  readonly graph: {
    readonly node: readonly {
      readonly input?: readonly string[];
      readonly output: readonly string[];
      readonly name: string;
      readonly op_type: string;
    }[];
    readonly initializer?: readonly RawTensor[];
    readonly input: readonly RawValue[];
    readonly output: readonly RawValue[];
  };
}

export interface ReadTensor {
  readonly dims: readonly number[];
  readonly type: number;
  /** Little-endian; none where they lie in another file. */
  readonly bytes: Uint8Array | undefined;
  readonly external: Readonly<Record<string, string>>;
}

/** A file of ONNX. Throws where a node reads what no node before it, no tensor and no input gives, and where a name stands for two values. */
export function readOnnx(file: Uint8Array) {
  const model = readMessage(schemas, 'ModelProto', file) as unknown as RawModel;
  const { node: nodes, initializer = [], input, output } = model.graph;
  const known = new Set<string>();
  const give = (name: string) => {
    if (known.has(name)) throw new Error(`${name} is given twice`);
    known.add(name);
  };
  for (const { name } of [...input, ...initializer]) give(name);
  for (const { name, input: reads = [], output: gives } of nodes) {
    for (const each of reads)
      if (each !== '' && !known.has(each)) throw new Error(`${name} reads ${each}, which nothing gives`);
    gives.forEach(give);
  }
  for (const { name } of output) if (!known.has(name)) throw new Error(`${name} comes out, and nothing gives it`);
  const value = ({ name, type: { tensor_type: of } }: RawValue) => ({
    name,
    type: of.elem_type,
    shape: (of.shape.dim ?? []).map(({ dim_value, dim_param }) => dim_value ?? dim_param),
  });
  const entries = (all: readonly Entry[]) => Object.fromEntries(all.map(({ key, value }) => [key, value]));
  return {
    version: model.opset_import.map(({ version }) => version),
    producer: [model.producer_name, model.producer_version],
    metadata: entries(model.metadata_props),
    nodes: nodes.map(({ name, op_type }) => ({ name, operator: op_type })),
    tensors: new Map(
      initializer.map(({ name, dims = [], data_type: type, raw_data: bytes, external_data = [] }) => [
        name,
        { dims, type, bytes, external: entries(external_data) } as ReadTensor,
      ]),
    ),
    inputs: input.map(value),
    outputs: output.map(value),
  };
}
