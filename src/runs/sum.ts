import { counted, numberText } from '../counts.ts';
import { fail } from '../errors.ts';
import type { Sum } from '../events/events.ts';
import { countOf, type PassedOverRow, passedOverText } from '../files/passed-over.ts';
import type { Resolved } from '../pipeline/resolve/resolve.ts';
import type { Fields, OpenSource, PartShare } from '../sources/open-source.ts';
import type { End, Permits } from '../streams/permits.ts';
import type { Drop } from '../streams/sample.ts';
import type { EventHub } from './events/hub.ts';

export type { Sum };

/** What a run knows of its samples. */
export interface Counted {
  /** Samples that it was to read, those of an earlier run of the same job too. */
  readonly samples: number;
  /** Samples of the source that it was not to read. */
  readonly beyond?: number;
  /** How those that it has read have ended. */
  readonly ended: Readonly<Record<End, number>>;
  /** How those of an earlier run have. */
  readonly earlier?: Readonly<Record<End, number>> | undefined;
  readonly passedOver?: readonly PassedOverRow[] | undefined;
  readonly shares?: readonly PartShare[] | undefined;
}

export function sumOf({ samples, beyond = 0, ended, earlier, passedOver, shares }: Counted): Sum {
  const both = (end: End) => ended[end] + (earlier?.[end] ?? 0);
  const [delivered, failed, dropped] = [both('delivered'), both('failed'), both('dropped')];
  const others = countOf(passedOver);
  return {
    listed: samples + beyond + others,
    delivered,
    failed,
    dropped,
    passedOver: others,
    ...(beyond > 0 && { notAsked: beyond }),
    notReached: samples - delivered - failed - dropped,
    ...(shares && { shares }),
  };
}

/** How the samples of an earlier run of the same job have ended. */
export type Earlier = Readonly<Record<End, number>>;

/** What was written, what stands in the quarantine and was not written in part, and the rest, which was dropped. @param broken positions that are both. */
export function earlierOf({
  positions,
  sources,
  failed,
  broken = 0,
}: {
  positions: number;
  sources: number;
  failed: number;
  broken?: number | undefined;
}): Earlier {
  const delivered = Math.min(positions, sources);
  const lost = Math.min(positions - delivered, Math.max(0, failed - broken));
  return { delivered, failed: lost, dropped: positions - delivered - lost };
}

interface JobRange {
  /** First and one past the last position of the run. */
  readonly from: number;
  readonly to: number;
  readonly earlier: Earlier | undefined;
  readonly isWhole: boolean;
}

type Listing = Pick<OpenSource<Fields | Drop>, 'passedOver' | 'shares'>;

/** The sum of a job. An operator may end before its source does, as `take`: what it has not let in is dropped. */
export function sumOfJob(
  {
    source,
    loader: { permits },
  }: { readonly source: Listing; readonly loader: { readonly permits: Pick<Permits, 'issued' | 'ended'> } },
  { stages }: Pick<Resolved, 'stages'>,
  { from, to, earlier, isWhole }: JobRange,
): Sum {
  // An endless source has listed what was read of it.
  const samples = Number.isFinite(to) ? to - from : permits.issued;
  const sum = sumOf({ samples, ended: permits.ended, earlier, passedOver: source.passedOver, shares: source.shares });
  if (!isWhole || !stages.some(({ stage }) => stage.kind === 'operator')) return sum;
  return { ...sum, dropped: sum.dropped + sum.notReached, notReached: 0 };
}

/** The sum of a training, since it was begun or gone on with: of the samples that it has read to their end, however many passes they are. */
export function sumOfTraining({ ended }: Pick<Permits, 'ended'>, { passedOver, shares }: Listing): Sum {
  return sumOf({ samples: ended.delivered + ended.failed + ended.dropped, ended, passedOver, shares });
}

/** A step has as many samples as were given to it. @throws SUM_DIFFERS */
export function checkTrained(sum: Sum, trained: number): void {
  if (sum.delivered >= trained) return;
  throw fail('SUM_DIFFERS', { listed: sum.listed, found: `${termsOf(sum)}; ${trained} trained on` });
}

/** The lines of a training's summary. */
export function trainingSumLines(sum: Sum, { count, passedOver }: Pick<OpenSource, 'count' | 'passedOver'>): string[] {
  const passes = (sum.listed - sum.passedOver) / count;
  return [
    ...shareLines(sum),
    ...passedOverLines(sum, passedOver),
    `${sumText(sum)}, in ${counted(Number(passes.toPrecision(3)), 'pass', 'passes')} over ${numberText(count)}`,
  ];
}

/**
 * Holds a sum to what it says.
 *
 * @param written samples of which the sink, or the trainer, has had at least one record. @param isWhole the run came to its end.
 * @throws SUM_DIFFERS
 */
export function checkSum(
  sum: Sum,
  { written, isWhole }: { readonly written: number; readonly isWhole: boolean },
): void {
  const { listed, delivered, notReached } = sum;
  if (delivered === written && notReached >= 0 && (notReached === 0 || !isWhole)) return;
  throw fail('SUM_DIFFERS', { listed, found: `${termsOf(sum)}; ${written} written` });
}

/** `listed 52 = 40 delivered + 2 failed + 0 dropped + 10 passed over` */
export function sumText(sum: Sum): string {
  return `listed ${sum.listed.toLocaleString('en')} = ${termsOf(sum)}`;
}

function termsOf({ delivered, failed, dropped, passedOver, notAsked = 0, notReached }: Sum): string {
  const terms = [
    [delivered, 'delivered'],
    [failed, 'failed'],
    [dropped, 'dropped'],
    [passedOver, 'passed over'],
    ...(notAsked === 0 ? [] : [[notAsked, 'not asked for (`limit`)'] as const]),
    ...(notReached === 0 ? [] : [[notReached, 'not reached'] as const]),
  ] as const;
  return terms.map(([count, end]) => `${count.toLocaleString('en')} ${end}`).join(' + ');
}

/** Says what a source passes over, if it does. @param of where the pipeline names the source, where it is not the one at its top. */
export function sayPassedOver(
  { passedOver = [] }: Listing,
  { emit }: Pick<EventHub, 'emit'>,
  of?: readonly string[],
): void {
  const count = countOf(passedOver);
  if (count > 0) emit({ type: 'passedOver', ...(of && { of }), count, rows: passedOver });
}

export function passedOverLine(rows: readonly PassedOverRow[]): string {
  return `passed over: ${passedOverText(rows)}`;
}

/** The lines of a summary: no sum where all that was listed was delivered, which is what `done` says. */
export function sumLines(sum: Sum, passedOver: readonly PassedOverRow[] = []): string[] {
  if (sum.delivered === sum.listed) return shareLines(sum);
  return [...shareLines(sum), ...passedOverLines(sum, passedOver), sumText(sum)];
}

/** Of a mixture: `an epoch has 30 of 100 samples of cats, 10 of 4 of dogs (some of them again)`. */
function shareLines({ shares = [] }: Sum): string[] {
  if (shares.length === 0) return [];
  const texts = shares.map(({ name, count, share }, i) => {
    const of = i === 0 ? counted(count, 'sample') : numberText(count);
    return `${numberText(share)} of ${of} of ${name}${share > count ? ' (some of them again)' : ''}`;
  });
  return [`an epoch has ${texts.join(', ')}`];
}

function passedOverLines(sum: Sum, rows: readonly PassedOverRow[] = []): string[] {
  return sum.passedOver > 0 ? [passedOverLine(rows)] : [];
}
