import fc from 'fast-check';
import type { PageHeader, SchemaElement } from 'hyparquet';
import t from 'tap';
import { runs, soundPages } from '../../../src/formats/parquet/sound.ts';

/** Runs as the format has them, written by hand: groups of eight packed bit by bit, or one number many times. */
function written(numbers: readonly number[], width: number, isPacked: boolean): Uint8Array {
  if (!isPacked) {
    const bytes = (value: number) => Array.from({ length: Math.ceil(width / 8) }, (_, i) => (value >> (8 * i)) & 255);
    return Uint8Array.from(numbers.flatMap((value) => [1 << 1, ...bytes(value)]));
  }
  const groups = Math.ceil(numbers.length / 8);
  const packed = new Uint8Array(groups * width);
  for (const [i, value] of numbers.entries())
    for (let bit = 0; bit < width; bit++) {
      const at = i * width + bit;
      packed[at >> 3]! |= ((value >> bit) & 1) << (at & 7);
    }
  return Uint8Array.of((groups << 1) | 1, ...packed);
}

t.test('property: numbers come out of runs and groups as they went in', (t) => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 20 }),
      fc.array(fc.nat(), { minLength: 1, maxLength: 60 }),
      fc.boolean(),
      (width, drawn, isPacked) => {
        const numbers = drawn.map((number) => number % 2 ** width);
        t.same(runs(written(numbers, width, isPacked), width, numbers.length, 2 ** width), numbers);
      },
    ),
  );
  t.end();
});

t.test('runs that are longer than what is left, end early, are empty, or hold numbers that are none', (t) => {
  t.throws(() => runs(Uint8Array.of(0xfe, 0xff, 0xff, 0xff, 0x0f, 1), 1, 8, 1), /run of 2147483647 where 8 are left/);
  t.throws(() => runs(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff), 1, 8, 1), /no length/);
  t.throws(() => runs(Uint8Array.of(0, 1), 1, 8, 1), /run of 0/);
  t.throws(() => runs(Uint8Array.of(8, 1), 1, 8, 1), /beyond the page/);
  t.throws(() => runs(Uint8Array.of(16, 3), 2, 8, 2), /number 3, where 2 is the most/);
  t.end();
});

/** Reads a page of plain values, of the column or its dictionary, as if it lay in a file. */
function readPlain(body: Uint8Array, num_values: number, element: Partial<SchemaElement>, isDictionary = false) {
  const own = { name: 'x', repetition_type: 'REQUIRED', ...element } as SchemaElement;
  const schema = [{ name: 'root', num_children: 1 }, own];
  const column = { name: 'x', path: ['x'], type: own.type, isList: false, schema };
  const header = {
    ...{ uncompressed_page_size: body.length, compressed_page_size: body.length },
    ...(isDictionary
      ? { type: 'DICTIONARY_PAGE', dictionary_page_header: { num_values, encoding: 'PLAIN' } }
      : { type: 'DATA_PAGE', data_page_header: { num_values, encoding: 'PLAIN' } }),
  } as PageHeader;
  return soundPages([{ header, body }], column, { codec: 'UNCOMPRESSED' } as never);
}

t.test('property: a page has as many plain values as it says, and none of the next page', (t) => {
  const types = [
    [{ type: 'BOOLEAN' }, 1 / 8],
    [{ type: 'INT32' }, 4],
    [{ type: 'INT64' }, 8],
    [{ type: 'INT96' }, 12],
    [{ type: 'FLOAT' }, 4],
    [{ type: 'DOUBLE' }, 8],
    [{ type: 'FIXED_LEN_BYTE_ARRAY', type_length: 3 }, 3],
  ] as const;
  fc.assert(
    fc.property(
      fc.constantFrom(...types),
      fc.nat(60),
      fc.nat(20),
      fc.boolean(),
      ([type, width], length, count, isDictionary) => {
        const read = () => readPlain(new Uint8Array(length), count, type, isDictionary);
        if (count * width <= length) t.doesNotThrow(read);
        else t.throws(read, /values? of [A-Z0-9_]+ in \d+ bytes?/);
      },
    ),
  );
  fc.assert(
    fc.property(
      fc.array(fc.nat(5), { maxLength: 8 }),
      fc.integer({ min: -9, max: 3 }),
      fc.nat(2),
      (lengths, cut, more) => {
        const bytes = Buffer.concat(
          lengths.map((length) => Buffer.concat([Buffer.of(length, 0, 0, 0), Buffer.alloc(length)])),
        );
        const body =
          cut < 0 ? bytes.subarray(0, Math.max(0, bytes.length + cut)) : Buffer.concat([bytes, Buffer.alloc(cut)]);
        const read = () => readPlain(body, lengths.length + more, { type: 'BYTE_ARRAY' });
        if ((more === 0 && cut >= 0) || lengths.length + more === 0) t.doesNotThrow(read);
        else t.throws(read, /of BYTE_ARRAY in/);
      },
    ),
  );
  t.throws(() => readPlain(new Uint8Array(8), 1, { type: 'FIXED_LEN_BYTE_ARRAY', type_length: -4 }), /in 8 bytes/);
  t.throws(() => readPlain(new Uint8Array(8), 1, { type: 'FIXED_LEN_BYTE_ARRAY', type_length: 0 }), /in 8 bytes/);
  t.end();
});
