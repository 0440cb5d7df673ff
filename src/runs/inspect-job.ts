import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { explainJob, type JobExplanation } from '../balance/explain-job.ts';
import type { Reading } from '../balance/reading.ts';
import { counted } from '../counts.ts';
import type { Sum } from '../events/events.ts';
import type { StageStats } from '../streams/meter.ts';
import { jsonOf, unlessGone } from '../whole-file.ts';
import { isWhole, last, lastRun, rowsOf, type StatsRow } from './inspect-run.ts';

/** What the folder of a job says of its pace. */
export interface JobInspection {
  readonly name: string;
  /** How the run ended; undefined while it goes, or when it was killed. */
  readonly ended?: string;
  /** How its samples have ended, of a run that has. */
  readonly sum?: Sum;
  readonly explanation?: JobExplanation;
  /** How its reads went. */
  readonly reading?: Reading;
  readonly stats: readonly StageStats[];
  /** Lines of `events.jsonl` that are no rows of JSON. */
  readonly unreadable?: number;
}

/** Reads the folder of a job, running, ended or killed, and explains what sets its pace; nothing where it is none of a job. Changes nothing. */
export async function inspectJob(folder: string): Promise<JobInspection | undefined> {
  const read = (name: string) => readFile(join(folder, name), 'utf8').catch(unlessGone);
  const pipeline = jsonOf((await read('pipeline.json')) ?? '') as { name?: unknown; sink?: unknown } | undefined;
  const text = await read('events.jsonl');
  if (typeof pipeline?.name !== 'string' || pipeline.sink === undefined || text === undefined) return undefined;
  const { rows, unreadable } = rowsOf(text);
  const events = lastRun(rows);
  const end = last<StatsRow & { readonly how: string; readonly sum?: Sum }>(events, 'end');
  const entered = last<StatsRow>(events, 'stats');
  const stats = (end?.stats ?? entered?.stats ?? []).filter(isWhole);
  const reading = entered?.reading;
  const explanation = explainJob(stats, reading);
  return {
    name: pipeline.name,
    stats,
    ...(end && { ended: end.how, ...(end.sum && { sum: end.sum }) }),
    ...(explanation && { explanation }),
    ...(reading && { reading }),
    ...(unreadable > 0 && { unreadable }),
  };
}

/** The inspection as one paragraph. */
export function jobInspectionText({ name, ended, sum, stats, explanation, unreadable = 0 }: JobInspection): string {
  const done = sum?.delivered ?? stats.at(-1)?.out ?? 0;
  const lost = unreadable > 0 ? ` ${counted(unreadable, 'line')} of events.jsonl cannot be read.` : '';
  const about = `${name}: a job, ${counted(done, 'sample')} done, ${ended ?? 'running, or was killed'}.${lost}`;
  if (explanation === undefined) return `${about} There is too little to say what sets the pace.`;
  return `${about} ${explanation.sentence} ${explanation.evidence}`;
}
