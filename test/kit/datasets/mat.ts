import { deflateSync } from 'node:zlib';

/** Writes MAT-files of level 5 as MATLAB does: arrays of structs, deflated or not, numbers in the narrowest type that holds them. */

const words = (...values: number[]) => Buffer.from(Uint32Array.from(values).buffer);
const padded = (data: Buffer) => Buffer.concat([data, Buffer.alloc((8 - (data.length % 8)) % 8)]);

/** An element; data of up to four bytes inside its tag. */
export function element(type: number, data: Buffer): Buffer {
  if (data.length > 4 || data.length === 0) return Buffer.concat([words(type, data.length), padded(data)]);
  return Buffer.concat([words(type | (data.length << 16)), data, Buffer.alloc(4 - data.length)]);
}

/** An array: class, shape, name, and what follows. */
export function array(kind: number, shape: readonly number[], name: string, ...rest: Buffer[]): Buffer {
  const parts = [
    Buffer.concat([words(6, 8), words(kind, 0)]),
    element(5, Buffer.from(Int32Array.from(shape).buffer)),
    element(1, Buffer.from(name)),
    ...rest,
  ];
  return element(14, Buffer.concat(parts));
}

/** How characters are stored: as MATLAB does by default, as other programs do. */
export type Characters = 'utf8' | 'utf16';

function value(value: string | number | readonly number[], characters: Characters): Buffer {
  if (typeof value === 'string') {
    const stored = characters === 'utf8' ? element(16, Buffer.from(value)) : element(4, Buffer.from(value, 'utf16le'));
    return array(4, [1, value.length], '', stored);
  }
  const values = typeof value === 'number' ? [value] : value;
  const isSmall = values.every((number) => Number.isInteger(number) && number >= 0 && number < 65536);
  const data = isSmall ? Uint16Array.from(values) : Float64Array.from(values);
  return array(6, [1, values.length], '', element(isSmall ? 4 : 9, Buffer.from(data.buffer)));
}

export type Struct = Readonly<Record<string, string | number | readonly number[]>>;

/** An array of structs of the same fields. */
export function structs(name: string, rows: readonly Struct[], characters: Characters = 'utf8'): Buffer {
  const fields = Object.keys(rows[0] ?? { none: 0 });
  const names = Buffer.concat(fields.map((field) => Buffer.from(field.padEnd(32, '\0'))));
  const values = rows.flatMap((row) => fields.map((field) => value(row[field]!, characters)));
  return array(
    2,
    [rows.length, 1],
    name,
    element(5, Buffer.from(Int32Array.of(32).buffer)),
    element(1, names),
    ...values,
  );
}

export function deflated(inner: Buffer): Buffer {
  const packed = deflateSync(inner);
  return Buffer.concat([words(15, packed.length), packed]);
}

/** A file of elements. */
export function matFile(...elements: Buffer[]): Buffer {
  const header = [
    Buffer.from('MATLAB 5.0 MAT-file, Platform: GLNXA64'.padEnd(124)),
    Buffer.from([0, 1]),
    Buffer.from('IM'),
  ];
  return Buffer.concat([...header, ...elements]);
}
