import { z } from 'zod';
import { fail, PatchstreamError } from '../../errors.ts';
import type { FieldSpec } from '../../vision/spec.ts';
import { numbersOf, readDeclared } from '../declared.ts';

const field = z.strictObject({
  dtype: z.enum(['uint8', 'int32', 'float32', 'text']),
  shape: z.array(z.int().min(1)).max(8).default([]),
  column: z.string().min(1).optional(),
});

export type TableField = z.output<typeof field>;

export const tableFields = z
  .record(z.string().regex(/^(?!(key|position|epoch|bytes|picture|label|box)$)[A-Za-z]\w{0,63}$/), field)
  .default({})
  .describe(
    'Further columns that become fields, with dtype and shape: `age: { dtype: float32 }`, `points: { dtype: int32, shape: [5, 2] }`, `person: { dtype: text }`; `column` where it has another name. What is not named is not given.',
  );

/** What the spec says of them. Text is text, whatever its shape. */
export function specOf(fields: Readonly<Record<string, TableField>>): Record<string, FieldSpec> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, { dtype, shape }]) => [name, dtype === 'text' ? 'text' : { dtype, shape }]),
  );
}

const arrays = { uint8: Uint8Array, int32: Int32Array, float32: Float32Array };

/** A value of a column as the field has it. @param place of the row, for messages. @throws TABLE_ROW for what is no such value */
export function fieldValue(name: string, field: TableField, value: unknown, place: string, where: string): FieldValue {
  const { dtype, shape } = field;
  const refuse = (found: string) => {
    const expected = `${name}, ${dtype === 'text' ? 'text' : `${dtype} [${shape.join(', ')}]`}`;
    return fail('TABLE_ROW', { expected, place, found, advice: ', or leave the field out' }, { where });
  };
  if (dtype === 'text') {
    if (['string', 'number', 'bigint', 'boolean'].includes(typeof value)) return String(value);
    throw refuse('no text');
  }
  const numbers = { dtype, shape };
  const read = numbersIn(value, shape.length > 0);
  try {
    return readDeclared({ [name]: numbers }, () => numbersOf(name, read, numbers))[name] as FieldValue;
  } catch (error) {
    if (!(error instanceof PatchstreamError)) throw error;
    throw refuse(value === undefined || value === null || value === '' ? 'nothing' : String(value).slice(0, 60));
  }
}

type FieldValue = string | number | Uint8Array | Int32Array | Float32Array;

/** The values of a column, one behind the other in memory. */
export class FieldValues {
  readonly #name: string;
  readonly #field: TableField;
  readonly #values: (number | string)[] = [];

  constructor(name: string, field: TableField) {
    this.#name = name;
    this.#field = field;
  }

  /** As `fieldValue`. */
  add(value: unknown, place: string, where: string): void {
    const kept = fieldValue(this.#name, this.#field, value, place, where);
    if (typeof kept === 'object') for (const one of kept) this.#values.push(one);
    else this.#values.push(kept);
  }

  /** Gives the value of a row, by its number. */
  settle(): (row: number) => unknown {
    const { dtype, shape } = this.#field;
    if (dtype === 'text') return (row) => this.#values[row];
    const data = arrays[dtype].from(this.#values as number[]);
    const size = shape.reduce((product, side) => product * side, 1);
    return shape.length === 0 ? (row) => data[row] : (row) => data.slice(row * size, (row + 1) * size);
  }
}

/** Numbers, however a table writes them: as numbers, truth values, text, lists of JSON, or text with blanks, commas or semicolons between them. What is none stays as it is. */
export function numbersIn(value: unknown, isList: boolean): unknown {
  if (typeof value === 'boolean' || typeof value === 'bigint') return Number(value);
  if (ArrayBuffer.isView(value)) return Array.from(value as Float32Array);
  if (Array.isArray(value)) return value.map((inner) => numbersIn(inner, false));
  if (typeof value !== 'string' || value.trim() === '') return value;
  if (!isList) return numberIn(value);
  if (value.trim().startsWith('[')) return listIn(value);
  return value
    .trim()
    .split(/\s*[;,\s]\s*/)
    .map(numberIn);
}

/** The number that a text is, as programs write it. */
function numberIn(text: string): number | string {
  return /^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$/.test(text) ? Number(text) : text;
}

function listIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return text;
  }
}
