import { isDeepStrictEqual } from 'node:util';
import { fail } from '../../errors.ts';
import type { OnnxNode, OnnxTensor, OnnxType, OnnxValue } from '../../formats/onnx.ts';
import type { Call, Constant, Recording, Value } from './trace.ts';

/** What a model computes of any number of pictures. */
export interface TracedGraph {
  readonly nodes: readonly OnnxNode[];
  /** Tensors that are no parameters. */
  readonly constants: readonly OnnxTensor[];
  /** Parameters that it reads, by their names. */
  readonly parameters: readonly string[];
  readonly answer: OnnxValue;
}

/** The name of the side that counts pictures. */
export const picturesSide = 'N';

/**
 * Makes one graph of two recordings of different numbers of pictures: what differs between them must be a multiple of that number, and is computed from it.
 *
 * @param input the name of the pictures. @param name of the answer.
 * @throws ONNX_BATCH where what is computed hangs on the number otherwise
 */
export function graphOf([first, second]: readonly [Recording, Recording], input: string, name: string): TracedGraph {
  return new GraphMaker(first, second, input, name).made();
}

class GraphMaker {
  readonly #recordings: readonly [Recording, Recording];
  readonly #input: string;
  readonly #answer: string;
  readonly #nodes: OnnxNode[] = [];
  readonly #constants = new Map<string, OnnxTensor>();
  readonly #parameters = new Set<string>();
  /** Names of the answers of calls of either recording. */
  readonly #names = new Map<Call, readonly string[]>();
  readonly #known = new Set<string>();
  /** Answers of nodes by what they compute. */
  readonly #computed = new Map<string, readonly string[]>();

  constructor(first: Recording, second: Recording, input: string, answer: string) {
    this.#recordings = [first, second];
    this.#input = input;
    this.#answer = answer;
    for (const name of [input, answer]) this.#known.add(name);
  }

  made(): TracedGraph {
    const [first, second] = this.#recordings;
    const [calls, others] = [neededCalls(first), neededCalls(second)];
    if (calls.length !== others.length) throw differs('the model');
    for (const [i, call] of calls.entries()) this.#addCall(call, others[i]!);
    const source = this.#value(first.answer, second.answer, '');
    // The answer has a name of its own, whatever it is.
    this.#nodes.push({
      name: this.#answer,
      operator: 'Identity',
      inputs: [source],
      outputs: [this.#answer],
      attributes: {},
    });
    const shape = first.shape.map((side, axis) => this.#side(side, second.shape[axis]!));
    return {
      nodes: this.#nodes,
      constants: [...this.#constants.values()],
      parameters: [...this.#parameters],
      answer: { name: this.#answer, type: first.type, shape },
    };
  }

  #side(one: number, other: number): number | string {
    if (one === other) return one;
    const times = this.#times(one, other, 'the answer');
    return times === 1 ? picturesSide : `${times}*${picturesSide}`;
  }

  #addCall(call: Call, other: Call): void {
    const { operator, kernel, scope, attributes, outputs } = call;
    const isSame = operator === other.operator && outputs === other.outputs;
    if (!isSame || !isDeepStrictEqual(attributes, other.attributes) || call.inputs.length !== other.inputs.length)
      throw differs(kernel);
    const inputs = call.inputs.map((input, i) => {
      const partner = other.inputs[i];
      if (input === undefined || partner === undefined) return '';
      if (input.kind !== 'numbers') return this.#value(input, partner as Value, kernel);
      if (partner.kind !== 'numbers') throw differs(kernel);
      return this.#numbers(input.values, partner.values, { kernel, isShape: operator === 'Reshape' });
    });
    const names = this.#node(operator, inputs, { attributes, scope, outputs });
    this.#names.set(call, names);
    this.#names.set(other, names);
  }

  /** A node, once for all that compute the same. @returns the names of its answers. */
  #node(
    operator: string,
    inputs: readonly string[],
    {
      attributes = {},
      scope,
      outputs = 1,
    }: Partial<Pick<OnnxNode, 'attributes'>> & { scope: string; outputs?: number },
  ): readonly string[] {
    const key = JSON.stringify([operator, inputs, attributes]);
    const known = this.#computed.get(key);
    if (known !== undefined) return known;
    const name = this.#freshName(scope === '' ? operator : `${scope}/${operator}`);
    const names = outputs === 1 ? [name] : Array.from({ length: outputs }, (_, i) => `${name}/${i}`);
    this.#computed.set(key, names);
    this.#nodes.push({ name, operator, inputs, outputs: names, attributes });
    return names;
  }

  #value(one: Value, other: Value, kernel: string): string {
    if (one.kind === 'input' && other.kind === 'input') return this.#input;
    if (one.kind === 'parameter' && other.kind === 'parameter' && one.name === other.name) {
      this.#parameters.add(one.name);
      return one.name;
    }
    if (one.kind === 'constant' && other.kind === 'constant') return this.#constantOf(one, other, kernel);
    if (one.kind !== 'result' || other.kind !== 'result') throw differs(kernel);
    const [name, partner] = [one, other].map(({ call, index }) => this.#names.get(call)![index]!);
    if (name !== partner) throw differs(kernel);
    return name!;
  }

