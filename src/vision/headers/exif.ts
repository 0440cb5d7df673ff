import { startsWith } from './jpeg-segments.ts';

/** How a block of EXIF in a file begins. */
export const exifStart = 'Exif\0\0';

const orientationTag = 0x0112;

/** How a number of a TIFF type is read, and its bytes. Some cameras and converters write the orientation as another type than the SHORT of the standard. */
const types: Readonly<
  Record<number, readonly [size: number, read: (view: DataView, at: number, little: boolean) => number]>
> = {
  1: [1, (view, at) => view.getUint8(at)],
  3: [2, (view, at, little) => view.getUint16(at, little)],
  4: [4, (view, at, little) => view.getUint32(at, little)],
  5: [8, (view, at, little) => view.getUint32(at, little) / view.getUint32(at + 4, little)],
  6: [1, (view, at) => view.getInt8(at)],
  8: [2, (view, at, little) => view.getInt16(at, little)],
  9: [4, (view, at, little) => view.getInt32(at, little)],
  10: [8, (view, at, little) => view.getInt32(at, little) / view.getInt32(at + 4, little)],
  11: [4, (view, at, little) => view.getFloat32(at, little)],
  12: [8, (view, at, little) => view.getFloat64(at, little)],
};

/**
 * The orientation in EXIF, with or without `exifStart`: 1–8, and 1 where it says none that counts. Numbers of every type and byte order are read, the first where
 * there are several; what is cut short counts as far as it is there. Texts and what XMP says do not count, as in most readers.
 */
export function orientationIn(exif: Uint8Array): number {
  const tiff = startsWith(exif, 0, exifStart) ? exif.subarray(exifStart.length) : exif;
  const value = tiffNumbers(tiff, orientationTag)?.[0];
  return value !== undefined && Number.isInteger(value) && value >= 1 && value <= 8 ? value : 1;
}

/**
 * The numbers of a tag in the first directory of a TIFF, which EXIF is too; NaN for each that is cut off, none for texts. Undefined where the tag is not there, or
 * the bytes are no TIFF.
 */
export function tiffNumbers(tiff: Uint8Array, tag: number): readonly number[] | undefined {
  const view = new DataView(tiff.buffer, tiff.byteOffset, tiff.length);
  if (tiff.length < 10) return undefined;
  const order = view.getUint16(0);
  const little = order === 0x4949;
  if ((!little && order !== 0x4d4d) || view.getUint16(2, little) !== 42) return undefined;
  const directory = view.getUint32(4, little);
  if (directory + 2 > tiff.length) return undefined;
  const entries = view.getUint16(directory, little);
  for (let i = 0, at = directory + 2; i < entries && at + 12 <= tiff.length; i++, at += 12) {
    if (view.getUint16(at, little) === tag) return numbersAt(view, at, little);
  }
  return undefined;
}

/** More than any tag has that is asked for. */
const mostNumbers = 16;

/** The numbers of the entry at `at`. Those that do not fit into its last four bytes lie where they say. */
function numbersAt(view: DataView, at: number, little: boolean): readonly number[] {
  const [size, read] = types[view.getUint16(at + 2, little)] ?? [];
  const count = view.getUint32(at + 4, little);
  if (size === undefined || read === undefined) return [];
  const start = size * count <= 4 ? at + 8 : view.getUint32(at + 8, little);
  return Array.from({ length: Math.min(count, mostNumbers) }, (_, i) => {
    const place = start + i * size;
    return place + size <= view.byteLength ? read(view, place, little) : Number.NaN;
  });
}
