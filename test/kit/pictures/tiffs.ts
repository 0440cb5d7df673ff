export interface TiffTag {
  readonly bits?: number;
  readonly samples?: number;
  /** 1 unsigned, 2 signed, 3 floats, 6 complex. */
  readonly format?: number;
  readonly photometric?: number;
  readonly more?: Readonly<Record<number, readonly number[]>>;
}

/** A TIFF without compression. Every pixel holds 10, 20, 30 … in its samples; of one bit, set bits; of 16 the same in the high byte and the low. */
export function tiffOf({
  width,
  height,
  bits = 8,
  samples = 1,
  format = 1,
  photometric = 1,
  more = {},
}: TiffTag & { width: number; height: number }): Buffer {
  const bytes = Math.max(1, bits / 8);
  const pixel = Array.from({ length: samples }, (_, i) =>
    new Array<number>(bytes).fill(bits === 1 ? 255 : 10 * (i + 1)),
  ).flat();
  const data = Buffer.from(Array.from({ length: width * height }, () => pixel).flat());
  const tags: Record<number, readonly number[]> = {
    256: [width],
    257: [height],
    258: new Array<number>(samples).fill(bits),
    259: [1],
    262: [photometric],
    273: [8],
    277: [samples],
    278: [height],
    279: [data.length],
    284: [1],
    339: new Array<number>(samples).fill(format),
    ...more,
  };
  const entries = Object.entries(tags).sort(([a], [b]) => Number(a) - Number(b));
  const directory = 8 + data.length + (data.length % 2);
  const extra: Buffer[] = [];
  let behind = directory + 2 + 12 * entries.length + 4;
  const written = entries.map(([tag, values]) => {
    const entry = Buffer.alloc(12);
    entry.writeUInt16LE(Number(tag), 0);
    entry.writeUInt16LE(3, 2);
    entry.writeUInt32LE(values.length, 4);
    const numbers = Buffer.alloc(Math.max(4, 2 * values.length));
    for (const [i, value] of values.entries()) numbers.writeUInt16LE(value, 2 * i);
    if (numbers.length === 4) numbers.copy(entry, 8);
    else {
      entry.writeUInt32LE(behind, 8);
      behind += numbers.length;
      extra.push(numbers);
    }
    return entry;
  });
  const head = Buffer.from('49492a0000000000', 'hex');
  head.writeUInt32LE(directory, 4);
  const count = Buffer.of(entries.length, 0);
  return Buffer.concat([head, data, Buffer.alloc(data.length % 2), count, ...written, Buffer.alloc(4), ...extra]);
}
