import { fail, PatchstreamError, reasonOf } from '../../errors.ts';
import type { Origin } from '../../vision/spec.ts';

/** Some vectors of a set, in its order. */
export interface VectorBatch {
  readonly keys: readonly string[];
  /** float32 [keys, width], row by row. All are finite. */
  readonly values: Float32Array;
}

/** Vectors with their keys, in files that are read from front to end. */
export interface VectorSet {
  /** As it was named. */
  readonly path: string;
  /** Numbers of each vector, D. */
  readonly width: number;
  /** The model that has made them, where the files say so. */
  readonly origin?: Origin;
  /** All vectors, some at a time. May be called again. @throws VECTORS_BROKEN, FILE_UNREADABLE; the signal's reason */
  batches(signal?: AbortSignal): AsyncIterable<VectorBatch>;
}

/** What one file of a set says, and how its rows are read. */
export interface VectorFile {
  /** Numbers of each vector; nothing in a file without rows. */
  readonly width?: number;
  readonly origin?: Origin;
  batches(signal?: AbortSignal): AsyncIterable<VectorBatch>;
}

/** Rows of a batch hold about so many bytes. */
export const batchBytes = 4 * 2 ** 20;

/** Where a file is not as a job writes it. */
export function broken(file: string, place: string, found: string, cause?: unknown): PatchstreamError {
  return fail('VECTORS_BROKEN', { place, found }, { where: file, ...(cause !== undefined && { cause }) });
}

/** Where a sound file has no vectors in the field that was asked for: it is the wrong file, or the wrong field. */
export function withoutField(file: string, field: string, found: string): PatchstreamError {
  return fail('VECTORS_NONE', { path: file, field, found });
}

/** Gathers rows, all of one width and finite. */
export class Rows {
  readonly #file: string;
  readonly #width: number;
  readonly #most: number;
  #keys: string[] = [];
  #values: Float32Array;

  constructor(file: string, width: number) {
    this.#file = file;
    this.#width = width;
    this.#most = Math.max(1, Math.floor(batchBytes / 4 / width));
    this.#values = new Float32Array(this.#most * width);
  }

  /** Whether they are to be taken before another is added. */
  get isFull(): boolean {
    return this.#keys.length === this.#most;
  }

  /** @param place of the row in its file. @throws VECTORS_BROKEN */
  add(key: unknown, numbers: unknown, place: string): void {
    if (typeof key !== 'string') throw broken(this.#file, place, 'no key');
    if (!isNumbers(numbers)) throw broken(this.#file, place, 'no list of numbers');
    if (numbers.length !== this.#width) {
      throw broken(this.#file, place, `a vector of ${numbers.length} numbers among those of ${this.#width}`);
    }
    const at = this.#keys.length * this.#width;
    for (let i = 0; i < numbers.length; i++) {
      const one = numbers[i]!;
      if (!Number.isFinite(one)) throw broken(this.#file, place, `${one} as number ${i} of the vector`);
      this.#values[at + i] = one;
    }
    this.#keys.push(key);
  }

  /** What was added; nothing where nothing was. */
  take(): VectorBatch | undefined {
    if (this.#keys.length === 0) return undefined;
    const batch = { keys: this.#keys, values: this.#values.slice(0, this.#keys.length * this.#width) };
    this.#keys = [];
    return batch;
  }
}

function isNumbers(value: unknown): value is ArrayLike<number> {
  if (value instanceof Float32Array) return true;
  return Array.isArray(value) && value.every((one) => typeof one === 'number');
}

/** What a library throws over a file that is not as it should be; errors of ours stay. */
export function asBroken(file: string, place: string, error: unknown): unknown {
  return error instanceof PatchstreamError ? error : broken(file, place, reasonOf(error), error);
}

/** Which model has made vectors, as it stands in a file; nothing where it is not said. */
export function originIn(value: unknown): Origin | undefined {
  const { from, pool, fingerprint } = (value ?? {}) as Partial<Record<keyof Origin, unknown>>;
  if (typeof from !== 'string' || typeof fingerprint !== 'string') return undefined;
  return { from, fingerprint, ...(typeof pool === 'string' && { pool }) };
}
