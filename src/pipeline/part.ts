import type { Part } from '../datasets/sink.ts';
import { fail } from '../errors.ts';

/** A run may be one of so many parts of a job. */
const mostParts = 1_000_000;

/** Where an orchestrator says which of several equal tasks this is. */
const places = [
  { index: 'JOB_COMPLETION_INDEX', first: undefined },
  { index: 'SLURM_ARRAY_TASK_ID', first: 'SLURM_ARRAY_TASK_MIN' },
] as const;

/**
 * Reads `2/8`, the second of eight parts, or `auto/8`: which one is said by a Kubernetes indexed job (JOB_COMPLETION_INDEX) or a Slurm array
 * (SLURM_ARRAY_TASK_ID, counted from SLURM_ARRAY_TASK_MIN).
 *
 * @throws PART
 */
export function parsePart(text: string, environment: Readonly<Record<string, string | undefined>>): Part {
  const [, which, count] = /^(auto|\d+)\/(\d+)$/.exec(text) ?? [];
  const of = Number(count);
  const refuse = (found: string, advice: string) => fail('PART', { found, advice });
  if (which === undefined || of < 1 || of > mostParts) throw refuse(text, 'Write `--part 2/8`, or `--part auto/8`.');
  const index = which === 'auto' ? ownNumber(environment) : Number(which);
  if (index === undefined) {
    const names = places.map(({ index }) => index).join(' nor ');
    throw refuse(text, `Neither ${names} is set here: say which part it is.`);
  }
  if (index >= 1 && index <= of) return { index, of };
  const advice =
    which === '0'
      ? 'Parts are counted from 1; `auto` counts as the orchestrator does.'
      : 'Start no more tasks than there are parts.';
  throw refuse(which === 'auto' ? `${text}, which is part ${index} here` : text, advice);
}

function ownNumber(environment: Readonly<Record<string, string | undefined>>): number | undefined {
  for (const { index, first } of places) {
    const own = wholeNumber(environment[index]);
    if (own === undefined) continue;
    return own - (first === undefined ? 0 : (wholeNumber(environment[first]) ?? 0)) + 1;
  }
  return undefined;
}

function wholeNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}

/** The positions of a part: parts are neighbours, differ by at most one sample, and are together all. */
export function rangeOf(count: number, part: Part | undefined): { readonly from: number; readonly to: number } {
  if (part === undefined) return { from: 0, to: count };
  const edge = (index: number) => Number((BigInt(count) * BigInt(index)) / BigInt(part.of));
  return { from: edge(part.index - 1), to: edge(part.index) };
}

/** The folder of a part's own run, in that of the job. */
export function partFolder({ index, of }: Part): string {
  return `part-${String(index).padStart(String(of).length, '0')}of${of}`;
}
