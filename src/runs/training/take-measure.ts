import { resolve } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { fail } from '../../errors.ts';
import {
  abilities,
  type DataName,
  type MeasureContext,
  type MeasureData,
  type Measured,
  type Numbers,
} from '../../measures/define.ts';
import type { HostBatch } from '../../models/model.ts';
import { mapPaths } from '../../pipeline/file/paths.ts';
import { jsonSchema } from '../../pipeline/options.ts';
import type { HeldOutChain, ResolvedMeasure } from '../../pipeline/resolve/evaluate.ts';
import { realPath } from '../../pipeline/resolve/overlap.ts';
import type { Resolved } from '../../pipeline/resolve/resolve.ts';
import { classDifference } from '../../sources/classes.ts';
import type { OpenModel } from '../../train/worker/open-model.ts';
import { openSource } from '../loader/open.ts';
import { type HeldOutContext, openHeldOut, type Probing, probeSource } from './held-out.ts';

/** What a measure has found of one state of the weights. */
export interface MeasureResult extends Measured {
  readonly measure: ResolvedMeasure;
}

export interface TakingContext extends HeldOutContext {
  readonly pictures?: number | undefined;
}

/** Samples per batch where a measure does not say; changes speed and memory, never the result. */
const perPass = 64;

/**
 * Runs a measure on a model: its data are opened when it asks for them, and closed whatever happens.
 *
 * @throws MODEL_RESTORES, MODEL_ENCODES, MODEL_CLASSIFIES; CLASSES_DIFFER; MEASURE_NUMBER; what the measure and its sources throw.
 */
export async function takeMeasure(
  measure: ResolvedMeasure,
  resolved: Resolved,
  { model, params, classNames }: Pick<OpenModel, 'model' | 'params' | 'classNames'>,
  context: TakingContext,
): Promise<MeasureResult> {
  const { definition, options } = measure;
  const ability = definition.needs && abilities[definition.needs];
  if (ability && !ability.has(model))
    throw fail(ability.lacks, { model: resolved.train!.model.name, measure: definition.name });
  const [{ tfjs: tf }, { uploadAll: upload }] = await Promise.all([
    import('../../backends/tf.ts'),
    import('../../backends/upload.ts'),
  ]);
  const { pictures, signal } = context;
  const { seed } = resolved.definition;
  const { data, close } = dataOf(measure, resolved, classNames, context);
  try {
    const found = await definition.run({ options, model, params, tf, upload, data, seed, pictures, signal });
    refuseNumbers(definition, found?.numbers ?? {});
    return { ...found, measure };
  } finally {
    await close();
  }
}

/** The data of a measure, each opened when it asks for it. @param trained the classes that the model was trained on, where they are known. */
function dataOf(
  measure: ResolvedMeasure,
  resolved: Resolved,
  trained: readonly string[] | undefined,
  context: TakingContext,
) {
  const opened: { close(): Promise<void> }[] = [];
  const classes: Classes = new Map();
  const fields = fieldsOf(measure, resolved);
  const entries = dataIn(measure.data).map(([which, chain]): [DataName, MeasureData] => {
    const place = { measure, which };
    const data: MeasureData = {
      spec: chain.spec,
      resolution: resolutionOf(chain),
      isSame: (other) => isSame(chain, measure.data[other], resolved.definition.base),
      async open({ size = perPass } = {}) {
        const one = await openHeldOut(chain, place, { size, fields }, resolved, context);
        opened.push(one);
        classes.set(which, one.whole.classNames);
        refuseClasses(measure.definition, classes, trained);
        const { source, whole } = one;
        return {
          batches: one.batches as AsyncIterable<Batched>,
          count: source.count,
          of: whole.count,
          ...(whole.classNames && { classNames: whole.classNames }),
        };
      },
    };
    return [which, data];
  });
  const close = () => Promise.allSettled(opened.map((one) => one.close()));
  return { data: Object.fromEntries(entries) as MeasureContext['data'], close };
}

