import * as tf from '../../backends/tf.ts';
import { uploadAll } from '../../backends/upload.ts';
import { counted } from '../../counts.ts';
import { fail } from '../../errors.ts';
import type { HostBatch, Params, Restorer } from '../../models/model.ts';
import { type Pixels, rawPicture } from '../../vision/picture.ts';
import { repeatPixels } from '../../vision/pixels.ts';
import type { MeasureContext } from '../define.ts';
import { hiddenError, meanPatch, nearestPatch, smoothFill, type WindowShape, windowPatches } from './restorers.ts';

/**
 * Held-out samples: `fields` holds picture uint8 [N, H, W, 3] and windows int32 [N, M, 2], masks uint8 [N, M, K²]; or, where the whole
 * grid is masked, masks uint8 [N, n] and perhaps lr uint8 [N, h, w, 3], the picture at low resolution. Without masks all of the picture counts as hidden: a
 * tokenizer restores it from its codes.
 */
export interface HeldOut {
  readonly fields: HostBatch;
  readonly keys: readonly string[];
}

/**
 * Mean squared errors over the hidden pixels of all windows, in normalised pixels, below 1 being better than guessing the mean: `ours`, those of the simple
 * restorers, and of the low-resolution picture that the model is given, if any, brought up by bicubic interpolation and by repetition.
 */
export type ReconstructionErrors = Readonly<Record<string, number>>;

/** The simple restorers that a model is measured against, by the names of their errors. */
const restorers = Object.entries({ meanPatch, nearestPatch, smoothFill });

/** One held-out image, for pictures. */
export interface RestoredImage {
  readonly key: string;
  /** uint8 [height, width, 3]. */
  readonly picture: Uint8Array;
  readonly height: number;
  readonly width: number;
  readonly shape: WindowShape;
  /** One window without `windows` of its own where the whole grid is masked. */
  readonly windows: readonly RestoredWindow[];
  /** True where the whole grid is masked. */
  readonly whole: boolean;
  /** True where nothing of the picture is shown to what restores it. */
  readonly unmasked?: boolean;
  /** The low-resolution picture that the model is given, by repetition and by bicubic interpolation, each in the picture's size. */
  readonly low?: { readonly nearest: Pixels; readonly bicubic: Pixels };
}

export interface RestoredWindow {
  readonly topPatch: number;
  readonly leftPatch: number;
  /** uint8 [K²], 1 hidden. */
  readonly mask: Uint8Array;
  /** What the model makes of every patch, float32 [K², p²·3], normalised pixels. */
  readonly restored: Float32Array;
}

export interface Reconstruction {
  readonly errors: ReconstructionErrors;
  readonly images: number;
  /** Hidden values that the errors are taken over. */
  readonly hidden: number;
  /** What a reader of the numbers must know. */
  readonly notes: readonly string[];
  /** The first images, as many as were asked for. */
  readonly examples: readonly RestoredImage[];
}

/**
 * Held-out reconstruction error of a model beside simple restorers: the mean squared error in normalised pixels over the hidden pixels of
 * all windows, the whole grid being one where there are none. A model that is given the picture at low resolution is also compared with
 * that. Leaves no tensor behind.
 * @param pictures images to return for pictures. @throws RECONSTRUCTION_EMPTY when no pixel is hidden; RECONSTRUCTION_NOT_A_NUMBER when the model has diverged; MODEL_FIELD for a grid that is not the model's.
 */
export async function evaluateReconstruction(
  { model, params }: Pick<MeasureContext<unknown, Restorer>, 'model' | 'params'>,
  batches: Iterable<HeldOut> | AsyncIterable<HeldOut>,
  pictures = 8,
): Promise<Reconstruction> {
  const shape: WindowShape = { p: model.shape.patch, K: model.shape.K };
  const sums: Record<string, number> = { ours: 0, ...Object.fromEntries(restorers.map(([name]) => [name, 0])) };
  const examples: RestoredImage[] = [];
  let hidden = 0;
  let images = 0;
  let unmasked = false;
  for await (const { fields, keys } of batches) {
    const made = await reconstruct(model, params, fields);
    for (const [n, key] of keys.entries()) {
      const image = { ...imageOf(fields, n, key, made, shape), ...(await lowOf(model, fields, n)) };
      for (const { topPatch, leftPatch, mask, restored } of image.windows) {
        const patches = windowPatches(image.picture, image.width, topPatch, leftPatch, shape);
        const ours = hiddenError(restored, patches, mask);
        hidden += ours.count;
        sums.ours! += ours.sum;
        unmasked ||= image.unmasked === true;
        for (const [name, restore] of image.unmasked ? [] : restorers)
          sums[name]! += hiddenError(restore(patches, mask, shape), patches, mask).sum;
        for (const [name, low] of lowErrors(image)) {
          const given = windowPatches(low.data, low.width, topPatch, leftPatch, shape);
          sums[name] = (sums[name] ?? 0) + hiddenError(given, patches, mask).sum;
        }
      }
      images += 1;
      if (examples.length < pictures) examples.push(copyOf(image));
    }
  }
  if (hidden === 0) throw fail('RECONSTRUCTION_EMPTY', { images });
  if (!Number.isFinite(sums.ours)) throw fail('RECONSTRUCTION_NOT_A_NUMBER', {});
  const measured = Object.entries(sums).filter(([name]) => name === 'ours' || !unmasked);
  const errors = Object.fromEntries(measured.map(([name, sum]) => [name, sum / hidden]));
  return { errors, images, hidden, notes: notesOn(model), examples };
}

