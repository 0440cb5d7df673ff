import { fail } from '../../errors.ts';
import type { Cell } from '../../streams/ring.ts';
import type { Sample } from '../../streams/sample.ts';
import { type CellField, type CellLayout, fieldBytes } from '../../train/cells.ts';
import { Picture } from '../../vision/picture.ts';
import { renderAll } from '../../vision/render/render.ts';
import type { Numbers, Spec } from '../../vision/spec.ts';

const alignment = 64;
const dtypes = new Map<unknown, Numbers['dtype']>([
  [Uint8Array, 'uint8'],
  [Int32Array, 'int32'],
  [Float32Array, 'float32'],
]);

/**
 * The cell of a chain that ends in batches: every field that can lie in one (pictures, numbers and arrays of numbers), in the order in
 * which the stages added them. Types and shapes come from the spec, and from the first sample where the spec leaves them open.
 *
 * @param only the fields that are wanted; all by default.
 * @throws BATCH_EMPTY when no field can lie in a cell.
 */
export function layoutOf(spec: Spec, sample: Sample, only?: readonly string[]): CellLayout {
  let at = 0;
  const fields: CellField[] = [];
  for (const [name, value] of Object.entries(sample)) {
    if (['key', 'position', 'epoch', 'bytes'].includes(name) || only?.includes(name) === false) continue;
    const numbers = numbersOf(value, spec.fields[name]);
    if (numbers === undefined) continue;
    const field = { name, ...numbers, offset: at };
    fields.push(field);
    at += Math.ceil(fieldBytes(field) / alignment) * alignment;
  }
  if (fields.length === 0) throw fail('BATCH_EMPTY', { found: Object.keys(sample).join(', ') });
  return { fields, cellBytes: at };
}

function numbersOf(value: unknown, known: Spec['fields'][string] | undefined): Numbers | undefined {
  if (value instanceof Picture) return { dtype: 'uint8', shape: [value.height, value.width, 3] };
  if (typeof known === 'object' && 'dtype' in known) return known;
  if (typeof value === 'number') return { dtype: 'float32', shape: [] };
  const dtype = dtypes.get(Object.getPrototypeOf(value ?? 0)?.constructor);
  return dtype && { dtype, shape: [(value as { length: number }).length] };
}

/**
 * Writes a sample into its cell: numbers at once, pictures as soon as they are rendered. A cell that was taken back meanwhile is left alone.
 *
 * @throws FIELD_SHAPE when a field is missing or has another type or size than the cell has room for.
 */
export function writeCell(sample: Sample, cell: Cell, { fields }: CellLayout): void | Promise<void> {
  const bytes = cell.bytes();
  const renderings: { picture: Picture; out: Uint8Array }[] = [];
  for (const field of fields) {
    const value = (sample as Sample & Record<string, unknown>)[field.name];
    const length = fieldBytes(field);
    const out = length === bytes.length ? bytes : bytes.subarray(field.offset, field.offset + length);
    if (value instanceof Picture) {
      const { width, height } = value;
      if (width * height * 3 !== out.length || width !== field.shape[1]) {
        throw mismatch(field, `a picture of ${height}×${width}. Put \`resize\` after what changes its size`);
      }
      renderings.push({ picture: value, out });
    } else {
      out.set(fieldBytesOf(value, field));
    }
  }
  if (renderings.length > 0) return renderAll(renderings, cell);
}

/**
 * Holds a sample to the spec at the end of its chain, for ends that need no cell.
 *
 * @throws FIELD_SHAPE when a field is missing or has another type or size than its stage has declared.
 */
export function checkFields(sample: Sample, spec: Spec): void {
  if (spec.open) return;
  for (const [name, known] of Object.entries(spec.fields)) {
    const value = (sample as Sample & Record<string, unknown>)[name];
    if (known === 'bytes' || known === 'text') continue;
    if (typeof known === 'object' && 'dtype' in known) {
      fieldBytesOf(value, { name, ...known, offset: 0 });
      continue;
    }
    const size = known === 'picture' ? spec.size : known.picture;
    const field = { name, dtype: 'uint8' as const, shape: [...(size ?? []), 3], offset: 0 };
    if (!(value instanceof Picture)) throw mismatch(field, value === undefined ? 'nothing' : typeof value);
    if (size && (value.height !== size[0] || value.width !== size[1])) {
      throw mismatch(field, `a picture of ${value.height}×${value.width}`);
    }
  }
}

/** The bytes of a value that lies in a field. @throws FIELD_SHAPE */
export function fieldBytesOf(value: unknown, field: CellField): Uint8Array {
  const { dtype } = field;
  if (typeof value === 'number' && field.shape.length === 0) {
    const one =
      dtype === 'float32' ? Float32Array.of(value) : dtype === 'int32' ? Int32Array.of(value) : Uint8Array.of(value);
    if (dtype !== 'float32' && one[0] !== value) throw mismatch(field, `${value}`);
    return new Uint8Array(one.buffer);
  }
  if (
    ArrayBuffer.isView(value) &&
    dtypes.get(Object.getPrototypeOf(value)?.constructor) === dtype &&
    value.byteLength === fieldBytes(field)
  ) {
    return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  }
  if (ArrayBuffer.isView(value))
    throw mismatch(field, `a ${value.constructor.name} of ${(value as Uint8Array).length}`);
  throw mismatch(field, value === undefined ? 'nothing' : typeof value);
}

function mismatch({ name, dtype, shape }: CellField, found: string) {
  return fail('FIELD_SHAPE', { field: name, expected: `${dtype} [${shape.join(', ')}]`, found });
}
