import sharp, { type Sharp, type SharpOptions } from 'sharp';
import { fail, firstLine, messageOf, PatchstreamError } from '../../errors.ts';
import { applyEffect } from '../effects/apply.ts';
import type { Box, Colour, Kernel, LazyPicture, Operation, Pixels } from '../geometry.ts';
import type { Format } from '../headers/formats.ts';
import { decodeStrictly, type FailOn } from '../headers/jpeg-strict.ts';
import { cropPixels, greyToRgb, layOn, mirrorPixels, padPixels } from '../pixels.ts';
import { enlarge } from './enlarge.ts';

import { lyingBox, uprightPixels } from './orientation.ts';
import { type Drawn, drawnFrom, warpPixels } from './turn.ts';
import type { Place, Rendering } from './waiting.ts';

/**
 * Renders several pictures of one sample with sharp, which can all that pictures describe; pixels are made in memory of their own and copied to
 * `place` at the end, if it is still the sample's.
 * @throws PICTURE_BROKEN
 */
export async function renderWithSharp(renderings: readonly Rendering[], place?: Place): Promise<void> {
  const done: Done = new Map();
  const all = await Promise.all(renderings.map(({ picture }) => renderOnce(picture, done)));
  if (place?.current === false) return;
  for (const [i, { out }] of renderings.entries()) out.set(all[i]!.data);
}

type Done = Map<LazyPicture, Promise<Pixels>>;

function renderOnce(picture: LazyPicture, done: Done): Promise<Pixels> {
  let pixels = done.get(picture);
  if (pixels === undefined) {
    pixels = renderChain(picture, done);
    done.set(picture, pixels);
  }
  return pixels;
}

/** Follows the picture back to its origin, or to the pixels of the picture that was settled, and does from there what is described. */
async function renderChain(picture: LazyPicture, done: Done): Promise<Pixels> {
  const operations: Operation[] = [];
  let at = picture;
  while (at.from !== undefined && at.from.operation.kind !== 'settle') {
    operations.unshift(at.from.operation);
    at = at.from.picture;
  }
  try {
    const drawn = drawnFrom(operations, at);
    if (at.from !== undefined) return await apply(await renderOnce(at.from.picture, done), drawn);
    return await fromOrigin(at, drawn);
  } catch (error) {
    throw decoderError(error);
  }
}

/**
 * The error of the catalogue for what sharp throws, which has no codes: plain errors are of the file, unless they say that memory is short. Those of other
 * kinds are mistakes of ours and stay what they are.
 */
export function decoderError(error: unknown): unknown {
  if (error instanceof PatchstreamError) return error;
  const short =
    error instanceof RangeError || /out of memory|unable to allocate|not enough memory/i.test(messageOf(error));
  if (short) return fail('PICTURE_MEMORY', {}, { cause: error });
  if (!(error instanceof Error) || error.constructor !== Error) return error;
  // Before each line libvips puts the name of its operation.
  const reason = firstLine(messageOf(error)).replace(/^(\w+: )+/, '');
  return fail(
    'PICTURE_BROKEN',
    { reason: reason === 'Unknown error' ? 'an error of its decoder' : reason },
    { cause: error },
  );
}

/**
 * Decoding takes the first crop and the first resize with it, in one pass over the file, as the picture lies in it; what is left of it then is turned upright.
 * By the orientation that was found when it was opened, and not by sharp's own reading of it, so that every renderer turns alike.
 */
async function fromOrigin({ origin, width, height }: LazyPicture, operations: readonly Drawn[]): Promise<Pixels> {
  if (origin.kind === 'raw') {
    const data = origin.channels === 3 ? origin.data : greyToRgb(origin.data);
    return apply({ width, height, data }, operations);
  }
  const { bytes, format, orientation, maxPixels } = origin;
  const { box = { left: 0, top: 0, width, height }, rest } = leadingCrops(operations);
  const lying = lyingBox(box, { width, height }, orientation);
  const [first, ...others] = rest;
  // What lies under transparent pixels must be gone before anything is mixed.
  const apart = first?.kind !== 'resize' || origin.alpha || grows(box, first);
  const decode = (bytes: Uint8Array, failOn: FailOn) => {
    const pipeline = sharp(bytes, { failOn, limitInputPixels: maxPixels } satisfies SharpOptions);
    if (box.width < width || box.height < height) pipeline.extract(lying);
    if (!apart) scaleTo(pipeline, orientation > 4 ? { ...first, width: first.height, height: first.width } : first);
    return origin.alpha ? toRgbOn(pipeline, origin.background) : toRgb(pipeline);
  };
  const decoded =
    format === 'jpeg'
      ? await decodeStrictly(bytes, lying.top + lying.height, decode)
      : await decode(bytes, failOn(format));
  return apply(uprightPixels(decoded, orientation), apart ? rest : others);
}

