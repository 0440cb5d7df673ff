import { fail } from '../errors.ts';
import type { Positioned } from '../files/positioned.ts';
import { type OnnxGraph, onnxTypeNames } from './onnx.ts';
import { type ProtoField, ProtoReader } from './proto.ts';

/** What comes into a graph or out of it. */
export interface OnnxSeen {
  readonly name: string;
  /** `float32`; of what is no tensor its kind, `sequence`. */
  readonly type: string;
  /** A side is a text where it differs from call to call, `?` where it is not named; undefined where not even their number is said. */
  readonly shape?: readonly (number | string)[];
}

/** What a file of ONNX holds, without the values of its tensors. */
export interface OnnxSummary extends Pick<OnnxGraph, 'metadata'> {
  /** The version of the format. */
  readonly format: number;
  /** Versions of the sets of operators by their domains, `ai.onnx` the usual one. */
  readonly operators: Readonly<Record<string, number>>;
  readonly producer: string;
  readonly about: string;
  readonly inputs: readonly OnnxSeen[];
  readonly outputs: readonly OnnxSeen[];
  /** Also those of graphs within nodes, as of a loop, and of the functions of the file, each once. */
  readonly nodes: number;
  /** How many nodes have which operation, the most frequent first; those of other domains as `com.microsoft.Gelu`. */
  readonly operations: Readonly<Record<string, number>>;
  /** Those that the file brings: of its graphs, those in nodes (`Constant`), and sparse ones. */
  readonly tensors: number;
  /** In all of them; of sparse ones those that are stored. */
  readonly values: number;
  /** Of the tensors. */
  readonly types: readonly string[];
  /** Files beside this one which hold tensors, and how many bytes they must have. */
  readonly data: Readonly<Record<string, number>>;
}

/** Graphs lie in nodes of graphs; a file with more of them is none that a program has made. */
const mostNested = 32;
const usual = 'ai.onnx';
/** What attributes hold as they are, by the numbers of their fields: one number or text, or a list of them. */
const listedTypes: Readonly<Record<number, Listed>> = {
  ...({ 2: 'float32', 3: 'int64', 4: 'string' } as const),
  ...({ 7: 'float32', 8: 'int64', 9: 'string' } as const),
};
type Listed = 'float32' | 'int64' | 'string';
const noTensors: Readonly<Record<number, string>> = { 4: 'sequence', 5: 'map', 8: 'sparse tensor', 9: 'optional' };

/** Looks into a file of ONNX, whoever wrote it; the bytes of tensors are passed over. @throws ONNX_DAMAGED, FILE_UNREADABLE */
export async function onnxSummary(file: Positioned): Promise<OnnxSummary> {
  return new Looking(file).model();
}

class Looking {
  readonly #file: Positioned;
  readonly #proto: ProtoReader;
  #nodes = 0;
  readonly #operations = new Map<string, number>();
  #tensors = 0;
  #values = 0;
  readonly #types = new Set<string>();
  readonly #data = new Map<string, number>();

  constructor(file: Positioned) {
    this.#file = file;
    this.#proto = new ProtoReader(file, (at, found) => this.#damaged(at, found));
  }