  /** A constant that has as many equal rows as there are pictures is one row, repeated. */
  #constantOf(one: Constant, other: Constant, kernel: string): string {
    if (isDeepStrictEqual(one.shape, other.shape)) {
      if (one.values !== other.values && !isDeepStrictEqual(one.values, other.values)) throw differs(kernel);
      return this.#constant(one);
    }
    const axes = one.shape.flatMap((side, axis) => (side === other.shape[axis] ? [] : [axis]));
    const row = axes.length === 1 ? rowOf(one, axes[0]!) : undefined;
    if (row === undefined || !isDeepStrictEqual(row, rowOf(other, axes[0]!))) throw differs(kernel);
    const shape = this.#numbers(one.shape, other.shape, { kernel });
    return this.#compute('Expand', [this.#constant(row), shape]);
  }

  #constant({ type, shape, values }: Constant): string {
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    const isNumber = shape.length === 0;
    return this.#tensor(type, shape, bytes, isNumber ? `${type}/${values[0]}` : undefined);
  }

  /** Whole numbers as an input: those that hang on the number of pictures are computed from it; a shape may leave one to the runtime. */
  #numbers(
    one: readonly number[],
    other: readonly number[],
    { kernel, isShape = false }: { readonly kernel: string; readonly isShape?: boolean },
  ): string {
    if (one.length !== other.length) throw differs(kernel);
    const hanging = one.flatMap((value, i) => (value === other[i] ? [] : [i]));
    if (hanging.length === 0) return this.#fixed(one);
    if (isShape && hanging.length === 1) return this.#fixed(one.with(hanging[0]!, -1));
    const parts: string[] = [];
    let fixed: number[] = [];
    const flush = () => {
      if (fixed.length > 0) parts.push(this.#fixed(fixed));
      fixed = [];
    };
    for (const [i, value] of one.entries()) {
      if (value === other[i]) {
        fixed.push(value);
        continue;
      }
      flush();
      parts.push(this.#multiple(this.#times(value, other[i]!, kernel)));
    }
    flush();
    return parts.length === 1 ? parts[0]! : this.#compute('Concat', parts, { axis: 0 });
  }

  /** How often the number of pictures is in a number. */
  #times(one: number, other: number, kernel: string): number {
    const [first, second] = this.#recordings;
    const times = one / first.pictures;
    if (!Number.isInteger(times) || times !== other / second.pictures) throw differs(kernel);
    return times;
  }

  #multiple(times: number): string {
    const pictures = this.#compute('Shape', [this.#input], { start: 0, end: 1 });
    return times === 1 ? pictures : this.#compute('Mul', [pictures, this.#fixed([times])]);
  }

  #fixed(values: readonly number[]): string {
    const words = BigInt64Array.from(values, BigInt);
    return this.#tensor('int64', [values.length], new Uint8Array(words.buffer), `int64/${values.join('_')}`);
  }

  /** A node that hangs on the number of pictures alone. */
  #compute(operator: string, inputs: readonly string[], attributes: OnnxNode['attributes'] = {}): string {
    return this.#node(operator, inputs, { attributes, scope: 'pictures' })[0]!;
  }

  /** A tensor, once for all that have the same bytes. @param named what it is called; by default it is numbered */
  #tensor(type: OnnxType, shape: readonly number[], bytes: Uint8Array, named?: string): string {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
    const key = `${type} ${shape.join()} ${text}`;
    const known = this.#constants.get(key);
    if (known !== undefined) return known.name;
    const name = this.#freshName(named ?? 'constant');
    this.#constants.set(key, { name, type, shape, bytes });
    return name;
  }

  #freshName(name: string): string {
    let fresh = name;
    for (let i = 1; this.#known.has(fresh); i++) fresh = `${name}_${i}`;
    this.#known.add(fresh);
    return fresh;
  }
}

/** The calls that the answer hangs on, in their order. */
function neededCalls({ calls, answer }: Recording): Call[] {
  const needed = new Set<Call>();
  if (answer.kind === 'result') needed.add(answer.call);
  for (const call of calls.toReversed())
    if (needed.has(call)) for (const input of call.inputs) if (input?.kind === 'result') needed.add(input.call);
  return calls.filter((call) => needed.has(call));
}

/** One row along an axis, where all are equal. */
function rowOf({ type, shape, values }: Constant, axis: number): Constant | undefined {
  const inner = shape.slice(axis + 1).reduce((product, side) => product * side, 1);
  const side = shape[axis]!;
  const first = (i: number) => Math.floor(i / (side * inner)) * side * inner + (i % inner);
  if (!values.every((value: number, i: number) => Object.is(value, values[first(i)]))) return undefined;
  const kept = values.filter((_: number, i: number) => Math.floor(i / inner) % side === 0);
  return { kind: 'constant', type, shape: shape.map((each, at) => (at === axis ? 1 : each)), values: kept };
}

function differs(kernel: string): Error {
  return fail('ONNX_BATCH', { operation: kernel });
}
