import { counted } from '../counts.ts';
import { isKeptUp, type ReadPace } from '../streams/read-pace.ts';

/** What would make a source faster: an option, shards in the place of files, or another disk. */
export type ReadRemedy = 'reads' | 'permits' | 'shards' | 'disk';

/** How reading goes, and what would help where samples wait for it. */
export interface Reading extends ReadPace {
  /** Absent where samples have not waited for reads, or it is not known yet. */
  readonly helps?: ReadRemedy;
}

/** What a run was given for its reads. */
export interface ReadTerms {
  /** Each sample has a file of its own. */
  readonly hasFiles: boolean;
  /** `reads` and `permits` of the pipeline, where they are numbers. */
  readonly reads?: number | undefined;
  readonly permits?: number | undefined;
}

/** Adds to the pace of reads what would help. */
export function judgeReading(pace: ReadPace, terms: ReadTerms): Reading {
  const helps = remedyOf(pace, terms);
  return helps === undefined ? pace : { ...pace, helps };
}

function remedyOf(
  { state: now, slowState }: ReadPace,
  { hasFiles, reads, permits }: ReadTerms,
): ReadRemedy | undefined {
  const state = isKeptUp(now) ? slowState : now;
  if (state === undefined || state === 'growing') return undefined;
  if (state === 'full' && reads !== undefined) return 'reads';
  if ((state === 'permits' || state === 'ordered') && permits !== undefined) return 'permits';
  // A slow read now and then is slow of a shard too.
  return hasFiles && state !== 'ordered' ? 'shards' : 'disk';
}

const helpTexts: Readonly<Record<ReadRemedy, string>> = {
  reads: 'More `reads` would help',
  permits: 'More `permits` would help',
  shards: 'Shards would help, which are read in large pieces, or a faster disk, or a local copy',
  disk: 'A faster disk or a local copy would help',
};

/** What would help, as the beginning of a sentence. */
export function readRemedyText({ helps = 'disk' }: Pick<Reading, 'helps'>): string {
  return helpTexts[helps];
}

/** How reading goes, in sentences. */
export function readingText(reading: Reading): string {
  const { state, medianMs, p99Ms, inFlight, places, bytesPerSecond } = reading;
  if (state === 'atOnce') return 'What is read lies in the memory of the system: reads have nothing to wait for.';
  const rate = bytesPerSecond > 0 ? `, ${megabytes(bytesPerSecond)}` : '';
  const times = `Half of the reads take at most ${milliseconds(medianMs)}, 99 of 100 at most ${milliseconds(p99Ms)}; ${inFlight.toFixed(1)} are in flight on the average, of ${places} that may be${rate}.`;
  return `${times} ${stateText(reading)}`;
}

function stateText({ state, places, helps }: Reading): string {
  switch (state) {
    case 'atOnce':
    case 'fed':
      return 'Reads bring samples as fast as they are used.';
    case 'growing':
      return 'All places are taken, and more reads are being tried.';
    case 'saturated':
      return 'More reads would not help: when they were tried, the disk or network gave no more.';
    case 'full':
      return helps === 'reads'
        ? `All places are taken, and \`reads\` allows no more than ${places}.`
        : `All places are taken, and a run has no more than ${counted(places, 'read')} in flight.`;
    case 'permits':
      return helps === 'permits'
        ? 'All samples that may be in flight are being read, and `permits` allows no more.'
        : 'All samples that may be in flight are being read: more of these files would take too much memory.';
    case 'ordered':
      return 'Samples wait for their turn behind a few reads that take far longer than the others. More reads would not help.';
  }
}

/** In a few words, for a line of progress; nothing where samples do not wait for reads. */
export function readingWords(reading: Reading): string | undefined {
  if (isKeptUp(reading.state)) return undefined;
  const { medianMs, inFlight, places, helps } = reading;
  const help = helps === undefined ? '' : `, ${remedyWords[helps]} would help`;
  return `reading is the bottleneck: ${milliseconds(medianMs)} a read, ${Math.round(inFlight)} of ${places} in flight${help}`;
}

const remedyWords: Readonly<Record<ReadRemedy, string>> = {
  reads: 'more `reads`',
  permits: 'more `permits`',
  shards: 'shards',
  disk: 'a faster disk',
};

const milliseconds = (value: number): string => `${Number(value.toPrecision(2))} ms`;

const megabytes = (value: number): string => `${Number((value / 1e6).toPrecision(2))} MB/s`;
