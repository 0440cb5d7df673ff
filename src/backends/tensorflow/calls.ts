import * as tf from '../tf.ts';
import { type Attribute, dtypes, kinds } from './attributes.ts';

/** What an operation gives back: a handle of the binding, and what it holds. */
export interface Output {
  readonly id: number;
  readonly shape: number[];
  readonly dtype: number;
}

/** The functions of tfjs-node's binding that stand here. */
export interface Binding {
  executeOp(name: string, attributes: readonly Attribute[], inputs: readonly number[], outputs: number): Output[];
  /** The values stay where they are. */
  createTensor(shape: readonly number[], dtype: number, values: HostValues): number;
  deleteTensor(id: number): void;
  tensorDataSync(id: number): HostValues;
  /** @returns a session. */
  loadSavedModel(folder: string, tags: string): number;
  /** Names are joined by commas. */
  runSavedModel(session: number, inputs: readonly number[], inputNames: string, outputNames: string): Output[];
  deleteSavedModel(session: number): void;
}

export type HostValues = Float32Array | Int32Array | Uint8Array;

/** The parts of tfjs-node's backend that these kernels stand on (4.22). */
export interface TensorflowBackend {
  readonly binding: Binding;
  readonly isUsingGpuDevice?: boolean;
  readonly tensorMap: {
    has(dataId: object): boolean;
    get(dataId: object): { id: number; readonly shape: number[]; readonly dtype: number };
    set(dataId: object, data: object): void;
  };
  getInputTensorIds(tensors: readonly Pick<tf.TensorInfo, 'dataId'>[]): number[];
}

/** Values of attributes. A whole number is an int: `float` is for those of TensorFlow's type float. */
export type Attributes = Readonly<Record<string, boolean | string | number | readonly number[]>>;

/** Numbers that operations take as tensors. */
interface Constant {
  readonly id: number;
  readonly dtype: number;
  readonly shape: readonly number[];
  readonly values: Float32Array | Int32Array;
}

/** By backend, and there by what they hold: they stay, for they are few. */
const constants = new WeakMap<TensorflowBackend, Map<string, Constant>>();
const attributeLists = new WeakMap<Attributes, Attribute[]>();
export const noAttributes: Attributes = {};

/** Of a tensor that is cut into so many parts. */
export const splitAttributes = (parts: number): Attribute[] => [
  { name: 'num_split', type: kinds.int, value: parts },
  { name: 'Tlen', type: kinds.type, value: dtypes.int32 },
];

/** Of an operation that takes so many float32 tensors. */
export const listAttributes = (length: number): Attribute[] => [
  { name: 'T', type: kinds.type, value: dtypes.float32 },
  { name: 'N', type: kinds.int, value: length },
];

/** What a kernel's operations are called by, or drawn. */
export type Operations = Pick<
  Calls,
  'of' | 'op' | 'spend' | 'split' | 'join' | 'ofList' | 'constant' | 'int' | 'ints' | 'replace'
>;

/**
 * Operations of TensorFlow called one after the other, past tfjs' engine: its bookkeeping takes longer than most of them. What they make is freed by `end`, but for what was given away.
 * Types of tensors need not be named: TensorFlow finds them by the inputs.
 */
export class Calls {
  readonly #backend: TensorflowBackend;
  readonly #made = new Map<number, Output>();

  constructor(backend: TensorflowBackend) {
    this.#backend = backend;
  }

  /** The handle of a tensor of tfjs, which stays tfjs' own. */
  of(tensor: tf.TensorInfo): number {
    return this.#backend.getInputTensorIds([tensor])[0]!;
  }

  /** Calls an operation with one output. @returns its handle. */
  op(name: string, inputs: readonly number[], attributes: Attributes = noAttributes): number {
    const [output] = this.#backend.binding.executeOp(name, attributeList(attributes), inputs, 1);
    this.#made.set(output!.id, output!);
    return output!.id;
  }

  /** Calls an operation and frees inputs that nothing else needs: what is made next finds their memory, which is still in the processor's cache. */
  spend(name: string, inputs: readonly number[], spent: readonly number[], attributes?: Attributes): number {
    const id = this.op(name, inputs, attributes);
    for (const each of spent) this.free(each);
    return id;
  }

  /** Cuts a tensor along its first axis. @returns the parts, which share its memory where they can. */
  split(id: number, sizes: readonly number[]): number[] {
    const inputs = [id, this.ints(sizes), this.int(0)];
    const parts = this.#backend.binding.executeOp('SplitV', splitAttributes(sizes.length), inputs, sizes.length);
    for (const part of parts) this.#made.set(part.id, part);
    return parts.map((part) => part.id);
  }

  /** Joins tensors along their first axis. */
  join(parts: readonly number[]): number {
    return this.ofList('ConcatV2', parts, [this.int(0)]);
  }

  /** Calls an operation that takes a list of float32 tensors, and says how many. */
  ofList(name: string, list: readonly number[], more: readonly number[] = []): number {
    const [output] = this.#backend.binding.executeOp(name, listAttributes(list.length), [...list, ...more], 1);
    this.#made.set(output!.id, output!);
    return output!.id;
  }

