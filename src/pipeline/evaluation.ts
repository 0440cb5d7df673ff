import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { fail } from '../errors.ts';
import type { HostBatch } from '../models/model.ts';
import { isRestorer } from '../models/model.ts';
import type { Failure } from '../streams/failures.ts';
import { checkpointFolder, newestCheckpoint } from '../train/checkpoint.ts';
import type { HeldOut, Reconstruction } from '../train/evaluate.ts';
import { batchesOf } from './batches.ts';
import { cancelled } from './context.ts';
import type { ResolvedEvaluate } from './evaluate.ts';
import { openLoader, openSource } from './open.ts';
import type { Resolved } from './resolve.ts';

export interface EvaluationOptions {
  readonly signal?: AbortSignal;
  /** A checkpoint's folder or a .safetensors file; the run's newest checkpoint where nothing is said. */
  readonly checkpoint?: string | undefined;
  /** Pictures to restore, instead of those that `evaluate` names: a folder. */
  readonly on?: string | undefined;
  /** How many reconstructions to return for drawing, instead of what `evaluate` says. */
  readonly pictures?: number | undefined;
  readonly onLine?: (text: string) => void;
  /** Hears of each held-out sample that failed. */
  readonly onFailure?: ((failure: Failure) => void) | undefined;
}

/** Samples per pass of the model; changes speed and memory, never the result. */
const perPass = 16;

/**
 * Measures what a trained model restores of pictures that it was not trained on: one pass in listing order, masks from seed 0.
 * tfjs is loaded here, in the calling thread.
 *
 * @throws EVALUATE_MISSING when the pipeline does not say on what; CHECKPOINT_NONE when nothing has been trained; MODEL_RESTORES.
 */
export async function evaluateModel(resolved: Resolved, options: EvaluationOptions = {}): Promise<Reconstruction> {
  const { train } = resolved;
  const evaluate = evaluationOf(resolved, options.on);
  if (train === undefined || evaluate === undefined) throw fail('EVALUATE_MISSING', {});
  const { onLine = () => {}, signal, onFailure } = options;
  const weights = options.checkpoint ?? (await newest(resolved.definition.output, onLine));
  const { model } = train;
  // Only here, so that jobs and checks never load tfjs.
  const [{ openModel }, { evaluateReconstruction }] = await Promise.all([
    import('../train/session.ts'),
    import('../train/evaluate.ts'),
  ]);
  const plan = { name: model.name, options: model.options, spec: resolved.spec };
  const opened = await openModel({ model: plan, backend: train.backend, device: train.device }, weights, {
    note: onLine,
  });
  try {
    if (!isRestorer(opened.model)) throw fail('MODEL_RESTORES', { model: model.name });
    const loader = await openLoader(
      {
        ...evaluate,
        capacity: resolved.capacity,
        definition: { ...resolved.definition, seed: 0 },
      },
      { onLine, ...(signal && { signal }), ...(onFailure && { onFailure }) },
    );
    const made = await evaluateReconstruction({
      model: opened.model,
      params: opened.params,
      batches: heldOut(batchesOf(loader, perPass, { ...(signal && { signal }) })),
      pictures: options.pictures ?? evaluate.measures[0]?.reconstruction.pictures ?? 8,
    });
    // What came before the cancellation is not an evaluation.
    if (signal?.aborted) throw cancelled(signal);
    return made;
  } finally {
    opened.dispose();
  }
}

/** `reconstruction.png`: image, windows, masked, restored. Returns its path. */
export async function drawReconstruction({ examples }: Reconstruction, path: string): Promise<string> {
  const { reconstructionFigure } = await import('../train/figure.ts');
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, await reconstructionFigure(examples));
  return path;
}

/** Opens what the pipeline is to be evaluated on, and closes it again: a folder that is missing is told before the training. */
export async function probeHeldOut(resolved: Resolved, options: { readonly signal: AbortSignal }): Promise<void> {
  const { evaluate, definition } = resolved;
  if (evaluate === undefined) return;
  const source = await openSource({ definition, source: evaluate.source }, options);
  await source.close?.();
}

/** The pipeline's `evaluate`, on another folder when one is named. */
function evaluationOf({ evaluate }: Resolved, on: string | undefined): ResolvedEvaluate | undefined {
  if (evaluate === undefined || on === undefined) return evaluate;
  const { source } = evaluate;
  if (!existsSync(on)) throw fail('EVALUATE_FOLDER', { path: resolve(on) });
  if (source.name !== 'image-folder') throw fail('EVALUATE_ON', { source: source.name });
  return { ...evaluate, source: { ...source, options: { ...(source.options as object), path: resolve(on) } } };
}

async function newest(folder: string, onLine: (text: string) => void): Promise<string> {
  const checkpoint = await newestCheckpoint(checkpointFolder(folder), (error) => onLine(error.message));
  if (checkpoint === undefined) throw fail('CHECKPOINT_NONE', { folder: join(folder, 'checkpoints') });
  return checkpoint.path;
}

async function* heldOut(
  batches: AsyncIterable<{ readonly keys: readonly string[]; readonly fields: object }>,
): AsyncGenerator<HeldOut> {
  for await (const { keys, fields } of batches) yield { keys, fields: fields as HostBatch };
}
