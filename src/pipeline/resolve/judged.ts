import { fail } from '../../errors.ts';
import type { Better } from '../../train/judge.ts';
import type { Path } from '../file/locate.ts';
import type { Problems } from '../problem.ts';
import type { ResolvedEvaluate, ResolvedMeasure } from './evaluate.ts';
import type { ResolvedTrain } from './outputs.ts';

/** A number by which checkpoints are judged, as `checkpoint.best` and `stop` name it. */
export interface JudgedBy {
  /** `knn.top1` */
  readonly measure: string;
  readonly better?: Better | undefined;
}

/** A number of a measure, and which of its values are better. */
export interface JudgedNumber {
  readonly measure: ResolvedMeasure;
  /** Its name among the values of the measure. */
  readonly value: string;
  readonly better: Better;
}

/** The number that is named; undefined where there is none of this name, or nobody says which values are better. */
export function judgedNumber(
  { measure: named, better }: JudgedBy,
  { measures }: Pick<ResolvedEvaluate, 'measures'>,
): JudgedNumber | undefined {
  for (const measure of measures) {
    for (const [value, quantity] of Object.entries(measure.definition.values)) {
      const own = better ?? quantity.better;
      if (`${measure.id}.${value}` === named && own !== undefined) return { measure, value, better: own };
    }
  }
  return undefined;
}

/** What `checkpoint.best` and `stop` name must be measured while the training goes on. */
export function checkJudged(
  { checkpoint, stop }: ResolvedTrain,
  evaluate: ResolvedEvaluate | undefined,
  problems: Problems,
): void {
  for (const [by, path] of [
    [checkpoint.best, ['train', 'checkpoint', 'best']],
    [stop, ['train', 'stop']],
  ] as const) {
    if (by === undefined) continue;
    const error = problemOf(by, evaluate);
    if (error !== undefined) problems.add(error, [...path, 'measure'] satisfies Path);
  }
}

function problemOf(by: JudgedBy, evaluate: ResolvedEvaluate | undefined) {
  if (evaluate?.every === undefined) return fail('JUDGED_EVERY', { measure: by.measure });
  const known = evaluate.measures.flatMap(({ id, definition }) =>
    Object.keys(definition.values).map((value) => `${id}.${value}`),
  );
  if (!known.includes(by.measure)) return fail('JUDGED_UNKNOWN', { known: known.join(', '), found: by.measure });
  return judgedNumber(by, evaluate) === undefined ? fail('JUDGED_BETTER', { measure: by.measure }) : undefined;
}
