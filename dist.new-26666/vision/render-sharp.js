import sharp, {} from 'sharp';
import { fail, messageOf, PatchstreamError } from "../errors.js";
import { enlarge } from "./enlarge.js";
import { cropPixels, greyToRgb, mirrorPixels, padPixels } from "./pixels.js";
import { drawnFrom, warpPixels } from "./turn.js";
/**
 * Renders several pictures of one sample with sharp, which can all that pictures describe; pixels are made in memory of their own and copied to
 * `place` at the end, if it is still the sample's.
 * @throws PICTURE_BROKEN
 */
export async function renderWithSharp(renderings, place) {
    const done = new Map();
    const all = await Promise.all(renderings.map(({ picture }) => renderOnce(picture, done)));
    if (place?.current === false)
        return;
    for (const [i, { out }] of renderings.entries())
        out.set(all[i].data);
}
function renderOnce(picture, done) {
    let pixels = done.get(picture);
    if (pixels === undefined) {
        pixels = renderChain(picture, done);
        done.set(picture, pixels);
    }
    return pixels;
}
/** Follows the picture back to its origin, or to the pixels of the picture that was settled, and does from there what is described. */
async function renderChain(picture, done) {
    const operations = [];
    let at = picture;
    while (at.from !== undefined && at.from.operation.kind !== 'settle') {
        operations.unshift(at.from.operation);
        at = at.from.picture;
    }
    try {
        const drawn = drawnFrom(operations, at);
        if (at.from !== undefined)
            return await apply(await renderOnce(at.from.picture, done), drawn);
        return await fromOrigin(at, drawn);
    }
    catch (error) {
        if (error instanceof PatchstreamError)
            throw error;
        throw fail('PICTURE_BROKEN', { reason: messageOf(error) }, { cause: error });
    }
}
/** Decoding takes the first crop and the first resize with it, in one pass over the file. */
async function fromOrigin({ origin, width, height }, operations) {
    if (origin.kind === 'raw') {
        const data = origin.channels === 3 ? origin.data : greyToRgb(origin.data);
        return apply({ width, height, data }, operations);
    }
    const { box, rest } = leadingCrops(operations);
    const { bytes, orientation, maxPixels } = origin;
    // The loader's threshold: a truncated file fails, a harmless warning (an unknown marker) does not.
    const pipeline = sharp(bytes, { failOn: 'error', limitInputPixels: maxPixels });
    if (orientation > 1)
        pipeline.autoOrient();
    if (box !== undefined)
        pipeline.extract(box);
    const [first, ...others] = rest;
    // Alpha is dropped as Pillow's convert('RGB') does, before anything is mixed; sharp would weigh colours with it while it resizes.
    const apart = first?.kind !== 'resize' || origin.alpha || grows(box ?? { width, height }, first);
    if (apart)
        return apply(await toRgb(pipeline), rest);
    return apply(await toRgb(scaleTo(pipeline, first)), others);
}
/** Does the operations to decoded pixels. Crops, borders and mirrors are moves of memory; resizes are sharp's, but where a side grows. */
async function apply(start, operations) {
    let pixels = start;
    for (const operation of operations) {
        if (operation.kind === 'crop')
            pixels = cropPixels(pixels, operation.box);
        else if (operation.kind === 'flip')
            pixels = mirrorPixels(pixels);
        else if (operation.kind === 'pad')
            pixels = padPixels(pixels, operation);
        else if (operation.kind === 'warp')
            pixels = warpPixels(pixels, operation);
        else if (operation.kind === 'resize' && grows(pixels, operation))
            pixels = enlarge(pixels, operation);
        else if (operation.kind === 'resize') {
            const raw = { width: pixels.width, height: pixels.height, channels: 3 };
            pixels = await toRgb(scaleTo(sharp(pixels.data, { raw, limitInputPixels: false }), operation));
        }
    }
    return pixels;
}
/** The crops at the start of a chain as one box. */
function leadingCrops(operations) {
    let box;
    for (const [i, operation] of operations.entries()) {
        if (operation.kind !== 'crop')
            return { box, rest: operations.slice(i) };
        const inner = operation.box;
        box = box === undefined ? inner : { ...inner, left: box.left + inner.left, top: box.top + inner.top };
    }
    return { box, rest: [] };
}
/** Whether a resize enlarges a side, and is not sharp's. */
function grows(from, to) {
    return to.kernel !== 'nearest' && (to.width > from.width || to.height > from.height);
}
const sharpKernels = {
    nearest: 'nearest',
    bilinear: 'linear',
    bicubic: 'cubic',
    lanczos: 'lanczos3',
};
function scaleTo(pipeline, { width, height, kernel }) {
    return pipeline.resize({ width, height, fit: 'fill', kernel: sharpKernels[kernel] });
}
/** Runs a pipeline to uint8 RGB, whatever came in: grey is repeated, CMYK converted, alpha dropped, 16 bits become 8. */
async function toRgb(pipeline) {
    const { data, info } = await pipeline
        .removeAlpha()
        .toColourspace('srgb')
        .raw({ depth: 'uchar' })
        .toBuffer({ resolveWithObject: true });
    const { width, height, channels } = info;
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    return { width, height, data: channels === 1 ? greyToRgb(bytes) : bytes };
}
//# sourceMappingURL=render-sharp.js.map