import sharp from 'sharp';
import type { Encoding, Page } from './encoding.ts';

/** Makes a file of pixels with sharp: JPEG and WebP of that quality, PNG of every pixel. */
export function encodeWithSharp(
  { width, height, channels, data }: Page,
  { format, quality, chroma = '4:2:0', optimize = true }: Encoding,
): Promise<Uint8Array> {
  const raw = sharp(data, { raw: { width, height, channels }, limitInputPixels: false });
  const made = channels === 1 ? raw.toColourspace('b-w') : raw;
  if (format === 'png') return made.png({ compressionLevel: 6 }).toBuffer();
  if (format === 'jpeg') return made.jpeg({ quality, chromaSubsampling: chroma, optimiseCoding: optimize }).toBuffer();
  return made.webp({ quality }).toBuffer();
}
