import { fail, messageOf } from '../errors.ts';
import type { Fields } from '../sources/source.ts';
import type { Sample } from '../streams/sample.ts';
import { Picture } from '../vision/picture.ts';

/**
 * The fields of a sample as one line of JSON: its key and position, numbers, text, true and false, lists and maps; arrays of numbers as lists, those
 * of float32 with the digits that tell them apart. Pictures and bytes are left out. `first` stands in front, and in the place of fields of its names.
 * @throws RECORD_FIELD for what JSON has not: a list that holds itself, an integer of any length.
 */
export function plainJson(
  { epoch: _, ...sample }: Sample & Fields,
  first: Readonly<Record<string, unknown>> = {},
): string {
  const entries = Object.entries({ ...first, ...sample, ...first }).filter(
    ([name, value]) => name !== 'bytes' && !(value instanceof Picture),
  );
  const values = entries.flatMap(([name, value]) => {
    const json = jsonOf(name, value);
    return json === undefined ? [] : [`${JSON.stringify(name)}:${json}`];
  });
  return `{${values.join(',')}}`;
}

/** The JSON of a field; nothing where it has none, as functions. @throws RECORD_FIELD */
export function jsonOf(field: string, value: unknown): string | undefined {
  try {
    return JSON.stringify(plain(value));
  } catch (cause) {
    throw fail('RECORD_FIELD', { field, found: messageOf(cause) }, { cause });
  }
}

function plain(value: unknown): unknown {
  if (value instanceof Float32Array) return Array.from(value, shortest);
  if (ArrayBuffer.isView(value)) return Array.from(value as unknown as ArrayLike<unknown>);
  return value;
}

/** The shortest number that is this one in float32. */
function shortest(one: number): number {
  for (let digits = 6; digits < 9; digits++) {
    const short = Number(one.toPrecision(digits));
    if (Math.fround(short) === one) return short;
  }
  return Number(one.toPrecision(9));
}
