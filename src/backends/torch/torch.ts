import type { HostArray, TorchAddon } from '../../native.ts';
import type { HostNumbers, HostRows } from '../host/numbers.ts';
import * as tf from '../tf.ts';
import { arrayFor, isThere, type Texts, TorchData } from './data.ts';
import { guarded, guardedLater, outOfMemory } from './guarded.ts';
import { dtypeNumber, dtypes, type Torch } from './kernels/kernel.ts';

/** Where the tensors of the backend lie. */
export type TorchDevice = 'cpu' | `cuda:${number}` | 'mps';

/** Numbers that are read back in the calling thread. */
const mostReadAtOnce = 16_384;

/** How `TorchAddon.uploadRows` numbers bytes, which are no dtype of tfjs. */
const sourceBytes = 4;

/** Moments of `time`: the last that there are, where nobody else counts from the first. */
const timeMarks = [4094, 4095] as const;

// Arguments of the largest call: an optimizer's step over all tensors of a model.
const mostInts = 65_536;
const mostNumbers = 16_384;

/**
 * tfjs' backend over libtorch. Tensors live in native/torch and are freed as tfjs disposes of them; a reshape shares its memory. Strings stay on the
 * host, where tfjs' cpu kernels work on them.
 */
export class TorchBackend extends tf.KernelBackend implements Torch {
  readonly device: TorchDevice;
  readonly addon: TorchAddon;
  /** What is recorded keeps the type that it was recorded with. */
  factors: 0 | 1 = 0;
  readonly #ints = new Int32Array(mostInts);
  readonly #numbers = new Float64Array(mostNumbers);
  readonly #opcodes: ReadonlyMap<string, number>;
  /** Data that came from another backend, whose ids are not ours. */
  readonly #moved = new WeakMap<object, TorchData>();
  #live = 0;
  /** The handles of lists, as long as no data of any list has been let go. */
  #lists = new WeakMap<readonly tf.TensorInfo[], Int32Array>();

