import { availableParallelism } from 'node:os';
import { fail } from '../errors.ts';
import { type Absent, type DlibAddon, dlibAddon, dlibOutcomes, isAbsent } from '../native.ts';
import { type Face, type FaceDetector, type FaceQuery, isLargeEnough } from './faces.ts';
import type { Picture } from './picture.ts';
import { renderGrey } from './render.ts';

/** The side of dlib's window, in pixels of what it scans: smaller faces it does not see. */
const windowSide = 80;

/** How much smaller each level of dlib's pyramid is than the one before. */
const pyramidStep = 1.2;

/** The most pixels of a scan. The features of one take about ten bytes a pixel, in every thread. */
const mostPixels = 2 ** 25;

/** The longest side of a picture. */
const longestSide = 65535;

/**
 * The factor by which a picture is made smaller before its scan, so that faces of `minSide` are the smallest that are seen; below 1 it is made larger.
 * A whole number of steps of dlib's pyramid: the sizes at which it then looks are those at which it would have looked at the full picture, so a face at
 * the limit is measured alike. At 80 to 95 px the picture is scanned as it is.
 */
export function shrinkFor(minSide: number): number {
  return pyramidStep ** Math.floor(Math.log(minSide / windowSide) / Math.log(pyramidStep) + 1e-9);
}

interface Waiting {
  resolve(faces: readonly Face[]): void;
  reject(error: unknown): void;
  readonly toFace: (left: number, top: number, width: number, height: number, confidence: number) => Face;
}

/**
 * dlib's detector of frontal faces, over native/dlib: five HOG filters (ahead, left, right, tilted left, tilted right) over a pyramid of the
 * picture's luma. Confidence is the distance from dlib's threshold: 0 the edge, above 1 sure. Many pictures may be asked about at a time.
 */
export class DlibDetector implements FaceDetector {
  readonly name = 'dlib';
  readonly least = 0;
  readonly about: string;
  readonly #addon: DlibAddon;
  readonly #waiting = new Map<number, Waiting>();
  #next = 0;

  constructor(addon: DlibAddon, threads: number) {
    this.#addon = addon;
    const { version, vectors } = addon.info();
    this.about = `dlib ${version} (${vectors})`;
    addon.open(threads, (...ended) => this.#ended(...ended));
  }

  async detect(picture: Picture, { minSide, minConfidence = this.least, signal }: FaceQuery): Promise<readonly Face[]> {
    signal?.throwIfAborted();
    const { width, height } = picture;
    const shrink = shrinkFor(minSide);
    const [wide, high] = [width, height].map((side) => Math.max(1, Math.round(side / shrink))) as [number, number];
    if (wide * high > mostPixels || Math.max(wide, high) > longestSide) {
      const scanned = `${wide}×${high} of ${width}×${height}`;
      throw fail('FACES_LARGE', { most: mostPixels, longest: longestSide, minSide, scanned });
    }
    const pixels = await renderGrey(picture.resize({ width: wide, height: high, fit: 'fill', kernel: 'bilinear' }));
    signal?.throwIfAborted();
    const [across, down] = [width / wide, height / high];
    const faces = await this.#scan(pixels, wide, high, minConfidence, signal, (left, top, w, h, confidence) => ({
      box: {
        left: Math.round(left * across),
        top: Math.round(top * down),
        width: Math.round(w * across),
        height: Math.round(h * down),
      },
      confidence,
    }));
    return faces.filter(({ box }) => isLargeEnough(box, minSide));
  }

  #scan(
    pixels: Uint8Array,
    width: number,
    height: number,
    least: number,
    signal: AbortSignal | undefined,
    toFace: Waiting['toFace'],
  ): Promise<readonly Face[]> {
    return new Promise((resolve, reject) => {
      const id = this.#next;
      // Far more than can be under way.
      this.#next = (id + 1) % 2 ** 30;
      const cancel = () => {
        this.#addon.cancel(id);
        reject(signal?.reason);
      };
      const settled = () => signal?.removeEventListener('abort', cancel);
      this.#waiting.set(id, {
        toFace,
        resolve(faces) {
          settled();
          resolve(faces);
        },
        reject(error) {
          settled();
          reject(error);
        },
      });
      try {
        this.#addon.submit(id, pixels, width, height, least);
      } catch (cause) {
        this.#waiting.delete(id);
        reject(refusal(cause as NodeJS.ErrnoException));
        return;
      }
      signal?.addEventListener('abort', cancel, { once: true });
    });
  }

  #ended(id: number, outcome: number, numbers: Float64Array, message: string): void {
    const { resolve, reject, toFace } = this.#waiting.get(id)!;
    this.#waiting.delete(id);
    if (outcome === dlibOutcomes.memory) reject(fail('PICTURE_MEMORY', {}));
    else if (outcome === dlibOutcomes.failed) reject(fail('FACES_FAILED', { detector: this.name, reason: message }));
    else {
      const faces: Face[] = [];
      for (let at = 0; at < numbers.length; at += 5) {
        const [left, top, width, height, confidence] = numbers.subarray(at, at + 5);
        faces.push(toFace(left!, top!, width!, height!, confidence!));
      }
      resolve(faces);
    }
  }
}

function refusal(cause: NodeJS.ErrnoException): Error {
  if (cause.code === 'OUT_OF_MEMORY') return fail('PICTURE_MEMORY', {}, { cause });
  return fail('FACES_FAILED', { detector: 'dlib', reason: cause.message }, { cause });
}

let detector: DlibDetector | Absent | undefined;

/** dlib's detector of this thread, or why it is not there. */
export function dlibDetector(): DlibDetector | Absent {
  if (detector === undefined) {
    const addon = dlibAddon();
    detector = isAbsent(addon) ? addon : new DlibDetector(addon, availableParallelism());
  }
  return detector;
}