/** What the model makes of a micro-batch, [N, M, K², p²·3]. */
async function reconstruct(model: Restorer, params: Params, fields: HostBatch): Promise<Float32Array> {
  const inputs = uploadAll(model.inputs(fields));
  const made = model.reconstruct(params, inputs);
  tf.dispose(inputs);
  const values = (await made.data()) as Float32Array;
  made.dispose();
  return values;
}

/** Image n of a micro-batch: views of the micro-batch's memory. */
function imageOf(fields: HostBatch, n: number, key: string, made: Float32Array, shape: WindowShape): RestoredImage {
  const [, height, width] = fields.picture!.shape as [number, number, number];
  const { windows } = fields;
  const tokens = shape.K ** 2;
  const side = shape.K * shape.p;
  const masks = fields.masks ?? { shape: [1, tokens], data: new Uint8Array((n + 1) * tokens).fill(1) };
  if (masks.shape.at(-1) !== tokens || (windows === undefined && (height !== side || width !== side))) {
    const expected = `${counted(tokens, 'patch', 'patches')}, the model's grid`;
    throw fail('MODEL_FIELD', { field: 'masks', expected, found: `${masks.shape.at(-1)} of ${width}×${height} px` });
  }
  const M = windows?.shape[1] ?? 1;
  const values = tokens * shape.p ** 2 * 3;
  const pixels = height * width * 3;
  const restored = Array.from({ length: M }, (_, m): RestoredWindow => {
    const view = n * M + m;
    return {
      topPatch: windows?.data[2 * view] ?? 0,
      leftPatch: windows?.data[2 * view + 1] ?? 0,
      mask: (masks.data as Uint8Array).subarray(view * tokens, (view + 1) * tokens),
      restored: made.subarray(view * values, (view + 1) * values),
    };
  });
  const picture = (fields.picture!.data as Uint8Array).subarray(n * pixels, (n + 1) * pixels);
  return {
    key,
    picture,
    height,
    width,
    shape,
    windows: restored,
    whole: windows === undefined,
    unmasked: fields.masks === undefined,
  };
}

/** What the model is given of image n at low resolution, if it is given any, in the size of the picture. */
async function lowOf(model: Restorer, { picture, lr }: HostBatch, n: number): Promise<Pick<RestoredImage, 'low'>> {
  if (lr === undefined || !model.fields.includes('lr')) return {};
  const [, height, width] = picture!.shape as [number, number, number];
  const [, rows, columns] = lr.shape as [number, number, number];
  const size = rows * columns * 3;
  const data = (lr.data as Uint8Array).slice(n * size, (n + 1) * size);
  const small = { width: columns, height: rows, data };
  const bicubic = rawPicture({ ...small, channels: 3 }).resize({ width, height, fit: 'fill', kernel: 'bicubic' });
  return { low: { nearest: repeatPixels(small, width, height), bicubic: await bicubic.pixels() } };
}

function lowErrors({ low }: RestoredImage): [string, Pixels][] {
  if (low === undefined) return [];
  return [
    ['lowResolution', low.bicubic],
    ['lowResolutionNearest', low.nearest],
  ];
}

function copyOf(image: RestoredImage): RestoredImage {
  const windows = image.windows.map((window) => ({
    ...window,
    mask: window.mask.slice(),
    restored: window.restored.slice(),
  }));
  return { ...image, picture: image.picture.slice(), windows };
}

function notesOn({ shape }: Restorer): string[] {
  if (shape.target === 'pixels') return [];
  return [
    "The model predicts patches standardised by their own mean and spread; both were taken from the true patch to bring them back, so `ours` is lower than the model's own merit, and comparing it with the others flatters it.",
  ];
}
