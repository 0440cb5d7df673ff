import { isDeepStrictEqual } from 'node:util';
import type { ProgramDifference } from '../../../native.ts';
import { type Attribute, kinds } from '../attributes.ts';
import { typesOf } from './operations.ts';

/** An operation of a graph. `inputs` are names of outputs: `node` is the first of a node, `node:1` its second. */
export interface GraphNode {
  readonly name: string;
  readonly operation: string;
  readonly inputs: readonly string[];
  readonly attributes: readonly Attribute[];
}

/** The values of a constant, as they lie in memory. */
export interface TensorValues {
  readonly dtype: number;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

/**
 * A graph of TensorFlow that grows operation by operation. Names follow from the order alone, so that the same calls make the same graph. An operation that is called names only those of its types
 * that do not follow from its inputs; in a graph every type has to be named.
 */
export class Graph {
  readonly nodes: GraphNode[] = [];
  readonly #dtypes = new Map<string, number>();
  #calls = 0;

  /** Operations that compute. */
  get calls(): number {
    return this.#calls;
  }

  /** A value that is handed over at each run. @returns the name of its output, as all that follow. */
  placeholder(dtype: number, shape: readonly number[]): string {
    return this.#add(
      'Placeholder',
      [],
      [typeAttribute('dtype', dtype), { name: 'shape', type: kinds.shape, value: shape }],
      dtype,
    );
  }

  constant(values: TensorValues): string {
    const { dtype } = values;
    return this.#add(
      'Const',
      [],
      [typeAttribute('dtype', dtype), { name: 'value', type: kinds.tensor, value: values }],
      dtype,
    );
  }

  /** A name that can be asked for: TensorFlow does not give back what it was handed over as it is. */
  output(name: string): string {
    const given = this.nodes.some((node) => node.name === name && node.operation === 'Placeholder');
    return given ? this.operation('Identity', [], [name], [this.#dtypes.get(name)!])[0]! : name;
  }

  /** @param dtypes of the outputs. @returns their names. */
  operation(
    operation: string,
    attributes: readonly Attribute[],
    inputs: readonly string[],
    dtypes: readonly number[],
  ): string[] {
    this.#calls += 1;
    const named = new Set(attributes.map(({ name }) => name));
    const types = typesOf(operation)
      .filter(({ type }) => !named.has(type))
      .map(({ type, input }) => typeAttribute(type, this.#dtypes.get(inputs[input]!)!));
    const all = [...attributes, ...types];
    const first = this.#add(operation, inputs, all, dtypes[0]!);
    const names = dtypes.map((_, i) => (i === 0 ? first : `${first}:${i}`));
    for (const [i, name] of names.entries()) this.#dtypes.set(name, dtypes[i]!);
    return names;
  }

  #add(operation: string, inputs: readonly string[], attributes: readonly Attribute[], dtype: number): string {
    const name = `n${this.nodes.length}`;
    this.nodes.push({ name, operation, inputs, attributes });
    this.#dtypes.set(name, dtype);
    return name;
  }
}

const typeAttribute = (name: string, value: number): Attribute => ({ name, type: kinds.type, value });

/** The first difference of a later graph from an earlier one. */
export function differenceOf(earlier: Graph, later: Graph): ProgramDifference {
  for (let i = 0; i < Math.max(earlier.nodes.length, later.nodes.length); i++) {
    const [a, b] = [earlier.nodes[i], later.nodes[i]];
    if (isDeepStrictEqual(a, b)) continue;
    if (a?.operation !== 'Const' || b?.operation !== 'Const' || !sameForm(a, b))
      return { kind: 'sequence', operation: (b ?? a)!.operation };
    const reader = later.nodes.find(({ inputs }) => inputs.includes(b.name));
    return { kind: 'write', operation: reader?.operation ?? 'Const' };
  }
  return { kind: 'none', operation: '' };
}

/** Whether two constants differ in their values alone. */
function sameForm(a: GraphNode, b: GraphNode): boolean {
  const [x, y] = [a, b].map(({ attributes }) => attributes.at(-1)!.value as TensorValues);
  return x!.dtype === y!.dtype && isDeepStrictEqual(x!.shape, y!.shape);
}
