import { createHash } from 'node:crypto';
import { basename, join } from 'node:path';
import type { Arm, Study } from './options.ts';

/** Values by path, or of a path that stands for sets of values the name of one. */
export type Values = Readonly<Record<string, unknown>>;

/** Several values for each path, or several sets of values by name. */
export type Grid = Readonly<Record<string, readonly unknown[] | Readonly<Record<string, Values>>>>;

/** A row of a study: an arm with one combination of what varies. */
export interface StudyRow {
  readonly arm: string;
  readonly varied: Values;
  /** `lomar, ratio 0.8` */
  readonly name: string;
  /** `linear.top1` */
  readonly measure: string;
  /** The rows that share pre-trainings with it have the same: one process runs them all. */
  readonly group: string;
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
      measure: about.measure ?? study.measure,
      group:
        about.pretrain === undefined ? `${arm} ${JSON.stringify(varied)}` : join(...preTrained(study, about, varied)),
      runs: runsOf(study, arm, about, varied),
    })),
  );
}

function runsOf(study: Study, arm: string, about: Arm, varied: Values): RowRuns {
  const { tune, seeds } = study;
  const over = about.tune?.over ?? tune?.over ?? {};
  const grids = { ...study.vary, ...over };
  const plan = (kind: string, values: Values, seed: number): PlannedTraining => {
    const all = whileIn(kind, { ...about.set, ...laid(varied, grids), ...laid(values, grids) });
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
  readonly grids: Grid;
  readonly seed: number;
}

/** The paths of a pre-training begin with this. */
const before = 'pretrain.';
const isBefore = (path: string) => path.startsWith(before);
/** Those that hold while it searches begin with this. */
const searching = 'tune.';

/** Sets of values in the place of their names. */
function laid(values: Values, grids: Grid): Values {
  const sets = Object.entries(values).map(([path, value]) => setOf(grids, path, value) ?? { [path]: value });
  return Object.assign({}, ...sets);
}

function setOf(grids: Grid, path: string, value: unknown): Values | undefined {
  const sets = grids[path];
  return sets === undefined || Array.isArray(sets) ? undefined : (sets as Record<string, Values>)[String(value)];
}

/** The paths that one stands for. */
function pathsOf(path: string, grids: Grid): readonly string[] {
  const sets = grids[path];
  if (sets === undefined || Array.isArray(sets)) return [path];
  return Object.values(sets as Record<string, Values>).flatMap((set) => Object.keys(set));
}

function whileIn(kind: string, values: Values): Values {
  const all = filter(values, (path) => !path.startsWith(searching));
  if (kind !== 'tune') return all;
  const own = Object.entries(values).filter(([path]) => path.startsWith(searching));
  return { ...all, ...Object.fromEntries(own.map(([path, value]) => [path.slice(searching.length), value])) };
}

function planned(study: Study, arm: string, about: Arm, { kind, all, named, grids, seed }: Planning): PlannedTraining {
  const { file, pretrain } = about;
  const sets = (values: Values, output: string) => [
    ...Object.entries(values).map(([path, value]) => `${path}=${JSON.stringify(value)}`),
    ...[`seed=${seed}`, `output=${JSON.stringify(output)}`],
  ];
  const own = join(study.output, plainName(arm), kind, ...texts(named, grids).map(plainName), `seed-${seed}`);
  const ownValues = filter(all, (path) => !isBefore(path));
  if (pretrain === undefined) return { seed, training: { file, set: sets(ownValues, own), output: own } };
  const first = join(study.output, ...preTrained(study, about, named, grids), `seed-${seed}`);
  const firstValues = Object.fromEntries(
    Object.entries(filter(all, isBefore)).map(([path, value]) => [path.slice(before.length), value]),
  );
  return {
    seed,
    pretraining: { file: pretrain, set: sets(firstValues, first), output: first },
    training: { file, set: sets({ ...ownValues, 'train.init': first }, own), output: own },
  };
}

/** Folders of a pre-training: its file, and the values that are of it. What is searched or varied of the training alone does not make another one, nor does another arm. */
function preTrained({ vary }: Study, { pretrain, set }: Arm, named: Values, grids: Grid = vary): readonly string[] {
  const values = { ...filter(set, isBefore), ...filter(named, (path) => pathsOf(path, grids).some(isBefore)) };
  const file = basename(pretrain!).replace(/\.\w+$/, '');
  return [
    'pretrain',
    `${plainName(file)}-${digestOf(JSON.stringify([pretrain, values]))}`,
    ...texts(values, grids).map(plainName),
  ];
}

/** All combinations of values by path; the last path changes fastest. */
export function combinations(grid: Grid): readonly Values[] {
  return Object.entries(grid).reduce<readonly Values[]>(
    (all, [path, values]) => {
      const each: readonly unknown[] = Array.isArray(values) ? values : Object.keys(values);
      return all.flatMap((one) => each.map((value) => ({ ...one, [path]: value })));
    },
    [{}],
  );
}

/** `ratio 0.8` for each value: the end of its path where that tells it from the others, and of a list or a map its place among the values. */
export function texts(values: Values, grid: Grid): readonly string[] {
  const last = (path: string) => path.split('.').at(-1)!;
  const paths = Object.keys(grid);
  return Object.entries(values).map(([path, value]) => {
    const short = paths.filter((other) => last(other) === last(path)).length <= 1 ? last(path) : path;
    return `${short} ${typeof value === 'object' && value !== null ? `#${placeOf(value, grid[path])}` : value}`;
  });
}

function placeOf(value: object, among: Grid[string] = []): number {
  return Object.values(among).findIndex((other) => JSON.stringify(other) === JSON.stringify(value)) + 1;
}

/** A name for a folder: what is no letter, digit, point or minus is a minus, and a digest of the name tells it from others that would read alike. */
function plainName(name: string): string {
  const plain = name.replace(/[^\w.-]+/g, '-');
  return plain === name || plain.replaceAll('-', ' ') === name ? plain : `${plain}-${digestOf(name)}`;
}

const digestOf = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 8);

const filter = (values: Values, wanted: (path: string) => boolean): Values =>
  Object.fromEntries(Object.entries(values).filter(([path]) => wanted(path)));

const pick = (values: Values, paths: readonly string[]): Values => filter(values, (path) => paths.includes(path));
