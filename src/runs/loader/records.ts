import { setImmediate } from 'node:timers/promises';
import { fail, messageOf } from '../../errors.ts';
import type { HostTensor } from '../../models/model.ts';
import { isPromise } from '../../own-code.ts';
import type { ResolvedStage } from '../../pipeline/resolve/infer-specs.ts';
import { Random } from '../../random.ts';
import type { Fields, OpenSource } from '../../sources/source.ts';
import { order, type Place } from '../../streams/ordered/order.ts';
import type { Sample } from '../../streams/sample.ts';
import { type CellLayout, emptyField, fieldBytes } from '../../train/cells.ts';
import { Picture } from '../../vision/picture.ts';
import { type RecordRenderer, recordRenderer } from '../../vision/render/records.ts';
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
  readonly base: string;
}

/**
 * The run of a chain in which nothing tells one sample from another but its pixels: the source has its pictures in memory, they are small, every
 * stage is `uniform`, and native/image renders what they describe. Nothing for every other chain, which takes the samples one by one.
 *
 * What permits, order and failures are for does not occur here: nothing is read, nothing can fail, nothing waits. The samples, their order and
 * their pixels are those of the loader.
 */
export function recordRun(
  source: OpenSource,
  stages: readonly ResolvedStage[],
  { seed, shuffle, start, end, signal, base }: RunRange,
): RecordRun | undefined {
  const { records } = source;
  if (records === undefined || start >= end) return undefined;
  const placeOf = order(source, seed, shuffle);
  const { epoch, index } = placeOf(start);
  if (stages.some(({ definition }) => definition?.uniform !== true)) return undefined;
  const key = source.key(index);
  const fields = atOnce(() => source.read(index, signal));
  if (fields === undefined) return undefined;
  let first = { key, position: start, epoch, ...fields } as Sample & Fields;
  for (const { definition, options, before, id } of stages) {
    const work = definition!.run(options, before, { id, seed, base, signal }) as (
      sample: Sample,
      random: Random,
    ) => Sample & Fields;
    const next = atOnce(() => work(first, new Random(seed, id, key, epoch)));
    if (next === undefined) return undefined;
    first = next;
  }
  if (!(first.picture instanceof Picture) || bytesOf(first.picture) > mostBytes) return undefined;
  const renderer = recordRenderer(first.picture, records.data);
  return renderer && { first, source, renderer, placeOf, start, end, signal, base };
}

/** What `make` gives; nothing where it throws or gives a promise: the loader hears the same, and tells it as the failure of a sample. */
function atOnce<T>(make: () => T | Promise<T>): T | undefined {
  try {
    const made = make();
    if (!isPromise(made)) return made;
    // Whatever it fails with: the loader reads the same sample again, and counts it.
    made.then(undefined, () => {});
  } catch {
    // Whatever the source's or the stage's code throws, for the same reason.
  }
  return undefined;
}

/**
 * The most bytes that a record may take, as native/image counts what it does in handfuls: a batch of larger ones would keep this thread busy, where
 * the loader's threads render them beside it.
 */
const mostBytes = 2 ** 16;

/** Bytes that are read, written and made in between to render a picture. */
function bytesOf(picture: Picture): number {
  const { origin } = picture;
  let bytes = origin.kind === 'raw' ? origin.data.length : origin.bytes.length;
  for (let at = picture; at.from !== undefined; at = at.from.picture) bytes += at.width * at.height * 3;
  return bytes;
}

interface RunRange {
  readonly seed: number;
  readonly shuffle: boolean;
  readonly start: number;
  readonly end: number;
  readonly signal: AbortSignal;
  readonly base: string;
}

/** After so long timers, signals and files have their turn. */
const turnMs = 4;

/**
 * The batches of such a run, as those of `batches`. `views`: the arrays are used again for the next batch.
 *
 * @throws RECORDS_READ where the source breaks what it has promised with `records`; FIELD_SHAPE.
 */
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
        const value = readField(source, indices[i]!, field.name, signal);
        out.set(fieldBytesOf(value, field), i * bytes);
      }
    }
    await rest();
    if (signal.aborted) return;
    yield { size, keys, positions, epochs, fields };
  }
}

/** A field beside the picture. */
function readField(source: OpenSource, index: number, name: string, signal: AbortSignal): unknown {
  let fields: Fields | Promise<Fields>;
  try {
    fields = source.read(index, signal);
  } catch (error) {
    throw fail('RECORDS_READ', { key: source.key(index), found: messageOf(error) }, { cause: error });
  }
  if (!isPromise(fields)) return fields[name];
  // Whatever it fails with: that it is a promise ends the run.
  fields.then(undefined, () => {});
  throw fail('RECORDS_READ', { key: source.key(index), found: 'a promise' });
}
