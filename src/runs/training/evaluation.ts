import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { fail } from '../../errors.ts';
import type { HeldOut, Reconstruction, ReconstructionErrors } from '../../measures/evaluate.ts';
import type { HostBatch, Model, Params } from '../../models/model.ts';
import { isClassifier, isEncoder, isRestorer } from '../../models/model.ts';
import type { HeldOutChain, ReconstructionMeasure, ResolvedMeasure } from '../../pipeline/resolve/evaluate.ts';
import type { Resolved } from '../../pipeline/resolve/resolve.ts';
import type { Failure } from '../../streams/failures.ts';
import { checkpointFolder, newestCheckpoint, readModel } from '../../train/weights/checkpoint.ts';
import type { OpenModel, StoredWeights } from '../../train/worker/session.ts';
import { writeWhole } from '../../whole-file.ts';
import { cancelled } from '../cancelled.ts';
import { type FeatureResult, measureClasses, measureFeatures, probeClasses, probeFeatures } from './features.ts';
import { type HeldOutContext, type HeldOutSum, openHeldOut, type PassedOverPlace, probeSource } from './held-out.ts';
import { modelPlan, ownModel } from './train-definition.ts';

export interface EvaluationOptions {
  readonly signal?: AbortSignal;
  /** A checkpoint's folder or a .safetensors file; the run's newest checkpoint where nothing is said. */
  readonly checkpoint?: string | undefined;
  /** The weights that the training begins with, instead of a checkpoint's. */
  readonly fresh?: boolean;
  /** Weights that were read before, instead of a checkpoint's. */
  readonly weights?: StoredWeights;
  /** What is measured; all that the pipeline says by default. */
  readonly measures?: readonly ResolvedMeasure[];
  /** Pictures to measure on, instead of those that `evaluate` names: a folder. */
  readonly on?: string | undefined;
  /** How many reconstructions to return for drawing, instead of what `evaluate` says. */
  readonly pictures?: number | undefined;
  readonly onLine?: (text: string) => void;
  /** Hears of each held-out sample that failed. */
  readonly onFailure?: ((failure: Failure) => void) | undefined;
}

/** What was measured of one state of the weights. */
export interface Measured {
  readonly reconstruction?: Reconstruction;
  readonly features: readonly FeatureResult[];
}

export interface Evaluation extends Measured {
  /** How all that was read for it has ended, source by source. */
  readonly sums: readonly HeldOutSum[];
}

/** A row of `evaluations.jsonl`: what was measured after so many steps; 0 is before the training. */
export interface EvaluationRow {
  readonly step: number;
  readonly epoch: number;
  /** Of the pipeline and its measures: rows of another are not taken for this one's. */
  readonly digest: string;
  readonly reconstruction?: ReconstructionErrors;
  readonly features: readonly FeatureResult[];
}

/** Samples per pass of the model that restores; changes speed and memory, never the result. */
const perPass = 16;

/**
 * Measures a model on pictures that it was not trained on: one pass in listing order, masks from seed 0.
 * tfjs is loaded here, in the calling thread.
 *
 * @throws EVALUATE_MISSING when the pipeline does not say on what; CHECKPOINT_NONE when nothing has been trained; MODEL_RESTORES,
 * MODEL_ENCODES, MODEL_CLASSIFIES; CLASSES_DIFFER where a classifier was trained on others.
 */
export async function evaluateModel(resolved: Resolved, options: EvaluationOptions = {}): Promise<Evaluation> {
  const { train, evaluate } = resolved;
  if (train === undefined || evaluate === undefined) throw fail('EVALUATE_MISSING', {});
  const measures = placedOn(options.measures ?? evaluate.measures, options.on);
  const { onLine = () => {}, signal } = options;
  const opened = await openedModel(resolved, options);
  try {
    let reconstruction: Reconstruction | undefined;
    const features: FeatureResult[] = [];
    const sums: HeldOutSum[] = [];
    for (const measure of measures) {
      const { model, params, classNames } = opened;
      const onSum = (sum: HeldOutSum) => sums.push(sum);
      const context = { params, signal, onLine, onFailure: options.onFailure, onSum };
      if (measure.kind === 'reconstruction') {
        reconstruction = await restored(measure, model, resolved, { ...context, pictures: options.pictures });
      } else if (measure.kind === 'classify') {
        if (!isClassifier(model)) throw fail('MODEL_CLASSIFIES', { model: model.name });
        features.push(await measureClasses(measure, resolved, { ...context, model, classNames }));
      } else {
        if (!isEncoder(model)) throw fail('MODEL_ENCODES', { measure: measure.kind, model: model.name });
        features.push(await measureFeatures(measure, resolved, { ...context, model }));
      }
      // What came before the cancellation is not an evaluation.
      if (signal?.aborted) throw cancelled(signal);
    }
    return { features, sums, ...(reconstruction && { reconstruction }) };
  } finally {
    opened.dispose();
  }
}

