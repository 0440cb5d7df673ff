import type { BufferPool } from '../files/buffer-pool.ts';
import type { PassedOverRow } from '../files/passed-over.ts';
import type { Drop } from '../streams/sample.ts';

export type Fields = Readonly<Record<string, unknown>>;

/** A source that is open: samples by index, in listing order. Reading may happen many at a time and in any order. */
export interface OpenSource<F extends Fields | Drop = Fields> {
  /** How many samples an epoch has, `repeat` included. */
  readonly count: number;
  /** An epoch has other samples than the one before: indices go on from epoch to epoch, so that sample i of epoch e is e · count + i. Their keys differ within an epoch. */
  readonly turns?: true;
  /** Names of the classes, when the samples have labels. */
  readonly classNames?: readonly string[];
  /** How many samples of each class an epoch has, where that is known before they are read. */
  readonly classCounts?: readonly number[];
  /** Of several sources as one: what each has, and how much of it an epoch has. */
  readonly shares?: readonly PartShare[];
  /** What was seen and is no sample, by reason: with the samples that is all that there is. */
  readonly passedOver?: readonly PassedOverRow[];
  /** The key of sample `index`, without reading it. */
  key(index: number): string;
  /** The class of sample `index`, without reading it, for sources that know it: from it come the `classCounts` of what `fold` and `limit` choose. */
  label?(index: number): number;
  /** The person, photo or file that sample `index` is of: samples of one are in one fold. Default: its key. */
  subject?(index: number): string;
  /**
   * The fields of sample `index` (`bytes`, or `picture`; `label`). A failure here is a failure of that sample alone. Where `memory` is given, a file
   * may be read into what it lends, which is another sample's as soon as this one is rendered.
   */
  read(index: number, signal: AbortSignal, memory?: BufferPool): F | Promise<F>;
  /** The file of sample `index`, for sources that read one for each: whether it is another than before is seen by that. */
  file?(index: number): string | undefined;
  /**
   * For sources whose samples are raw pictures of one size that lie in memory: `picture` of sample `index` is record `index`. Who has it promises
   * that `read` answers at once, never with a promise, and never fails, with the same fields of the same shapes for every sample: samples are then
   * taken many at a time, and one that breaks the promise ends the run (RECORDS_READ, FIELD_SHAPE) and not itself alone.
   */
  readonly records?: Records;
  close?(): void | Promise<void>;
}

/** A source among several. */
export interface PartShare {
  readonly name: string;
  /** How many samples it has. */
  readonly count: number;
  /** How many samples an epoch has of it: more than it has where some are met again. */
  readonly share: number;
}

/** Raw pictures of one size, one after another: uint8 [count, height, width, channels]. */
export interface Records {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
}
