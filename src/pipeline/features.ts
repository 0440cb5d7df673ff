import { classDifference } from '../datasets/classes.ts';
import type { OpenSource } from '../datasets/source.ts';
import { fail } from '../errors.ts';
import type { Classifier, Encoder, HostBatch, Model, Params } from '../models/model.ts';
import type { Failure } from '../streams/failures.ts';
import type { Accuracy, FeatureSet } from '../train/features.ts';
import { batchesOf } from './batches.ts';
import type { ClassifyMeasure, FeatureMeasure, HeldOutChain } from './evaluate.ts';
import { openLoader, openSource } from './open.ts';
import type { Resolved } from './resolve.ts';

/** How well pictures were recognised, by frozen features or by the model itself. */
export interface FeatureResult extends Accuracy {
  /** `knn`, `linear`, `knn#2`, `classify`. */
  readonly id: string;
  readonly kind: 'knn' | 'linear' | 'classify';
  /** Neighbours that vote, of k-NN. */
  readonly k?: number;
  /** The fewest pixels that a picture went through, `8×8`. */
  readonly resolution: string;
  readonly classes: number;
  /** Pictures that were recognised, of as many as there are. */
  readonly images: number;
  readonly of: number;
  /** Labelled pictures that gave the answers, of as many as there are; the model's own answers need none. */
  readonly against?: number;
  readonly againstOf?: number;
}

export interface FeatureContext<M extends Model = Encoder> {
  readonly model: M;
  readonly params: Params;
  readonly signal?: AbortSignal | undefined;
  readonly onLine: (text: string) => void;
  readonly onFailure?: ((failure: Failure) => void) | undefined;
}

/** Pictures per pass of the encoder; changes speed and memory, never the result. */
const perPass = 64;

/**
 * Measures frozen features: both sets of pictures through the encoder, in listing order, then k-NN or a linear classifier on them.
 * @throws CLASSES_DIFFER, KNN_FEW, and what sources and encoder throw.
 */
export async function measureFeatures(
  measure: FeatureMeasure,
  resolved: Resolved,
  context: FeatureContext,
): Promise<FeatureResult> {
  const { id, kind, options, on, against } = measure;
  const { seed } = resolved.definition;
  const answers = await featuresIn(against, options.limit.against, measure, resolved, context);
  const asked = await featuresIn(on, options.limit.on, measure, resolved, context);
  refuseClasses(answers.classNames, asked.classNames);
  const sets = { on: asked.features, against: answers.features };
  // Only here, so that jobs and checks never load tfjs.
  const [{ knnAccuracy }, { linearProbe }] = await Promise.all([
    import('../train/knn.ts'),
    import('../train/linear-probe.ts'),
  ]);
  const accuracy =
    measure.kind === 'knn'
      ? await knnAccuracy({ ...sets, ...measure.options })
      : await linearProbe({ ...sets, ...measure.options, seed });
  return {
    id,
    kind,
    ...(measure.kind === 'knn' && { k: measure.options.k }),
    ...accuracy,
    resolution: resolutionOf(on),
    classes: new Set(answers.features.labels).size,
    images: asked.features.labels.length,
    of: asked.count,
    against: answers.features.labels.length,
    againstOf: answers.count,
  };
}

/**
 * Measures a model's own answers on labelled pictures, in listing order.
 * @throws LABEL_CLASS, and what source and model throw.
 */
export async function measureClasses(
  measure: ClassifyMeasure,
  resolved: Resolved,
  context: FeatureContext<Classifier>,
): Promise<FeatureResult> {
  const { id, kind, on, options } = measure;
  const { batches, whole } = await labelledIn(on, options.limit, resolved, context);
  const { classAccuracy } = await import('../train/class-accuracy.ts');
  const { model, params } = context;
  const { classes, images, ...accuracy } = await classAccuracy({ model, params, batches });
  return { id, kind, ...accuracy, resolution: resolutionOf(on), classes, images, of: whole.count };
}

interface Found {
  readonly features: FeatureSet;
  /** Pictures in the whole source. */
  readonly count: number;
  readonly classNames: readonly string[] | undefined;
}

