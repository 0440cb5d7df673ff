import { existsSync } from 'node:fs';
import { lstat, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fail, messageOf } from '../../errors.ts';
import type { Numbers } from '../../measures/define.ts';
import type { ResolvedEvaluate, ResolvedMeasure } from '../../pipeline/resolve/evaluate.ts';
import { type JudgedNumber, judgedNumber } from '../../pipeline/resolve/judged.ts';
import type { Resolved } from '../../pipeline/resolve/resolve.ts';
import { trueJson } from '../../pipeline/resolve/resolved-json.ts';
import type { Failure } from '../../streams/failures.ts';
import { epochAt } from '../../train/epoch.ts';
import { bestOf, type Judged, withoutGain } from '../../train/judge.ts';
import {
  checkpointFolder,
  checkpointName,
  digestDefinition,
  readModel,
  readState,
} from '../../train/weights/checkpoint.ts';
import { jsonOf, systemCode, unlessGone, writeWhole } from '../../whole-file.ts';
import type { EventHub } from '../events/hub.ts';
import { type EvaluationOptions, evaluateModel } from './evaluation.ts';
import { type EvaluationRow, partsOf, resultIn, rowOf } from './evaluation-row.ts';
import { type BestCheckpoint, briefLines } from './evaluation-text.ts';
import type { HeldOutSum } from './held-out.ts';
import type { MeasureResult } from './take-measure.ts';

export interface EvaluationHistoryOptions {
  /** The run's folder. */
  readonly folder: string;
  /** Samples per epoch. */
  readonly count: number;
  readonly fresh: boolean;
  readonly signal: AbortSignal;
  readonly line: (text: string) => void;
  readonly onFailure: (failure: Failure) => void;
  /** Where evaluations are emitted. */
  readonly events: Pick<EventHub, 'emit'>;
}

/**
 * The evaluations of a training: before the first step, every so often on a checkpoint, and at the end, kept in `evaluations.jsonl`. A run
 * that goes on reads there what an earlier one has measured. The trainer runs out of samples while one is measured (`idle`), so that it
 * does not run far ahead.
 */
export class EvaluationHistory {
  readonly #resolved: Resolved;
  readonly #options: EvaluationHistoryOptions;
  readonly #digest: string;
  #rows: EvaluationRow[] = [];
  /** Lines of other pipelines, and lines that cannot be read. They stay in the file, before the rows. */
  #others: readonly string[] = [];
  readonly #sums = new Map<string, HeldOutSum>();
  #queue: Promise<void> = Promise.resolve();

  private constructor(resolved: Resolved, options: EvaluationHistoryOptions) {
    this.#resolved = resolved;
    this.#options = options;
    const { evaluate, ...rest } = trueJson(resolved);
    this.#digest = digestDefinition({ ...rest, measures: evaluate?.measures, weights: evaluate?.weights });
  }

