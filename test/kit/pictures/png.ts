/** PNGs of every kind, written by the standard: sharp writes no grey of 2 bits, no palette that ends early, and no sum that is wrong. */
import { deflateSync } from 'node:zlib';
import { crc32 } from '../../../src/formats/shard/checksum.ts';
import type { Random } from '../../../src/random.ts';

export interface PngKind {
  readonly width: number;
  readonly height: number;
  /** 0 grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGB and alpha. */
  readonly type: 0 | 2 | 3 | 4 | 6;
  readonly depth: 1 | 2 | 4 | 8 | 16;
  readonly interlaced?: boolean;
  /** Of a palette: RGB of each colour. */
  readonly palette?: readonly number[];
  /** The content of tRNS. */
  readonly transparent?: readonly number[];
}

/** The value of a channel of a pixel, below 2 to the depth. */
export type Samples = (x: number, y: number, channel: number) => number;

const channelsOf = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 } as const;

export const pngSignature = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1');

export function pngChunk(name: string, content: Uint8Array | readonly number[]): Buffer {
  const chunk = Buffer.alloc(12 + content.length);
  chunk.writeUInt32BE(content.length);
  chunk.write(name, 4, 'latin1');
  chunk.set(content, 8);
  chunk.writeUInt32BE(crc32(chunk.subarray(4, 8 + content.length)), 8 + content.length);
  return chunk;
}

export function pngHead({ width, height, type, depth, interlaced }: PngKind): Buffer {
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width);
  head.writeUInt32BE(height, 4);
  head.set([depth, type, 0, 0, interlaced ? 1 : 0], 8);
  return pngChunk('IHDR', head);
}

/** Left, top and distances of the pixels of each pass. */
const passes = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
] as const;

/** The rows of a PNG as they are packed; those of a pass take the five filters in turn. */
export function pngRows(kind: PngKind, samples: Samples): Buffer {
  const rows: Buffer[] = [];
  for (const [left, top, across, down] of kind.interlaced ? passes : ([[0, 0, 1, 1]] as const)) {
    const width = Math.ceil((kind.width - left) / across);
    if (width <= 0) continue;
    let above = Buffer.alloc(Math.ceil((width * channelsOf[kind.type] * kind.depth) / 8));
    for (let y = top; y < kind.height; y += down) {
      const row = packed(kind, width, (x, channel) => samples(left + x * across, y, channel));
      rows.push(filtered(row, above, rows.length % 5, Math.max(1, (channelsOf[kind.type] * kind.depth) >> 3)));
      above = row;
    }
  }
  return Buffer.concat(rows);
}

function packed({ type, depth }: PngKind, width: number, sample: (x: number, channel: number) => number) {
  const channels = channelsOf[type];
  const row = Buffer.alloc(Math.ceil((width * channels * depth) / 8));
  for (let i = 0; i < width * channels; i++) {
    const value = sample(Math.floor(i / channels), i % channels);
    if (depth === 16) row.writeUInt16BE(value, 2 * i);
    else row[(i * depth) >> 3]! |= value << (8 - depth - ((i * depth) & 7));
  }
  return row;
}

function filtered(row: Buffer, above: Buffer, filter: number, pixel: number): Buffer {
  const out = Buffer.alloc(row.length + 1, filter);
  for (let i = 0; i < row.length; i++) {
    const [left, up, corner] = [row[i - pixel] ?? 0, above[i]!, i < pixel ? 0 : above[i - pixel]!];
    const guesses = [0, left, up, (left + up) >> 1, paeth(left, up, corner)];
    out[i + 1] = row[i]! - guesses[filter]!;
  }
  return out;
}

function paeth(left: number, up: number, corner: number): number {
  const guess = left + up - corner;
  const [a, b, c] = [Math.abs(guess - left), Math.abs(guess - up), Math.abs(guess - corner)];
  return a <= b && a <= c ? left : b <= c ? up : corner;
}

/** The chunks in front of the pixels, but for IHDR. */
export function pngColours({ palette, transparent }: PngKind): Buffer {
  return Buffer.concat([
    ...(palette ? [pngChunk('PLTE', palette)] : []),
    ...(transparent ? [pngChunk('tRNS', transparent)] : []),
  ]);
}

