import { join, relative } from 'node:path';
import { fail, messageOf, PatchstreamError } from '../errors.ts';
import type { RunEvent } from '../events/events.ts';
import { checkFile, PipelineProblems } from '../pipeline/check.ts';
import type { Definition } from '../pipeline/definition.ts';
import type { Environment } from '../pipeline/file/environment.ts';
import type { Problem } from '../pipeline/problem.ts';
import type { Registry } from '../pipeline/registry.ts';
import type { ResolvedSource } from '../pipeline/resolve/evaluate.ts';
import type { Resolved } from '../pipeline/resolve/resolve.ts';
import { changedSince, finishedRun, run } from '../runs/run.ts';
import type { Part } from '../sinks/sink.ts';
import { makeFolder, writeWhole } from '../whole-file.ts';
import type { Study } from './options.ts';
import { type PlannedRun, type PlannedTraining, rowsOf, type StudyRow, texts, type Values } from './plan.ts';
import { foundIn, type Outcome, type RowResult, summariesOf } from './results.ts';

/** What happens in a study. */
export type StudyEvent =
  | { readonly type: 'begins'; readonly row: string; readonly what: string; readonly folder: string }
  | { readonly type: 'run'; readonly folder: string; readonly event: RunEvent }
  | {
      readonly type: 'ends';
      readonly row: string;
      readonly what: string;
      readonly measure: string;
      readonly outcome: Outcome;
    };

export interface StudyOptions {
  readonly registry: Registry;
  readonly environment?: Environment;
  readonly signal?: AbortSignal;
  /** The rows that this process runs, beside others that run the rest; rows that share pre-trainings stay together. */
  readonly part?: Part;
  readonly onEvent?: (event: StudyEvent) => void;
}

/** A study as far as it has been run, by this process and by others that share its folder. */
export interface StudyResult {
  readonly name: string;
  readonly measure: string;
  readonly also: readonly string[];
  readonly best: 'highest' | 'lowest';
  readonly seeds: readonly number[];
  readonly rows: readonly RowResult[];
  /** Rows whose trainings have not all been run, as where other parts go on. */
  readonly unfinished: readonly string[];
}

/** What is wrong with the pipelines of a study: each of its rows, with the first and the last combination of its search. Opens no data. */
export async function checkStudy(study: Study, options: StudyOptions): Promise<readonly Problem[]> {
  const found = new Map<string, Problem>();
  const measured = new Set<string>();
  const add = (problem: Problem) => found.set(problem.error.message, problem);
  for (const row of rowsOf(study)) {
    const asked = new Map<string, string>();
    const some = someOf(row);
    for (const { training, pretraining } of some) {
      for (const planned of [pretraining, training]) {
        if (planned === undefined) continue;
        const { resolved, problems } = await checked(planned, study, options);
        for (const problem of problems) add(problem);
        if (resolved === undefined || problems.length > 0) continue;
        const wrong =
          resolved.train === undefined
            ? fail('STUDY_TRAIN', { found: 'a job' }, { where: planned.file })
            : planned === training
              ? measureProblem(row.measure, measuredIn(resolved), planned.file)
              : undefined;
        if (wrong !== undefined) add({ error: wrong });
        if (planned !== training) continue;
        const source = sourceOf(row.measure, resolved);
        asked.set(JSON.stringify([source?.name, source?.options]), source === undefined ? '' : textOf(source));
        for (const name of measuredIn(resolved)) measured.add(name);
      }
    }
    // The last is one of those that count.
    const [source] = asked.values();
    if (some.length > 1 && asked.size === 1 && source)
      add({ error: fail('STUDY_SEARCH', { source, row: row.name }, { where: study.file }) });
  }
  for (const value of found.size > 0 ? [] : study.also) {
    if (measured.has(value)) continue;
    const slots = { option: 'one of `also`', value, advice: `They measure ${[...measured].join(', ')}.` };
    add({ error: fail('STUDY_MEASURE', slots, { where: study.file }) });
  }
  return [...found.values()];
}

