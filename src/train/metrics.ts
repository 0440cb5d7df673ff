import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fail } from '../errors.ts';
import { cannotWrite, FolderGuard } from '../whole-file.ts';

/** One row of `metrics.jsonl`: what one optimizer step measured. */
export interface Measures {
  /** The step, from 0. */
  readonly step: number;
  /** The fractional epoch at the step's start: the position of its first sample / samples per epoch; 0 throughout for an endless source. */
  readonly epoch: number;
  /** The mean loss over the whole batch. */
  readonly loss: number;
  /** L2 norm of the batch's mean gradient over all parameters. High and rising: the learning rate is too high. */
  readonly gradNorm: number;
  /** L2 norm of all parameters before the step. */
  readonly paramNorm: number;
  readonly lr: number;
  /** The batch over the wall time since the last step ended. */
  readonly imagesPerSecond: number;
  /** Milliseconds in which the trainer had nothing to compute on, a GPU's own idle time where it computes. High: the loader is the bottleneck. */
  readonly dataWaitMs: number;
  /** Milliseconds in which the source stood ready and all permits were out. High: the trainer is the bottleneck. */
  readonly permitWaitMs: number;
  /** Samples of one forward and backward pass: the micro-batch. */
  readonly microBatch: number;
  /** Milliseconds of copying samples to the backend. High beside `passMs`: the samples are large for so small a model. */
  readonly uploadMs: number;
  /** Milliseconds of forward and backward passes, on a GPU by events in its queue. Nearly the whole step: the trainer is the bottleneck, and all is well. */
  readonly passMs: number;
  /** Milliseconds of norms and optimizer. High: the batch is small for so large a model. */
  readonly updateMs: number;
  /** Rendered samples that lay ready, as a share of the ring. Near 1: the loader is ahead; near 0: it is the bottleneck. */
  readonly ringFill: number;
  /** Cores that the process kept busy, all its threads together. At the number of the machine's cores: loader and trainer may be in each other's way. */
  readonly cores: number;
  /** The smallest pass that has found no memory so far; passes of that size and above are computed in parts. */
  readonly refused?: number;
  /** `digestKeys` of the step's samples: two runs that saw the same samples in the same order have the same. */
  readonly keys: string;
  /** True when the step's loss or gradient was not a number and the update was left out, as `onNotANumber: skip` says. */
  readonly skipped?: true;
}

/** The first 16 hexadecimal digits of SHA-256 over the sample keys in order, each ended by a line feed. */
export function digestKeys(keys: Iterable<string>): string {
  const hash = createHash('sha256');
  for (const key of keys) hash.update(key).update('\n');
  return hash.digest('hex').slice(0, 16);
}

/** `metrics.jsonl`, one row per step, written as the steps end. */
export interface MetricsFile {
  append(row: Measures): Promise<void>;
  /** Returns when all rows are on the disk, not only with the operating system. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Opens `metrics.jsonl` to go on at `step`: rows of that step and later, which an interrupted run wrote after its checkpoint, are cut
 * off, and so is a half-written last line. Each write is refused with OUTPUT_GONE where the folder is another one by now, and with FILE_WRITE.
 *
 * @throws FILE_WRITE
 */
export async function openMetrics(path: string, step: number): Promise<MetricsFile> {
  const guard = new FolderGuard(dirname(path));
  const written = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw cannotWrite(path, error, 'FILE_WRITE');
    }
  };
  const file = await written(() => open(path, 'a+'));
  try {
    await written(() => keepBefore(file, step));
  } catch (error) {
    await Promise.allSettled([file.close()]);
    throw error;
  }
  return {
    append: (row) =>
      written(async () => {
        // Open, the file would be written to wherever its folder has been moved.
        guard.check();
        // JSON has no NaN or infinity; null says that there was no number.
        await file.appendFile(`${JSON.stringify(row)}\n`);
      }),
    sync: () => written(() => file.sync()),
    close: () => written(() => file.close()),
  };
}

async function keepBefore(file: FileHandle, step: number): Promise<void> {
  const { size } = await file.stat();
  if (size === 0) return;
  const text = Buffer.alloc(size);
  await file.read(text, 0, size, 0);
  let kept = 0;
  while (kept < size) {
    const end = text.indexOf(0x0a, kept);
    if (end === -1 || stepOf(text.toString('utf8', kept, end)) >= step) break;
    kept = end + 1;
  }
  if (kept < size) await file.truncate(kept);
}

function stepOf(line: string): number {
  try {
    const row: unknown = JSON.parse(line);
    const step = (row as { step?: unknown } | null)?.step;
    return typeof step === 'number' ? step : Number.POSITIVE_INFINITY;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return Number.POSITIVE_INFINITY;
  }
}

/**
 * The rows of a `metrics.jsonl`, without a half-written last line. Numbers that were not finite come back as NaN.
 * @throws METRICS_BROKEN, with the line, when a row before the last cannot be read.
 */
export function readMetrics(text: string, where?: string): Measures[] {
  const lines = text.split('\n');
  lines.pop();
  return lines.map((line, i) => {
    if (!Number.isFinite(stepOf(line))) {
      throw fail('METRICS_BROKEN', { line: i + 1, found: line.slice(0, 60) }, { where });
    }
    return JSON.parse(line, (_, value: unknown) => (value === null ? Number.NaN : value)) as Measures;
  });
}
