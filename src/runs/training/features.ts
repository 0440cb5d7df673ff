import { resolve } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { fail } from '../../errors.ts';
import type { Accuracy, FeatureSet } from '../../measures/features.ts';
import type { Classifier, Encoder, HostBatch, Model, Params } from '../../models/model.ts';
import { mapPaths } from '../../pipeline/file/paths.ts';
import { jsonSchema } from '../../pipeline/options.ts';
import type { ClassifyMeasure, FeatureMeasure, HeldOutChain } from '../../pipeline/resolve/evaluate.ts';
import { realPath } from '../../pipeline/resolve/overlap.ts';
import type { Resolved } from '../../pipeline/resolve/resolve.ts';
import { classDifference } from '../../sources/classes.ts';
import { openSource } from '../loader/open.ts';
import { type HeldOutContext, type HeldOutPlace, openHeldOut, type Probing, probeSource } from './held-out.ts';

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
  /** The share of the class that most of these pictures have, 0 to 1; earlier versions have none. */
  readonly largest?: number;
  /** True where the pictures are those that gave the answers, so that each knows itself. */
  readonly same?: true;
  /** Pictures that were recognised, of as many as there are. */
  readonly images: number;
  readonly of: number;
  /** Labelled pictures that gave the answers, of as many as there are; the model's own answers need none. */
  readonly against?: number;
  readonly againstOf?: number;
}

export interface FeatureContext<M extends Model = Encoder> extends HeldOutContext {
  readonly model: M;
  readonly params: Params;
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
  const { id, kind, on, against } = measure;
  const { seed } = resolved.definition;
  const answers = await featuresIn(against, 'against', measure, resolved, context);
  const asked = await featuresIn(on, 'on', measure, resolved, context);
  refuseClasses(answers.classNames, asked.classNames);
  const sets = { on: asked.features, against: answers.features };
  // Only here, so that jobs and checks never load tfjs.
  const [{ knnAccuracy }, { linearProbe }, { largestClass }] = await Promise.all([
    import('../../measures/knn.ts'),
    import('../../measures/linear-probe.ts'),
    import('../../measures/class-accuracy.ts'),
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
    largest: largestClass(asked.features.labels).largest,
    ...(isSame(on, against, resolved.definition.base) && { same: true as const }),
    images: asked.features.labels.length,
    of: asked.count,
    against: answers.features.labels.length,
    againstOf: answers.count,
  };
}

/**
 * Measures a model's own answers on labelled pictures, in listing order.
 * @param context with the classes that the model was trained on, where its checkpoint names them.
 * @throws CLASSES_DIFFER, LABEL_CLASS, and what source and model throw.
 */
export async function measureClasses(
  measure: ClassifyMeasure,
  resolved: Resolved,
  context: FeatureContext<Classifier> & { readonly classNames?: readonly string[] | undefined },
): Promise<FeatureResult> {
  const { id, kind, on, options } = measure;
  const { batches, whole } = await labelledIn(on, { measure, which: 'on' }, options.limit, resolved, context);
  refuseClasses(context.classNames, whole.classNames);
  const { classAccuracy } = await import('../../measures/class-accuracy.ts');
  const { model, params } = context;
  const { classes, largest, images, ...accuracy } = await classAccuracy({ model, params, batches });
  return { id, kind, ...accuracy, resolution: resolutionOf(on), classes, largest, images, of: whole.count };
}

interface Found {
  readonly features: FeatureSet;
  /** Pictures in the whole source. */
  readonly count: number;
  readonly classNames: readonly string[] | undefined;
}

async function featuresIn(
  chain: HeldOutChain,
  which: HeldOutPlace['which'],
  measure: FeatureMeasure,
  resolved: Resolved,
  context: FeatureContext,
): Promise<Found> {
  const { options } = measure;
  const limit = options.limit[which];
  const { batches, source, whole } = await labelledIn(chain, { measure, which }, limit, resolved, context);
  const { featuresOf } = await import('../../measures/features.ts');
  const { model, params } = context;
  const features = await featuresOf({ model, params, batches, most: source.count, pool: options.pool });
  return { features, count: whole.count, classNames: whole.classNames };
}

/** Whether two chains read the same pictures: the same source with the same options, paths compared by where they lead. */
function isSame(on: HeldOutChain, against: HeldOutChain, base: string): boolean {
  const [a, b] = [on.source, against.source].map(({ name, definition, options }) => {
    const schema = jsonSchema(definition.options);
    return { name, options: mapPaths(options, schema, (path) => realPath(resolve(base, path))) };
  });
  return isDeepStrictEqual(a, b);
}

/** Labelled pictures of a chain, batch by batch; as many as `limit` says. */
async function labelledIn(
  chain: HeldOutChain,
  place: HeldOutPlace,
  limit: number | undefined,
  resolved: Resolved,
  context: HeldOutContext,
) {
  const reading = { limit, size: perPass, views: true, fields: ['picture', 'label'] };
  const { batches, ...found } = await openHeldOut(chain, place, reading, resolved, context);
  return { ...found, batches: batches as AsyncIterable<{ readonly fields: HostBatch }> };
}

/** Opens both sources of a measure, and closes them: what is missing or does not fit is told before the training. */
export async function probeFeatures(measure: FeatureMeasure, resolved: Resolved, probing: Probing): Promise<void> {
  const { on, against, options } = measure;
  const answers = await probeSource(against, { measure, which: 'against' }, resolved, probing);
  const count = Math.min(answers.count, options.limit.against ?? answers.count);
  if (measure.kind === 'knn' && measure.options.k > count) throw fail('KNN_FEW', { count, k: measure.options.k });
  const asked = await probeSource(on, { measure, which: 'on' }, resolved, probing);
  refuseClasses(answers.classNames, asked.classNames);
}

/** Opens what a model's own answers are measured on, and closes it: it must have the classes of the training. */
export async function probeClasses(measure: ClassifyMeasure, resolved: Resolved, probing: Probing): Promise<void> {
  const trained = await openSource(resolved, probing);
  await trained.close?.();
  const asked = await probeSource(measure.on, { measure, which: 'on' }, resolved, probing);
  refuseClasses(trained.classNames, asked.classNames);
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
