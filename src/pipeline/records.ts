import { setImmediate } from 'node:timers/promises';
import type { Fields, OpenSource } from '../datasets/source.ts';
import type { HostTensor } from '../models/model.ts';
import { Random } from '../random.ts';
import { order, type Place } from '../streams/order.ts';
import type { Sample } from '../streams/sample.ts';
import { type CellLayout, emptyField, fieldBytes } from '../train/cells.ts';
import { Picture } from '../vision/picture.ts';
import { type RecordRenderer, recordRenderer } from '../vision/render-records.ts';
import type { ResolvedStage } from './fold.ts';
import { fieldBytesOf } from './layout.ts';

/** A run whose samples are records of one array, all rendered alike, so that a batch is one piece of work and not many. */
export interface RecordRun {
  /** The sample at the first position, as it leaves the last stage. */
  readonly first: Sample;
  readonly source: OpenSource;
  readonly renderer: RecordRenderer;
  readonly placeOf: (position: number) => Place;
  /** First and one past the last position. */
  readonly start: number;
  readonly end: number;
  readonly signal: AbortSignal;
}

/**
 * The run of a chain in which nothing tells one sample from another but its pixels: the source has its pictures in memory, every stage is
 * `uniform`, and native/image renders what they describe. Nothing for every other chain, which takes the samples one by one.
 *
 * What permits, order and failures are for does not occur here: nothing is read, nothing can fail, nothing waits. The samples, their order and
 * their pixels are those of the loader.
 */
export function recordRun(
  source: OpenSource,
  stages: readonly ResolvedStage[],
  { seed, shuffle, start, end, signal }: RunRange,
): RecordRun | undefined {
  const { records } = source;
  if (records === undefined || start >= end) return undefined;
  const placeOf = order(source.count, seed, shuffle);
  const { epoch, index } = placeOf(start);
  const fields = source.read(index, signal);
  if (fields instanceof Promise) return undefined;
  let first = { key: source.key(index), position: start, epoch, ...fields } as Sample & Fields;
  for (const { definition, options, before, id } of stages) {
    if (definition?.uniform !== true) return undefined;
    const work = definition.run(options, before, { id, seed }) as (sample: Sample, random: Random) => Sample & Fields;
    try {
      first = work(first, new Random(seed, id, first.key, epoch));
    } catch {
      // The loader tells it, as the failure of a sample.
      return undefined;
    }
  }
  if (!(first.picture instanceof Picture)) return undefined;
  const renderer = recordRenderer(first.picture, records.data);
  return renderer && { first, source, renderer, placeOf, start, end, signal };
}

interface RunRange {
  readonly seed: number;
  readonly shuffle: boolean;
  readonly start: number;
  readonly end: number;
  readonly signal: AbortSignal;
}

/** After so long timers, signals and files have their turn. */
const turnMs = 4;

/** The batches of such a run, as those of `batches`. `views`: the arrays are used again for the next batch. */
export async function* recordBatches(
  { source, renderer, placeOf, start, end, signal: ending }: RecordRun,
  n: number,
  { views, signal = ending, layout }: { views: boolean; signal?: AbortSignal | undefined; layout: CellLayout },
) {
  let fields: Record<string, HostTensor> | undefined;
  let since = performance.now();
  const rest = async () => {
    if (performance.now() - since < turnMs) return;
    await setImmediate();
    since = performance.now();
  };
  for (let from = start; from < end; from += n) {
    const size = Math.min(n, end - from);
    const indices = new Int32Array(size);
    const keys: string[] = new Array(size);
    const positions: number[] = new Array(size);
    const epochs: number[] = new Array(size);
    for (let i = 0; i < size; i++) {
      const { epoch, index } = placeOf(from + i);
      indices[i] = index;
      keys[i] = source.key(index);
      positions[i] = from + i;
      epochs[i] = epoch;
    }
    if (fields === undefined || !views || size !== n) {
      fields = Object.fromEntries(layout.fields.map((field) => [field.name, emptyField(field, size)]));
    }
    for (const field of layout.fields) {
      const { data } = fields[field.name]!;
      const bytes = fieldBytes(field);
      const out = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
      if (field.name === 'picture') {
        for (let i = 0; i < size; i += renderer.perCall) {
          const part = indices.subarray(i, i + renderer.perCall);
          renderer.render(part, out.subarray(i * bytes, (i + part.length) * bytes));
          await rest();
          if (signal.aborted) return;
        }
        continue;
      }
      for (let i = 0; i < size; i++) {
        const value = (source.read(indices[i]!, signal) as Fields)[field.name];
        out.set(fieldBytesOf(value, field), i * bytes);
      }
    }
    await rest();
    if (signal.aborted) return;
    yield { size, keys, positions, epochs, fields };
  }
}
