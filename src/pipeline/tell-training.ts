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
      ...(held && { errors: held.errors, notes: held.notes, figure: await readFile(held.figure) }),
    }),
  );
  return { lines: [...lines, `report: ${file('report.html')}`], files: [...files, file('report.html')] };
}

async function heldOut(
  resolved: Resolved,
  { folder, signal, line, onFailure }: Pick<Telling, 'folder' | 'signal' | 'line' | 'onFailure'>,
) {
  const { writeEvaluation } = await import('../train/evaluate.ts');
  const made = await evaluateModel(resolved, {
    signal,
    onLine: line,
    onFailure: (failure) => onFailure({ ...failure, stage: `evaluate/${failure.stage}` }),
  });
  const figure = await drawReconstruction(made, join(folder, 'reconstruction.png'));
  const evaluation = await writeEvaluation(folder, made.errors);
  const { lines, files } = { lines: await evaluationLines(resolved, made), files: [evaluation, figure] };
  return { ...made, lines: [...lines, `restored pictures: ${figure}`], files, figure };
}

/** The numbers of an evaluation for the terminal: a table, the best first, and the verdict that the pipeline asks for. */
export async function evaluationLines(
  { evaluate }: Resolved,
  { errors, images, notes }: Awaited<ReturnType<typeof evaluateModel>>,
): Promise<string[]> {
  const { baselineError, describeErrors } = await import('../train/evaluate.ts');
  const beside = evaluate?.measures[0]?.reconstruction.beside ?? 'smooth-fill';
  const theirs = baselineError(errors, beside);
  const verdict =
    theirs === undefined
      ? []
      : [
          errors.ours < theirs
            ? `It restores better than ${beside}: ${errors.ours.toFixed(3)} against ${theirs.toFixed(3)}.`
            : `${beside} restores better: ${theirs.toFixed(3)} against ${errors.ours.toFixed(3)}.`,
        ];
  return [
    `Error on the hidden pixels of ${images} pictures (1 is guessing the mean colour):`,
    ...describeErrors(errors).map((text) => `  ${text}`),
    ...verdict,
    ...notes,
  ];
}