async function openedModel(resolved: Resolved, options: EvaluationOptions): Promise<OpenModel> {
  const { definition } = resolved;
  const { backend, device, init } = resolved.train!;
  const { onLine = () => {}, fresh, checkpoint } = options;
  const weights = fresh ? undefined : (options.weights ?? checkpoint ?? (await newest(definition.output, onLine)));
  // Only here, so that jobs and checks never load tfjs.
  const { openModel, openFreshModel } = await import('../../train/worker/session.ts');
  const plan = { model: modelPlan(resolved), backend, device };
  const own = { model: await ownModel(resolved), note: onLine };
  if (weights !== undefined) return openModel(plan, weights, own);
  const start = init === undefined ? {} : { init: resolve(definition.base, init) };
  return openFreshModel({ ...plan, seed: definition.seed, ...start }, own);
}

async function restored(
  measure: ReconstructionMeasure,
  model: Model,
  resolved: Resolved,
  { params, pictures, ...context }: HeldOutContext & { readonly params: Params; readonly pictures: number | undefined },
): Promise<Reconstruction> {
  if (!isRestorer(model)) throw fail('MODEL_RESTORES', { model: resolved.train!.model.name });
  const { on, options } = measure;
  const reading = { limit: options.limit, size: perPass };
  const { batches } = await openHeldOut(on, { measure, which: 'on' }, reading, resolved, context);
  const { evaluateReconstruction } = await import('../../measures/evaluate.ts');
  return evaluateReconstruction({
    model,
    params,
    batches: heldOut(batches),
    pictures: pictures ?? options.pictures,
  });
}

/** `reconstruction.png`: what the model is given, and what it makes of it. Returns its path. @param write in the place of an earlier one, by default. */
export async function drawReconstruction(
  { examples }: Reconstruction,
  path: string,
  write: (path: string, png: Uint8Array) => Promise<void> = writeWhole,
): Promise<string> {
  const { reconstructionFigure } = await import('../../measures/figure.ts');
  await mkdir(dirname(path), { recursive: true });
  await write(path, await reconstructionFigure(examples));
  return path;
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
  for (const measure of resolved.evaluate?.measures ?? []) {
    if (measure.kind === 'classify') await probeClasses(measure, resolved, probing);
    else if (measure.kind !== 'reconstruction') await probeFeatures(measure, resolved, probing);
    else await probeSource(measure.on, { measure, which: 'on' }, resolved, probing);
  }
  return [...probing.seen.values()];
}

/** The reconstruction among the pipeline's measures. @throws EVALUATE_MISSING, RECONSTRUCTION_NONE */
export function reconstructionOf({ evaluate }: Resolved): ReconstructionMeasure {
  if (evaluate === undefined) throw fail('EVALUATE_MISSING', {});
  const found = evaluate.measures.find((measure) => measure.kind === 'reconstruction');
  if (found === undefined)
    throw fail('RECONSTRUCTION_NONE', { found: evaluate.measures.map(({ id }) => id).join(', ') });
  return found;
}

/** The measures on another folder when one is named. */
function placedOn(measures: readonly ResolvedMeasure[], on: string | undefined): readonly ResolvedMeasure[] {
  if (on === undefined) return measures;
  if (!existsSync(on)) throw fail('EVALUATE_FOLDER', { path: resolve(on) });
  return measures.map((measure) => ({ ...measure, on: inFolder(measure.on, resolve(on)) }));
}

function inFolder(chain: HeldOutChain, path: string): HeldOutChain {
  const { source } = chain;
  if (source.name !== 'image-folder') throw fail('EVALUATE_ON', { source: source.name });
  return { ...chain, source: { ...source, options: { ...(source.options as object), path } } };
}

async function newest(folder: string, onLine: (text: string) => void): Promise<StoredWeights> {
  const checkpoint = await newestCheckpoint(checkpointFolder(folder), readModel, onLine);
  if (checkpoint === undefined) throw fail('CHECKPOINT_NONE', { folder: join(folder, 'checkpoints') });
  return { stored: checkpoint.model, where: checkpoint.path, classNames: checkpoint.state.classNames };
}

async function* heldOut(
  batches: AsyncIterable<{ readonly keys: readonly string[]; readonly fields: object }>,
): AsyncGenerator<HeldOut> {
  for await (const { keys, fields } of batches) yield { keys, fields: fields as HostBatch };
}
