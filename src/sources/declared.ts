import { z } from 'zod';
import { fail } from '../errors.ts';
import type { Numbers } from '../vision/spec.ts';

const numbers = z.strictObject({
  dtype: z.enum(['uint8', 'int32', 'float32']),
  shape: z.array(z.int().min(1)).max(8).default([]),
});

/** Options of sources whose samples bring fields beside the picture, which no one can know before data is opened. */
export const fieldOptions = {
  labels: z.boolean().default(false).describe('Whether the samples have a `label`, the number of their class.'),
  fields: z
    .record(z.string().regex(/^[A-Za-z]\w{0,63}$/), numbers)
    .default({})
    .describe(
      'Further fields that the samples have, with dtype and shape, as `box: { dtype: int32, shape: [4] }`; no shape is a single number. What is not named is not given.',
    ),
};

interface Declared {
  readonly labels: boolean;
  readonly fields: Readonly<Record<string, Numbers>>;
}

/** The fields as a spec has them. */
export function declaredFields({ labels, fields }: Declared): Readonly<Record<string, Numbers>> {
  return labels ? { label: { dtype: 'int32', shape: [] }, ...fields } : fields;
}

const arrays = { uint8: Uint8Array, int32: Int32Array, float32: Float32Array };

/** The values of declared fields, each of its dtype and length. `value` finds one by its name. @throws FIELD_SHAPE */
export function readDeclared(
  declared: Readonly<Record<string, Numbers>>,
  value: (name: string) => unknown,
): Record<string, unknown> {
  const read: Record<string, unknown> = {};
  for (const [name, { dtype, shape }] of Object.entries(declared)) {
    const found = value(name);
    const fits =
      shape.length === 0
        ? typeof found === 'number'
        : found instanceof arrays[dtype] && found.length === shape.reduce((product, side) => product * side, 1);
    if (!fits) {
      const text = ArrayBuffer.isView(found)
        ? `${found.constructor.name} of ${(found as Uint8Array).length}`
        : found === undefined
          ? 'nothing'
          : typeof found;
      throw fail('FIELD_SHAPE', { field: name, expected: `${dtype} [${shape.join(', ')}]`, found: text });
    }
    read[name] = found;
  }
  return read;
}

/** A list of JSON, nested as the shape or flat, as the array that was asked for; anything else as it is. @throws FIELD_SHAPE for other numbers */
export function numbersOf(field: string, value: unknown, { dtype, shape }: Numbers): unknown {
  const refuse = (found: string) => fail('FIELD_SHAPE', { field, expected: `${dtype} [${shape.join(', ')}]`, found });
  const held = (one: number) => {
    const kept = arrays[dtype].of(one)[0]!;
    // Of float32 only the digits may go, not the number.
    if (dtype === 'float32' ? !Number.isFinite(kept) : kept !== one) throw refuse(String(one));
    return kept;
  };
  if (shape.length === 0 && typeof value === 'number') {
    held(value);
    return value;
  }
  if (shape.length === 0 || !Array.isArray(value)) return value;
  if (value.some(Array.isArray) && !isNested(value, shape)) throw refuse('lists of other lengths');
  const flat: unknown[] = value.flat(shape.length - 1);
  return flat.every((one) => typeof one === 'number') ? arrays[dtype].from(flat.map(held)) : value;
}

/** True where the lists of each depth are as long as the shape says. */
function isNested(value: unknown, [side, ...rest]: readonly number[]): boolean {
  if (side === undefined) return !Array.isArray(value);
  return Array.isArray(value) && value.length === side && value.every((inner) => isNested(inner, rest));
}