  /** Reads what an earlier run of the same pipeline has measured. Changes nothing in the folder. */
  static async open(resolved: Resolved, options: EvaluationHistoryOptions): Promise<EvaluationHistory> {
    const history = new EvaluationHistory(resolved, options);
    const { rows, others, broken } = await readLines(history.#path, history.#digest);
    history.#others = others;
    if (!options.fresh) history.#rows = rows;
    if (broken > 0) options.line(`evaluations.jsonl: lines that cannot be read stay and are passed over (${broken}).`);
    return history;
  }

  /** The fractional epoch of a position. */
  epochAt(position: number): number {
    return epochAt(position, { ...this.#resolved.train!, count: this.#options.count });
  }

  get rows(): readonly EvaluationRow[] {
    return this.#rows;
  }

  /** How the samples of each source of the measures have ended when it was read last, in this run. */
  get sums(): readonly HeldOutSum[] {
    return [...this.#sums.values()];
  }

  /** What was measured before the first step, by the id of the measure; without those that stand alone. */
  get before(): ReadonlyMap<string, Numbers> {
    const measures = this.#resolved.evaluate?.measures.filter(({ definition }) => !definition.single) ?? [];
    return new Map(this.#foundAt(0, measures).map(({ measure, numbers }) => [measure.id, numbers]));
  }

  #foundAt(step: number, measures: readonly ResolvedMeasure[]): readonly MeasureResult[] {
    const row = this.#rows.find((each) => each.step === step);
    return measures.flatMap((measure) => (row && resultIn(row, measure)) ?? []);
  }

  /** Measures the weights that the training begins with, unless that is known. */
  async start(): Promise<void> {
    const wanted = measuresAt(this.#resolved.evaluate, 'start');
    if (wanted.length === 0 || this.#rows.some(({ step }) => step === 0)) return;
    const made = await this.#measure({ fresh: true }, wanted);
    await this.#enter({ step: 0, epoch: 0 }, made);
  }

  /** The training goes on after so many steps; what was measured of later ones is forgotten. */
  async goOn({ step }: { readonly step: number }): Promise<void> {
    this.#rows = this.#rows.filter((row) => row.step <= step);
    await this.#write();
  }

  /**
   * Hears of a checkpoint. It is measured when the steps or epochs of `every` have passed since the last evaluation; one that is gone is passed over
   * with a line. Ends when it may be deleted: where checkpoints are judged, when it is known what became of it.
   */
  async saved(path: string): Promise<void> {
    if (this.#resolved.evaluate?.every === undefined) return;
    const due = this.#queue.then(() => this.#readDue(path));
    this.#queue = due.then(async (found) => {
      if (found === undefined) return;
      const made = await this.#measure({ weights: found.weights }, this.#resolved.evaluate!.measures);
      await this.#enter(found.at, made);
    });
    // Who waits for `idle` hears of what went wrong.
    this.#queue.then(undefined, () => {});
    const { checkpoint, stop } = this.#resolved.train!;
    await Promise.allSettled([checkpoint.best === undefined && stop === undefined ? due : this.#queue]);
  }

  /** The best checkpoint that is there, by `checkpoint.best`. */
  get best(): BestCheckpoint | undefined {
    const { best } = this.#resolved.train!.checkpoint;
    if (best === undefined || this.#resolved.evaluate === undefined) return undefined;
    const number = judgedNumber(best, this.#resolved.evaluate)!;
    const pathOf = (step: number) => join(checkpointFolder(this.#options.folder), checkpointName(step));
    const there = this.#judged(number).filter(({ step }) => existsSync(pathOf(step)));
    const found = bestOf(there, number.better);
    return found && { ...found, measure: best.measure, path: pathOf(found.step) };
  }

  /** What ends the training early by `stop`: so many evaluations in a row that were no better. Undefined while nothing does. */
  get stop(): { readonly measure: string; readonly evaluations: number } | undefined {
    const { stop } = this.#resolved.train!;
    if (stop === undefined || this.#resolved.evaluate === undefined) return undefined;
    const number = judgedNumber(stop, this.#resolved.evaluate)!;
    const evaluations = withoutGain(this.#judged(number), { ...stop, better: number.better });
    return evaluations < stop.patience ? undefined : { measure: stop.measure, evaluations };
  }

  /** What was measured of a number, in the order of steps. */
  #judged({ measure, value }: JudgedNumber): Judged[] {
    return this.#rows.flatMap((row) => {
      const found = resultIn(row, measure)?.numbers[value];
      return typeof found === 'number' ? [{ step: row.step, value: found }] : [];
    });
  }

  /** Ends when nothing is being measured. @throws what a measure has thrown. */
  idle(): Promise<void> {
    return this.#queue;
  }

  /** Measures the weights at the end. What the last checkpoint's evaluation has measured is not measured again, but where a picture is drawn of it. */
  async end(at: { readonly step: number; readonly epoch: number }): Promise<readonly MeasureResult[]> {
    await this.idle();
    const wanted = measuresAt(this.#resolved.evaluate, 'end');
    if (wanted.length === 0) return [];
    const numbersDo = wanted.filter(({ definition }) => definition.picture === undefined);
    const known = new Map(this.#foundAt(at.step, numbersDo).map((result) => [result.measure.id, result]));
    const made = await this.#measure(
      {},
      wanted.filter(({ id }) => !known.has(id)),
    );
    const byId = new Map([...known, ...made.map((result) => [result.measure.id, result] as const)]);
    const results = wanted.flatMap(({ id }) => byId.get(id) ?? []);
    await this.#enter(at, results, true);
    return results;
  }

  get #path(): string {
    return join(this.#options.folder, 'evaluations.jsonl');
  }

  async #measure(what: Pick<EvaluationOptions, 'fresh' | 'weights'>, measures: readonly ResolvedMeasure[]) {
    const { signal, line, onFailure } = this.#options;
    const made = await evaluateModel(this.#resolved, {
      ...what,
      measures,
      signal,
      onLine: line,
      onFailure: (failure) => onFailure({ ...failure, stage: `evaluate/${failure.stage}` }),
    });
    for (const sum of made.sums) this.#sums.set(sum.place, sum);
    return made.results;
  }

  async #readDue(path: string) {
    try {
      const { position, step, classNames } = await readState(path);
      const at = { step, epoch: this.epochAt(position) };
      if (!this.#isDue(at)) return undefined;
      const { model } = await readModel(path, this.#resolved.evaluate?.weights);
      return { at, weights: { stored: model, where: path, classNames } };
    } catch (error) {
      if ((await lstat(path).catch(unlessGone)) !== undefined) throw error;
      this.#options.line(`${path} is gone before it was measured, and is passed over.`);
      return undefined;
    }
  }

  #isDue(at: { readonly step: number; readonly epoch: number }): boolean {
    const every = this.#resolved.evaluate?.every;
    const last = this.#rows.at(-1) ?? { step: 0, epoch: 0 };
    const periods = ({ step, epoch }: typeof at) =>
      Math.floor(every?.steps === undefined ? epoch / (every?.epochs ?? Number.POSITIVE_INFINITY) : step / every.steps);
    return periods(at) > periods(last);
  }

  async #enter(
    { step, epoch }: { readonly step: number; readonly epoch: number },
    results: readonly MeasureResult[],
    last = false,
  ): Promise<void> {
    const row = rowOf({ step, epoch, digest: this.#digest }, results);
    this.#rows = [...this.#rows.filter((other) => other.step !== step), row];
    await this.#write();
    const lines = briefLines(results);
    this.#options.events.emit({ type: 'evaluation', step, epoch, last, numbers: numbersOf(results), lines });
  }

  async #write(): Promise<void> {
    if (this.#resolved.evaluate === undefined) return;
    const lines = [...this.#others, ...this.#rows.map((row) => JSON.stringify(row))];
    if (lines.length > 0) await writeWhole(this.#path, lines.map((line) => `${line}\n`).join(''));
    else await rm(this.#path, { force: true });
  }
}

/** The values of results by measure and name: `knn.top1`. */
function numbersOf(results: readonly MeasureResult[]): Record<string, number> {
  const values = results.map(({ measure, numbers }) =>
    Object.entries(partsOf(measure, numbers).values).map(([name, value]) => [`${measure.id}.${name}`, value] as const),
  );
  return Object.fromEntries(values.flat());
}

/** What is measured before the first step or after the last. */
function measuresAt(evaluate: ResolvedEvaluate | undefined, moment: 'start' | 'end'): readonly ResolvedMeasure[] {
  const { at, measures = [] } = evaluate ?? {};
  if (at !== undefined) return at.includes(moment) ? measures : [];
  return moment === 'end' ? measures : measures.filter(({ definition }) => definition.atStart);
}

/** The lines of a file that may be missing: the rows of one digest, the lines of others, and how many of those cannot be read. */
async function readLines(path: string, digest: string) {
  const text = (await readFile(path, 'utf8').catch(unreadable)) ?? '';
  const rows: EvaluationRow[] = [];
  const others: string[] = [];
  let broken = 0;
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const row = parsed(line);
    if (row === undefined) broken += 1;
    if (row?.digest === digest) rows.push(row as EvaluationRow);
    else others.push(line);
  }
  return { rows, others, broken };
}

/** Not taken for empty, since it is written anew. */
function unreadable(cause: unknown): undefined {
  if (systemCode(cause) !== 'ENOENT') throw fail('OUTPUT_FOLDER', { found: messageOf(cause) }, { cause });
}

/** A line that was cut off is none. */
function parsed(line: string): Partial<EvaluationRow> | undefined {
  return (jsonOf(line) as Partial<EvaluationRow> | null | undefined) ?? undefined;
}