async function featuresIn(
  chain: HeldOutChain,
  limit: number | undefined,
  { options }: FeatureMeasure,
  resolved: Resolved,
  context: FeatureContext,
): Promise<Found> {
  const { batches, source, whole } = await labelledIn(chain, limit, resolved, context);
  const { featuresOf } = await import('../train/features.ts');
  const { model, params } = context;
  const features = await featuresOf({ model, params, batches, most: source.count, pool: options.pool });
  return { features, count: whole.count, classNames: whole.classNames };
}

/** Labelled pictures of a chain, batch by batch; as many as `limit` says. */
async function labelledIn(
  chain: HeldOutChain,
  limit: number | undefined,
  { definition, capacity }: Resolved,
  { signal, onLine, onFailure }: Pick<FeatureContext, 'signal' | 'onLine' | 'onFailure'>,
) {
  const heard = { onLine, ...(signal && { signal }) };
  const whole = await openSource({ definition, source: chain.source }, heard);
  const source = spread(whole, limit);
  // Chance of stages that have no twin is drawn with seed 0, as in all evaluation.
  const reading = { ...chain, capacity, definition: { ...definition, seed: 0 } };
  const loader = await openLoader(reading, { ...heard, source, ...(onFailure && { onFailure }) });
  const batches = batchesOf(loader, perPass, {
    views: true,
    fields: ['picture', 'label'],
    ...(signal && { signal }),
  }) as AsyncIterable<{ readonly fields: HostBatch }>;
  return { batches, source, whole };
}

/** The source with `most` of its samples, at equal distances in listing order: of a folder per class some of each class. */
export function spread(source: OpenSource, most = source.count): OpenSource {
  if (most >= source.count) return source;
  const place = (index: number) => Math.floor((index * source.count) / most);
  return {
    count: most,
    ...(source.classNames && { classNames: source.classNames }),
    key: (index) => source.key(place(index)),
    read: (index, signal, memory) => source.read(place(index), signal, memory),
    close: async () => source.close?.(),
  };
}

/** Opens both sources of a measure, and closes them: what is missing or does not fit is told before the training. */
export async function probeFeatures(
  { on, against, ...measure }: FeatureMeasure,
  { definition }: Resolved,
  options: { readonly signal: AbortSignal },
): Promise<void> {
  const names: (readonly string[] | undefined)[] = [];
  for (const [chain, limit] of [
    [against, measure.options.limit.against],
    [on, undefined],
  ] as const) {
    const source = await openSource({ definition, source: chain.source }, options);
    names.push(source.classNames);
    await source.close?.();
    const count = Math.min(source.count, limit ?? source.count);
    if (chain === against && measure.kind === 'knn' && measure.options.k > count) {
      throw fail('KNN_FEW', { count, k: measure.options.k });
    }
  }
  refuseClasses(names[0], names[1]);
}

/** Opens what a model's own answers are measured on, and closes it: it must have the classes of the training. */
export async function probeClasses(
  { on }: ClassifyMeasure,
  { definition, source }: Resolved,
  options: { readonly signal: AbortSignal },
): Promise<void> {
  const names: (readonly string[] | undefined)[] = [];
  for (const each of [source!, on.source]) {
    const opened = await openSource({ definition, source: each }, options);
    names.push(opened.classNames);
    await opened.close?.();
  }
  refuseClasses(names[0], names[1]);
}

/** Ranks of classes must mean the same; classes at the end may be missing among the pictures to be recognised. */
function refuseClasses(expected: readonly string[] | undefined, found: readonly string[] | undefined): void {
  if (expected === undefined || found === undefined) return;
  const difference = classDifference(expected, found);
  if (difference !== undefined) throw fail('CLASSES_DIFFER', { found: difference });
}

/** The smallest size that pictures are brought to on their way. */
function resolutionOf({ stages, spec }: HeldOutChain): string {
  const sizes = [...stages.map(({ after }) => after.size), spec.size].filter((size) => size !== undefined);
  const [least] = sizes.sort((a, b) => a[0] * a[1] - b[0] * b[1]);
  return least === undefined ? 'their own size' : `${least[1]}×${least[0]}`;
}
