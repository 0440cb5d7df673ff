import type { Precision } from '../backends/torch/precision.ts';
import { counted } from '../counts.ts';
import type { ModelWork, TransformerWork } from '../models/define.ts';

/**
 * Bytes of a training beside its passes: weights, gradients, moments and the weights' average, and what libraries and buffers take.
 *
 * @param kept float32 numbers that are kept for each parameter (`numbersPerParameter`).
 */
export function stateBytes(parameters: number, kept = 4): number {
  return 4 * kept * parameters + runtimeBytes;
}

/** Of Node, libtorch and buffers, once a training runs. */
const runtimeBytes = 200 * 2 ** 20;

/**
 * The least bytes that a training takes beside its passes, by which one is refused that cannot fit: where the high estimate of `stateBytes` says what to begin with, this
 * one stays below whatever was measured. @param kept as of `stateBytes`. @param reserved whether what is reserved and never touched counts too, as under `ulimit -d`.
 */
export function leastStateBytes(parameters: number, reserved = false, kept = 4): number {
  return 4 * kept * parameters + (reserved ? leastReservedBytes : leastRuntimeBytes);
}

const leastRuntimeBytes = 120 * 2 ** 20;
const leastReservedBytes = 408 * 2 ** 20;

/** What one micro-batch may take, and what one sample takes. */
export interface MicroBatchNeeds extends ModelWork {
  /** Samples per optimizer step. */
  readonly batch: number;
  /** Bytes of one sample's cell. */
  readonly cellBytes: number;
  /** Bytes that the step may keep for its backward pass. */
  readonly memory: number;
  /** Micro-batches must have an even number of samples (mixup and cutmix pair rows 2i and 2i + 1). */
  readonly even?: boolean;
  /** Tokens beyond which a larger micro-batch computes hardly faster: about 2,000 on a core or two, on a GPU what `workPerToken` makes of its work. */
  readonly enoughTokens: number;
}

/** A micro-batch and the sentence that says why it is that. */
export interface MicroBatchChoice {
  readonly microBatch: number;
  readonly reason: string;
}

/**
 * A safe micro-batch without measuring: the smallest divisor of the batch that gives the backend enough tokens to be busy, or the
 * largest that fits the memory when that is less. It changes speed and memory, the result by rounding alone.
 */
export function chooseMicroBatch(needs: MicroBatchNeeds): MicroBatchChoice {
  const { batch, enoughTokens, memory, even = false } = needs;
  const tokens = transformers(needs).reduce((sum, each) => sum + each.tokens, 0);
  const each = bytesPerSample(needs);
  const divisors: number[] = [];
  for (let n = 1; n <= batch; n++) if (batch % n === 0 && !(even && n % 2 === 1)) divisors.push(n);
  const least = divisors[0] ?? batch;
  const fitting = divisors.filter((n) => n * each <= memory);
  const largest = fitting.at(-1);
  if (largest === undefined) {
    return {
      microBatch: least,
      reason: `${least} of ${batch}: the least possible, though it is estimated to take ${megabytes(least * each)} of ${megabytes(memory)}.`,
    };
  }
  const enough = fitting.find((n) => n * tokens >= enoughTokens);
  if (enough !== undefined) {
    return {
      microBatch: enough,
      reason: `${enough} of ${batch}: ${counted(enough * tokens, 'token')} keep the backend busy.`,
    };
  }
  const bound = largest === batch ? 'the whole batch' : `more would not fit ${megabytes(memory)}`;
  return { microBatch: largest, reason: `${largest} of ${batch}: ${bound}.` };
}

/**
 * Bytes that one sample keeps between forward and backward, estimated high: in each block the float32 inputs of its products and
 * nonlinearities (34 widths per token, composed operations kept apart) and three score matrices per head; twice the picture as float32.
 */
export function bytesPerSample(needs: MicroBatchNeeds): number {
  const kept = transformers(needs).map(
    ({ tokens, width, depth, heads, sequence }) => depth * tokens * (34 * width + 3 * heads * sequence),
  );
  return 4 * kept.reduce((sum, values) => sum + values, 0) + 8 * needs.cellBytes;
}

/** The least bytes that one sample keeps between forward and backward: a width of each token for every input of a product that is not computed again. */
export function leastBytesPerSample(
  needs: Pick<MicroBatchNeeds, keyof TransformerWork | 'also' | 'cellBytes'>,
  precision: Precision = 'float32',
): number {
  const widths = precision === 'bfloat16' ? leastNarrowWidths : leastWidths;
  const kept = transformers(needs).map(({ tokens, width, depth }) => depth * tokens * widths * width);
  return 4 * kept.reduce((sum, values) => sum + values, 0) + needs.cellBytes;
}

const leastWidths = 14;
/** In bfloat16, where what products keep takes half: norms, queries, keys, values and what attention gives stay float32. */
const leastNarrowWidths = 10;

/** Floating-point operations of forward and backward for one token on the average: twice and once again what its products multiply, each with a sum. */
export function workPerToken(needs: TransformerWork & Pick<MicroBatchNeeds, 'also'>): number {
  const all = transformers(needs);
  const products = all.map(
    ({ tokens, width, depth, sequence }) => tokens * depth * (12 * width ** 2 + 2 * sequence * width),
  );
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  return (6 * sum(products)) / Math.max(1, sum(all.map(({ tokens }) => tokens)));
}

function transformers(needs: TransformerWork & Pick<MicroBatchNeeds, 'also'>): readonly TransformerWork[] {
  return [needs, ...(needs.also ?? [])];
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)} MiB`;
}
