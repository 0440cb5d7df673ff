import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Explanation, explainBalance } from '../balance/bottleneck.ts';
import type { Reading } from '../balance/reading.ts';
import type { BalanceFacts } from '../balance/shares.ts';
import type { Decision } from '../balance/tuner.ts';
import { counted } from '../counts.ts';
import { fail, messageOf } from '../errors.ts';
import type { StageStats } from '../streams/meter.ts';
import { type Compute, computeText } from '../train/flops.ts';
import { type Measures, readMetrics } from '../train/metrics.ts';
import { jsonOf } from '../whole-file.ts';
import type { MachineRow } from './events/log.ts';

/** What the folder of a training says of its balance. */
export interface Inspection {
  readonly name: string;
  readonly steps: number;
  /** How the run ended; undefined while it goes, or when it was killed. */
  readonly ended?: string;
  readonly explanation?: Explanation;
  /** What a sample costs and what the device could do, as far as the run knew. */
  readonly compute?: Compute;
  /** The tuner's last word. */
  readonly tuned?: Decision;
  /** Whether the threads were the tuner's to choose. */
  readonly tunesThreads: boolean;
  readonly stats: readonly StageStats[];
  /** How its reads went. */
  readonly reading?: Reading;
  /** Lines of `events.jsonl` that are no rows of JSON. */
  readonly unreadable?: number;
}

/**
 * Reads the folder of a training, running, ended or killed, and explains why it is as fast as it is. Changes nothing.
 *
 * @param peak what the device could do, in floating-point operations a second, where the user knows better.
 * @throws RUN_FOLDER when it is none of a training; METRICS_BROKEN.
 */
export async function inspectRun(folder: string, peak?: number): Promise<Inspection> {
  const read = (name: string) =>
    readFile(join(folder, name), 'utf8').catch((cause: unknown) => {
      throw fail('RUN_FOLDER', { found: messageOf(cause) }, { where: folder, cause });
    });
  const pipeline = parsed(await read('pipeline.json'), folder);
  const rows = readMetrics(await read('metrics.jsonl'), join(folder, 'metrics.jsonl'));
  const { rows: entered, unreadable } = rowsOf(await read('events.jsonl'));
  const events = lastRun(entered);
  const { batch, thread, microBatch } = pipeline.train;
  const machine = last<Partial<MachineRow>>(events, 'machine');
  const end = last<StatsRow & { readonly how: string }>(events, 'end');
  const tuned = last<Decision>(events, 'balance');
  // What was entered as the last step ended: by the run's end the loader may have stood still for long.
  const found: StatsRow = last<StatsRow>(events, 'stats') ?? end ?? {};
  const { stats = [], reading, costs = tuned?.costs, tunesThreads = false } = found;
  const facts: BalanceFacts = {
    rows,
    stats: stats.filter(isWhole),
    ...(reading && { reading }),
    batch,
    permits: found.permits ?? pipeline.permits,
    cores: machine?.cores ?? 1,
    onCores: machine?.onCores ?? true,
    onLoaderThread: thread === 'main',
    tunes: microBatch === 'auto',
    tunesThreads,
    ...(costs && { costs }),
  };
  const { compute } = machine ?? {};
  const explanation = rows.every(isMeasured) ? explainBalance(facts) : undefined;
  return {
    name: pipeline.name,
    steps: rows.length,
    stats: facts.stats,
    ...(reading && { reading }),
    ...(compute && { compute: peak === undefined ? compute : { ...compute, peak: { flops: peak, of: 'as given' } } }),
    ...(end && { ended: end.how }),
    ...(explanation && { explanation }),
    ...(tuned && { tuned }),
    tunesThreads,
    ...(unreadable > 0 && { unreadable }),
  };
}

/** The inspection as one paragraph. */
export function inspectionText({
  name,
  steps,
  ended,
  explanation,
  compute,
  tuned,
  tunesThreads,
  unreadable = 0,
}: Inspection): string {
  const state = ended === undefined ? 'running, or was killed' : ended;
  const lost = unreadable > 0 ? ` ${counted(unreadable, 'line')} of events.jsonl cannot be read.` : '';
  const about = `${name}: ${counted(steps, 'step')}, ${state}.${lost}`;
  if (explanation === undefined) return `${about} There are too few steps with all measures to say what sets the pace.`;
  const settings =
    tuned &&
    `The tuner ${tuned.kind === 'settled' ? 'has settled at' : 'is at'} micro-batch ${tuned.microBatch}${tunesThreads ? ` and ${counted(tuned.threads, 'thread')}` : ''}.`;
  const computed = compute && `It computes ${computeText(compute, explanation.imagesPerSecond)}.`;
  return [about, explanation.sentence, explanation.evidence, computed, settings]
    .filter((text) => text !== undefined)
    .join(' ');
}

interface PipelineJson {
  readonly name: string;
  readonly permits: number;
  readonly train: { readonly batch: number; readonly thread?: string; readonly microBatch?: number | 'auto' };
}

function parsed(text: string, folder: string): PipelineJson {
  const { name, permits, train } = (jsonOf(text) ?? {}) as Partial<PipelineJson>;
  if (typeof name === 'string' && typeof permits === 'number' && typeof train?.batch === 'number') {
    return { name, permits, train };
  }
  throw fail('RUN_FOLDER', { found: 'a pipeline.json that describes no training' }, { where: folder });
}

export interface StatsRow extends Partial<Pick<BalanceFacts, 'costs' | 'permits' | 'tunesThreads'>> {
  readonly stats?: readonly StageStats[];
  readonly reading?: Reading;
}

type Row = Readonly<Record<string, unknown>>;

/** Rows that can be read, and how many lines cannot: a last one that is not ended is being written, or was cut by a kill, and is neither. */
export function rowsOf(text: string): { readonly rows: readonly Row[]; readonly unreadable: number } {
  const lines = text.split('\n').slice(0, -1);
  const rows = lines.map(jsonOf).filter((row): row is Row => typeof row === 'object' && row !== null);
  return { rows, unreadable: lines.length - rows.length };
}

/** A folder may hold the events of several runs: the last start begins the one that is looked at, and its end is the first. A later one is of a run that was refused and never began. */
export function lastRun(events: readonly Row[]): readonly Row[] {
  const start = events.findLastIndex(({ event }) => event === 'start');
  const run = events.slice(Math.max(0, start));
  const end = run.findIndex(({ event }) => event === 'end');
  return end < 0 ? run : run.slice(0, end + 1);
}

export function last<T>(events: readonly Row[], name: string): T | undefined {
  return events.findLast(({ event }) => event === name) as T | undefined;
}

/** Statistics with all that is looked at: those of earlier versions had less. */
export function isWhole(stats: StageStats): boolean {
  const { stage, busyMs, elapsedMs, concurrency, meanWaiting, mean, p10 } = stats;
  return typeof stage === 'string' && [busyMs, elapsedMs, concurrency, meanWaiting, mean, p10].every(Number.isFinite);
}

function isMeasured({ microBatch, uploadMs, passMs, updateMs, cores, ringFill }: Measures): boolean {
  return [microBatch, uploadMs, passMs, updateMs, cores, ringFill].every(Number.isFinite);
}
