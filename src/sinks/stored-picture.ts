import { z } from 'zod';
import { fail, type ValidationIssue } from '../errors.ts';
import { uncounted } from '../external-memory.ts';
import type { StoredPicture } from '../formats/shard/record.ts';
import type { Fields } from '../sources/source.ts';
import type { Encoder } from '../vision/encode/encoder.ts';
import { chromas, type EncodedFormat, type Encoding, encodedFormats } from '../vision/encode/encoding.ts';
import { Picture, type Pixels } from '../vision/picture.ts';
import { queuedPerThread } from '../vision/render/native.ts';
import { renderAll } from '../vision/render/render.ts';
import type { Spec } from '../vision/spec.ts';

/** What is kept of a picture: its pixels, a new file of them, or the file that it came from. */
export const picturesAs = ['raw', 'file', 'jpeg', 'png', 'webp'] as const;
export type PicturesAs = (typeof picturesAs)[number];

export const jpegOptions = {
  chroma: z
    .enum(chromas)
    .optional()
    .describe(
      'Of JPEG: `4:2:0` keeps one colour for 2 × 2 pixels, `4:4:4` one for each, in a larger file. Default: `4:2:0`.',
    ),
  optimize: z
    .boolean()
    .optional()
    .describe(
      'Of JPEG: whether each file has Huffman tables made for it. Without, files are made faster and are about 3 % larger; the pixels are the same. Default: true.',
    ),
};

export const pictureOptions = {
  pictures: z
    .enum(picturesAs)
    .optional()
    .describe(
      'What is kept of a picture: `raw` pixels, a new `jpeg`, `png` (every pixel) or `webp`, or the `file` as it was. Default: what the stages have made of it, `raw`; `file` where no stage has opened it.',
    ),
  quality: z.int().min(1).max(100).default(90).describe('The quality of new JPEG and WebP files, 1 to 100.'),
  ...jpegOptions,
};

type JpegOptions = Pick<Encoding, 'chroma' | 'optimize'>;

/** How a picture is kept. */
export interface Keep {
  readonly pictures: PicturesAs;
  /** What the new files are to be; nothing where none are made. */
  readonly encoding: Encoding | undefined;
  /** Makes them. */
  readonly encoder: Encoder | undefined;
}

/** @param encoder needed where new files are made. */
export function keepOf(pictures: PicturesAs, options: Omit<Encoding, 'format'>, encoder: Encoder | undefined): Keep {
  const format = formatOf(pictures);
  return { pictures, encoding: format && { ...options, format }, encoder };
}

/** As an `OpenSink` has it, of one that stores pictures like that. */
export function storedPerThread({ pictures, encoder }: Keep): number {
  return encoder?.perThread ?? (pictures === 'raw' ? queuedPerThread() : 1);
}

/** Whether what is kept of a picture is a new file: nothing of that which it came from. */
export function makesFiles({ encoder }: Keep): boolean {
  return encoder !== undefined;
}

/** The format of the files that are made of pictures, where any are made. */
export function formatOf(pictures: PicturesAs): EncodedFormat | undefined {
  return encodedFormats.find((format) => format === pictures);
}

/** What is kept where the options leave it open. */
export function defaultPictures({ fields }: Spec, raw: PicturesAs): PicturesAs {
  return 'picture' in fields || !('bytes' in fields) ? raw : 'file';
}

/** Refuses options of JPEG where pictures are kept otherwise. */
export function* checkJpeg(pictures: PicturesAs, options: JpegOptions): Iterable<ValidationIssue> {
  if (pictures === 'jpeg') return;
  for (const option of ['chroma', 'optimize'] as const) {
    const found = options[option];
    if (found === undefined) continue;
    const advice = 'It is an option of JPEG.';
    const expected = `left out where pictures are kept as \`${pictures}\``;
    yield { option, error: fail('OPTION_VALUE', { option, expected, found: `\`${found}\``, advice }) };
  }
}

/** Refuses what the chain does not give. */
export function* checkPictures(
  pictures: PicturesAs,
  { fields, size, open }: Spec,
  options: JpegOptions,
): Iterable<ValidationIssue> {
  yield* checkJpeg(pictures, options);
  if (open) return;
  if (!('picture' in fields) && !('bytes' in fields)) {
    yield { error: fail('RECORD_NOTHING', { fields: Object.keys(fields).join(', ') || 'nothing' }) };
  } else if (pictures === 'file' && size !== undefined) {
    const advice = 'Leave the stages out that change the picture, or keep it as `raw` or `jpeg`.';
    yield { option: 'pictures', error: fail('RECORD_FILE', { found: 'pictures that stages have changed', advice }) };
  } else if (pictures !== 'file' && !('picture' in fields)) {
    const giver = fail('FIELD_MISSING', {
      owner: `pictures: ${pictures}`,
      field: 'picture',
      fields: Object.keys(fields).join(', '),
      advice: 'Put `decode` before it.',
    });
    yield { option: 'pictures', error: giver };
  }
}

/**
 * The picture of a sample as it is to be kept. Raw pixels that nothing was done to stay as they are, also grey ones; everything else is rendered to RGB. Of a
 * picture without colours a new file is grey.
 *
 * @throws RECORD_FILE, RECORD_NOTHING; PICTURE_BROKEN and the others of rendering.
 */
export async function storePicture(
  { picture, bytes }: Fields,
  { pictures, encoding, encoder }: Keep,
): Promise<StoredPicture> {
  if (pictures === 'file') return { type: 'encoded', data: fileOf(picture, bytes) };
  if (!(picture instanceof Picture)) throw fail('RECORD_NOTHING', { fields: 'no picture' });
  const { origin, from } = picture;
  if (pictures === 'raw' && from === undefined && origin.kind === 'raw') {
    const { height, width, channels, data } = origin;
    return { type: 'raw', shape: [height, width, channels], data };
  }
  if (encoding !== undefined) return { type: 'encoded', data: await encoder!.encode(picture, encoding) };
  const { width, height, data } = await pixelsOf(picture);
  return { type: 'raw', shape: [height, width, 3], data };
}

function fileOf(picture: unknown, bytes: unknown): Uint8Array {
  if (picture instanceof Picture) {
    const file = picture.from === undefined ? picture.bytes : undefined;
    if (file !== undefined) return file;
    const found = picture.from === undefined ? 'raw pixels' : 'a picture that a stage has changed';
    throw fail('RECORD_FILE', { found, advice: 'Keep it as `raw` or `jpeg`.' });
  }
  if (bytes instanceof Uint8Array) return bytes;
  throw fail('RECORD_NOTHING', { fields: 'neither picture nor bytes' });
}

async function pixelsOf(picture: Picture): Promise<Pixels> {
  const { width, height } = picture;
  const data = uncounted(new Uint8Array(width * height * 3));
  await renderAll([{ picture, out: data }]);
  return { width, height, data };
}