function someOf({ runs }: StudyRow): readonly PlannedTraining[] {
  const searched = [runs.tries[0], runs.tries.at(-1)].flatMap((one) => one?.trainings[0] ?? []);
  return [...searched, ...runs.final(runs.tries[0]?.values ?? {}).slice(0, 1)];
}

function measureProblem(value: string, known: readonly string[], file: string) {
  if (known.includes(value)) return undefined;
  const advice = known.length === 0 ? 'Write `evaluate` in that file.' : `It measures ${known.join(', ')}.`;
  return fail('STUDY_MEASURE', { option: '`measure`', value, advice }, { where: file });
}

/** The source of the pictures that a measure asks about. */
function sourceOf(value: string, { evaluate }: Resolved): ResolvedSource | undefined {
  const measure = evaluate?.measures.find(({ id }) => id === value.split('.')[0]);
  return (measure?.data as { readonly on?: { readonly source: ResolvedSource } } | undefined)?.on?.source;
}

/** `image-folder test`, `idx t10k-images, t10k-labels` */
function textOf({ name, options }: ResolvedSource): string {
  const texts = Object.values((options ?? {}) as object).filter((option) => typeof option === 'string');
  return `${name} ${texts.join(', ')}`;
}

function measuredIn({ evaluate }: Resolved): readonly string[] {
  return (evaluate?.measures ?? []).flatMap(({ id, definition, options }) =>
    [...Object.keys(definition.values), ...(definition.more?.(options) ?? [])].map((name) => `${id}.${name}`),
  );
}

const checked = ({ file, set }: PlannedRun, { base }: Pick<Study, 'base'>, { registry, environment }: StudyOptions) =>
  checkFile(file, { registry, set, setFrom: base, ...(environment && { environment }) });

/**
 * Runs a study to its end, one training after the other. What has been run before is read, what was broken off goes on, and a training that fails is told and counted
 * while the others go on. `study.json` in its folder holds all values.
 *
 * @throws PIPELINE_PROBLEMS where `checkStudy` finds some; RUN_CANCELLED.
 */
export async function runStudy(study: Study, options: StudyOptions): Promise<StudyResult> {
  const problems = await checkStudy(study, options);
  if (problems.length > 0) throw new PipelineProblems(problems, study.file);
  const work: Work = { study, options, failures: new Map() };
  const rows = rowsOf(study);
  const { index, of } = options.part ?? { index: 1, of: 1 };
  const groups = [...new Set(rows.map(({ group }) => group))];
  for (const row of rows) if (groups.indexOf(row.group) % of === index - 1) await runRow(work, row);
  const result = await resultOf(work, rows);
  await makeFolder(study.output);
  await writeWhole(join(study.output, 'study.json'), `${JSON.stringify(result, null, 2)}\n`);
  return result;
}

interface Work {
  readonly study: Study;
  readonly options: StudyOptions;
  /** Why trainings of this process have failed, by their folders. */
  readonly failures: Map<string, string>;
}

async function runRow(work: Work, row: StudyRow): Promise<void> {
  for (const { values, trainings } of row.runs.tries)
    for (const one of trainings) await runTrainings(work, row, `search ${texts(values, {}).join(', ')}`, one);
  const { chosen } = await searchOf(work, row);
  if (chosen === undefined) return;
  for (const one of row.runs.final(chosen)) await runTrainings(work, row, `seed ${one.seed}`, one);
}

