import { Observable } from 'rxjs';
import { fail } from '../../errors.ts';
import { inLargePages } from '../../external-memory.ts';
import type { HostTensor } from '../../models/model.ts';
import { closeBehind, type Ended } from '../../own-code.ts';
import { builtin } from '../../pipeline/builtin.ts';
import { cellsOf } from '../../pipeline/cells.ts';
import { soundPipeline } from '../../pipeline/check.ts';
import type { Definition } from '../../pipeline/definition.ts';
import { looseFields } from '../../pipeline/resolve/infer-specs.ts';
import { batcher, type CellBatch } from '../../streams/batcher.ts';
import { feed } from '../../streams/feed.ts';
import { iterate } from '../../streams/iterate.ts';
import type { Carried } from '../../streams/permits.ts';
import { Ring } from '../../streams/ring.ts';
import { type CellLayout, CellReader } from '../../train/cells.ts';
import type { Picture } from '../../vision/picture.ts';
import type { Spec } from '../../vision/spec.ts';
import { cancelled } from '../cancelled.ts';
import type { Loader } from './engine.ts';
import { layoutOf } from './layout.ts';
import { type Opened, type OpenOptions, openLoader } from './open.ts';
import { recordBatches } from './records.ts';
import { rendering } from './rendering.ts';

/** How batches are made. */
export interface BatchOptions extends OpenOptions {
  /**
   * Lend the arrays until the next iteration instead of giving them away: no memory is allocated per batch, and pictures that have no other fields
   * beside them are not even copied. They may then lie in a SharedArrayBuffer.
   */
  readonly views?: boolean;
}

type FieldNames<S> = {
  [K in keyof S]: K extends 'key' | 'position' | 'epoch' | 'bytes'
    ? never
    : S[K] extends Picture | number | Uint8Array | Int32Array | Float32Array
      ? K
      : never;
}[keyof S];

/** Samples as arrays: each field of theirs, row by row. Pictures are uint8 [n, H, W, 3]; a number per sample is [n]. */
export interface Batch<S = Record<string, Picture>> {
  /** n; the last batch of a pass may be shorter. */
  readonly size: number;
  readonly keys: readonly string[];
  readonly positions: readonly number[];
  readonly epochs: readonly number[];
  readonly fields: { readonly [K in FieldNames<S>]: HostTensor };
}

/**
 * Batches of `n` rendered samples, in an order that depends on nothing but the seed. One pass in listing order unless `epochs` and
 * `shuffle` say more. The stream goes as fast as the loop asks: a slow loop stops the source. Leaving the loop ends everything.
 *
 * @throws every problem of the definition at the first iteration, and the run's error where it happens.
 */
export async function* batches<S>(
  definition: Definition,
  n: number,
  options: BatchOptions = {},
): AsyncGenerator<Batch<S>> {
  if (!Number.isSafeInteger(n) || n < 1 || n > most) throw fail('BATCH_SIZE', { found: String(n) });
  const sound = soundPipeline(definition, builtin, { ends: false });
  const loose = looseFields(
    sound.spec,
    Object.keys(sound.spec.fields).filter(isPicture(sound.spec)),
    'a batch',
    builtin,
  );
  if (loose[0] !== undefined) throw loose[0];
  yield* batchesOf(await openLoader(sound, options), n, { ...options, cells: definition.cells });
}

/** What the callers inside decide of batches. */
interface Cutting {
  readonly cells?: number | undefined;
  /** The fields that are wanted, where not all are: what is not wanted is not rendered. */
  readonly fields?: readonly string[];
}

/** The batches of a loader, which is closed at the end. */
export async function* batchesOf<S>(
  opened: Opened,
  n: number,
  { views = false, signal, cells, fields: only }: BatchOptions & Cutting = {},
): AsyncGenerator<Batch<S>> {
  const { loader, records, spec, threads, finish, close } = opened;
  let ended: Ended | undefined;
  try {
    if (records !== undefined) {
      for await (const batch of recordBatches(records, n, {
        views,
        signal,
        layout: layoutOf(spec, records.first, only),
      }))
        yield batch as Batch<S>;
      if (signal?.aborted) throw cancelled(signal);
      return;
    }
    const rendered = loader.ordered.pipe(toCells(loader, spec, n, cellsOf(cells, n, threads), only));
    let reader: CellReader | undefined;
    for await (const { list, ring, layout } of iterate(rendered, signal)) {
      if (reader === undefined || !views) reader = new CellReader(ring.memory, layout);
      const { keys, positions, epochs } = list;
      const inPlace = views ? reader.inPlace(list.cells) : undefined;
      const fields = inPlace ?? reader.read(list.cells);
      if (inPlace === undefined) ring.free(list.cells);
      yield { size: keys.length, keys, positions, epochs, fields } as unknown as Batch<S>;
      if (inPlace !== undefined) ring.free(list.cells);
    }
    if (signal?.aborted) throw cancelled(signal);
    finish();
  } catch (error) {
    ended = { error };
    throw error;
  } finally {
    await closeBehind(ended, close);
  }
}

/** Samples of a batch; more could not lie in memory. */
const most = 2 ** 24;

const isPicture = (spec: Spec) => (field: string) => spec.fields[field] === 'picture';

/** The samples one by one, as they leave the last stage, not rendered; with the options of `batches`. */
export async function* samples<S>(definition: Definition, options: OpenOptions = {}): AsyncGenerator<S> {
  const opened = await openLoader(soundPipeline(definition, builtin, { ends: false }), options);
  let ended: Ended | undefined;
  try {
    for await (const { sample, permit } of iterate(opened.loader.samples, options.signal)) {
      // The sample is the caller's until it asks for the next.
      try {
        yield sample as S;
      } finally {
        permit.return('delivered');
      }
    }
    if (options.signal?.aborted) throw cancelled(options.signal);
    opened.finish();
  } catch (error) {
    ended = { error };
    throw error;
  } finally {
    await closeBehind(ended, opened.close);
  }
}

/** A list of cells together with the ring they lie in. */
export interface Listed {
  readonly list: CellBatch;
  readonly ring: Ring;
  readonly layout: CellLayout;
}

/**
 * The batcher of a chain whose cell may depend on the first sample: the ring is made when that arrives.
 *
 * @param cells how many rendered samples may wait. @param only the fields that are wanted; all by default.
 */
export function toCells(loader: Loader, spec: Spec, size: number, cells: number, only?: readonly string[]) {
  return (source: Observable<Carried>): Observable<Listed> =>
    new Observable((subscriber) => {
      let push: ((carried: Carried) => void) | undefined;
      let end = () => subscriber.complete();

      const begin = (first: Carried) => {
        const layout = layoutOf(spec, first.sample, only);
        const ring = new Ring(cells, layout.cellBytes);
        inLargePages(new Uint8Array(ring.memory));
        const render = batcher({ ring, size, ...rendering(loader, layout) });
        const input = new Observable<Carried>((inner) => {
          push = (carried) => inner.next(carried);
          end = () => inner.complete();
        });
        feed(input.pipe(render), subscriber, {
          next: (list) => subscriber.next({ list, ring, layout }),
          complete: () => subscriber.complete(),
        });
      };

      feed(source, subscriber, {
        next(carried) {
          if (push === undefined) {
            try {
              begin(carried);
            } catch (error) {
              carried.permit.return();
              throw error;
            }
          }
          push!(carried);
        },
        complete: () => end(),
      });
    });
}