/** The names of the classes of each source, where it has names. */
type Classes = Map<DataName, readonly string[] | undefined>;

interface Batched {
  readonly keys: readonly string[];
  readonly fields: HostBatch;
}

function dataIn(data: ResolvedMeasure['data']): [DataName, HeldOutChain][] {
  return Object.entries(data) as [DataName, HeldOutChain][];
}

/** The fields that a measure reads: its own and the labels that it needs, or the model's. */
function fieldsOf({ definition }: ResolvedMeasure, { train }: Resolved): readonly string[] {
  const { fields = train!.model.definition.fields, labels } = definition;
  return labels ? [...new Set([...fields, 'label'])] : fields;
}

/**
 * Ranks of classes must mean the same: those of `on` are those of `reference`, or of a model that tells classes apart. Classes at the end may be missing among
 * the pictures of `on`.
 */
function refuseClasses(
  { labels, needs }: ResolvedMeasure['definition'],
  found: Classes,
  trained: readonly string[] | undefined,
): void {
  const expected = found.get('reference') ?? (needs === 'classifies' ? trained : undefined);
  const names = found.get('on');
  if (!labels || expected === undefined || names === undefined) return;
  const difference = classDifference(expected, names);
  if (difference !== undefined) throw fail('CLASSES_DIFFER', { found: difference });
}

/** What is no number would be null in the files, and a name of ours would hide one of the measure's. */
function refuseNumbers({ name, values }: ResolvedMeasure['definition'], numbers: Numbers): void {
  const value = Object.keys(values)[0] ?? 'one';
  const isWrong = ([key, found]: readonly [string, unknown]) =>
    ['id', 'kind', 'notes'].includes(key) || ((key in values || typeof found === 'number') && !Number.isFinite(found));
  const wrong = Object.entries(numbers).find(isWrong);
  if (wrong === undefined && numbers[value] !== undefined) return;
  const found = wrong === undefined ? Object.keys(numbers).join(', ') || 'nothing' : wrong.join(' ');
  throw fail('MEASURE_NUMBER', { value, measure: name, found });
}

/** Opens all sources of a measure, and closes them: what is missing or does not fit is reported before the training. */
export async function probeMeasure(measure: ResolvedMeasure, resolved: Resolved, probing: Probing): Promise<void> {
  const { definition, options, data } = measure;
  const counts: Partial<Record<DataName, number>> = {};
  const classes: Classes = new Map();
  for (const [which, chain] of dataIn(data)) {
    const source = await probeSource(chain, { measure, which }, resolved, probing);
    counts[which] = Math.min(source.count, chain.limit ?? source.count);
    classes.set(which, source.classNames);
  }
  definition.probe?.(options, counts as Record<DataName, number>);
  const trained = definition.needs === 'classifies' ? await openSource(resolved, probing) : undefined;
  await trained?.close?.();
  refuseClasses(definition, classes, trained?.classNames);
}

/** Whether two chains read the same samples: the same source with the same options, paths compared by where they lead. */
function isSame(one: HeldOutChain, other: HeldOutChain | undefined, base: string): boolean {
  if (other === undefined) return false;
  const [a, b] = [one.source, other.source].map(({ name, definition, options }) => {
    const schema = jsonSchema(definition.options);
    return { name, options: mapPaths(options, schema, (path) => realPath(resolve(base, path))) };
  });
  return isDeepStrictEqual(a, b);
}

/** The smallest size that pictures are brought to on their way. */
function resolutionOf({ stages, spec }: HeldOutChain): string {
  const sizes = [...stages.map(({ after }) => after.size), spec.size].filter((size) => size !== undefined);
  const [least] = sizes.sort((a, b) => a[0] * a[1] - b[0] * b[1]);
  return least === undefined ? 'their own size' : `${least[1]}×${least[0]}`;
}
