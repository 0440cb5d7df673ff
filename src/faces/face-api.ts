import { createRequire } from 'node:module';
import type { Worker } from 'node:worker_threads';
import { fail, messageOf } from '../errors.ts';
import type { Absent } from '../native.ts';
import { boxAround } from '../vision/face-box.ts';
import type { Extent } from '../vision/geometry.ts';
import type { Picture } from '../vision/picture.ts';
import { startWorker } from '../worker-thread.ts';
import { type Face, type FaceDetector, type FaceQuery, isLargeEnough } from './faces.ts';
import type { Landmarks } from './landmarks.ts';

/** The longer side of what face-api's network is shown, in pixels. */
const shownSide = 512;

const packageName = '@vladmandic/face-api';

/** The longer side of a face when its landmarks are looked for: what the network takes. */
const landmarkSide = 112;

/**
 * What goes to the detector's thread, and what comes back: of `faces` five numbers each, [left, top, width, height, confidence], of `landmarks` of the one face that
 * is shown x and y of each; all in shares of the picture that is shown.
 */
export interface FaceApiQuestion {
  readonly id: number;
  readonly want: 'faces' | 'landmarks';
  readonly pixels: Uint8Array<ArrayBuffer>;
  readonly width: number;
  readonly height: number;
  readonly least: number;
}
export type FaceApiAnswer =
  | { readonly id: number; readonly numbers: Float64Array }
  | { readonly id: number; readonly error: string };

/**
 * face-api's SSD MobileNet on tfjs' wasm backend, in a thread of its own, whose tfjs is nobody else's. It sees every picture made small, 512 px at the longer side, so
 * that faces of less than about a tenth of the picture escape it, however many pixels they have. Confidence is a probability, 0 to 1. One picture at a time.
 */
export class FaceApiDetector implements FaceDetector {
  readonly name = 'face-api';
  readonly least = 0.5;
  readonly about: string;
  readonly #waiting = new Map<number, { resolve(numbers: Float64Array): void; reject(error: unknown): void }>();
  #worker: Worker | undefined;
  #next = 0;
  /** The picture before. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(version: string) {
    this.about = `face-api ${version} (wasm, one thread)`;
  }

  landmarks(): string {
    return "face-api's own network of 68 landmarks";
  }

  async detect(
    picture: Picture,
    { minSide, minConfidence = this.least, landmarks = false, signal }: FaceQuery,
  ): Promise<readonly Face[]> {
    const turn = this.#last.then(async () => {
      const shown = picture.resize({ ...sizeWithin(picture, shownSide), fit: 'fill', kernel: 'bilinear' });
      const numbers = await this.#show(shown, { want: 'faces', least: minConfidence }, signal);
      const faces = facesOf(numbers, picture).filter(({ box }) => isLargeEnough(box, minSide));
      if (!landmarks) return faces;
      const with68: Face[] = [];
      for (const face of faces) with68.push({ ...face, landmarks: await this.#landmarks(picture, face, signal) });
      return with68;
    });
    // Whatever came of it, the next comes after it; who asked hears of it by `turn`.
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  /** From the face alone, in as many pixels as the network takes: rendered from the picture, not from what was looked through. */
  async #landmarks(picture: Picture, { box: found }: Face, signal: AbortSignal | undefined): Promise<Landmarks> {
    const box = boxAround(found, picture, { margin: 0, shape: 'found', border: 'pad' });
    const size = fittingSize(box, landmarkSide);
    const shown = picture.cropPadded(box).resize({ ...size, fit: 'fill', kernel: 'bilinear' });
    const shares = await this.#show(shown, { want: 'landmarks', least: 0 }, signal);
    return Float32Array.from(shares, (share, i) =>
      i % 2 === 0 ? box.left + share * box.width : box.top + share * box.height,
    );
  }

  async #show(
    shown: Picture,
    question: Pick<FaceApiQuestion, 'want' | 'least'>,
    signal: AbortSignal | undefined,
  ): Promise<Float64Array> {
    signal?.throwIfAborted();
    const { width, height, data } = await shown.pixels();
    // In memory of its own, which goes to the other thread.
    return this.#ask({ ...question, pixels: new Uint8Array(data), width, height });
  }

  #ask(question: Omit<FaceApiQuestion, 'id'>): Promise<Float64Array> {
    const worker = this.#start();
    return new Promise((resolve, reject) => {
      const id = this.#next++;
      // Only an open question keeps the program alive.
      worker.ref();
      const settle = () => {
        this.#waiting.delete(id);
        if (this.#waiting.size === 0) worker.unref();
      };
      this.#waiting.set(id, {
        resolve(numbers) {
          settle();
          resolve(numbers);
        },
        reject(error) {
          settle();
          reject(error);
        },
      });
      worker.postMessage({ id, ...question } satisfies FaceApiQuestion, [question.pixels.buffer]);
    });
  }

  #start(): Worker {
    if (this.#worker !== undefined) return this.#worker;
    // From sources under a loader of TypeScript (tests) the entry is the source; Node hands the loader on to workers.
    const entry = `./face-api-worker.${import.meta.url.endsWith('.ts') ? 'ts' : 'js'}`;
    const worker = startWorker('faces', new URL(entry, import.meta.url), { name: 'patchstream faces' });
    worker.on('message', (answer: FaceApiAnswer) => {
      const waiting = this.#waiting.get(answer.id);
      if ('numbers' in answer) waiting?.resolve(answer.numbers);
      else waiting?.reject(fail('FACES_FAILED', { detector: this.name, reason: answer.error }));
    });
    let cause: unknown;
    worker.on('error', (error) => {
      cause = error;
    });
    worker.on('exit', (code) => {
      this.#worker = undefined;
      const reason = cause === undefined ? `its thread ended with exit code ${code}` : messageOf(cause);
      for (const { reject } of [...this.#waiting.values()]) {
        reject(fail('FACES_FAILED', { detector: this.name, reason }, { cause }));
      }
    });
    this.#worker = worker;
    return worker;
  }
}

/** The size of the same proportions whose longer side is `side`. */
function fittingSize({ width, height }: Extent, side: number): Extent {
  const scale = side / Math.max(width, height);
  return { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) };
}

/** The same where it is smaller already. */
const sizeWithin = (extent: Extent, side: number): Extent =>
  Math.max(extent.width, extent.height) <= side
    ? { width: extent.width, height: extent.height }
    : fittingSize(extent, side);

function facesOf(numbers: Float64Array, { width, height }: Picture): Face[] {
  const faces: Face[] = [];
  for (let at = 0; at < numbers.length; at += 5) {
    const [left, top, wide, high, confidence] = numbers.subarray(at, at + 5) as unknown as [
      number,
      number,
      number,
      number,
      number,
    ];
    const box = {
      left: Math.round(left * width),
      top: Math.round(top * height),
      width: Math.round(wide * width),
      height: Math.round(high * height),
    };
    faces.push({ box, confidence });
  }
  return faces.sort((a, b) => b.confidence - a.confidence);
}

let detector: FaceApiDetector | Absent | undefined;

/** face-api's detector of this thread, or why it is not there. Nothing of it is loaded before it is asked about a picture. */
export function faceApiDetector(): FaceApiDetector | Absent {
  detector ??= look();
  return detector;
}

function look(): FaceApiDetector | Absent {
  try {
    const { version } = createRequire(import.meta.url)(`${packageName}/package.json`) as { version: string };
    return new FaceApiDetector(version);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'MODULE_NOT_FOUND') throw error;
    return { found: `the package ${packageName} is not installed`, remedy: `npm install ${packageName}` };
  }
}
