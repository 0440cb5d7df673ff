/** Bytes of the header that is written: NumPy wants a multiple of 64, and any shape of ours finds room. */
export const npyHeaderBytes = 192;

const magic = Buffer.from('\x93NUMPY\x01\x00', 'latin1');

/** The header of a file of format 1.0: float32, little-endian, row by row, of this shape. Always of the same length, so that a count can be filled in later. */
export function npyHeader(shape: readonly number[]): Buffer {
  const sides = shape.length === 1 ? `${shape[0]},` : shape.join(', ');
  const text = `{'descr': '<f4', 'fortran_order': False, 'shape': (${sides}), }`;
  const header = Buffer.alloc(npyHeaderBytes, ' ');
  magic.copy(header);
  header.writeUInt16LE(npyHeaderBytes - 10, 8);
  header.write(text, 10, 'latin1');
  header[npyHeaderBytes - 1] = 10;
  return header;
}

export interface NpyArray {
  /** As NumPy names it: `<f4`. */
  readonly dtype: string;
  readonly shape: readonly number[];
  /** Where the numbers begin, in bytes. */
  readonly offset: number;
}

/**
 * Reads the header of an array, of format 1.0 to 3.0, as NumPy itself writes it.
 *
 * @param head the first bytes of the file, up to 64 KiB. @returns the array, or what is wrong.
 */
export function parseNpyHeader(head: Buffer): NpyArray | string {
  if (head.length < 10 || !head.subarray(0, 6).equals(magic.subarray(0, 6)))
    return 'another beginning than "\\x93NUMPY"';
  const major = head[6]!;
  if (major < 1 || major > 3) return `format ${major}.${head[7]}`;
  const prefix = major === 1 ? 10 : 12;
  if (head.length < prefix) return 'a header that was cut';
  const offset = prefix + (major === 1 ? head.readUInt16LE(8) : head.readUInt32LE(8));
  if (offset > head.length) return 'a header that was cut, or of more than 64 KiB';
  const text = head.toString('latin1', prefix, offset).trim();
  const dtype = /'descr':\s*'([^']*)'/.exec(text)?.[1];
  const order = /'fortran_order':\s*(True|False)/.exec(text)?.[1];
  const sides = /'shape':\s*\(([\d,\s]*)\)/.exec(text)?.[1];
  if (dtype === undefined || order === undefined || sides === undefined) return 'a header of another form';
  if (order === 'True') return "an array in Fortran's order";
  const shape = sides
    .split(',')
    .filter((side) => side.trim() !== '')
    .map(Number);
  return shape.every(Number.isSafeInteger) ? { dtype, shape, offset } : `a shape of ${sides}`;
}
