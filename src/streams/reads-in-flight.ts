import type { ReadState } from './read-pace.ts';

/** What was measured while so many reads as are in flight have ended. */
export interface ReadRound {
  /** Reads that have ended. */
  readonly ended: number;
  /** Reads that were in flight, in the mean. */
  readonly running: number;
  /** Reads that have ended, a second. */
  readonly readRate: number;
  /** Samples whose way has ended, a second. */
  readonly rate: number;
  /**
   * Samples that had left the source, in order, and were not at their end yet, at the least: reads come in bursts, and what is behind them may have had nothing to do
   * in between, or while all waited for one.
   */
  readonly backlog: number;
  /** Milliseconds of a read, in the mean, and of the slowest. */
  readonly meanMs: number;
  readonly longestMs: number;
  /** Bytes that a sample holds when it is read, in the mean. */
  readonly bytes: number;
  /** Most of them had nothing to wait for. */
  readonly atOnce: boolean;
}

/** Between what the numbers stay. */
export interface ReadBounds {
  readonly leastReads: number;
  readonly mostReads: number;
  readonly leastPermits: number;
  readonly mostPermits: number;
  /** Bytes of files that may wait to be rendered. */
  readonly mostBytes: number;
}

/** How many reads and samples may be in flight, and what that was judged by. */
export interface ReadsInFlight {
  readonly reads: number;
  readonly permits: number;
  /** Further reads have brought no further pictures when it was last tried. */
  readonly isSaturated: boolean;
  /** Before the last growth. */
  readonly before?: { readonly reads: number; readonly readRate: number };
  /** The reads of the coming round began before the number changed. */
  readonly settles: boolean;
  /** Full rounds until growing is tried again, and how many it will be the next time. */
  readonly rest: number;
  readonly patience: number;
  /** The most samples a second, and the mean and the longest read, of late: what was long ago counts less. */
  readonly rate: number;
  readonly meanMs: number;
  readonly longestMs: number;
}

/** Places are full when this share of them is taken in the mean. */
const full = 0.85;
/** What comes behind the source is fed when this share of the permits that there are at least is behind it. */
const fed = 0.25;
/** Samples come to their end as fast as they are read, but for this share; otherwise all wait for one, and further reads would bring nothing. */
const flows = 0.75;
/** More than what Little's law asks for, since neither reads nor pictures come evenly. */
const headroom = 1.25;
/** Growing was worth it where the rate has grown by this share of what the places have. */
const worthwhile = 0.25;
/** After so many reads, the mean of before counts half; the extremes, one of which may come in thousands. */
const halving = { mean: 1024, extremes: 16_384 };
const firstPatience = 4;
const longestPatience = 64;

export function firstReads({ leastReads, leastPermits }: ReadBounds): ReadsInFlight {
  const unknown = { rate: 0, meanMs: 0, longestMs: 0 };
  const fresh = { isSaturated: false, settles: false, rest: 0, patience: firstPatience };
  return { reads: leastReads, permits: leastPermits, ...fresh, ...unknown };
}

/**
 * How many reads and samples may be in flight next. By Little's law so many reads are in flight as a read takes seconds times the pictures that are read a second;
 * if all places are taken, and what comes behind them has little to do, there are to be more: four times as many while they are few, then twice. Where that brings no
 * more pictures, the disk can do no more: the number goes back, and it is tried again later, and more and more seldom. Places that are not needed go slowly.
 * Samples in flight by the same law: those that are read while the slowest read of late takes its time, behind which they wait for their turn, as far as there is
 * memory for their files.
 */
export function nextReads(state: ReadsInFlight, round: ReadRound, bounds: ReadBounds): ReadsInFlight {
  const known = knownAfter(state, round);
  const next = placesAfter({ ...state, ...known }, round, bounds);
  const reads = Math.min(bounds.mostReads, Math.max(bounds.leastReads, next.reads));
  // Those that are in flight at the least have their permits.
  const further = Math.ceil(Math.max(reads, (headroom * known.rate * known.longestMs) / 1000)) - bounds.leastReads;
  return { ...next, reads, permits: permitsAfter(state.permits, further, round, bounds) };
}

/** Whether what comes behind the source has enough to do with so many samples. */
export function isFed(backlog: number, { leastPermits }: Pick<ReadBounds, 'leastPermits'>): boolean {
  return backlog > fed * leastPermits;
}

/** Why samples were waited for, while so many reads were in flight in the mean. */
export function slowStateOf(
  { reads, permits, isSaturated, patience }: ReadsInFlight,
  inFlight: number,
  { mostReads }: Pick<ReadBounds, 'mostReads'>,
): ReadState {
  if (inFlight >= full * permits) return 'permits';
  if (inFlight < full * reads) return 'ordered';
  if (isSaturated || patience > firstPatience) return 'saturated';
  return reads < mostReads ? 'growing' : 'full';
}

function knownAfter(
  { rate, meanMs, longestMs }: ReadsInFlight,
  round: ReadRound,
): Pick<ReadsInFlight, 'rate' | 'meanMs' | 'longestMs'> {
  if (round.atOnce) return { rate: 0, meanMs: 0, longestMs: 0 };
  const fading = 0.5 ** (round.ended / halving.extremes);
  const weight = meanMs === 0 ? 1 : 1 - 0.5 ** (round.ended / halving.mean);
  return {
    rate: Math.max(round.rate, fading * rate),
    meanMs: meanMs + weight * (round.meanMs - meanMs),
    longestMs: Math.max(round.longestMs, fading * longestMs),
  };
}

function placesAfter(state: ReadsInFlight, round: ReadRound, bounds: ReadBounds): ReadsInFlight {
  const { before, ...others } = state;
  const { reads } = state;
  const { running, rate, readRate, atOnce } = round;
  if (state.settles) return { ...state, settles: false };
  const hasBacklog = isFed(round.backlog, bounds);
  if (atOnce || hasBacklog || running < full * reads) {
    // A few slow reads hold places for long, more of them at one time than at another: the mean says how many there are to be.
    const used = hasBacklog ? (state.rate * state.meanMs) / 1000 : running;
    const needed = atOnce ? 0 : Math.ceil(headroom * used);
    const kept = hasBacklog ? Math.max(needed, shrunk(reads, needed)) : shrunk(reads, needed);
    return { ...others, isSaturated: false, rest: 0, patience: firstPatience, reads: kept };
  }
  if (before !== undefined && readRate / before.readRate - 1 < worthwhile * (reads / before.reads - 1)) {
    const patience = Math.min(2 * state.patience, longestPatience);
    return { ...others, isSaturated: true, reads: before.reads, settles: true, rest: state.patience, patience };
  }
  if (state.rest > 0) return { ...state, rest: state.rest - 1 };
  const more = Math.min(bounds.mostReads, reads < 32 ? 4 * reads : 2 * reads);
  if (more <= reads || rate < flows * readRate) return others;
  return { ...state, isSaturated: false, reads: more, settles: true, before: { reads, readRate } };
}

function permitsAfter(
  permits: number,
  further: number,
  { bytes }: ReadRound,
  { leastPermits, mostPermits, mostBytes }: ReadBounds,
): number {
  const inMemory = bytes > 0 ? Math.floor(mostBytes / bytes) : mostPermits;
  const most = Math.max(leastPermits, Math.min(mostPermits, inMemory));
  const wanted = leastPermits + Math.max(0, further);
  return Math.min(most, wanted < permits ? shrunk(permits, wanted) : wanted);
}

/** An eighth of the way down; nothing where that is not below. */
function shrunk(from: number, to: number): number {
  return to < from ? from - Math.ceil((from - to) / 8) : from;
}
