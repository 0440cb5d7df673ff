import type { PassedOverRow } from '../../files/passed-over.ts';
import type { DataName } from '../../measures/define.ts';
import type { HeldOutChain, ResolvedMeasure } from '../../pipeline/resolve/evaluate.ts';
import type { Resolved } from '../../pipeline/resolve/resolve.ts';
import { plainOptions } from '../../pipeline/resolve/resolved-json.ts';
import type { Fields, OpenSource } from '../../sources/source.ts';
import type { Failure } from '../../streams/failures.ts';
import type { Drop } from '../../streams/sample.ts';
import { type Batch, batchesOf } from '../loader/batches.ts';
import { type Opened, openLoader, openSource } from '../loader/open.ts';
import { checkSum, passedOverLine, type Sum, sumOf, sumText } from '../sum.ts';

/** How all that a measure has read of one of its sources has ended. */
export interface HeldOutSum {
  /** Where the pipeline names the source: `evaluate.knn.reference`. */
  readonly place: string;
  readonly sum: Sum;
  readonly passedOver: readonly PassedOverRow[];
}

/** One of the sources of a measure. */
export interface HeldOutPlace {
  readonly measure: Pick<ResolvedMeasure, 'id'>;
  readonly which: DataName;
}

export interface HeldOutContext {
  readonly signal?: AbortSignal | undefined;
  readonly onLine: (text: string) => void;
  readonly onFailure?: ((failure: Failure) => void) | undefined;
  /** Hears how the samples of a source have ended, at the end of its pass. */
  readonly onSum?: ((sum: HeldOutSum) => void) | undefined;
}

interface Reading {
  /** Samples per batch. */
  readonly size: number;
  readonly fields: readonly string[];
}

/**
 * One pass over a source of a measure, in listing order, over as many samples as its chain says. `close` ends one that nobody reads to its end. At its end every sample that was to be read has been delivered, has failed or was dropped.
 *
 * @throws SUM_DIFFERS at the end of the batches, and what sources and stages throw.
 */
export async function openHeldOut(
  chain: HeldOutChain,
  place: HeldOutPlace,
  { size, fields }: Reading,
  { definition, capacity }: Resolved,
  { signal, onLine, onFailure, onSum = () => {} }: HeldOutContext,
) {
  const heard = { onLine, ...(signal && { signal }) };
  const whole = await openSource({ definition, source: chain.source }, heard);
  const source = spread(whole, chain.limit);
  // Chance of stages without `evalVariant` is drawn with seed 0, as in all evaluation.
  const reading = { ...chain, capacity, definition: { ...definition, seed: 0 } };
  const opened = await openLoader(reading, { ...heard, source, ...(onFailure && { onFailure }) });
  const { passedOver = [] } = whole;
  const ended = (written: number) => {
    const sum = sumOfPass(opened, chain, { written, passedOver, beyond: whole.count - source.count });
    checkSum(sum, { written, isWhole: true });
    onSum({ place: placeText(place), sum, passedOver });
  };
  let closed: Promise<void> | undefined;
  const close = () => (closed ??= opened.close());
  const cutting = { fields, views: true, ...(signal && { signal }) };
  return { batches: counted(batchesOf({ ...opened, close }, size, cutting), ended), source, whole, close };
}

/** Counts samples of the source, of which one may have become several: these come one behind the other. */
async function* counted(batches: AsyncIterable<Batch<unknown>>, ended: (written: number) => void) {
  let written = 0;
  let last = -1;
  for await (const batch of batches) {
    for (const position of batch.positions) {
      if (position !== last) written++;
      last = position;
    }
    yield batch;
  }
  ended(written);
}

function sumOfPass(
  { source, loader, records }: Opened,
  { stages }: HeldOutChain,
  counts: { readonly written: number; readonly passedOver: readonly PassedOverRow[]; readonly beyond: number },
): Sum {
  const { written, ...rest } = counts;
  // Records of an array are made without permits; none of them can fail.
  const ended = records === undefined ? loader.permits.ended : { delivered: written, failed: 0, dropped: 0 };
  const sum = sumOf({ samples: source.count, ended, ...rest });
  // An operator may end before its source does, as `take`.
  if (!stages.some(({ stage }) => stage.kind === 'operator')) return sum;
  return { ...sum, dropped: sum.dropped + sum.notReached, notReached: 0 };
}

export function placeText({ measure, which }: HeldOutPlace): string {
  return `evaluate.${measure.id}.${which}`;
}

/** The source with `most` of its samples, at equal distances in listing order: of a folder per class some of each class. */
export function spread(source: OpenSource, most = source.count): OpenSource {
  if (most >= source.count) return source;
  const place = (index: number) => Math.floor((index * source.count) / most);
  return {
    count: most,
    ...(source.classNames && { classNames: source.classNames }),
    key: (index) => source.key(place(index)),
    read: (index, signal, memory) => source.read(place(index), signal, memory),
    close: async () => source.close?.(),
  };
}

/** What a source of a measure passes over, as it is found before the training. */
export interface PassedOverPlace {
  readonly places: readonly string[];
  readonly rows: readonly PassedOverRow[];
}

/** Opens a source of a measure and closes it. @returns what it passes over with it, added to `seen`, where measures share a source. */
export async function probeSource(
  chain: HeldOutChain,
  place: HeldOutPlace,
  { definition }: Pick<Resolved, 'definition'>,
  { signal, seen }: Probing,
): Promise<OpenSource<Fields | Drop>> {
  const source = await openSource({ definition, source: chain.source }, { signal, writes: true });
  await source.close?.();
  const key = JSON.stringify([chain.source.name, plainOptions(chain.source)]);
  const { places = [] } = seen.get(key) ?? {};
  seen.set(key, { places: [...places, placeText(place)], rows: source.passedOver ?? [] });
  return source;
}

export interface Probing {
  readonly signal: AbortSignal;
  /** By source. */
  readonly seen: Map<string, PassedOverPlace>;
}

/** A line for each source of an evaluation, those alike together: `evaluate.knn.on: passed over: …`, `evaluate.knn.on: listed 12 = …`. */
export function heldOutLines(sums: readonly HeldOutSum[]): string[] {
  const places = new Map<string, string[]>();
  for (const { place, sum, passedOver } of sums) {
    const text = passedOver.length === 0 ? sumText(sum) : `${sumText(sum)}; ${passedOverLine(passedOver)}`;
    places.set(text, [...(places.get(text) ?? []), place]);
  }
  return [...places].map(([text, at]) => `${at.join(', ')}: ${text}`);
}