/** Runs a training after the one that it begins with. */
async function runTrainings(
  { study, options, failures }: Work,
  row: StudyRow,
  what: string,
  { seed, training, pretraining }: PlannedTraining,
): Promise<void> {
  const { onEvent = () => {}, signal, registry } = options;
  const ends = (outcome: Outcome) => onEvent({ type: 'ends', row: row.name, what, measure: row.measure, outcome });
  const folder = training.output;
  try {
    for (const planned of pretraining === undefined ? [training] : [pretraining, training]) {
      const definition = await definitionOf(planned, study, options);
      const told = planned === training ? what : `${what}, pre-training`;
      onEvent({ type: 'begins', row: row.name, what: told, folder: planned.output });
      const heard = (event: RunEvent) => onEvent({ type: 'run', folder: planned.output, event });
      const fresh = (await changedSince(definition, registry)) !== undefined;
      await run(definition, { registry, fresh, onEvent: heard, ...(signal && { signal }) });
    }
  } catch (error) {
    if (signal?.aborted || (error instanceof PatchstreamError && error.code === 'RUN_CANCELLED')) throw error;
    failures.set(folder, messageOf(error));
    ends({ seed, folder, failure: messageOf(error) });
    return;
  }
  const found = await foundIn(folder);
  ends({ seed, folder, ...(found && { found }) });
}

async function definitionOf(planned: PlannedRun, study: Study, options: StudyOptions): Promise<Definition> {
  const { resolved, problems } = await checked(planned, study, options);
  if (resolved === undefined || problems.length > 0) throw new PipelineProblems(problems, planned.file);
  return resolved.definition;
}

/** What trainings have come to; of one that has not been run to its end, nothing. */
async function outcomesOf({ study, options, failures }: Work, trainings: readonly PlannedTraining[]) {
  const outcomes: Outcome[] = [];
  for (const { seed, training } of trainings) {
    const folder = training.output;
    const failure = failures.get(folder);
    if (failure !== undefined) outcomes.push({ seed, folder, failure });
    else if (await finishedRun(await definitionOf(training, study, options), options.registry)) {
      const found = await foundIn(folder);
      outcomes.push({ seed, folder, ...(found && { found }) });
    }
  }
  return outcomes;
}

/** What the search of a row has found, and what it takes once all of it has been run. */
async function searchOf(work: Work, { runs, measure }: StudyRow): Promise<{ chosen?: Values; tries: SearchTry[] }> {
  const { best } = work.study;
  const tries: SearchTry[] = [];
  let open = false;
  for (const { values, trainings } of runs.tries) {
    const outcomes = await outcomesOf(work, trainings);
    if (outcomes.length < trainings.length) open = true;
    const mean = summariesOf(outcomes)[measure]?.mean;
    const failures = outcomes.flatMap(({ failure }) => failure ?? []);
    tries.push({ values, ...(mean !== undefined && { mean }), ...(failures.length > 0 && { failures }) });
  }
  if (open) return { tries };
  if (tries.length === 0) return { chosen: {}, tries };
  const better = (a: number, b: number) => (best === 'highest' ? a > b : a < b);
  const measured = tries.filter((one): one is SearchTry & { mean: number } => one.mean !== undefined);
  const winner = measured.reduce<(typeof measured)[number] | undefined>(
    (first, one) => (first === undefined || better(one.mean, first.mean) ? one : first),
    undefined,
  );
  return { tries, ...(winner && { chosen: winner.values }) };
}

type SearchTry = NonNullable<RowResult['search']>['tries'][number];

async function resultOf(work: Work, rows: readonly StudyRow[]): Promise<StudyResult> {
  const { name, measure, also, best, seeds, output } = work.study;
  const results: RowResult[] = [];
  const unfinished: string[] = [];
  for (const row of rows) {
    const { chosen, tries } = await searchOf(work, row);
    const found = chosen === undefined ? [] : await outcomesOf(work, row.runs.final(chosen));
    const outcomes = found.map((one) => ({ ...one, folder: relative(output, one.folder) }));
    if (outcomes.length < seeds.length) unfinished.push(row.name);
    results.push({
      ...{ arm: row.arm, name: row.name, varied: row.varied, measure: row.measure },
      ...(tries.length > 0 && { search: { tries, ...(chosen && { chosen }) } }),
      outcomes,
      summaries: summariesOf(outcomes),
    });
  }
  return { name, measure, also, best, seeds, rows: results, unfinished };
}