  constructor(addon: TorchAddon, device: TorchDevice) {
    super();
    this.addon = addon;
    this.device = device;
    addon.open(this.#ints, this.#numbers);
    addon.setDevice(device);
    this.#opcodes = new Map(addon.names().map((name, opcode) => [name, opcode]));
  }

  /** Whether loops of ours compute on the host, and not ATen (PATCHSTREAM_TORCH_KERNELS). */
  get ownKernels(): boolean {
    return this.addon.settings().kernels === 'own';
  }

  /** The number of an operation of native/torch, when it has it. */
  opcode(operation: string): number | undefined {
    return this.#opcodes.get(operation);
  }

  /** The handle of a tensor in native/torch, for those who call the addon themselves. */
  handleOf(x: { readonly dataId: object }): number {
    const { handle } = this.#dataOf(x.dataId);
    if (handle < 0) throw new Error('the backend torch computes with numbers; got strings');
    return handle;
  }

  /** A tensor of tfjs around a handle, which becomes its own. */
  adopt(handle: number, shape: number[], dtype: 'float32' | 'int32' | 'bool'): tf.TensorInfo {
    this.#live++;
    return { dataId: new TorchData(handle, dtype, tf.util.sizeFromShape(shape)), shape, dtype };
  }

  /** Picks rows out of memory; bytes become numbers on the way. */
  uploadRows(
    { memory, starts, bytes }: HostRows,
    from: HostNumbers['dtype'],
    shape: number[],
    dtype: 'float32' | 'int32',
  ): tf.TensorInfo {
    const source = from === 'uint8' ? sourceBytes : dtypeNumber(from);
    const handle = guarded(this.device, () =>
      this.addon.uploadRows(memory, starts, bytes, source, dtypeNumber(dtype), shape),
    );
    return this.adopt(handle, shape, dtype);
  }

  all(
    operation: string,
    inputs: readonly (tf.TensorInfo | undefined)[],
    attributes: readonly number[] = [],
  ): tf.TensorInfo[] {
    return this.#outputs(this.#run(operation, inputs, attributes));
  }

  lists(
    operation: string,
    inputs: readonly (readonly tf.TensorInfo[])[],
    attributes: readonly number[] = [],
  ): tf.TensorInfo[] {
    // First all handles: a tensor of another backend is moved here by a call of its own.
    const handles = inputs.map((list) => this.#handlesOf(list));
    const length = handles.reduce((sum, list) => sum + list.length, 0);
    this.#checkRoom(operation, length, attributes.length);
    let at = 0;
    for (const list of handles) {
      this.#ints.set(list, at);
      at += list.length;
    }
    return this.#outputs(this.#call(operation, length, attributes));
  }

  #outputs(count: number): tf.TensorInfo[] {
    const outputs: tf.TensorInfo[] = [];
    let at = 0;
    for (let i = 0; i < count; i++) {
      const output = this.#output(at);
      outputs.push(output);
      at += 3 + output.shape.length;
    }
    return outputs;
  }

  one(
    operation: string,
    inputs: readonly (tf.TensorInfo | undefined)[],
    attributes: readonly number[] = [],
  ): tf.TensorInfo {
    this.#run(operation, inputs, attributes);
    return this.#output(0);
  }

  share(x: tf.TensorInfo): tf.TensorInfo {
    this.incRef(x.dataId);
    return { dataId: x.dataId, shape: x.shape, dtype: x.dtype };
  }

  reshape(x: tf.TensorInfo, shape: readonly number[]): tf.TensorInfo {
    const data = this.#dataOf(x.dataId);
    if (data.texts !== undefined) {
      return { dataId: this.write(data.texts, [...shape], 'string'), shape: [...shape], dtype: 'string' };
    }
    return this.one('Reshape', [x], [shape.length, ...shape]);
  }

  free(x: tf.TensorInfo): void {
    this.disposeData(x.dataId);
  }

  override write(values: tf.BackendValues, shape: number[], dtype: tf.DataType): object {
    const data = new TorchData(-1, dtype, tf.util.sizeFromShape(shape));
    this.#fill(data, values, shape);
    this.#live++;
    return data;
  }

  override move(dataId: object, values: tf.BackendValues, shape: number[], dtype: tf.DataType, refCount: number): void {
    const data = dataId instanceof TorchData ? dataId : new TorchData(-1, dtype, tf.util.sizeFromShape(shape));
    this.#fill(data, values, shape);
    data.refCount = refCount;
    if (data !== dataId) this.#moved.set(dataId, data);
    this.#live++;
  }

  override readSync(dataId: object): tf.BackendValues {
    const data = this.#dataOf(dataId);
    if (data.texts !== undefined) return data.texts;
    const into = arrayFor(data);
    guarded(this.device, () => this.addon.download(data.handle, into));
    return into;
  }

  override async read(dataId: object): Promise<tf.BackendValues> {
    const data = this.#dataOf(dataId);
    if (data.texts !== undefined) return data.texts;
    // On the cpu the numbers are there already, and a thread's turn costs more than copying a few.
    if (this.device === 'cpu' && data.size <= mostReadAtOnce) return this.readSync(dataId);
    return guardedLater(this.device, () => this.addon.downloadAsync(data.handle, arrayFor(data)));
  }

  override disposeData(dataId: object, force = false): boolean {
    const data = dataId instanceof TorchData ? dataId : this.#moved.get(dataId);
    if (data === undefined || !isThere(data)) return true;
    if (data.listed) {
      // Such as a variable that was given another value: lists with it no longer have its handle.
      this.#lists = new WeakMap();
      data.listed = false;
    }
    data.refCount--;
    if (!force && data.refCount > 0) return false;
    if (data.handle >= 0) this.addon.free(data.handle);
    data.handle = -1;
    data.texts = undefined;
    this.#moved.delete(dataId);
    this.#live--;
    return true;
  }

  override incRef(dataId: object): void {
    this.#dataOf(dataId).refCount++;
  }

  decRef(dataId: object): void {
    this.#dataOf(dataId).refCount--;
  }

  override refCount(dataId: object): number {
    const data = dataId instanceof TorchData ? dataId : this.#moved.get(dataId);
    return data !== undefined && isThere(data) ? data.refCount : 0;
  }

  override numDataIds(): number {
    return this.#live;
  }

  /** `bytes` and `tensors` are what native/torch holds, each piece of memory counted once. */
  override memory(): { unreliable: boolean; bytes: number; tensors: number } {
    return { unreliable: false, ...this.addon.memory() };
  }

  override timerAvailable(): boolean {
    return true;
  }

  override async time(f: () => void): Promise<tf.BackendTimingInfo> {
    const { addon } = this;
    addon.mark(timeMarks[0]);
    f();
    addon.mark(timeMarks[1]);
    return { kernelMs: addon.between(...timeMarks) };
  }

  override floatPrecision(): 16 | 32 {
    return 32;
  }

  /** Nothing: tensors are freed one by one. */
  override dispose(): void {}

  #run(operation: string, inputs: readonly (tf.TensorInfo | undefined)[], attributes: readonly number[]): number {
    // First all handles: a tensor of another backend is moved here by a call of its own.
    const handles = inputs.map((x) => (x == null ? -1 : this.handleOf(x)));
    this.#checkRoom(operation, handles.length, attributes.length);
    for (let i = 0; i < handles.length; i++) this.#ints[i] = handles[i]!;
    return this.#call(operation, handles.length, attributes);
  }

