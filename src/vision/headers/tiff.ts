import { counted } from '../../counts.ts';
import { tiffNumbers } from './exif.ts';

const tags = {
  subfile: 254,
  bits: 258,
  compression: 259,
  photometric: 262,
  samples: 277,
  subDirectories: 330,
  extraSamples: 338,
  sampleFormat: 339,
  dngVersion: 50706,
};

/** The colours of a pixel by what a TIFF calls its photometric interpretation: 0, 1, 3 grey, black and white, or a palette; 2 RGB; 5 CMYK; 6 YCbCr. */
const colours: Readonly<Record<number, number>> = { 0: 1, 1: 1, 2: 3, 3: 1, 5: 4, 6: 3 };

const sampleFormats: Readonly<Record<number, string>> = {
  2: 'signed integers',
  3: 'floats',
  5: 'complex integers',
  6: 'complex numbers',
};

/** Compression by JPEG, whose decoder makes RGB of YCbCr. */
const jpegCompression = 7;

/**
 * What a TIFF is that sharp would read as something else, or not at all: floats are cut off to black or white, further bands taken for alpha, and of a raw
 * photograph comes a small preview. Undefined for one of unsigned integers of up to 16 bits in known colours, with or without alpha.
 */
export function strangeTiff(tiff: Uint8Array): string | undefined {
  const first = (tag: number, otherwise: number) => tiffNumbers(tiff, tag)?.[0] ?? otherwise;
  const photometric = first(tags.photometric, 1);
  const reduced = (first(tags.subfile, 0) & 1) === 1 && tiffNumbers(tiff, tags.subDirectories) !== undefined;
  if (tiffNumbers(tiff, tags.dngVersion) !== undefined || reduced || photometric > 32_802) {
    return photometric === 32_844 || photometric === 32_845 ? 'a TIFF of LogLuv colours' : 'a raw photograph in a TIFF';
  }
  const bits = first(tags.bits, 1);
  const format = sampleFormats[first(tags.sampleFormat, 1)];
  if (format !== undefined) return `a TIFF of ${format} (${bits} bits)`;
  if (bits > 16) return `a TIFF of integers of ${bits} bits`;
  const known = colours[photometric];
  if (photometric >= 8 && photometric <= 10) return 'a TIFF of Lab colours';
  if (known === undefined) return `a TIFF of an unknown kind of colours (${photometric})`;
  if (photometric === 6 && first(tags.compression, 1) !== jpegCompression)
    return 'a TIFF of YCbCr colours without JPEG';
  const samples = first(tags.samples, 1);
  const alpha = samples === known + 1 && [1, 2].includes(first(tags.extraSamples, 0));
  if (samples > known && !alpha)
    return `a TIFF of ${counted(samples, 'band')}, of which ${known === 1 ? 'one is' : `${known} are`} known`;
  return undefined;
}
