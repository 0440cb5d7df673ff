import { z } from 'zod';
import { fail, type ValidationIssue } from '../errors.ts';
import { PassedOver } from '../files/passed-over.ts';
import { murmur3 } from '../random.ts';
import type { Fields, OpenSource, Records } from './open-source.ts';

/** Which samples of a source are read: options that every source has, and that need no split on the disk. */

const share = z
  .string()
  .regex(/^\d{1,4}\/\d{1,4}$/, 'a part and how many there are, `3/10`')
  .refine((text) => {
    const { part, of } = shareOf(text);
    return of >= 2 && part >= 1 && part <= of;
  }, 'a part from 1 to as many as there are, at least 2, `3/10`');

export const selectionOptions = {
  fold: share
    .optional()
    .describe(
      'Only this part of the samples, `3/10` the third tenth: by a hash of each key, so that it stays the same where samples are added; the faces of a photo of ExpW and the frames of a person of CK+ stay together.',
    ),
  without: share.optional().describe('All samples but this part, `3/10`: what `fold: 3/10` leaves out, and no other.'),
  together: z
    .int()
    .min(1)
    .max(100)
    .optional()
    .describe(
      'How many parts of their keys, between slashes, the samples of one fold have in common: with 1, `photo.jpg/0` and `photo.jpg/1` are in the same. Default: as the source knows it, or else the whole key.',
    ),
  limit: z
    .int()
    .min(1)
    .optional()
    .describe('At most so many samples, in listing order: by a hash of each key, so that fewer are always among more.'),
};

export interface Selection {
  readonly fold?: string | undefined;
  readonly without?: string | undefined;
  readonly together?: number | undefined;
  readonly limit?: number | undefined;
}

/** What is wrong with a selection by itself. */
export function* checkSelection({ fold, without, together }: Selection): Iterable<ValidationIssue> {
  if (together !== undefined && fold === undefined && without === undefined)
    yield { option: 'together', error: fail('SELECTION_TOGETHER', {}) };
}

/** Whether anything is left out by choice. */
export function isSelecting({ fold, without, limit }: Selection): boolean {
  return fold !== undefined || without !== undefined || limit !== undefined;
}

function shareOf(text: string): { readonly part: number; readonly of: number } {
  const [part, of] = text.split('/').map(Number);
  return { part: part!, of: of! };
}

/** Other seeds than those of a sample's random numbers: which part it is in says nothing of them, nor of whether it is among the first of a limit. */
const [seedOfParts, seedOfLimit] = [2, 3];

/** The part of `of` that a subject is in, from 1. */
export function partOf(subject: string, of: number): number {
  return Math.floor((murmur3(subject, seedOfParts) * of) / 2 ** 32) + 1;
}

/**
 * The chosen samples of a source, in listing order, `repeat` times.
 *
 * @throws SELECTION_EMPTY where none is left; SELECTION_ENDLESS for a source without an end.
 */
export function selected<F extends Fields>(source: OpenSource<F>, selection: Selection, repeat = 1): OpenSource<F> {
  const { indices, passedOver } = chosen(source, selection);
  const count = indices.length;
  const place = (index: number) => indices[index % count]!;
  const { classNames, records, file, label, subject, close } = source;
  return {
    count: count * repeat,
    passedOver,
    ...(classNames && { classNames }),
    ...(label && {
      label: (index: number) => label.call(source, place(index)),
      ...(classNames && {
        classCounts: countsOf(
          indices.map((index) => label.call(source, index)),
          classNames,
          repeat,
        ),
      }),
    }),
    key: (index) => `${source.key(place(index))}${repeat === 1 ? '' : `#${Math.floor(index / count)}`}`,
    ...(subject && { subject: (index: number) => subject.call(source, place(index)) }),
    ...(file && { file: (index: number) => file.call(source, place(index)) }),
    read: (index, signal, memory) => source.read(place(index), signal, memory),
    ...(records && repeat === 1 && { records: gathered(records, indices) }),
    ...(close && { close: () => close.call(source) }),
  };
}

/** How many samples of each class there are in `repeat` passes over samples with these labels. */
function countsOf(labels: Uint32Array, classNames: readonly string[], repeat: number): number[] {
  const counts = classNames.map(() => 0);
  for (const label of labels) counts[label]! += repeat;
  return counts;
}

function chosen(source: OpenSource, { fold, without, together, limit }: Selection) {
  const { count } = source;
  if (!Number.isFinite(count)) throw fail('SELECTION_ENDLESS', {});
  const passedOver = new PassedOver();
  passedOver.join(source.passedOver ?? []);
  const subjectOf = (index: number) =>
    together === undefined
      ? (source.subject?.(index) ?? source.key(index))
      : source.key(index).split('/', together).join('/');
  const rules = [
    ...(fold === undefined ? [] : [{ ...shareOf(fold), inside: true }]),
    ...(without === undefined ? [] : [{ ...shareOf(without), inside: false }]),
  ];
  const kept: number[] = [];
  for (let index = 0; index < count; index++) {
    const isIn = rules.every(({ part, of, inside }) => (partOf(subjectOf(index), of) === part) === inside);
    if (isIn) kept.push(index);
    else passedOver.add('fold', source.key(index));
  }
  const first = limit === undefined || limit >= kept.length ? kept : lowest(kept, limit, source);
  const taken = new Set(first);
  if (taken.size < kept.length)
    for (const index of kept) if (!taken.has(index)) passedOver.add('limit', source.key(index));
  if (first.length === 0) throw fail('SELECTION_EMPTY', { found: count });
  return { indices: Uint32Array.from(first), passedOver: passedOver.rows };
}

/** Those of the lowest hashes, in their order. */
function lowest(indices: readonly number[], limit: number, source: OpenSource): number[] {
  const ranked = indices.map((index) => ({ index, hash: murmur3(source.key(index), seedOfLimit) }));
  ranked.sort((a, b) => a.hash - b.hash || a.index - b.index);
  return ranked
    .slice(0, limit)
    .map(({ index }) => index)
    .sort((a, b) => a - b);
}

/** The records of some samples, in memory of their own: picture i is record i. */
function gathered({ data, width, height, channels }: Records, indices: Uint32Array): Records {
  const size = width * height * channels;
  const own = new Uint8Array(indices.length * size);
  for (const [i, index] of indices.entries()) own.set(data.subarray(index * size, (index + 1) * size), i * size);
  return { data: own, width, height, channels };
}
