import { setMaxListeners } from 'node:events';
import { fail } from '../errors.ts';
import { coreCount } from '../machine.ts';
import { type Absent, type DlibAddon, dlibAddon, dlibOutcomes, isAbsent } from '../native.ts';
import type { Picture } from '../vision/picture.ts';
import { renderGrey } from '../vision/render/render.ts';
import { type Face, type FaceDetector, type FaceQuery, isLargeEnough } from './faces.ts';
import { landmarkModel, landmarksError } from './landmark-model.ts';
import { landmarkCount } from './landmarks.ts';

/** The side of dlib's window, in pixels of what it scans: smaller faces it does not see. */
const windowSide = 80;

/** How much smaller each level of dlib's pyramid is than the one before. */
const pyramidStep = 1.2;

/** The most pixels of a scan. The features of one take about ten bytes a pixel, in every thread. */
const mostPixels = 2 ** 25;

/** The longest side of a picture. */
const longestSide = 65535;

/** Up to so many steps the decoder would decode the whole picture anyway, so that nothing is won by making it smaller otherwise than dlib does. */
const mostOwnSteps = 6;

/**
 * How many levels of dlib's pyramid are too fine for faces of `minSide`: on the next it sees faces of that size as the smallest. Below 0 the picture must be
 * made larger. Whole levels: the sizes at which dlib then looks are those at which it would have looked at the full picture, so that a face at the
 * limit is measured alike. At 80 to 95 px it is 0, and the picture is looked through as it is.
 */
export function stepsFor(minSide: number): number {
  return Math.floor(Math.log(minSide / windowSide) / Math.log(pyramidStep) + 1e-9);
}

interface Scan {
  readonly pixels: Uint8Array;
  readonly width: number;
  readonly height: number;
  readonly steps: number;
  readonly least: number;
  /** The path of the model of landmarks, where they are wanted. */
  readonly model: string | undefined;
}

interface Waiting {
  resolve(faces: readonly Face[]): void;
  reject(error: unknown): void;
  readonly model: string | undefined;
  /** From the numbers of a face, in pixels of what was scanned. */
  toFace(numbers: Float64Array): Face;
}

/** Numbers of a face that native/dlib answers: left, top, width, height, confidence, and those of its landmarks. */
const faceNumbers = 5;
const landmarkNumbers = 2 * landmarkCount;

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

  landmarks(): string | Absent {
    return landmarkModel();
  }

  async detect(
    picture: Picture,
    { minSide, minConfidence = this.least, landmarks = false, signal }: FaceQuery,
  ): Promise<readonly Face[]> {
    signal?.throwIfAborted();
    const model = landmarks ? landmarkModel() : undefined;
    if (typeof model === 'object') throw landmarksError(model.found);
    const { width, height } = picture;
    const steps = stepsFor(minSide);
    const scanned = sizeAt(picture, pyramidStep ** steps);
    if (scanned.width * scanned.height > mostPixels || Math.max(scanned.width, scanned.height) > longestSide) {
      const size = `${scanned.width}×${scanned.height} of ${width}×${height}`;
      throw fail('FACES_LARGE', { most: mostPixels, longest: longestSide, minSide, scanned: size });
    }
    // dlib's own way from the full picture gives dlib's own boxes; beyond, and where the picture is to become larger, the renderer's is quicker.
    const own = steps >= 0 && steps <= mostOwnSteps && width * height <= mostPixels;
    const size = own ? { width, height } : scanned;
    const pixels = await renderGrey(picture.resize({ ...size, fit: 'fill', kernel: 'bilinear' }));
    signal?.throwIfAborted();
    const [across, down] = [width / size.width, height / size.height];
    const scan = { pixels, ...size, steps: own ? steps : 0, least: minConfidence, model };
    const faces = await this.#scan(scan, signal, (numbers) => faceOf(numbers, across, down));
    return faces.filter(({ box }) => isLargeEnough(box, minSide));
  }

  #scan(
    { pixels, width, height, steps, least, model }: Scan,
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
        model,
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
        this.#addon.submit(id, pixels, width, height, steps, least, model);
      } catch (cause) {
        this.#waiting.delete(id);
        reject(refusal(cause as NodeJS.ErrnoException));
        return;
      }
      // As many listen as pictures are looked through at a time: more than ten are no leak.
      if (signal !== undefined) setMaxListeners(0, signal);
      signal?.addEventListener('abort', cancel, { once: true });
    });
  }

  #ended(id: number, outcome: number, numbers: Float64Array, message: string): void {
    const { resolve, reject, toFace, model } = this.#waiting.get(id)!;
    this.#waiting.delete(id);
    if (outcome === dlibOutcomes.memory) reject(fail('PICTURE_MEMORY', {}));
    else if (outcome === dlibOutcomes.model) reject(landmarksError(`${model}, which ${message}`));
    else if (outcome === dlibOutcomes.failed) reject(fail('FACES_FAILED', { detector: this.name, reason: message }));
    else {
      const length = faceNumbers + (model === undefined ? 0 : landmarkNumbers);
      const faces: Face[] = [];
      for (let at = 0; at < numbers.length; at += length) faces.push(toFace(numbers.subarray(at, at + length)));
      resolve(faces);
    }
  }
}

/** The face in pixels of the picture, of which a pixel that was scanned is so many. */
function faceOf(numbers: Float64Array, across: number, down: number): Face {
  const [left, top, width, height, confidence] = numbers.subarray(0, faceNumbers) as unknown as [
    number,
    number,
    number,
    number,
    number,
  ];
  const box = {
    left: Math.round(left * across),
    top: Math.round(top * down),
    width: Math.round(width * across),
    height: Math.round(height * down),
  };
  if (numbers.length === faceNumbers) return { box, confidence };
  // dlib counts from the middle of the first pixel.
  const landmarks = Float32Array.from(
    numbers.subarray(faceNumbers),
    (at, i) => (at + 0.5) * (i % 2 === 0 ? across : down),
  );
  return { box, confidence, landmarks };
}

function sizeAt({ width, height }: Picture, shrink: number) {
  return { width: Math.max(1, Math.round(width / shrink)), height: Math.max(1, Math.round(height / shrink)) };
}

function refusal(cause: NodeJS.ErrnoException): Error {
  if (cause.code === 'OUT_OF_MEMORY') return fail('PICTURE_MEMORY', {}, { cause });
  if (cause.code === 'NO_THREAD')
    return fail('THREADS_NONE', { what: 'faces', reason: cause.message }, { cause, ends: true });
  return fail('FACES_FAILED', { detector: 'dlib', reason: cause.message }, { cause });
}

let detector: DlibDetector | Absent | undefined;

/** dlib's detector of this thread, or why it is not there. */
export function dlibDetector(): DlibDetector | Absent {
  if (detector === undefined) {
    const addon = dlibAddon();
    detector = isAbsent(addon) ? addon : new DlibDetector(addon, coreCount());
  }
  return detector;
}
