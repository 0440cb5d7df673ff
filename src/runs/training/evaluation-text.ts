import { counted, numberText } from '../../counts.ts';
import type { Reconstruction } from '../../measures/evaluate.ts';
import type { Resolved } from '../../pipeline/resolve/resolve.ts';
import type { ReportTable } from '../report.ts';
import type { EvaluationRow, Measured } from './evaluation.ts';
import type { FeatureResult } from './features.ts';

/** What was measured of the features before the training, by the id of the measure. */
export type Before = ReadonlyMap<string, FeatureResult>;

/** The numbers of an evaluation for the terminal. */
export async function evaluationLines(
  resolved: Resolved,
  { reconstruction, features }: Measured,
  before: Before = new Map(),
): Promise<string[]> {
  return [
    ...(reconstruction ? await reconstructionLines(resolved, reconstruction) : []),
    ...features.map((result) => featureLine(result, before.get(result.id))),
  ];
}

/** A table, the best first, and the verdict that the pipeline asks for. */
async function reconstructionLines(
  { evaluate }: Resolved,
  { errors, images, notes }: Reconstruction,
): Promise<string[]> {
  const { baselineError, describeErrors } = await import('../../measures/evaluate.ts');
  const measure = evaluate?.measures.find(({ kind }) => kind === 'reconstruction');
  const beside = measure?.kind === 'reconstruction' ? measure.options.beside : 'smooth-fill';
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
    `Error on the hidden pixels of ${counted(images, 'picture')} (1 is guessing the mean colour):`,
    ...describeErrors(errors).map((text) => `  ${text}`),
    ...verdict,
    ...notes,
  ];
}

/** `k-NN accuracy at 8×8: 71.2 % before, 83.4 % after (k 20; 1,000 of 10,000 pictures, answers from 5,000 of 60,000)` */
export function featureLine(result: FeatureResult, before?: FeatureResult): string {
  const now = percent(result.top1);
  const values = before === undefined ? now : `${percent(before.top1)} before, ${now} after`;
  return `${featureTitle(result)}: ${values}${largestText(result)} (${aboutText(result)})`;
}

/** `k 20; 1,000 of 10,000 pictures, answers from 5,000 of 60,000` */
function aboutText({ k, images, of, against, againstOf, kind, top5, same }: FeatureResult): string {
  const pictures = images === of ? counted(of, 'picture') : `${numberText(images)} of ${counted(of, 'picture')}`;
  if (kind === 'classify') return `among the first five ${percent(top5)}; ${pictures}`;
  return `${k === undefined ? '' : `k ${k}; `}${pictures}, answers from ${share(against ?? 0, againstOf ?? 0)}${same ? ': the same pictures, each of which knows itself, so this says nothing of others' : ''}`;
}

/** What an answer that is always the same would reach. */
function largestText({ largest }: FeatureResult): string {
  return largest === undefined ? '' : `; the largest class has ${percent(largest)}`;
}

const titles = { knn: 'k-NN accuracy', linear: 'Linear accuracy', classify: 'Accuracy' } as const;

/** `k-NN accuracy at 8×8` */
export function featureTitle({ id, kind, resolution }: FeatureResult): string {
  const further = id === kind ? '' : ` (${id})`;
  return `${titles[kind]} at ${resolution}${further}`;
}

export function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

function share(count: number, of: number): string {
  const text = (value: number) => value.toLocaleString('en');
  return count === of ? text(count) : `${text(count)} of ${text(of)}`;
}

/** `evaluation.json`: the errors of a reconstruction, and each measure of features by its id, at the start and at the end. */
export function evaluationJson({ reconstruction, features }: Measured, before: Before): object {
  const ids = new Set([...before.keys(), ...features.map(({ id }) => id)]);
  const byId = [...ids].map((id) => {
    const [start, end] = [before.get(id), features.find((result) => result.id === id)];
    const { id: _, kind: _kind, top1: _1, top5: _5, ...about } = (end ?? start)!;
    const both = (key: 'top1' | 'top5') => ({ ...(start && { start: start[key] }), ...(end && { end: end[key] }) });
    return [id, { ...about, top1: both('top1'), top5: both('top5') }] as const;
  });
  return { ...reconstruction?.errors, ...Object.fromEntries(byId) };
}

/** What the report shows of features, and of everything that was measured on the way. */
export function evaluationTables(
  { features }: Measured,
  before: Before,
  rows: readonly EvaluationRow[],
): ReportTable[] {
  const shown = features.length > 0 ? features : [...before.values()];
  if (shown.length === 0 && rows.length < 2) return [];
  const cell = (value: number | undefined) => (value === undefined ? '' : percent(value));
  const summary: ReportTable = {
    title: shown.some(({ kind }) => kind === 'classify') ? 'Classes' : 'Frozen features',
    head: ['', 'top-1 before', 'top-1 after', 'top-5 before', 'top-5 after'],
    rows: shown.map((result) => {
      const [start, end] = [before.get(result.id), features.find(({ id }) => id === result.id)];
      return [featureTitle(result), cell(start?.top1), cell(end?.top1), cell(start?.top5), cell(end?.top5)];
    }),
    about: shown.map((result) => `${featureTitle(result)}: ${aboutText(result)}${largestText(result)}.`).join(' '),
  };
  const ids = [...new Set(rows.flatMap((row) => row.features.map(({ id }) => id)))];
  const restores = rows.some(({ reconstruction }) => reconstruction !== undefined);
  const history: ReportTable = {
    title: 'On the way',
    head: ['after step', 'epoch', ...ids.map((id) => `${id}, top-1`), ...(restores ? ['reconstruction error'] : [])],
    rows: rows.map(({ step, epoch, features, reconstruction }) => [
      String(step),
      epoch.toFixed(2),
      ...ids.map((id) => cell(features.find((result) => result.id === id)?.top1)),
      ...(restores ? [reconstruction?.ours.toFixed(4) ?? ''] : []),
    ]),
  };
  return [...(shown.length > 0 ? [summary] : []), ...(rows.length > 2 ? [history] : [])];
}
