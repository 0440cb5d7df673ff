/** Types of numbers in TIFF and EXIF, with their bytes. */
export const tiffTypes = {
  BYTE: [1, 1],
  ASCII: [2, 1],
  SHORT: [3, 2],
  LONG: [4, 4],
  RATIONAL: [5, 8],
  SBYTE: [6, 1],
  UNDEFINED: [7, 1],
  SSHORT: [8, 2],
  SLONG: [9, 4],
  SRATIONAL: [10, 8],
  FLOAT: [11, 4],
  DOUBLE: [12, 8],
} as const;
export type TiffType = keyof typeof tiffTypes;

export interface ExifOptions {
  readonly type?: TiffType;
  readonly little?: boolean;
  readonly value?: number;
  readonly count?: number;
  /** Where the directory begins. */
  readonly directory?: number;
  /** Entries before that of the orientation. */
  readonly before?: number;
  /** How many entries the directory says it has. */
  readonly says?: number;
  readonly tag?: number;
  readonly magic?: number;
}

/** The TIFF in a block of EXIF that says an orientation. */
export function exifOf(options: ExifOptions = {}): Buffer {
  const { type = 'SHORT', little = false, value = 6, count = 1, directory = 8, before = 0, tag = 0x0112 } = options;
  const [number, size] = tiffTypes[type];
  const short = (n: number) => (little ? Buffer.of(n & 255, n >> 8) : Buffer.of(n >> 8, n & 255));
  const long = (n: number) => (little ? [short(n & 65535), short(n >>> 16)] : [short(n >>> 16), short(n & 65535)]);
  const values = Buffer.concat(Array.from({ length: count }, () => numberOf(type, value, little)));
  const entries = before + 1;
  const behind = directory + 2 + 12 * entries + 4;
  const inline = size * count <= 4;
  const held = inline ? [values, Buffer.alloc(4 - values.length)] : long(behind);
  return Buffer.concat([
    Buffer.from(little ? 'II' : 'MM'),
    short(options.magic ?? 42),
    ...long(directory),
    Buffer.alloc(directory - 8),
    short(options.says ?? entries),
    ...Array.from({ length: before }, (_, i) =>
      Buffer.concat([short(0x100 + i), short(3), ...long(1), short(5), short(0)]),
    ),
    Buffer.concat([short(tag), short(number), ...long(count), ...held]),
    Buffer.alloc(4),
    ...(inline ? [] : [values]),
  ]);
}

function numberOf(type: TiffType, value: number, little: boolean): Buffer {
  const bytes = Buffer.alloc(tiffTypes[type][1]);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (type === 'ASCII') bytes[0] = 48 + value;
  else if (type === 'FLOAT') view.setFloat32(0, value, little);
  else if (type === 'DOUBLE') view.setFloat64(0, value, little);
  else if (bytes.length === 1) bytes[0] = value;
  else if (bytes.length === 2) view.setUint16(0, value, little);
  else view.setUint32(0, value, little);
  if (type.endsWith('RATIONAL')) view.setUint32(4, 1, little);
  return bytes;
}

/** A segment APP1 of a JPEG. */
export const app1 = (held: Uint8Array): Buffer =>
  Buffer.concat([Buffer.of(0xff, 0xe1, (held.length + 2) >> 8, (held.length + 2) & 255), held]);
export const exifSegment = (exif: Uint8Array): Buffer => app1(Buffer.concat([Buffer.from('Exif\0\0'), exif]));
/** The JPEG with segments at its very beginning. */
export const withSegments = (jpeg: Buffer, ...segments: Buffer[]): Buffer =>
  Buffer.concat([jpeg.subarray(0, 2), ...segments, jpeg.subarray(2)]);