  #checkRoom(operation: string, inputs: number, attributes: number): void {
    if (inputs > mostInts || attributes > mostNumbers) throw new Error(`${operation} has too many inputs`);
  }

  /** Runs an operation on the handles that lie in the first ints. */
  #call(operation: string, inputs: number, attributes: readonly number[]): number {
    const opcode = this.#opcodes.get(operation);
    if (opcode === undefined) throw new Error(`native/torch has no operation ${operation}: build it again`);
    for (let i = 0; i < attributes.length; i++) this.#numbers[i] = attributes[i]!;
    try {
      return this.addon.run(opcode, inputs, attributes.length);
    } catch (cause) {
      const memory = outOfMemory(this.device, cause);
      if (memory !== undefined) throw memory;
      if (cause instanceof Error) cause.message = `${operation}: ${cause.message}`;
      throw cause;
    }
  }

  /** The handles of a list that may have been seen before; looking up hundreds of tensors takes a while when their objects are cold. */
  #handlesOf(list: readonly tf.TensorInfo[]): Int32Array {
    const known = this.#lists.get(list);
    if (known !== undefined) return known;
    const handles = Int32Array.from(list, (x) => this.handleOf(x));
    for (const { dataId } of list) this.#dataOf(dataId).listed = true;
    this.#lists.set(list, handles);
    return handles;
  }

  /** The output that the addon has written from `at` on. */
  #output(at: number): tf.TensorInfo {
    const ints = this.#ints;
    const rank = ints[at + 2]!;
    const shape: number[] = [];
    let size = 1;
    for (let axis = 0; axis < rank; axis++) {
      const side = ints[at + 3 + axis]!;
      shape.push(side);
      size *= side;
    }
    const dtype = dtypes[ints[at + 1]!] ?? 'float32';
    this.#live++;
    return { dataId: new TorchData(ints[at]!, dtype, size), shape, dtype };
  }

  #fill(data: TorchData, values: tf.BackendValues, shape: number[]): void {
    if (data.dtype === 'string') {
      data.texts = values as Texts;
    } else {
      const dtype = dtypeNumber(data.dtype);
      data.handle = guarded(this.device, () => this.addon.upload(values as HostArray, dtype, shape));
    }
  }

  #dataOf(dataId: object): TorchData {
    const data = dataId instanceof TorchData ? dataId : this.#moved.get(dataId);
    if (data !== undefined && isThere(data)) return data;
    // It lives on another backend: tfjs brings it here, by `move`.
    tf.engine().moveData(this, dataId);
    return (dataId instanceof TorchData ? dataId : this.#moved.get(dataId))!;
  }
}
