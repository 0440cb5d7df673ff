import type { SchemaElement } from 'hyparquet';
import type { Numbers } from '../../vision/spec.ts';
import { jsonOf } from '../plain-fields.ts';

type Dtype = Numbers['dtype'] | 'float64';

/** What a column holds: numbers, one or in lists `rank` deep; true and false; text, one or a list; or whatever JSON has. */
export type Kind =
  | { readonly of: 'numbers'; readonly dtype: Dtype; readonly shape: readonly number[] | null; readonly rank: number }
  | { readonly of: 'flag' | 'text' | 'texts' | 'json' };

/** In the place of a value that its column cannot hold. */
export const misfit = Symbol('misfit');

const physical = {
  uint8: { type: 'INT32', converted_type: 'UINT_8' },
  int32: { type: 'INT32' },
  float32: { type: 'FLOAT' },
  float64: { type: 'DOUBLE' },
} as const;

/** The nodes of a column in the schema of a file. */
export function schemaOf(name: string, kind: Kind): SchemaElement[] {
  if (kind.of === 'numbers') return lists(name, kind.rank, physical[kind.dtype]);
  if (kind.of === 'flag') return [{ name, repetition_type: 'OPTIONAL', type: 'BOOLEAN' }];
  if (kind.of === 'json') return [{ name, repetition_type: 'OPTIONAL', type: 'BYTE_ARRAY', converted_type: 'JSON' }];
  return lists(name, kind.of === 'texts' ? 1 : 0, { type: 'BYTE_ARRAY', converted_type: 'UTF8' });
}

/** Lists as the format wants them: a group, which may be missing, of repeated groups of an element that may not. */
function lists(name: string, rank: number, leaf: Omit<SchemaElement, 'name'>, deep = false): SchemaElement[] {
  const repetition_type = deep ? ('REQUIRED' as const) : ('OPTIONAL' as const);
  if (rank === 0) return [{ name, repetition_type, ...leaf }];
  return [
    { name, repetition_type, converted_type: 'LIST', num_children: 1 },
    { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
    ...lists('element', rank - 1, leaf, true),
  ];
}

/** The kind that a single value asks for; nothing where any will do. */
export function kindOf(value: unknown): Kind | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'boolean') return { of: 'flag' };
  if (typeof value === 'number') return numbers('float64', 0);
  if (typeof value === 'string') return { of: 'text' };
  if (value instanceof Float32Array) return numbers('float32', 1);
  if (value instanceof Float64Array) return numbers('float64', 1);
  if (value instanceof Uint8Array || value instanceof Uint8ClampedArray) return numbers('uint8', 1);
  if (isSmallIntegers(value)) return numbers('int32', 1);
  if (!Array.isArray(value)) return { of: 'json' };
  if (value.length === 0) return undefined;
  if (value.every((one) => typeof one === 'string')) return { of: 'texts' };
  if (value.every((one) => typeof one === 'number')) return numbers('float64', 1);
  return { of: 'json' };
}

function numbers(dtype: Dtype, rank: number): Kind {
  return { of: 'numbers', dtype, rank, shape: null };
}

function isSmallIntegers(value: unknown): boolean {
  return [Int8Array, Int16Array, Uint16Array, Int32Array].some((type) => value instanceof type);
}

/** The kind that holds what both do. */
export function joinKinds(one: Kind | undefined, other: Kind | undefined): Kind | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  if (one.of === other.of) {
    if (one.of !== 'numbers' || other.of !== 'numbers') return one;
    return one.dtype === other.dtype && one.rank === other.rank ? one : { of: 'json' };
  }
  const both = [one.of, other.of];
  return both.includes('text') && both.includes('texts') ? { of: 'texts' } : { of: 'json' };
}

/** Lists of float32, whose cells are arrays as they are in memory. */
export function isVector(kind: Kind): boolean {
  return kind.of === 'numbers' && kind.dtype === 'float32' && kind.rank === 1;
}

/** The kind of a field of which the chain says what it is. */
export function declaredKind({ dtype, shape }: Numbers): Kind {
  return { of: 'numbers', dtype, shape, rank: shape.length };
}

/** A value as the writer takes it, null where there is none; `misfit` where the column cannot hold it as it is. */
export function cellOf(name: string, value: unknown, kind: Kind): unknown {
  if (value === undefined || value === null) return null;
  if (kind.of === 'numbers') return numbersCell(value, kind);
  if (kind.of === 'json') return JSON.parse(jsonOf(name, value) ?? 'null');
  if (kind.of === 'flag') return typeof value === 'boolean' ? value : misfit;
  if (kind.of === 'text') return isText(value) ? value : misfit;
  if (isText(value)) return [value];
  return Array.isArray(value) && value.every(isText) ? value : misfit;
}

/** Half of a surrogate pair has no UTF-8; JSON can say it. */
function isText(value: unknown): value is string {
  return typeof value === 'string' && !/\p{Surrogate}/u.test(value);
}

function numbersCell(value: unknown, kind: Kind & { of: 'numbers' }): unknown {
  const { dtype, shape, rank } = kind;
  const isDeclared = shape !== null;
  if (rank === 0) return typeof value === 'number' && holds(dtype, value, isDeclared) ? value : misfit;
  if (!isNumberList(value)) return misfit;
  if (isVector(kind)) {
    if (value instanceof Float32Array) return value;
    return Array.from(value).every((one) => holds(dtype, one, isDeclared)) ? Float32Array.from(value) : misfit;
  }
  const flat = Array.from(value);
  if (!isExactly(value, dtype) && !flat.every((one) => holds(dtype, one, isDeclared))) return misfit;
  if (rank === 1) return flat;
  if (shape === null || flat.length !== shape.reduce((product, side) => product * side, 1)) return misfit;
  return nested(flat, shape);
}

function isNumberList(value: unknown): value is ArrayLike<number> {
  if (Array.isArray(value)) return value.every((one) => typeof one === 'number');
  return (
    ArrayBuffer.isView(value) && 'length' in value && typeof (value as unknown as ArrayLike<unknown>)[0] !== 'bigint'
  );
}

/** Every number of such an array is one of that type. */
function isExactly(value: unknown, dtype: Dtype): boolean {
  if (dtype === 'float32') return value instanceof Float32Array;
  if (dtype === 'uint8') return value instanceof Uint8Array;
  return dtype === 'float64' || isSmallIntegers(value) || value instanceof Uint8Array;
}

/** Whether a number can be told from the file again; what is declared as float32 has no more digits than that wherever it goes. */
function holds(dtype: Dtype, value: number, isDeclared: boolean): boolean {
  if (dtype === 'uint8') return Number.isInteger(value) && value >= 0 && value < 256;
  if (dtype === 'int32') return (value | 0) === value;
  return dtype === 'float64' || isDeclared || Object.is(Math.fround(value), value);
}

function nested(flat: readonly number[], [, ...inner]: readonly number[]): unknown[] {
  if (inner.length === 0) return [...flat];
  const step = inner.reduce((product, side) => product * side, 1);
  if (step === 0) return [];
  return Array.from({ length: flat.length / step }, (_, i) => nested(flat.slice(i * step, (i + 1) * step), inner));
}
