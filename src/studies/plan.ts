import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { Arm, Study } from './options.ts';

/** Values by path. */
export type Values = Readonly<Record<string, unknown>>;

/** A row of a study: an arm with one combination of what varies. */
export interface StudyRow {
  readonly arm: string;
  readonly varied: Values;
  /** `lomar, ratio 0.8` */
  readonly name: string;
  readonly runs: RowRuns;
}

/** What is run for a row. */
export interface RowRuns {
  /** The combinations of the search, in order; none where nothing is searched. */
  readonly tries: readonly Try[];
  /** The trainings that count, one for each seed, with what the search has chosen. */
  final(chosen: Values): readonly PlannedTraining[];
}

export interface Try {
  readonly values: Values;
  readonly trainings: readonly PlannedTraining[];
}

/** A training of a study, which begins with the weights of another where there is a pre-training. */
export interface PlannedTraining {
  readonly seed: number;
  readonly training: PlannedRun;
  readonly pretraining?: PlannedRun;
}

export interface PlannedRun {
  readonly file: string;
  /** As after `--set`. */
  readonly set: readonly string[];
  readonly output: string;
}

/** The rows of a study, in the order of its arms, then of what varies. The folder of a run follows from its row, its values and its seed alone. */
export function rowsOf(study: Study): readonly StudyRow[] {
  return Object.entries(study.arms).flatMap(([arm, about]) =>
    combinations(study.vary).map((varied) => ({
      arm,
      varied,
      name: [arm, ...texts(varied, study.vary)].join(', '),
      runs: runsOf(study, arm, about, varied),
    })),
  );
}

function runsOf(study: Study, arm: string, about: Arm, varied: Values): RowRuns {
  const { tune, seeds } = study;
  const over = about.tune?.over ?? tune?.over ?? {};
  const grids = { ...study.vary, ...over };
  const plan = (kind: string, values: Values, seed: number): PlannedTraining => {
    const all = { ...about.set, ...varied, ...values };
    const named = { ...varied, ...pick(values, Object.keys(over)) };
    return planned(study, arm, about, { kind, all, named, grids, seed });
  };
  return {
    tries:
      tune === undefined
        ? []
        : combinations(over).map((values) => ({
            values,
            trainings: tune.seeds.map((seed) => plan('tune', { ...tune.set, ...values }, seed)),
          })),
    final: (chosen) => seeds.map((seed) => plan('runs', chosen, seed)),
  };
}

interface Planning {
  /** The folder of searches, or of what counts. */
  readonly kind: string;
  readonly all: Values;
  /** What tells its runs from the others of the arm. */
  readonly named: Values;
  readonly grids: Readonly<Record<string, readonly unknown[]>>;
  readonly seed: number;
}

/** The paths of a pre-training begin with this. */
const before = 'pretrain.';

function planned(
  { output }: Study,
  arm: string,
  { file, pretrain }: Arm,
  { kind, all, named, grids, seed }: Planning,
): PlannedTraining {
  const folder = (kind: string, values: Values) =>
    join(output, plainName(arm), kind, ...texts(values, grids).map(plainName), `seed-${seed}`);
  const isBefore = (path: string) => path.startsWith(before);
  const sets = (values: Values, output: string) => [
    ...Object.entries(values).map(([path, value]) => `${path}=${JSON.stringify(value)}`),
    ...[`seed=${seed}`, `output=${JSON.stringify(output)}`],
  ];
  const own = folder(kind, named);
  const ownValues = filter(all, (path) => !isBefore(path));
  if (pretrain === undefined) return { seed, training: { file, set: sets(ownValues, own), output: own } };
  // What is searched or varied of the training alone does not make another pre-training.
  const first = folder('pretrain', filter(named, isBefore));
  const firstValues = Object.fromEntries(
    Object.entries(filter(all, isBefore)).map(([path, value]) => [path.slice(before.length), value]),
  );
  return {
    seed,
    pretraining: { file: pretrain, set: sets(firstValues, first), output: first },
    training: { file, set: sets({ ...ownValues, 'train.init': first }, own), output: own },
  };
}

/** All combinations of values by path; the last path changes fastest. */
export function combinations(grid: Readonly<Record<string, readonly unknown[]>>): readonly Values[] {
  return Object.entries(grid).reduce<readonly Values[]>(
    (all, [path, values]) => all.flatMap((one) => values.map((value) => ({ ...one, [path]: value }))),
    [{}],
  );
}

/** `ratio 0.8` for each value: the end of its path where that tells it from the others, and of a list or a map its place among the values. */
export function texts(values: Values, grid: Readonly<Record<string, readonly unknown[]>>): readonly string[] {
  const last = (path: string) => path.split('.').at(-1)!;
  const paths = Object.keys(grid);
  return Object.entries(values).map(([path, value]) => {
    const short = paths.filter((other) => last(other) === last(path)).length <= 1 ? last(path) : path;
    const place = (grid[path] ?? []).findIndex((other) => JSON.stringify(other) === JSON.stringify(value)) + 1;
    return `${short} ${typeof value === 'object' && value !== null ? `#${place}` : value}`;
  });
}

/** A name for a folder: what is no letter, digit, point or minus is a minus, and a digest of the name tells it from others that would read alike. */
function plainName(name: string): string {
  const plain = name.replace(/[^\w.-]+/g, '-');
  return plain === name || plain.replaceAll('-', ' ') === name
    ? plain
    : `${plain}-${createHash('sha256').update(name).digest('hex').slice(0, 8)}`;
}

const filter = (values: Values, wanted: (path: string) => boolean): Values =>
  Object.fromEntries(Object.entries(values).filter(([path]) => wanted(path)));

const pick = (values: Values, paths: readonly string[]): Values => filter(values, (path) => paths.includes(path));
