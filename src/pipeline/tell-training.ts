import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Failure } from '../streams/failures.ts';
import { lossChart } from '../train/chart.ts';
import { readMetrics } from '../train/metrics.ts';
import type { Ready } from '../train/protocol.ts';
import { reportHtml } from '../train/report.ts';
import { drawReconstruction, evaluateModel } from './evaluation.ts';
import type { Resolved } from './resolve.ts';
import { resolvedJson } from './resolved-json.ts';
import { evaluationLines } from './tell-evaluation.ts';

export interface Telling {
  /** The run's folder. */
  readonly folder: string;
  readonly seconds: number;
  readonly ready: Ready;
  readonly signal: AbortSignal;
  readonly line: (text: string) => void;
  readonly onFailure: (failure: Failure) => void;
}

/**
 * What a finished training leaves for people: `evaluation.json` and `reconstruction.png` where the pipeline says on what to evaluate,
 * `loss.svg`, and `report.html`, which holds all of it. Returns the lines for the terminal and the files.
 */
export async function tellTraining(resolved: Resolved, { folder, seconds, ready, signal, line, onFailure }: Telling) {
  const { definition, train, evaluate } = resolved;
  const file = (name: string) => join(folder, name);
  const rows = readMetrics(await readFile(file('metrics.jsonl'), 'utf8'));
  const chart = lossChart({ at: rows.map(({ step }) => step), values: rows.map(({ loss }) => loss) });
  await writeFile(file('loss.svg'), chart);
  const files = [file('loss.svg'), file('metrics.jsonl')];
  const lines: string[] = [];
  let held: Awaited<ReturnType<typeof heldOut>> | undefined;
  if (evaluate !== undefined) {
    held = await heldOut(resolved, { folder, signal, line, onFailure });
    lines.push(...held.lines);
    files.push(...held.files);
  }
  await writeFile(
    file('report.html'),
    reportHtml({
      name: definition.name,
      pipeline: JSON.stringify(resolvedJson(resolved), null, 2),
      rows,
      batch: train!.batch,
      seconds,
      backend: ready.why,
      parameters: ready.parameters,
      chart,
      ...(held?.reconstruction && { errors: held.reconstruction.errors, notes: held.reconstruction.notes }),
      ...(held?.figure !== undefined && { figure: await readFile(held.figure) }),
    }),
  );
  return { lines: [...lines, `report: ${file('report.html')}`], files: [...files, file('report.html')] };
}

async function heldOut(
  resolved: Resolved,
  { folder, signal, line, onFailure }: Pick<Telling, 'folder' | 'signal' | 'line' | 'onFailure'>,
) {
  const { writeEvaluation } = await import('../train/evaluate.ts');
  const { reconstruction, features } = await evaluateModel(resolved, {
    signal,
    onLine: line,
    onFailure: (failure) => onFailure({ ...failure, stage: `evaluate/${failure.stage}` }),
  });
  const figure = reconstruction && (await drawReconstruction(reconstruction, join(folder, 'reconstruction.png')));
  const evaluation = await writeEvaluation(folder, { ...reconstruction?.errors });
  const lines = await evaluationLines(resolved, { features, ...(reconstruction && { reconstruction }) });
  return {
    reconstruction,
    features,
    figure,
    lines: [...lines, ...(figure === undefined ? [] : [`restored pictures: ${figure}`])],
    files: [evaluation, ...(figure === undefined ? [] : [figure])],
  };
}
