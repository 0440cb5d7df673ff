import { fail } from '../../errors.ts';
import { onHost } from '../host/kernels.ts';
import type { Inputs } from '../kernel.ts';
import * as tf from '../tf.ts';
import { kernels } from './kernels/index.ts';
import type { Answer, Answers, Attributes, HostValues, Input, Numbers, TracedType, Tracing } from './kernels/kernel.ts';

/** Numbers that no input of the model decides. */
export interface Constant {
  readonly kind: 'constant';
  readonly type: TracedType;
  readonly shape: readonly number[];
  readonly values: HostValues;
}

/** Where the values of a tensor come from. */
export type Value =
  | Constant
  | { readonly kind: 'input' }
  | { readonly kind: 'parameter'; readonly name: string }
  | { readonly kind: 'result'; readonly call: Call; readonly index: number };

/** An operation of ONNX that was called. */
export interface Call {
  readonly operator: string;
  /** tfjs' kernel that it stands for. */
  readonly kernel: string;
  /** The part of the model that it belongs to: `blocks/0/attn`. */
  readonly scope: string;
  readonly inputs: readonly (Value | Numbers | undefined)[];
  readonly attributes: Attributes;
  readonly outputs: number;
}

/** What a model has computed: calls in their order, and which value is the answer. */
export interface Recording {
  readonly calls: readonly Call[];
  readonly answer: Value;
  readonly shape: readonly number[];
  readonly type: TracedType;
  /** Pictures that it was given. */
  readonly pictures: number;
}

/** What stands for a tensor's numbers. */
class TracedData {
  readonly value: Value;
  /** What it is a reshape of. */
  readonly before: tf.TensorInfo | undefined;

  constructor(value: Value, before?: tf.TensorInfo) {
    this.value = value;
    this.before = before;
  }
}

export const traceBackend = 'onnx';

/**
 * A backend for tfjs that computes nothing: each kernel infers the shape of its answer, and is recorded as operations of ONNX. What hangs on no input and on no parameter is
 * computed at once, by tfjs-cpu's kernels.
 */
export class Trace extends tf.KernelBackend implements Tracing {
  /** Parameters by what tfjs knows their numbers by, on the backend where they lie. */
  readonly #parameters: ReadonlyMap<object, string>;
  #calls: Call[] = [];
  #scope = 'picture';
  #kernel = '';

  constructor(parameters: Readonly<Record<string, tf.Tensor>>) {
    super();
    this.#parameters = new Map(Object.entries(parameters).map(([name, { dataId }]) => [dataId, name]));
  }

  /**
   * Records what a model computes.
   *
   * @param shape of the pictures, [N, H, W, 3]; they are bytes. @param answer is given them as float32, and may keep nothing.
   * @throws ONNX_OPERATION
   */
  record(shape: readonly number[], answer: (pictures: tf.Tensor) => tf.Tensor): Recording {
    this.#calls = [];
    this.#scope = 'picture';
    let made: tf.Tensor | undefined;
    tf.tidy(() => {
      const bytes = this.#info({ kind: 'input' }, shape, 'float32');
      const pictures = this.call('Cast', [bytes], { shape, dtype: 'float32', attributes: { to: 1 } });
      made = answer(tf.engine().makeTensorFromTensorInfo(pictures));
    });
    const type = made!.dtype as TracedType;
    return { calls: this.#calls, answer: this.valueFor(made!), shape: made!.shape, type, pictures: shape[0]! };
  }

