import * as tf from '../tf.ts';

/** What an operation gives back: a handle of the binding, and what it holds. */
export interface Output {
  readonly id: number;
  readonly shape: number[];
  readonly dtype: number;
}

interface Attribute {
  readonly name: string;
  readonly type: number;
  readonly value: unknown;
}

/** The parts of tfjs-node's backend that these kernels stand on (4.22). */
export interface TensorflowBackend {
  readonly binding: {
    executeOp(name: string, attributes: readonly Attribute[], inputs: readonly number[], outputs: number): Output[];
    createTensor(shape: readonly number[], dtype: number, values: Float32Array | Int32Array): number;
    deleteTensor(id: number): void;
    readonly TF_FLOAT: number;
    readonly TF_INT32: number;
    readonly TF_ATTR_BOOL: number;
    readonly TF_ATTR_INT: number;
    readonly TF_ATTR_FLOAT: number;
    readonly TF_ATTR_STRING: number;
    readonly TF_ATTR_TYPE: number;
  };
  readonly tensorMap: {
    get(dataId: object): { id: number };
    set(dataId: object, data: object): void;
  };
  getInputTensorIds(tensors: readonly tf.TensorInfo[]): number[];
}

/** Values of attributes. A whole number is an int: `float` is for those of TensorFlow's type float. */
export type Attributes = Readonly<Record<string, boolean | string | number | readonly number[]>>;

/** Numbers that operations take as tensors, by backend: they stay, for they are few. */
const constants = new WeakMap<TensorflowBackend, Map<string, number>>();
const attributeLists = new WeakMap<Attributes, Attribute[]>();
const noAttributes: Attributes = {};

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
    const [output] = this.#backend.binding.executeOp(name, this.#listOf(attributes), inputs, 1);
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
    const { TF_ATTR_INT } = this.#backend.binding;
    const attributes = [{ name: 'num_split', type: TF_ATTR_INT, value: sizes.length }];
    const inputs = [id, this.ints(sizes), this.#first()];
    const parts = this.#backend.binding.executeOp('SplitV', attributes, inputs, sizes.length);
    for (const part of parts) this.#made.set(part.id, part);
    return parts.map((part) => part.id);
  }

  /** Joins tensors along their first axis. */
  join(parts: readonly number[]): number {
    return this.ofList('ConcatV2', parts, [this.#first()]);
  }

  /** Calls an operation that takes a list of float32 tensors, and says how many. */
  ofList(name: string, list: readonly number[], more: readonly number[] = []): number {
    const { TF_FLOAT, TF_ATTR_TYPE, TF_ATTR_INT } = this.#backend.binding;
    const attributes = [
      { name: 'T', type: TF_ATTR_TYPE, value: TF_FLOAT },
      { name: 'N', type: TF_ATTR_INT, value: list.length },
    ];
    const [output] = this.#backend.binding.executeOp(name, attributes, [...list, ...more], 1);
    this.#made.set(output!.id, output!);
    return output!.id;
  }

  /** A float32 number that is the same in every step. */
  constant(value: number): number {
    return this.#constant(`${value}`, [], this.#backend.binding.TF_FLOAT, Float32Array.of(value));
  }

  /** A list of int32, of few in a program: shapes, axes. */
  ints(values: readonly number[]): number {
    return this.#constant(`[${values}]`, [values.length], this.#backend.binding.TF_INT32, Int32Array.from(values));
  }

  /** A float32 number of this step alone. */
  number(value: number): number {
    const { createTensor, TF_FLOAT } = this.#backend.binding;
    const id = createTensor([], TF_FLOAT, Float32Array.of(value));
    this.#made.set(id, { id, shape: [], dtype: TF_FLOAT });
    return id;
  }

  /** Gives a tensor away to tfjs. @param type tfjs' word for its type. */
  give(id: number, type: tf.DataType = 'float32'): tf.TensorInfo {
    const { shape, dtype } = this.#taken(id);
    const dataId = {};
    this.#backend.tensorMap.set(dataId, { shape, dtype, id, values: null, refCount: 1 });
    return { dataId, shape, dtype: type };
  }

  /** Puts the values in the place of a tensor's own. Whoever holds that tensor sees them. */
  replace(tensor: tf.TensorInfo, id: number): void {
    this.#taken(id);
    const data = this.#backend.tensorMap.get(tensor.dataId);
    this.#backend.binding.deleteTensor(data.id);
    data.id = id;
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

  /** The number of the first axis. */
  #first(): number {
    return this.#constant('axis 0', [], this.#backend.binding.TF_INT32, Int32Array.of(0));
  }

  #taken(id: number): Output {
    const output = this.#made.get(id);
    if (output === undefined) throw new Error(`tensor ${id} is not one of this call`);
    this.#made.delete(id);
    return output;
  }

  #constant(key: string, shape: readonly number[], dtype: number, values: Float32Array | Int32Array): number {
    const known = constants.get(this.#backend) ?? new Map<string, number>();
    constants.set(this.#backend, known);
    const id = known.get(key) ?? this.#backend.binding.createTensor(shape, dtype, values);
    known.set(key, id);
    return id;
  }

  #listOf(attributes: Attributes): Attribute[] {
    const before = attributeLists.get(attributes);
    if (before !== undefined) return before;
    const { TF_ATTR_BOOL, TF_ATTR_INT, TF_ATTR_STRING } = this.#backend.binding;
    const list = Object.entries(attributes).map(([name, value]) => {
      const types = { boolean: TF_ATTR_BOOL, string: TF_ATTR_STRING, number: TF_ATTR_INT, object: TF_ATTR_INT };
      return { name, type: types[typeof value as keyof typeof types], value };
    });
    attributeLists.set(attributes, list);
    return list;
  }
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
