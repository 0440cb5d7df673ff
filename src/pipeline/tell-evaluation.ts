import type { Reconstruction } from '../train/evaluate.ts';
import type { Evaluation } from './evaluation.ts';
import type { FeatureResult } from './features.ts';
import type { Resolved } from './resolve.ts';

/** What was measured of the features before the training, by the id of the measure. */
export type Before = ReadonlyMap<string, FeatureResult>;

/** The numbers of an evaluation for the terminal. */
export async function evaluationLines(
  resolved: Resolved,
  { reconstruction, features }: Evaluation,
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
  const { baselineError, describeErrors } = await import('../train/evaluate.ts');
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
    `Error on the hidden pixels of ${images} pictures (1 is guessing the mean colour):`,
    ...describeErrors(errors).map((text) => `  ${text}`),
    ...verdict,
    ...notes,
  ];
}

/** `k-NN accuracy at 8×8: 71.2 % before, 83.4 % after (k 20; 1,000 of 10,000 pictures, answers from 5,000 of 60,000)` */
export function featureLine(result: FeatureResult, before?: FeatureResult): string {
  const { k, images, of, against, againstOf } = result;
  const now = percent(result.top1);
  const values = before === undefined ? now : `${percent(before.top1)} before, ${now} after`;
  const pictures = `${share(images, of)} pictures, answers from ${share(against, againstOf)}`;
  return `${featureTitle(result)}: ${values} (${k === undefined ? '' : `k ${k}; `}${pictures})`;
}

/** `k-NN accuracy at 8×8` */
export function featureTitle({ id, kind, resolution }: FeatureResult): string {
  const name = kind === 'knn' ? 'k-NN' : 'Linear';
  const further = id === kind ? '' : ` (${id})`;
  return `${name} accuracy at ${resolution}${further}`;
}

export function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

function share(count: number, of: number): string {
  const text = (value: number) => value.toLocaleString('en');
  return count === of ? text(count) : `${text(count)} of ${text(of)}`;
}