  async model(): Promise<OnnxSummary> {
    // Names are the file's: of an object, `__proto__` would be lost.
    const operators = new Map<string, number>();
    const metadata = new Map<string, string>();
    const [producer, version, about] = [{ text: '' }, { text: '' }, { text: '' }];
    const texts: Readonly<Record<number, { text: string }>> = { 2: producer, 3: version, 6: about };
    let format = 0;
    let graph: Ends | undefined;
    for await (const field of this.#proto.fields({ at: 0, length: this.#file.size })) {
      const text = texts[field.number];
      if (text !== undefined) text.text = await this.#proto.text(field);
      else if (field.number === 1) format = this.#proto.integer(field);
      else if (field.number === 7) graph = await this.#graph(field, 0);
      else if (field.number === 20) await this.#training(field);
      else if (field.number === 25) await this.#function(field);
      else if (field.number === 8) {
        const { domain, version } = await this.#operatorSet(field);
        operators.set(domain, version);
      } else if (field.number === 14) {
        metadata.set(...(await this.#entry(field)));
      }
    }
    if (graph === undefined) throw this.#damaged(this.#file.size, 'its end, and no graph before it');
    const byCount = [...this.#operations].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
    return {
      format,
      operators: Object.fromEntries(operators),
      producer: [producer.text, version.text].filter((one) => one !== '').join(' '),
      about: about.text,
      ...graph,
      nodes: this.#nodes,
      operations: Object.fromEntries(byCount),
      tensors: this.#tensors,
      values: this.#values,
      types: [...this.#types],
      data: Object.fromEntries(this.#data),
      metadata: Object.fromEntries(metadata),
    };
  }

  async #graph(of: ProtoField, depth: number): Promise<Ends> {
    if (depth > mostNested) throw this.#damaged(of.at, `graphs within graphs, more than ${mostNested} deep`);
    const [inputs, outputs]: [OnnxSeen[], OnnxSeen[]] = [[], []];
    const own = new Set<string>();
    for await (const field of this.#proto.fields(of)) {
      if (field.number === 1) await this.#node(field, depth);
      else if (field.number === 5) own.add(await this.#tensor(field));
      else if (field.number === 15) own.add(await this.#sparseTensor(field));
      else if (field.number === 11) inputs.push(await this.#value(field));
      else if (field.number === 12) outputs.push(await this.#value(field));
    }
    // Older versions list tensors of the file among the inputs.
    return { inputs: inputs.filter(({ name }) => !own.has(name)), outputs };
  }

  /** How a graph begins to be trained, and a step of it. */
  async #training(of: ProtoField): Promise<void> {
    for await (const field of this.#proto.fields(of)) if (field.number <= 2) await this.#graph(field, 0);
  }

  /** An operation that the file defines itself, by nodes. */
  async #function(of: ProtoField): Promise<void> {
    for await (const field of this.#proto.fields(of)) {
      if (field.number === 7) await this.#node(field, 0);
      else if (field.number === 11) await this.#attribute(field, 0);
    }
  }

  async #node(of: ProtoField, depth: number): Promise<void> {
    let [operation, domain] = ['', ''];
    for await (const field of this.#proto.fields(of)) {
      if (field.number === 4) operation = await this.#proto.text(field);
      else if (field.number === 7) domain = await this.#proto.text(field);
    }
    if (operation === '') throw this.#damaged(of.at, 'a node without an operation');
    const name = domain === '' || domain === usual ? operation : `${domain}.${operation}`;
    // Of other operations lists are settings.
    const lists = name === 'Constant' ? new Map<Listed, number>() : undefined;
    for await (const field of this.#proto.fields(of))
      if (field.number === 5) await this.#attribute(field, depth, lists);
    for (const [type, count] of lists ?? []) this.#add(type, count);
    this.#nodes++;
    this.#operations.set(name, (this.#operations.get(name) ?? 0) + 1);
  }

  /** @param lists numbers and texts that it has, by their types: a tensor of the operation `Constant`. */
  async #attribute(of: ProtoField, depth: number, lists?: Map<Listed, number>): Promise<void> {
    for await (const field of this.#proto.fields(of)) {
      const listed = listedTypes[field.number];
      if (listed !== undefined) {
        lists?.set(listed, (lists.get(listed) ?? 0) + (await this.#listed(field, listed)));
      } else if (field.number === 5 || field.number === 10) await this.#tensor(field);
      else if (field.number === 22 || field.number === 23) await this.#sparseTensor(field);
      else if (field.number === 6 || field.number === 11) await this.#graph(field, depth + 1);
    }
  }

  /** Numbers come one by one, or many together. */
  async #listed(field: ProtoField, type: Listed): Promise<number> {
    if (type === 'string' || !field.isLong) return 1;
    return type === 'float32' ? Math.floor(field.length / 4) : this.#proto.countIntegers(field);
  }

  /** @returns its name, which its values have. */
  async #sparseTensor(of: ProtoField): Promise<string> {
    let name = '';
    for await (const field of this.#proto.fields(of)) {
      if (field.number === 1) name = await this.#tensor(field);
      // Where the values stand is none of them, but may lie in a file beside.
      else if (field.number === 2) await this.#tensor(field, false);
    }
    return name;
  }

  #add(type: string, values: number): void {
    this.#tensors++;
    this.#values += values;
    this.#types.add(type);
  }

  /** @param counts whether it is one of those that the file brings. @returns its name. */
  async #tensor(of: ProtoField, counts = true): Promise<string> {
    let name = '';
    let type = onnxTypeNames[0] as string;
    let values = 1;
    const place = new Map<string, string>();
    for await (const field of this.#proto.fields(of)) {
      if (field.number === 1) for await (const side of this.#proto.integers(field)) values *= side;
      else if (field.number === 2) type = typeName(this.#proto.integer(field));
      else if (field.number === 8) name = await this.#proto.text(field);
      else if (field.number === 13) {
        place.set(...(await this.#entry(field)));
      }
    }
    if (counts) this.#add(type, values);
    const location = place.get('location');
    if (location === undefined) return name;
    const [offset, length] = ['offset', 'length'].map((each) => Number(place.get(each) ?? 0));
    const end = offset! + length!;
    if (location.includes('\0') || !Number.isSafeInteger(end) || Math.min(offset!, length!) < 0)
      throw this.#damaged(of.at, 'a tensor in another file, at a place that is none');
    this.#data.set(location, Math.max(this.#data.get(location) ?? 0, end));
    return name;
  }

  async #value(of: ProtoField): Promise<OnnxSeen> {
    let [name, type] = ['', 'of no type'];
    let shape: OnnxSeen['shape'];
    for await (const field of this.#proto.fields(of)) {
      if (field.number === 1) name = await this.#proto.text(field);
      if (field.number !== 2) continue;
      for await (const kind of this.#proto.fields(field)) {
        if (kind.number in noTensors) type = noTensors[kind.number]!;
        if (kind.number !== 1) continue;
        for await (const part of this.#proto.fields(kind)) {
          if (part.number === 1) type = typeName(this.#proto.integer(part));
          else if (part.number === 2) shape = await this.#shape(part);
        }
      }
    }
    return { name, type, ...(shape && { shape }) };
  }

  async #shape(of: ProtoField): Promise<(number | string)[]> {
    const sides: (number | string)[] = [];
    for await (const field of this.#proto.fields(of)) {
      if (field.number !== 1) continue;
      let side: number | string = '?';
      for await (const said of this.#proto.fields(field)) {
        if (said.number === 1) side = this.#proto.integer(said);
        else if (said.number === 2) side = (await this.#proto.text(said)) || side;
      }
      sides.push(side);
    }
    return sides;
  }

  async #operatorSet(of: ProtoField): Promise<{ domain: string; version: number }> {
    let [domain, version] = ['', 0];
    for await (const field of this.#proto.fields(of)) {
      if (field.number === 1) domain = await this.#proto.text(field);
      else if (field.number === 2) version = this.#proto.integer(field);
    }
    return { domain: domain || usual, version };
  }

  async #entry(of: ProtoField): Promise<[key: string, value: string]> {
    const entry: [string, string] = ['', ''];
    for await (const field of this.#proto.fields(of))
      if (field.number === 1 || field.number === 2) entry[field.number - 1] = await this.#proto.text(field);
    return entry;
  }

  #damaged(at: number, found: string): Error {
    return fail('ONNX_DAMAGED', { at, found }, { where: this.#file.name });
  }
}

type Ends = Pick<OnnxSummary, 'inputs' | 'outputs'>;

function typeName(number: number): string {
  return onnxTypeNames[number] ?? `type ${number}`;
}
