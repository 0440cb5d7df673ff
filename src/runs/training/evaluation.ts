import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fail } from '../../errors.ts';
import type { HeldOutChain, ResolvedMeasure } from '../../pipeline/resolve/evaluate.ts';
import type { Resolved } from '../../pipeline/resolve/resolve.ts';
import type { Failure } from '../../streams/failures.ts';
import { checkpointFolder, newestCheckpoint, readModel, type WhichWeights } from '../../train/weights/checkpoint.ts';
import type { OpenModel, StoredWeights } from '../../train/worker/open-model.ts';
import { cancelled } from '../cancelled.ts';
import type { HeldOutSum, PassedOverPlace } from './held-out.ts';
import { type MeasureResult, probeMeasure, takeMeasure } from './take-measure.ts';
import { modelPlan, ownModel } from './train-definition.ts';

export interface EvaluationOptions {
  readonly signal?: AbortSignal;
  /** A checkpoint's folder or a .safetensors file; the run's newest checkpoint where nothing is said. */
  readonly checkpoint?: string | undefined;
  /** Which weights of a checkpoint, instead of what `evaluate` says. */
  readonly which?: WhichWeights | undefined;
  /** The weights that the training begins with, instead of a checkpoint's. */
  readonly fresh?: boolean;
  /** Weights that were read before, instead of a checkpoint's. */
  readonly weights?: StoredWeights;
  /** What is measured; all that the pipeline says by default. */
  readonly measures?: readonly ResolvedMeasure[];
  /** Pictures to measure on, instead of those that `evaluate` names: a folder. */
  readonly on?: string | undefined;
  /** How many samples pictures are to show, instead of what `evaluate` says. */
  readonly pictures?: number | undefined;
  readonly onLine?: (text: string) => void;
  /** Hears of each held-out sample that failed. */
  readonly onFailure?: ((failure: Failure) => void) | undefined;
}

/** What was measured of one state of the weights. */
export interface Evaluation {
  readonly results: readonly MeasureResult[];
  /** How all that was read for it has ended, source by source. */
  readonly sums: readonly HeldOutSum[];
}

/**
 * Measures a model on pictures that it was not trained on: one pass in listing order, masks from seed 0.
 * tfjs is loaded here, in the calling thread.
 *
 * @throws EVALUATE_MISSING when the pipeline does not say on what; CHECKPOINT_NONE when nothing has been trained; what `takeMeasure` throws.
 */
export async function evaluateModel(resolved: Resolved, options: EvaluationOptions = {}): Promise<Evaluation> {
  const { train, evaluate } = resolved;
  if (train === undefined || evaluate === undefined) throw fail('EVALUATE_MISSING', {});
  const measures = placedOn(options.measures ?? evaluate.measures, options.on);
  const { onLine = () => {}, onFailure, pictures, signal } = options;
  const opened = await openedModel(resolved, options);
  try {
    const results: MeasureResult[] = [];
    const sums: HeldOutSum[] = [];
    const context = { signal, onLine, onFailure, pictures, onSum: (sum: HeldOutSum) => sums.push(sum) };
    for (const measure of measures) {
      results.push(await takeMeasure(measure, resolved, opened, context));
      // What came before the cancellation is not an evaluation.
      if (signal?.aborted) throw cancelled(signal);
    }
    return { results, sums };
  } finally {
    opened.dispose();
  }
}

async function openedModel(resolved: Resolved, options: EvaluationOptions): Promise<OpenModel> {
  const { definition } = resolved;
  const { backend, device, precision, init } = resolved.train!;
  const { onLine = () => {}, fresh, checkpoint } = options;
  const which = options.which ?? resolved.evaluate?.weights;
  const weights = fresh
    ? undefined
    : (options.weights ?? checkpoint ?? (await newest(definition.output, which, onLine)));
  // Only here, so that jobs and checks never load tfjs.
  const { openModel, openFreshModel } = await import('../../train/worker/open-model.ts');
  const plan = { model: modelPlan(resolved), backend, device, precision };
  const own = { model: await ownModel(resolved), which, note: onLine };
  if (weights !== undefined) return openModel(plan, weights, own);
  const start = init === undefined ? {} : { init: resolve(definition.base, init) };
  return openFreshModel({ ...plan, seed: definition.seed, ...start }, own);
}

/**
 * Opens what the pipeline is to be evaluated on, and closes it again: a folder that is missing is told before the training.
 * @returns what each of these sources passes over.
 */
export async function probeHeldOut(
  resolved: Resolved,
  { signal }: { readonly signal: AbortSignal },
): Promise<readonly PassedOverPlace[]> {
  const probing = { signal, seen: new Map<string, PassedOverPlace>() };
  for (const measure of resolved.evaluate?.measures ?? []) await probeMeasure(measure, resolved, probing);
  return [...probing.seen.values()];
}

/** The reconstruction among the pipeline's measures. @throws EVALUATE_MISSING, RECONSTRUCTION_NONE */
export function reconstructionOf({ evaluate }: Resolved): ResolvedMeasure {
  if (evaluate === undefined) throw fail('EVALUATE_MISSING', {});
  const found = evaluate.measures.find(({ definition }) => definition.name === 'reconstruction');
  if (found === undefined)
    throw fail('RECONSTRUCTION_NONE', { found: evaluate.measures.map(({ id }) => id).join(', ') });
  return found;
}

/** The measures on another folder when one is named. */
function placedOn(measures: readonly ResolvedMeasure[], on: string | undefined): readonly ResolvedMeasure[] {
  if (on === undefined) return measures;
  if (!existsSync(on)) throw fail('EVALUATE_FOLDER', { path: resolve(on) });
  return measures.map(({ data, ...measure }) => ({
    ...measure,
    data: data.on === undefined ? data : { ...data, on: inFolder(data.on, resolve(on)) },
  }));
}

function inFolder(chain: HeldOutChain, path: string): HeldOutChain {
  const { source } = chain;
  if (source.name !== 'image-folder') throw fail('EVALUATE_ON', { source: source.name });
  return { ...chain, source: { ...source, options: { ...(source.options as object), path } } };
}

async function newest(
  folder: string,
  which: WhichWeights | undefined,
  onLine: (text: string) => void,
): Promise<StoredWeights> {
  const read = (path: string) => readModel(path, which);
  const checkpoint = await newestCheckpoint(checkpointFolder(folder), read, onLine);
  if (checkpoint === undefined) throw fail('CHECKPOINT_NONE', { folder: join(folder, 'checkpoints') });
  return { stored: checkpoint.model, where: checkpoint.path, classNames: checkpoint.state.classNames };
}
