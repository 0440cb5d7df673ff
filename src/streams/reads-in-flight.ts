/** What was measured while so many reads as are in flight have ended. */
export interface ReadRound {
  /** Reads that were in flight, in the mean over the round. */
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
  /** Milliseconds of the slowest read. */
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
  /** Of the last rounds. */
  readonly rounds: readonly Pick<ReadRound, 'rate' | 'longestMs'>[];
}

/** Places are full when this share of them is taken in the mean. */
const full = 0.85;
/** What comes behind the source is fed when this share of the permits that there are at least is behind it. */
const fed = 0.25;
/** More than what Little's law asks for, since neither reads nor pictures come evenly. */
const headroom = 1.25;
/** Growing was worth it where the rate has grown by this share of what the places have. */
const worthwhile = 0.25;
/** Rounds that are remembered: a slow read may come in one of many. */
const remembered = 32;
const longestPatience = 64;

export function firstReads({ leastReads, leastPermits }: ReadBounds): ReadsInFlight {
  const fresh = { isSaturated: false, settles: false, rest: 0, patience: 4, rounds: [] };
  return { reads: leastReads, permits: leastPermits, ...fresh };
}

/**
 * How many reads and samples may be in flight next. By Little's law so many reads are in flight as a read takes seconds times the pictures that are read a second;
 * if all places are taken, and what comes behind them has little to do, there are to be more: four times as many while they are few, then twice. Where that brings no
 * more pictures, the disk can do no more: the number goes back, and it is tried again later, and more and more seldom. Places that are not needed go slowly.
 * Samples in flight by the same law: those that are read while the slowest read of late takes its time, behind which they wait for their turn, as far as there is
 * memory for their files.
 */
export function nextReads(state: ReadsInFlight, round: ReadRound, bounds: ReadBounds): ReadsInFlight {
  const rounds = [...state.rounds, { rate: round.rate, longestMs: round.longestMs }].slice(-remembered);
  const { reads, ...rest } = placesAfter({ ...state, rounds }, round, bounds);
  const kept = Math.min(bounds.mostReads, Math.max(bounds.leastReads, reads));
  return { ...rest, reads: kept, permits: permitsAfter(state.permits, kept, rounds, round, bounds) };
}

function placesAfter(state: ReadsInFlight, round: ReadRound, bounds: ReadBounds): ReadsInFlight {
  const { reads, before } = state;
  const { running, rate, readRate, atOnce } = round;
  if (state.settles) return { ...state, settles: false };
  if (atOnce || running < full * reads || round.backlog > fed * bounds.leastPermits) {
    const { before: _, ...others } = state;
    const isFed = round.backlog > fed * bounds.leastPermits;
    // While all wait for one sample nothing comes to its end, and reading goes on all the same.
    const used = isFed ? running * Math.min(1, rate / readRate) : running;
    const needed = atOnce ? bounds.leastReads : Math.max(bounds.leastReads, Math.ceil(headroom * used));
    return { ...others, isSaturated: false, rest: 0, patience: 4, reads: shrunk(reads, needed) };
  }
  if (before !== undefined && readRate / before.readRate - 1 < worthwhile * (reads / before.reads - 1)) {
    const { before: _, ...others } = state;
    const patience = Math.min(2 * state.patience, longestPatience);
    return { ...others, isSaturated: true, reads: before.reads, settles: true, rest: state.patience, patience };
  }
  if (state.rest > 0) return { ...state, rest: state.rest - 1 };
  const more = Math.min(bounds.mostReads, reads < 32 ? 4 * reads : 2 * reads);
  if (more <= reads) return state;
  return { ...state, isSaturated: false, reads: more, settles: true, before: { reads, readRate } };
}

function permitsAfter(
  permits: number,
  reads: number,
  rounds: ReadsInFlight['rounds'],
  { bytes, atOnce }: ReadRound,
  { leastPermits, mostPermits, mostBytes }: ReadBounds,
): number {
  const rate = Math.max(...rounds.map(({ rate }) => rate));
  const longest = Math.max(...rounds.map(({ longestMs }) => longestMs));
  const wanted = atOnce ? leastPermits : leastPermits + Math.ceil(Math.max(reads, (headroom * rate * longest) / 1000));
  const inMemory = bytes > 0 ? Math.floor(mostBytes / bytes) : mostPermits;
  const most = Math.max(leastPermits, Math.min(mostPermits, inMemory));
  return Math.min(most, wanted < permits ? shrunk(permits, wanted) : wanted);
}

/** An eighth of the way down; nothing where that is not below. */
function shrunk(from: number, to: number): number {
  return to < from ? from - Math.ceil((from - to) / 8) : from;
}