  /** Computes or records a kernel of tfjs. @throws ONNX_OPERATION for one that ONNX has no operation for. */
  run(kernelName: string, inputs: tf.NamedTensorInfoMap, attrs: object): tf.TensorInfo | tf.TensorInfo[] {
    const given = (Object.values(inputs) as (tf.TensorInfo | undefined)[]).filter((each) => each != null);
    const host = tf.getKernel(kernelName, 'cpu');
    if (host !== undefined && given.every((each) => this.valueFor(each).kind === 'constant'))
      return onHost(host, inputs, attrs, this);
    this.#kernel = kernelName;
    const kernel = kernels[kernelName];
    if (kernel === undefined) throw this.refused('the export has no translation for it');
    const made = kernel(this, inputs as Inputs, attrs);
    return Array.isArray(made) ? made.map((each) => this.#own(each)) : this.#own(made);
  }

  refused(reason: string): Error {
    const place = this.#scope === '' ? '' : ` in ${this.#scope}`;
    return fail('ONNX_OPERATION', { operation: `${this.#kernel}${place}`, reason });
  }

  call(operator: string, inputs: readonly Input[], { shape, ...answer }: Answer): tf.TensorInfo {
    return this.callMany(operator, inputs, { shapes: [shape], ...answer })[0]!;
  }

  callMany(operator: string, inputs: readonly Input[], { shapes, dtype, attributes = {} }: Answers): tf.TensorInfo[] {
    const values = inputs.map((each) => (each === undefined || 'kind' in each ? each : this.valueFor(each)));
    const scope = this.#scopeOf(values);
    const outputs = shapes.length;
    const call: Call = { operator, kernel: this.#kernel, scope, inputs: values, attributes, outputs };
    this.#calls.push(call);
    return shapes.map((shape, index) => this.#info({ kind: 'result', call, index }, shape, dtype));
  }

  reshape(x: tf.TensorInfo, shape: readonly number[]): tf.TensorInfo {
    const first = this.beforeReshape(x) ?? x;
    if (first.shape.length === shape.length && first.shape.every((side, axis) => side === shape[axis])) return first;
    const made = this.call('Reshape', [first, { kind: 'numbers', values: shape }], { shape, dtype: x.dtype });
    return { ...made, dataId: new TracedData(this.valueFor(made), first) };
  }

  beforeReshape({ dataId }: tf.TensorInfo): tf.TensorInfo | undefined {
    return dataId instanceof TracedData ? dataId.before : undefined;
  }

  constant(values: HostValues, shape: readonly number[]): tf.TensorInfo {
    const type = values instanceof Float32Array ? 'float32' : values instanceof Int32Array ? 'int32' : 'bool';
    return this.#info({ kind: 'constant', values, shape, type }, shape, type);
  }

  constantOf(x: tf.TensorInfo): HostValues | undefined {
    const value = this.valueFor(x);
    return value.kind === 'constant' ? value.values : undefined;
  }

  valueFor({ dataId, shape, dtype }: tf.TensorInfo): Value {
    if (dataId instanceof TracedData) return dataId.value;
    // It lies on the backend before: a parameter, or what the model has made for itself.
    const name = this.#parameters.get(dataId);
    if (name !== undefined) return { kind: 'parameter', name };
    return constantValue(tf.engine().readSync(dataId), shape, dtype);
  }

  /** What a kernel passes on, such as a reshape to the same shape, as an answer of its own: tfjs frees each. */
  #own(x: tf.TensorInfo): tf.TensorInfo {
    return { ...x, dataId: new TracedData(this.valueFor(x), this.beforeReshape(x)) };
  }

  #info(value: Value, shape: readonly number[], dtype: tf.DataType): tf.TensorInfo {
    return { dataId: new TracedData(value), shape: [...shape], dtype };
  }

  /** An operation with a parameter belongs to the parameter's part of the model; what comes next, to the part around it. */
  #scopeOf(inputs: Call['inputs']): string {
    const parameter = inputs.find((input) => input?.kind === 'parameter');
    if (parameter?.kind !== 'parameter') return this.#scope;
    const path = parameter.name.split(/[./]/);
    const part = path.length === 1 ? path : path.slice(0, -1);
    const ends = path.length === 1 || /(weight|bias|kernel)$/.test(path.at(-1)!);
    this.#scope = (ends ? part.slice(0, -1) : part).join('/');
    return part.join('/');
  }

  override write(values: tf.BackendValues, shape: number[], dtype: tf.DataType): object {
    return new TracedData(constantValue(values, shape, dtype));
  }

  override readSync(dataId: object): tf.BackendValues {
    if (!(dataId instanceof TracedData)) return tf.engine().readSync(dataId);
    const { value } = dataId;
    if (value.kind === 'constant') return value.values;
    throw fail('ONNX_OPERATION', { operation: 'data()', reason: 'there are no values yet when a model is exported' });
  }

  override async read(dataId: object): Promise<tf.BackendValues> {
    return this.readSync(dataId);
  }

  override move(): void {
    throw new Error('tensors of other backends stay where they are');
  }

  override disposeData(): boolean {
    return true;
  }

  override incRef(): void {}

  override refCount(): number {
    return 1;
  }

  override numDataIds(): number {
    return 0;
  }

  override memory(): { unreliable: boolean } {
    return { unreliable: true };
  }

  override floatPrecision(): 32 {
    return 32;
  }

  override dispose(): void {}
}

function constantValue(values: tf.BackendValues, shape: readonly number[], dtype: tf.DataType): Constant {
  const arrays = { float32: Float32Array, int32: Int32Array, bool: Uint8Array } as const;
  if (!(dtype in arrays))
    throw fail('ONNX_OPERATION', { operation: `a tensor of type ${dtype}`, reason: 'it is no number' });
  const type = dtype as TracedType;
  return { kind: 'constant', type, shape: [...shape], values: arrays[type].from(values as Float32Array) };
}

let registered = false;

/** Has `work` run with a trace as tfjs' backend, and puts back the one before; nothing else of the program runs meanwhile. */
export function withTrace<T>(trace: Trace, work: () => T): T {
  if (!registered) {
    registered = true;
    const names = [...tf.getKernelsForBackend('cpu').map(({ kernelName }) => kernelName), ...Object.keys(kernels)];
    for (const kernelName of new Set(names))
      tf.registerKernel({
        kernelName,
        backendName: traceBackend,
        kernelFunc: ({ inputs, attrs, backend }) => (backend as Trace).run(kernelName, inputs, attrs ?? {}),
      });
  }
  const before = tf.getBackend();
  tf.registerBackend(traceBackend, () => trace);
  // Backends that are there at once tfjs takes at once; it has a promise for the others.
  void tf.setBackend(traceBackend);
  try {
    return work();
  } finally {
    void tf.setBackend(before);
    tf.removeBackend(traceBackend);
  }
}
