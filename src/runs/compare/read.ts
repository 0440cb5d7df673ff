import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ZodError } from 'zod';
import { median } from '../../balance/tune-micro-batch.ts';
import { fail, messageOf, PatchstreamError } from '../../errors.ts';
import { openSafetensors } from '../../formats/safetensors.ts';
import { models } from '../../models/index.ts';
import { type Measures, readMetrics } from '../../train/metrics.ts';
import { checkpointFolder, checkpointNames } from '../../train/weights/checkpoint.ts';
import { parseTrained } from '../../train/weights/trained-on.ts';
import { jsonOf, systemCode, unlessGone } from '../../whole-file.ts';
import { last, lastRun, rowsOf } from '../inspect-run.ts';
import { type EvaluationRow, type Found, measuresIn } from '../training/evaluation-row.ts';
import { type OptionTexts, optionsIn, type PipelineJson } from './options.ts';

/** A training as its folder tells of it: running, ended or killed. */
export interface ComparedRun {
  readonly folder: string;
  readonly model: string;
  /** Its options and those of source, stages and training, each by its path. */
  readonly options: OptionTexts;
  /** What each measure was asked for, by the id of the measure, then by path. */
  readonly measures: ReadonlyMap<string, OptionTexts>;
  readonly rows: readonly Measures[];
  /** Seconds of training at the end of each row: the wall time of its steps, over all its starts. */
  readonly seconds: readonly number[];
  /** Steps at its end, where its pipeline counts in steps. */
  readonly total?: number;
  /** `completed`, `cancelled` or `failed`; undefined while it runs, or when it was killed. */
  readonly ended?: string;
  readonly imagesPerSecond?: number;
  /** Parameters, and multiply-adds of a forward pass of one picture, where it has a checkpoint and the model says it. */
  readonly parameters?: number;
  readonly macs?: number;
  readonly evaluations: readonly Evaluated[];
}

/** What was measured after so many steps, by the id of the measure. */
export interface Evaluated {
  readonly step: number;
  /** Seconds of training until then. */
  readonly seconds: number;
  readonly found: ReadonlyMap<string, Found>;
}

/**
 * Reads the folder of a training: `pipeline.json`, `metrics.jsonl`, `evaluations.jsonl`, `events.jsonl`, and what its newest checkpoint says of the model. Changes nothing, and computes nothing.
 *
 * @throws COMPARE_RUN when it is none; METRICS_BROKEN
 */
export async function readRun(folder: string): Promise<ComparedRun> {
  const needed = (name: string) =>
    readFile(join(folder, name), 'utf8').catch((cause: unknown) => {
      throw fail('COMPARE_RUN', { found: messageOf(cause) }, { where: folder, cause });
    });
  const optional = async (name: string) => (await readFile(join(folder, name), 'utf8').catch(unlessGone)) ?? '';
  const pipeline = (jsonOf(await needed('pipeline.json')) ?? {}) as PipelineJson;
  const { train } = pipeline;
  const model = Object.keys(train?.model ?? {})[0];
  if (train === undefined || model === undefined || typeof train.batch !== 'number')
    throw fail('COMPARE_RUN', { found: 'a pipeline.json that describes no training' }, { where: folder });
  const rows = readMetrics(await optional('metrics.jsonl'), join(folder, 'metrics.jsonl'));
  const { batch, steps } = train;
  const seconds = sums(rows.map(({ imagesPerSecond }) => (imagesPerSecond > 0 ? batch / imagesPerSecond : 0)));
  const end = last<{ readonly how: string }>(lastRun(rowsOf(await optional('events.jsonl')).rows), 'end');
  const rates = rows.map((row) => row.imagesPerSecond).filter(Number.isFinite);
  return {
    folder,
    model,
    ...optionsIn(pipeline),
    rows,
    seconds,
    ...(typeof steps === 'number' && { total: steps }),
    ...(end && { ended: end.how }),
    ...(rates.length > 0 && { imagesPerSecond: median(rates) }),
    ...(await costOf(folder)),
    evaluations: evaluationsIn(await optional('evaluations.jsonl'), rows, seconds),
  };
}

function sums(values: readonly number[]): number[] {
  let sum = 0;
  return values.map((value) => {
    sum += value;
    return sum;
  });
}

/** As the model counts itself, from what its newest checkpoint says of it. A model that is the user's own counts nothing here. */
async function costOf(folder: string): Promise<Pick<ComparedRun, 'parameters' | 'macs'>> {
  const checkpoints = checkpointFolder(folder);
  const newest = (await checkpointNames(checkpoints)).at(-1);
  if (newest === undefined) return {};
  try {
    const file = join(checkpoints, newest, 'model.safetensors');
    const { model } = parseTrained(openSafetensors(file).metadata, file) ?? {};
    const definition = model?.module === undefined ? models.find(({ name }) => name === model?.name) : undefined;
    if (model === undefined || definition === undefined || model.spec.open) return {};
    const { parameters, macs } = definition.cost?.(definition.options.parse(model.options), model.spec) ?? {};
    return parameters === undefined || macs === undefined ? {} : { parameters, macs };
  } catch (error) {
    // A checkpoint that is broken, of another version, or gone meanwhile leaves the counts unknown; all else is an error of ours.
    const isTold = error instanceof PatchstreamError && error.code !== 'STAGE_BROKEN';
    if (isTold || systemCode(error) !== undefined || error instanceof ZodError) return {};
    throw error;
  }
}

/** The rows of the pipeline that was measured last: those of others stand before them. */
function evaluationsIn(text: string, rows: readonly Measures[], seconds: readonly number[]): Evaluated[] {
  const all = text
    .split('\n')
    .map((line) => jsonOf(line) as Partial<EvaluationRow> | null | undefined)
    .filter((row): row is EvaluationRow => typeof row?.step === 'number' && Array.isArray(row.features));
  const own = all.filter(({ digest }) => digest === all.at(-1)?.digest);
  return own.map((row) => ({
    step: row.step,
    seconds: seconds[rows.findLastIndex(({ step }) => step < row.step)] ?? 0,
    found: measuresIn(row),
  }));
}
