import { createRequire } from 'node:module';
import { Worker } from 'node:worker_threads';
import { fail, messageOf } from '../errors.ts';
import type { Absent } from '../native.ts';
import { type Face, type FaceDetector, type FaceQuery, isLargeEnough } from './faces.ts';
import type { Picture } from './picture.ts';

/** The longer side of what face-api's network is shown, in pixels. */
const shownSide = 512;

const packageName = '@vladmandic/face-api';

/** What goes to the detector's thread, and what comes back: `faces` are five numbers each, [left, top, width, height, confidence], in shares of the picture. */
export interface FaceApiQuestion {
  readonly id: number;
  readonly pixels: Uint8Array<ArrayBuffer>;
  readonly width: number;
  readonly height: number;
  readonly least: number;
}
export type FaceApiAnswer =
  | { readonly id: number; readonly faces: Float64Array }
  | { readonly id: number; readonly error: string };

/**
 * face-api's SSD MobileNet on tfjs' wasm backend, in a thread of its own, whose tfjs is nobody else's. It sees every picture made small, 512 px at the longer side, so
 * that faces of less than about a tenth of the picture escape it, however many pixels they have. Confidence is a probability, 0 to 1. One picture at a time.
 */
export class FaceApiDetector implements FaceDetector {
  readonly name = 'face-api';
  readonly least = 0.5;
  readonly about: string;
  readonly #waiting = new Map<number, { resolve(faces: Float64Array): void; reject(error: unknown): void }>();
  #worker: Worker | undefined;
  #next = 0;
  /** The picture before. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(version: string) {
    this.about = `face-api ${version} (wasm, one thread)`;
  }

  async detect(picture: Picture, { minSide, minConfidence = this.least, signal }: FaceQuery): Promise<readonly Face[]> {
    const turn = this.#last.then(async () => {
      signal?.throwIfAborted();
      const { width, height } = picture;
      const shrink = Math.max(1, Math.max(width, height) / shownSide);
      const [wide, high] = [width, height].map((side) => Math.max(1, Math.round(side / shrink))) as [number, number];
      const { data } = await picture.resize({ width: wide, height: high, fit: 'fill', kernel: 'bilinear' }).pixels();
      // In memory of its own, which goes to the other thread.
      const pixels = new Uint8Array(data);
      const numbers = await this.#ask({ pixels, width: wide, height: high, least: minConfidence });
      return facesOf(numbers, picture).filter(({ box }) => isLargeEnough(box, minSide));
    });
    this.#last = turn.catch(() => undefined);
    return turn;
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
        resolve(faces) {
          settle();
          resolve(faces);
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
    const entry = `../models/face-api-worker.${import.meta.url.endsWith('.ts') ? 'ts' : 'js'}`;
    const worker = new Worker(new URL(entry, import.meta.url), { name: 'patchstream faces' });
    worker.on('message', (answer: FaceApiAnswer) => {
      const waiting = this.#waiting.get(answer.id);
      if ('faces' in answer) waiting?.resolve(answer.faces);
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
  } catch {
    return { found: `the package ${packageName} is not installed`, remedy: `npm install ${packageName}` };
  }
}
