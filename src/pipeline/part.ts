import { fail } from '../errors.ts';
import type { Part } from '../sinks/sink.ts';

/** A run may be one of so many parts of a job. */
const mostParts = 1_000_000;

/**
 * Reads `2/8`, the second of eight parts, or `auto/8`: which one is said by a Kubernetes indexed job (JOB_COMPLETION_INDEX) or by a Slurm array of
 * exactly so many neighbouring tasks (SLURM_ARRAY_TASK_ID, counted from SLURM_ARRAY_TASK_MIN).
 *
 * @throws PART
 */
export function parsePart(text: string, environment: Readonly<Record<string, string | undefined>>): Part {
  const [, which, count] = /^(auto|\d+)\/(\d+)$/.exec(text) ?? [];
  const of = Number(count);
  const refuse = (found: string, advice: string) => fail('PART', { found, advice });
  if (which === undefined || of < 1 || of > mostParts) throw refuse(text, 'Write `--part 2/8`, or `--part auto/8`.');
  const index = which === 'auto' ? ownNumber(environment, of) : Number(which);
  if (index === 'nothing') {
    throw refuse(text, 'Neither JOB_COMPLETION_INDEX nor SLURM_ARRAY_TASK_ID is set here: say which part it is.');
  }
  if (index === 'another array') {
    const tasks = environment.SLURM_ARRAY_TASK_COUNT ?? 'unknown';
    const advice = `Of an array that is not all parts of 1/${of} to ${of}/${of}, as when some are begun again, say which each is: \`--part i/${of}\`.`;
    throw refuse(`${text} in a Slurm array of another form (tasks: ${tasks})`, advice);
  }
  if (index >= 1 && index <= of) return { index, of };
  const advice =
    which === '0'
      ? 'Parts are counted from 1; `auto` counts as the orchestrator does.'
      : 'Start no more tasks than there are parts.';
  throw refuse(which === 'auto' ? `${text}, which is part ${index} here` : text, advice);
}

/** The number of this task from 1. An array of other tasks than all parts, in a row, does not tell which part a task is. */
function ownNumber(
  environment: Readonly<Record<string, string | undefined>>,
  of: number,
): number | 'nothing' | 'another array' {
  const completion = wholeNumber(environment.JOB_COMPLETION_INDEX);
  if (completion !== undefined) return completion + 1;
  const task = wholeNumber(environment.SLURM_ARRAY_TASK_ID);
  if (task === undefined) return 'nothing';
  const [first, last, count] = ['MIN', 'MAX', 'COUNT'].map((of) => wholeNumber(environment[`SLURM_ARRAY_TASK_${of}`]));
  if (first === undefined || last === undefined) return 'another array';
  return count === of && last - first + 1 === of ? task - first + 1 : 'another array';
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
