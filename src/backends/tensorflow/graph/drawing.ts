import type * as tf from '../../tf.ts';
import { dtypes } from '../attributes.ts';
import {
  type Attributes,
  attributeList,
  listAttributes,
  noAttributes,
  type Operations,
  splitAttributes,
} from '../calls.ts';
import { Graph } from './graph.ts';

/** Draws the operations of a kernel on float32 tensors as a graph, in the place of calling them. Nothing needs to be freed. */
export class Drawing implements Operations {
  readonly graph = new Graph();
  readonly inputs: string[];
  /** Where values come in the place of others: which of the tensors, and the name of the output. */
  readonly replaced = new Map<number, string>();
  readonly #places: ReadonlyMap<tf.TensorInfo, number>;
  /** Names by handles. */
  readonly #names: string[] = [];

  /** @param tensors that the kernel works on, each once. @param numbers how many it is given. */
  constructor(tensors: readonly tf.TensorInfo[], numbers: number) {
    this.#places = new Map(tensors.map((tensor, i) => [tensor, i]));
    const shapes = [...tensors.map(({ shape }) => shape), ...Array.from({ length: numbers }, () => [])];
    this.inputs = shapes.map((shape) => this.graph.placeholder(dtypes.float32, shape));
    this.#names.push(...this.inputs);
  }

  of(tensor: tf.TensorInfo): number {
    return this.#places.get(tensor)!;
  }

  op(name: string, inputs: readonly number[], attributes: Attributes = noAttributes): number {
    return this.#operation(name, inputs, attributeList(attributes), 1)[0]!;
  }

  spend(name: string, inputs: readonly number[], _spent: readonly number[], attributes?: Attributes): number {
    return this.op(name, inputs, attributes);
  }

  split(id: number, sizes: readonly number[]): number[] {
    return this.#operation('SplitV', [id, this.ints(sizes), this.int(0)], splitAttributes(sizes.length), sizes.length);
  }

  join(parts: readonly number[]): number {
    return this.ofList('ConcatV2', parts, [this.int(0)]);
  }

  ofList(name: string, list: readonly number[], more: readonly number[] = []): number {
    return this.#operation(name, [...list, ...more], listAttributes(list.length), 1)[0]!;
  }

  constant(value: number): number {
    return this.#constant(dtypes.float32, [], Float32Array.of(value));
  }

  int(value: number): number {
    return this.#constant(dtypes.int32, [], Int32Array.of(value));
  }

  ints(values: readonly number[]): number {
    return this.#constant(dtypes.int32, [values.length], Int32Array.from(values));
  }

  replace(tensor: tf.TensorInfo, id: number): void {
    this.replaced.set(this.of(tensor), this.nameOf(id));
  }

  nameOf(id: number): string {
    return this.#names[id]!;
  }

  #operation(name: string, inputs: readonly number[], attributes: Parameters<Graph['operation']>[1], outputs: number) {
    const named = inputs.map((id) => this.nameOf(id));
    const made = this.graph.operation(name, attributes, named, Array(outputs).fill(dtypes.float32));
    return made.map((output) => this.#names.push(output) - 1);
  }

  #constant(dtype: number, shape: readonly number[], { buffer }: Float32Array | Int32Array): number {
    return this.#names.push(this.graph.constant({ dtype, shape, bytes: new Uint8Array(buffer) })) - 1;
  }
}