  /** A float32 number that is the same in every step. */
  constant(value: number): number {
    return this.#constant(`${value}`, [], dtypes.float32, Float32Array.of(value));
  }

  /** A number of type int32, of few in a program: axes, sizes. */
  int(value: number): number {
    return this.#constant(`int ${value}`, [], dtypes.int32, Int32Array.of(value));
  }

  /** A list of int32, of few in a program: shapes, axes. */
  ints(values: readonly number[]): number {
    return this.#constant(`[${values}]`, [values.length], dtypes.int32, Int32Array.from(values));
  }

  /** A float32 number of this step alone. */
  number(value: number): number {
    const dtype = dtypes.float32;
    const id = this.#backend.binding.createTensor([], dtype, Float32Array.of(value));
    this.#made.set(id, { id, shape: [], dtype });
    return id;
  }

  /** Gives a tensor away to tfjs. @param type tfjs' word for its type. */
  give(id: number, type: tf.DataType = 'float32'): tf.TensorInfo {
    return give(this.#backend, this.#taken(id), type);
  }

  /** Puts the values in the place of a tensor's own. Whoever holds that tensor sees them. */
  replace(tensor: tf.TensorInfo, id: number): void {
    this.#taken(id);
    replace(this.#backend, tensor, id);
  }

  /** Frees a tensor that was made here before the end. */
  free(id: number): void {
    this.#taken(id);
    this.#backend.binding.deleteTensor(id);
  }

  /** Frees what was made and not given away. */
  end(): void {
    for (const id of this.#made.keys()) this.#backend.binding.deleteTensor(id);
    this.#made.clear();
  }

  #taken(id: number): Output {
    const output = this.#made.get(id);
    if (output === undefined) throw new Error(`tensor ${id} is not one of this call`);
    this.#made.delete(id);
    return output;
  }

  #constant(key: string, shape: readonly number[], dtype: number, values: Float32Array | Int32Array): number {
    const known = constants.get(this.#backend) ?? new Map<string, Constant>();
    constants.set(this.#backend, known);
    const before = known.get(key);
    if (before !== undefined) return before.id;
    const id = this.#backend.binding.createTensor(shape, dtype, values);
    known.set(key, { id, shape, dtype, values });
    return id;
  }
}

/** Gives an output of the binding away to tfjs. @param type tfjs' word for its type. */
export function give(backend: TensorflowBackend, output: Output, type: tf.DataType = 'float32'): tf.TensorInfo {
  const { id, shape, dtype } = output;
  const dataId = {};
  backend.tensorMap.set(dataId, { shape, dtype, id, values: null, refCount: 1 });
  return { dataId, shape, dtype: type };
}

/** Puts a handle in the place of a tensor's own, which is freed. */
export function replace({ binding, tensorMap }: TensorflowBackend, { dataId }: tf.TensorInfo, id: number): void {
  const data = tensorMap.get(dataId);
  binding.deleteTensor(data.id);
  data.id = id;
}

/** The constants that kernels of ours have made on a backend, by their handles. */
export function constantsOf(backend: TensorflowBackend): ReadonlyMap<number, Constant> {
  return new Map([...(constants.get(backend)?.values() ?? [])].map((constant) => [constant.id, constant]));
}

/** As the binding takes them. */
export function attributeList(attributes: Attributes): Attribute[] {
  const before = attributeLists.get(attributes);
  if (before !== undefined) return before;
  const list = Object.entries(attributes).map(([name, value]) => {
    const types = { boolean: kinds.bool, string: kinds.string, number: kinds.int, object: kinds.int };
    return { name, type: types[typeof value as keyof typeof types], value };
  });
  attributeLists.set(attributes, list);
  return list;
}

type KernelCall = Parameters<tf.KernelFunc>[0];
type Given = {
  readonly inputs: Readonly<Record<string, tf.TensorInfo>>;
  readonly attrs: Readonly<Record<string, unknown>>;
};

/** Replaces a kernel of the package by one operation with the type of its input. */
export function replaceTensorflow(kernelName: string, compute: (calls: Calls, given: Given) => number): void {
  tf.unregisterKernel(kernelName, 'tensorflow');
  tf.registerKernel({
    kernelName,
    backendName: 'tensorflow',
    kernelFunc: ({ inputs, attrs, backend }: KernelCall) => {
      const calls = new Calls(backend as unknown as TensorflowBackend);
      return calls.give(compute(calls, { inputs, attrs } as unknown as Given), inputs.x!.dtype);
    },
  });
}

/** Registers a kernel whose outputs are the handles that `compute` returns; what else it makes is freed. */
export function registerTensorflow(
  kernelName: string,
  compute: (calls: Calls, given: Given) => readonly number[],
): void {
  tf.registerKernel({
    kernelName,
    backendName: 'tensorflow',
    kernelFunc: ({ inputs, attrs, backend }: KernelCall) => {
      const calls = new Calls(backend as TensorflowBackend);
      try {
        const outputs = compute(calls, { inputs: inputs as Given['inputs'], attrs: (attrs ?? {}) as Given['attrs'] });
        return outputs.map((id) => calls.give(id));
      } finally {
        calls.end();
      }
    },
  });
}