/** A whole PNG, its pixels in chunks of `most` bytes. */
export function pngOf(kind: PngKind, samples: Samples, most = 1000): Buffer {
  const data = deflateSync(pngRows(kind, samples));
  const parts = Array.from({ length: Math.ceil(data.length / most) }, (_, i) =>
    data.subarray(i * most, (i + 1) * most),
  );
  const pixels = parts.map((part) => pngChunk('IDAT', part));
  return Buffer.concat([pngSignature, pngHead(kind), pngColours(kind), ...pixels, pngChunk('IEND', [])]);
}

/** RGB of the pixels laid on a colour, by the standard: 16 bits are cut to their upper 8. */
export function pngPixels(kind: PngKind, samples: Samples, background: readonly number[]): Uint8Array {
  const { width, height } = kind;
  const out = new Uint8Array(width * height * 3);
  for (let i = 0; i < width * height; i++) {
    const [x, y] = [i % width, Math.floor(i / width)];
    const { colour, alpha } = pixelOf(kind, (channel) => samples(x, y, channel));
    for (const channel of [0, 1, 2])
      out[i * 3 + channel] = Math.round((colour[channel]! * alpha + background[channel]! * (255 - alpha)) / 255);
  }
  return out;
}

function pixelOf({ type, depth, palette = [], transparent = [] }: PngKind, sample: (channel: number) => number) {
  const values = Array.from({ length: channelsOf[type] }, (_, channel) => sample(channel));
  const byte = (value: number) => (depth === 16 ? value >> 8 : (value * 255) / (2 ** depth - 1));
  if (type === 3) {
    const at = values[0]!;
    return { colour: [0, 1, 2].map((channel) => palette[3 * at + channel] ?? 0), alpha: transparent[at] ?? 255 };
  }
  const grey = type === 0 || type === 4;
  const colour = grey ? [0, 0, 0].map(() => byte(values[0]!)) : values.slice(0, 3).map(byte);
  if (type >= 4) return { colour, alpha: byte(values.at(-1)!) };
  const hidden =
    transparent.length > 0 && values.every((value, i) => value === transparent[2 * i]! * 256 + transparent[2 * i + 1]!);
  return { colour, alpha: hidden ? 0 : 255 };
}

/** All colour types, depths, and both ways that rows lie; with tRNS where it may be. */
export function* pngKinds(width: number, height: number, random: Random): Generator<PngKind> {
  const depths = { 0: [1, 2, 4, 8, 16], 2: [8, 16], 3: [1, 2, 4, 8], 4: [8, 16], 6: [8, 16] } as const;
  for (const type of [0, 2, 3, 4, 6] as const) {
    for (const depth of depths[type]) {
      for (const interlaced of [false, true]) {
        const colours = Math.min(2 ** depth, 200);
        const palette = type === 3 ? Array.from({ length: colours * 3 }, () => random.integer(256)) : undefined;
        const kind = { width, height, type, depth, interlaced, ...(palette && { palette }) };
        yield kind;
        const one = Math.min(5, 2 ** depth - 1);
        if (type === 3) yield { ...kind, transparent: [0, 130, 255, 77].slice(0, colours) };
        else if (type < 4) yield { ...kind, transparent: new Array(channelsOf[type]).fill([0, one]).flat() };
      }
    }
  }
}

/** Few values of each channel, so that the one that tRNS names occurs. */
export function pngSamples({ width, height, type, depth, palette }: PngKind, random: Random): Samples {
  const channels = channelsOf[type];
  const most = palette ? palette.length / 3 : 2 ** depth;
  const values = Array.from({ length: width * height * channels }, () => {
    const rare = random.integer(4) > 0;
    return rare ? random.integer(most) : Math.min(5, 2 ** depth - 1, most - 1);
  });
  return (x, y, channel) => values[(y * width + x) * channels + channel]!;
}

/** Makes the sums of chunks right in place, as far as they lie one behind the other: with wrong ones nothing behind them is tried. */
export function resum(bytes: Buffer): Buffer {
  for (let at = 8; at + 12 <= bytes.length; ) {
    const end = at + 8 + bytes.readUInt32BE(at);
    if (end + 4 > bytes.length) break;
    bytes.writeUInt32BE(crc32(bytes.subarray(at + 4, end)), end);
    at = end + 4;
  }
  return bytes;
}