/**
 * Errors are cut-off files and wrong check sums. Warnings of PNG and TIFF are mostly harmless (an odd profile, an unknown tag); the one of GIF is of codes that are
 * none.
 */
const failOn = (format: Format): FailOn => (format === 'gif' ? 'warning' : 'error');

/** Does the operations to decoded pixels. Crops, borders and mirrors are moves of memory; resizes are sharp's, but where a side grows. */
async function apply(start: Pixels, operations: readonly Drawn[]): Promise<Pixels> {
  let pixels = start;
  for (const operation of operations) {
    if (operation.kind === 'crop') pixels = cropPixels(pixels, operation.box);
    else if (operation.kind === 'flip') pixels = mirrorPixels(pixels);
    else if (operation.kind === 'pad') pixels = padPixels(pixels, operation);
    else if (operation.kind === 'effect') pixels = applyEffect(pixels, operation.effect);
    else if (operation.kind === 'warp') pixels = warpPixels(pixels, operation);
    else if (operation.kind === 'resize' && grows(pixels, operation)) pixels = enlarge(pixels, operation);
    else if (operation.kind === 'resize') {
      const raw = { width: pixels.width, height: pixels.height, channels: 3 } as const;
      pixels = await toRgb(scaleTo(sharp(pixels.data, { raw, limitInputPixels: false }), operation));
    }
  }
  return pixels;
}

/** The crops at the start of a chain as one box. */
function leadingCrops(operations: readonly Drawn[]): { box: Box | undefined; rest: readonly Drawn[] } {
  let box: Box | undefined;
  for (const [i, operation] of operations.entries()) {
    if (operation.kind !== 'crop') return { box, rest: operations.slice(i) };
    const inner = operation.box;
    box = box === undefined ? inner : { ...inner, left: box.left + inner.left, top: box.top + inner.top };
  }
  return { box, rest: [] };
}

/** Whether a resize enlarges a side, and is not sharp's. */
function grows(from: { readonly width: number; readonly height: number }, to: Operation & { kind: 'resize' }): boolean {
  return to.kernel !== 'nearest' && (to.width > from.width || to.height > from.height);
}

const sharpKernels = {
  nearest: 'nearest',
  bilinear: 'linear',
  bicubic: 'cubic',
  lanczos: 'lanczos3',
} as const satisfies Record<Kernel, string>;

/**
 * Without the fast choice sharp has the decoder of a JPEG shrink to no less than twice the size that is wanted, and that of a WebP not at all: from 1600 × 1200 to
 * 299 × 224 px photographs are then up to 9 of 255 from Pillow's bicubic, and not 26; it takes about as long.
 */
function scaleTo(pipeline: Sharp, { width, height, kernel }: Operation & { kind: 'resize' }): Sharp {
  return pipeline.resize({ width, height, fit: 'fill', kernel: sharpKernels[kernel], fastShrinkOnLoad: false });
}

/** Runs a pipeline to uint8 RGB, whatever came in: grey is repeated, CMYK converted, 16 bits become 8. */
async function toRgb(pipeline: Sharp): Promise<Pixels> {
  const { data, info } = await pipeline
    .removeAlpha()
    .toColourspace('srgb')
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true });
  const { width, height, channels } = info;
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return { width, height, data: channels === 1 ? greyToRgb(bytes) : bytes };
}

/** The same of a picture with an alpha channel, laid on a background. */
async function toRgbOn(pipeline: Sharp, background: Colour): Promise<Pixels> {
  const { data, info } = await pipeline
    .ensureAlpha()
    .toColourspace('srgb')
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true });
  const { width, height, channels } = info;
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return { width, height, data: layOn(bytes, channels === 2 ? 2 : 4, background) };
}
