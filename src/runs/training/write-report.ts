import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { explainBalance } from '../../balance/bottleneck.ts';
import type { Bottleneck, StartedTraining } from '../../events/events.ts';
import { coreCount } from '../../machine.ts';
import type { Resolved } from '../../pipeline/resolve/resolve.ts';
import { resolvedJson } from '../../pipeline/resolve/resolved-json.ts';
import type { LoopEnd } from '../../train/loop.ts';
import { readMetrics } from '../../train/metrics.ts';
import { lossChart } from '../../vision/draw/chart.ts';
import { writeWhole } from '../../whole-file.ts';
import type { EventHub } from '../events/hub.ts';
import { pictureFile } from '../folder/own-names.ts';
import { type ReportContent, type ReportSection, reportHtml } from '../report.ts';
import type { EvaluationHistory } from './evaluation-history.ts';
import { bestText, evaluationJson, evaluationLines, evaluationTables, shownOf } from './evaluation-text.ts';

export interface ReportOptions {
  /** The run's folder. */
  readonly folder: string;
  readonly events: Pick<EventHub, 'on'>;
  readonly history: EvaluationHistory;
}

interface ReportContext extends Omit<ReportOptions, 'events'> {
  readonly seconds: number;
  readonly end: LoopEnd;
  /** Why it has ended before its length, where it has. */
  readonly early?: string;
  readonly training: StartedTraining;
  /** What was last said of what sets the pace. */
  readonly bottleneck: Pick<Bottleneck, 'stats' | 'costs' | 'permits' | 'reading' | 'tunesThreads'>;
}

/** Hears of a training what its report shows. */
export class TrainingReport {
  readonly #resolved: Resolved;
  readonly #options: ReportOptions;
  #training: StartedTraining | undefined;
  #bottleneck: ReportContext['bottleneck'];

  constructor(resolved: Resolved, options: ReportOptions) {
    this.#resolved = resolved;
    this.#options = options;
    this.#bottleneck = { stats: [], costs: {}, permits: resolved.capacity.permits };
    options.events.on('started', ({ training }) => {
      this.#training = training;
    });
    options.events.on('bottleneck', (event) => {
      this.#bottleneck = event;
    });
  }

  /** Writes it, when the last step has ended. */
  write(end: Pick<ReportContext, 'seconds' | 'end' | 'early'>): ReturnType<typeof writeReport> {
    const heard = { training: this.#training!, bottleneck: this.#bottleneck };
    return writeReport(this.#resolved, { ...this.#options, ...end, ...heard });
  }
}

/**
 * What a finished training leaves for people: `evaluation.json` and the pictures of measures where the pipeline says on what to evaluate,
 * `loss.svg`, and `report.html`, which holds all of it. Returns the lines for the terminal and the files.
 */
async function writeReport(resolved: Resolved, context: ReportContext) {
  const { train } = resolved;
  const { folder, seconds, training, bottleneck } = context;
  const file = (name: string) => join(folder, name);
  const rows = readMetrics(await readFile(file('metrics.jsonl'), 'utf8'));
  const chart = lossChart({ at: rows.map(({ step }) => step), values: rows.map(({ loss }) => loss) });
  await writeWhole(file('loss.svg'), chart);
  const held = await heldOut(resolved, context);
  const balance = explainBalance({
    rows,
    stats: bottleneck.stats,
    costs: bottleneck.costs,
    ...(bottleneck.reading && { reading: bottleneck.reading }),
    batch: train!.batch,
    permits: bottleneck.permits,
    cores: coreCount(),
    onCores: training.onCores,
    onLoaderThread: train!.thread === 'main',
    tunes: train!.microBatch === 'auto',
    tunesThreads: bottleneck.tunesThreads === true,
  });
  const shown = resolvedJson(resolved);
  await writeWhole(
    file('report.html'),
    reportHtml({
      name: shown.name,
      pipeline: JSON.stringify(shown, null, 2),
      rows,
      batch: train!.batch,
      seconds,
      backend: training.why,
      parameters: training.parameters,
      ...(training.compute && { compute: training.compute }),
      outcome: outcomeOf(context),
      ...(balance && { balance: `${balance.sentence} ${balance.evidence}` }),
      chart,
      ...held.shown,
    }),
  );
  return {
    lines: [...held.lines, ...(balance ? [balance.sentence] : []), `report: ${file('report.html')}`],
    files: [file('loss.svg'), file('metrics.jsonl'), ...held.files, file('report.html')],
  };
}

/** How the training has ended, row by row. */
function outcomeOf({ early, history: { best } }: ReportContext): [string, string][] {
  return [
    ...(early === undefined ? [] : [['Ended early', early] as [string, string]]),
    ...(best === undefined
      ? []
      : [['Best checkpoint', `${basename(best.path)}, ${bestText(best)}`] as [string, string]]),
  ];
}

interface Held {
  readonly shown: Pick<ReportContent, 'tables' | 'sections'>;
  readonly lines: readonly string[];
  readonly files: readonly string[];
}

async function heldOut(resolved: Resolved, { folder, end, history }: ReportContext): Promise<Held> {
  if (resolved.evaluate === undefined) return { lines: [], files: [], shown: {} };
  const { measures } = resolved.evaluate;
  const results = await history.end({ step: end.step, epoch: history.epochAt(end.position) });
  const { before, rows } = history;
  const lines = evaluationLines(results, before);
  const files = [join(folder, 'evaluation.json')];
  const sections: ReportSection[] = [];
  for (const result of results) {
    const { definition, id } = result.measure;
    const tables = [...(definition.report?.tables?.(shownOf(result, before)) ?? []), ...(result.tables ?? [])];
    const png = definition.picture && (await result.draw?.());
    sections.push({ tables, notes: result.notes ?? [], ...(png && { picture: { ...definition.picture!, png } }) });
    if (png === undefined) continue;
    const path = join(folder, pictureFile(id));
    await writeWhole(path, png);
    lines.push(`${definition.picture!.title}: ${path}`);
    files.push(path);
  }
  await writeWhole(files[0]!, `${JSON.stringify(evaluationJson(measures, results, before), undefined, 2)}\n`);
  return { lines, files, shown: { tables: evaluationTables(rows, measures, results, before), sections } };
}
