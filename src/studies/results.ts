import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type EvaluationRow, measuresIn } from '../runs/training/evaluation-row.ts';
import { jsonOf, unlessGone } from '../whole-file.ts';

/** What a training was measured to be at its end, by measure and value: `linear.top1`. */
export type Found = Readonly<Record<string, number>>;

/** A run of a study that has come to an end, well or badly. */
export interface Outcome {
  readonly seed: number;
  /** Its run; in the result of a study, within the folder of the study. */
  readonly folder: string;
  readonly found?: Found;
  readonly failure?: string;
}

/** Mean and spread of one value over the seeds of a row. */
export interface Summary {
  readonly values: readonly number[];
  readonly mean: number;
  /** Half the width of the 95 % interval of the mean, by Student's t; none of one value. */
  readonly interval?: number;
}

/** A row as far as it has been run. */
export interface RowResult {
  readonly arm: string;
  readonly name: string;
  readonly varied: Readonly<Record<string, unknown>>;
  /** What decides of it and is compared. */
  readonly measure: string;
  /** What the search took, with the mean of each combination. */
  readonly search?: {
    /** None where it has not come to its end, or nothing could be measured. */
    readonly chosen?: Readonly<Record<string, unknown>>;
    readonly tries: readonly {
      readonly values: Readonly<Record<string, unknown>>;
      readonly mean?: number;
      /** Why trainings of it have failed. */
      readonly failures?: readonly string[];
    }[];
  };
  readonly outcomes: readonly Outcome[];
  /** By measure and value, of the seeds that were measured. */
  readonly summaries: Readonly<Record<string, Summary>>;
}

/** What a run was measured to be after so many steps. */
export interface Point {
  readonly step: number;
  readonly found: Found;
}

/** The evaluations of a run, the newest last; none where there is no file. Lines that cannot be read are passed over, as the run itself tells. */
export async function pointsIn(folder: string): Promise<readonly Point[]> {
  const text = await readFile(join(folder, 'evaluations.jsonl'), 'utf8').catch(unlessGone);
  const rows = (text ?? '').split('\n').map((line) => jsonOf(line) as EvaluationRow | null | undefined);
  return rows.flatMap((row) => (Array.isArray(row?.features) ? { step: row.step, found: numbersOf(row) } : []));
}

/** The last evaluation of a run, every number in it. */
export async function foundIn(folder: string): Promise<Found | undefined> {
  return (await pointsIn(folder)).at(-1)?.found;
}

function numbersOf(row: EvaluationRow): Found {
  const named = [...measuresIn(row)].flatMap(([id, { numbers }]) =>
    Object.entries(numbers).map(([name, value]) => [`${id}.${name}`, value] as const),
  );
  return Object.fromEntries(named);
}

/** The mean of one value over runs, at each step at which all of them were measured. */
export function meanCurve(runs: readonly (readonly Point[])[], value: string): { at: number[]; values: number[] } {
  const [first = new Map<number, number>(), ...others] = runs.map(
    (points) => new Map(points.flatMap(({ step, found }) => (value in found ? [[step, found[value]!] as const] : []))),
  );
  const shared = [...first.keys()].filter((step) => others.every((one) => one.has(step))).sort((a, b) => a - b);
  const mean = (step: number) => [first, ...others].reduce((sum, one) => sum + one.get(step)!, 0) / runs.length;
  return { at: shared, values: shared.map(mean) };
}

/** Mean and 95 % interval of at least one value. */
export function summaryOf(values: readonly number[]): Summary {
  const count = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / count;
  if (count < 2) return { values, mean };
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (count - 1);
  return { values, mean, interval: quantile(count - 1) * Math.sqrt(variance / count) };
}

/** Of every value that an outcome has. */
export function summariesOf(outcomes: readonly Outcome[]): Readonly<Record<string, Summary>> {
  const found = outcomes.flatMap((one): Found[] => (one.found === undefined ? [] : [one.found]));
  const names = [...new Set(found.flatMap((one) => Object.keys(one)))];
  return Object.fromEntries(names.map((name) => [name, summaryOf(found.flatMap((one) => one[name] ?? []))]));
}

/** Student's t for two sides of 95 %, by degrees of freedom from 1; beyond 30 the first terms of Cornish and Fisher's expansion, which are right to 1e-4 there. */
const quantiles = [
  ...[12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.16, 2.145, 2.131],
  ...[2.12, 2.11, 2.101, 2.093, 2.086, 2.08, 2.074, 2.069, 2.064, 2.06, 2.056, 2.052, 2.048, 2.045, 2.042],
];

const quantile = (freedom: number) => quantiles[freedom - 1] ?? 1.959964 + 2.37227 / freedom + 2.8225 / freedom ** 2;
