import { isDeepStrictEqual } from 'node:util';
import type { ProgramDifference } from '../../../native.ts';
import { notComputed } from '../../replay/recorder.ts';
import type * as tf from '../../tf.ts';
import type { Attribute } from '../attributes.ts';
import { type Binding, constantsOf, type HostValues, type Output, type TensorflowBackend } from '../calls.ts';
import { differenceOf, Graph } from './graph.ts';
import { mayBeInGraph } from './operations.ts';

/** What a placeholder is for: one of the tensors that were given, or one from before the recording. */
export type Feed = { readonly name: string } & ({ readonly given: number } | { readonly dataId: object });

/** Whether two placeholders, of graphs that are alike, stand for the same. */
const sameTensor = (a: Feed, b: Feed) =>
  'given' in a ? 'given' in b && a.given === b.given : 'dataId' in b && a.dataId === b.dataId;

/** What of a backend is replaced while a recording listens. Functions of the binding cannot be replaced there, so it is replaced as a whole. */
type Heard = { -readonly [K in 'binding' | 'getInputTensorIds']: TensorflowBackend[K] };

/** Listens to what a backend calls, from when it is made until `stop`, and writes it down as a graph. All is computed as ever. */
export class Recording {
  readonly graph = new Graph();
  readonly feeds: Feed[] = [];
  /** Names of what was given away, in that order. */
  readonly outputs: string[] = [];
  /** What must not stand in a graph, or none: the first operation. */
  unknown = '';
  /** The operation whose output was read back, `notComputed` for what was there before, or none. */
  reads = '';
  /** Whether a tensor from before was freed. */
  frees = false;
  readonly #backend: Heard;
  readonly #real: Readonly<Heard>;
  readonly #listening: Readonly<Heard>;
  readonly #tensorMap: TensorflowBackend['tensorMap'];
  readonly #given: ReadonlyMap<number, number>;
  readonly #constants: ReturnType<typeof constantsOf>;
  /** By handles, which are never used again: names of outputs, the operations that made them, and what tfjs knows tensors from before by. */
  readonly #names = new Map<number, string>();
  readonly #makers = new Map<number, string>();
  readonly #dataIds = new Map<number, object>();
  /** Handles that were made here; those of them that were neither freed nor given away. */
  readonly #made = new Set<number>();
  readonly #alive = new Set<number>();

  /** @param given tensors in whose place others are handed over later. */
  constructor(backend: TensorflowBackend, given: readonly tf.TensorInfo[]) {
    this.#given = new Map(backend.getInputTensorIds(given).map((id, i) => [id, i]));
    this.#constants = constantsOf(backend);
    this.#tensorMap = backend.tensorMap;
    this.#backend = backend;
    this.#real = { binding: backend.binding, getInputTensorIds: backend.getInputTensorIds };
    this.#listening = this.#heard(backend);
    Object.assign(this.#backend, this.#listening);
  }

  /** Whether something that was made is still there. */
  get keeps(): boolean {
    return this.#alive.size > 0;
  }

  /** The first difference of a later recording. */
  differ(later: Recording): ProgramDifference {
    const difference = differenceOf(this.graph, later.graph);
    if (difference.kind !== 'none') return difference;
    const other = later.feeds.find((feed, i) => !sameTensor(feed, this.feeds[i]!));
    const reader = later.graph.nodes.find(({ inputs }) => other !== undefined && inputs.includes(other.name));
    if (other !== undefined) return { kind: 'sequence', operation: reader?.operation ?? 'Placeholder' };
    return isDeepStrictEqual(this.outputs, later.outputs) ? difference : { kind: 'sequence', operation: 'the end' };
  }

  /** Takes a tensor for an output. What `add` calls is not written down. */
  give(tensor: tf.TensorInfo, add: () => void): void {
    const [id] = this.#backend.getInputTensorIds([tensor]);
    this.outputs.push(this.graph.output(this.#nameOf(id!)));
    this.#alive.delete(id!);
    this.stop();
    try {
      add();
    } finally {
      Object.assign(this.#backend, this.#listening);
    }
  }

  stop(): void {
    Object.assign(this.#backend, this.#real);
  }

  #heard(backend: TensorflowBackend): Heard {
    const { binding, getInputTensorIds } = this.#real;
    const functions: Partial<Binding> = {
      executeOp: (name, attributes, inputs, count) => {
        const outputs = binding.executeOp(name, attributes, inputs, count);
        this.#operation(name, attributes, inputs, outputs);
        return outputs;
      },
      createTensor: (shape, dtype, values) => {
        const id = binding.createTensor(shape, dtype, values);
        this.#constant(id, shape, dtype, values);
        return id;
      },
      deleteTensor: (id) => {
        this.frees ||= !this.#made.has(id);
        this.#alive.delete(id);
        binding.deleteTensor(id);
      },
      tensorDataSync: (id) => {
        // Constants of this pass are compared with those of the next: who reads them may.
        this.reads ||= this.#makers.get(id) ?? (this.#made.has(id) ? '' : notComputed);
        return binding.tensorDataSync(id);
      },
    };
    const properties = Object.entries(functions).map(([name, value]) => [name, { value }]);
    return {
      binding: Object.create(binding, Object.fromEntries(properties)),
      getInputTensorIds: (tensors) => {
        const ids = getInputTensorIds.call(backend, tensors);
        for (const [i, id] of ids.entries())
          if (!this.#names.has(id) && tensors[i]!.dataId !== undefined) this.#dataIds.set(id, tensors[i]!.dataId);
        return ids;
      },
    };
  }

  #operation(name: string, attributes: readonly Attribute[], inputs: readonly number[], outputs: readonly Output[]) {
    if (!mayBeInGraph(name)) this.unknown ||= name;
    const dtypes = outputs.map(({ dtype }) => dtype);
    const names = this.graph.operation(
      name,
      attributes,
      inputs.map((id) => this.#nameOf(id)),
      dtypes,
    );
    for (const [i, { id }] of outputs.entries()) {
      this.#take(id, names[i]!);
      this.#makers.set(id, name);
    }
  }

  #constant(id: number, shape: readonly number[], dtype: number, { buffer, byteOffset, byteLength }: HostValues): void {
    // Copied, for they may change later.
    const bytes = new Uint8Array(buffer.slice(byteOffset, byteOffset + byteLength));
    this.#take(id, this.graph.constant({ dtype, shape: [...shape], bytes }));
  }

  #take(id: number, name: string): void {
    this.#names.set(id, name);
    this.#made.add(id);
    this.#alive.add(id);
  }

  #nameOf(id: number): string {
    const name = this.#names.get(id) ?? this.#earlier(id);
    this.#names.set(id, name);
    return name;
  }

  /** The name of something that was there before. */
  #earlier(id: number): string {
    const constant = this.#constants.get(id);
    if (constant !== undefined) {
      const { dtype, shape, values } = constant;
      return this.graph.constant({ dtype, shape, bytes: new Uint8Array(values.buffer) });
    }
    const dataId = this.#dataIds.get(id);
    if (dataId === undefined) {
      this.unknown ||= 'on a tensor that tfjs does not know';
      return `unknown ${id}`;
    }
    const { dtype, shape } = this.#tensorMap.get(dataId);
    const name = this.graph.placeholder(dtype, shape);
    const given = this.#given.get(id);
    this.feeds.push(given === undefined ? { name, dataId } : { name, given });
    return name;
  }
}
