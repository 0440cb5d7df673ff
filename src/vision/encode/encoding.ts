import type { Pixels } from '../geometry.ts';

/** The formats of files that are made of pictures. */
export const encodedFormats = ['jpeg', 'png', 'webp'] as const;
export type EncodedFormat = (typeof encodedFormats)[number];

/** How much finer than its colours a JPEG keeps the brightness: the colours of 2 × 2 pixels are one, or each has its own. */
export const chromas = ['4:2:0', '4:4:4'] as const;
export type Chroma = (typeof chromas)[number];

export interface Encoding {
  readonly format: EncodedFormat;
  /** Of JPEG and WebP, 1 to 100. */
  readonly quality: number;
  /** Of JPEG. Default `4:2:0`. */
  readonly chroma?: Chroma | undefined;
  /** Of JPEG: whether its Huffman tables are made for the picture, which gives a smaller file of the same pixels, or are the standard's. Default true. */
  readonly optimize?: boolean | undefined;
}

/** Pixels of 1 channel (grey) or 3 (RGB), uint8 [height, width, channels]. */
export interface Page extends Pixels {
  readonly channels: 1 | 3;
}
