import { z } from 'zod';
import { fail } from '../../errors.ts';
import type { SourceDefinition } from '../../sources/source.ts';
import type { Stage } from '../../streams/stage.ts';
import type { Spec } from '../../vision/spec.ts';
import type { Definition, Evaluate } from '../definition.ts';
import {
  type ClassifyOptions,
  type KnnOptions,
  type LinearOptions,
  type MeasureName,
  measureNames,
  ownOptions,
  type ReconstructionOptions,
  type Timing,
  timing,
} from '../evaluate.options.ts';
import type { Path } from '../file/locate.ts';
import { found, parseOptions } from '../options.ts';
import type { Problems } from '../problem.ts';
import type { Registry } from '../registry.ts';
import { inferSpecs, optionPath, type ResolvedStage } from './infer-specs.ts';
import { oneOf } from './outputs.ts';

export interface ResolvedSource {
  readonly name: string;
  readonly options: unknown;
  readonly definition: SourceDefinition;
  readonly spec: Spec;
}

/** A source with the stages behind it. */
export interface HeldOutChain {
  readonly source: ResolvedSource;
  readonly stages: readonly ResolvedStage[];
  /** At the end of the stages. */
  readonly spec: Spec;
}

interface Measured {
  /** `knn`, and `knn#2` for the second of that name: its key in files. */
  readonly id: string;
  /** Where it was written. */
  readonly path: Path;
  readonly on: HeldOutChain;
}

export interface ReconstructionMeasure extends Measured {
  readonly kind: 'reconstruction';
  readonly options: ReconstructionOptions;
}

export interface KnnMeasure extends Measured {
  readonly kind: 'knn';
  readonly options: KnnOptions;
  readonly against: HeldOutChain;
}

export interface LinearMeasure extends Measured {
  readonly kind: 'linear';
  readonly options: LinearOptions;
  readonly against: HeldOutChain;
}

/** Classes of the pictures of `on`, as the model itself tells them. */
export interface ClassifyMeasure extends Measured {
  readonly kind: 'classify';
  readonly options: ClassifyOptions;
}

/** A measure of frozen features: classes of the pictures of `on`, from the labelled features of `against`. */
export type FeatureMeasure = KnnMeasure | LinearMeasure;
export type ResolvedMeasure = ReconstructionMeasure | ClassifyMeasure | FeatureMeasure;

/** `evaluate`, parsed, in its full form. */
export interface ResolvedEvaluate extends Timing {
  readonly measures: readonly ResolvedMeasure[];
}

/** Parses a source's options and asks for its spec; an open one when it cannot be told. */
export function checkSource(value: unknown, path: Path, problems: Problems): ResolvedSource | undefined {
  if (typeof value !== 'object' || value === null || !('source' in value)) {
    const slots = {
      option: path.join('.'),
      expected: 'a source',
      found: found(value),
      advice: 'Call its factory: `imageFolder(…)`.',
    };
    problems.add(fail('OPTION_VALUE', slots), path);
    return undefined;
  }
  const { name, options, definition } = value.source as {
    name: string;
    options: unknown;
    definition: SourceDefinition;
  };
  const at = [...path, name];
  const who = `source ${name}`;
  const parsed = parseOptions(definition.options, options, who);
  for (const { error, path: inner, key } of parsed.problems) problems.add(error, [...at, ...inner], { key });
  if (parsed.value === undefined) return undefined;
  for (const { error, option } of definition.check?.(parsed.value) ?? []) {
    problems.add(error, option === undefined ? at : [...at, ...optionPath(option)], { key: option === undefined });
  }
  return { name, options: parsed.value, definition, spec: definition.spec(parsed.value) };
}

/** The spec of samples of which nothing is known. */
export const openSpec: Spec = { fields: {}, open: true };

/** The pipeline that is trained, as `evaluate` looks at it. */
interface Training {
  readonly source: ResolvedSource | undefined;
  readonly stages: readonly ResolvedStage[];
}

/** Parses `evaluate` and brings the short form into the full one; stages are training's, with their deterministic twins. */
export function checkEvaluate(
  { evaluate }: Definition,
  training: Training,
  registry: Registry,
  problems: Problems,
): ResolvedEvaluate | undefined {
  if (evaluate === undefined) return undefined;
  const whole = mapAt(evaluate, ['evaluate'], 'Write `evaluate: { reconstruction: { on: ./folder } }`.', problems);
  if (whole === undefined) return undefined;
  const {
    source: _source,
    stages: _stages,
    measures: _measures,
    reconstruction: _r,
    knn: _k,
    linear: _l,
    classify: _c,
    ...own
  } = whole;
  const { value, problems: wrong } = parseOptions(timing, own, 'evaluate', [
    'source',
    'stages',
    'measures',
    ...measureNames,
  ]);
  for (const { error, path, key } of wrong) problems.add(error, ['evaluate', ...path], { key });
  if (own.every !== undefined) {
    const every = mapAt(own.every, ['evaluate', 'every'], '', problems.silent());
    if (every !== undefined) oneOf(every, ['steps', 'epochs'], ['evaluate', 'every'], problems);
  }
  const reader: Reader = { evaluate, training, registry, problems };
  const counts = new Map<string, number>();
  const measures = written(whole, problems).flatMap(({ kind, options, path }) => {
    const count = (counts.get(kind) ?? 0) + 1;
    counts.set(kind, count);
    const measure = measureOf({ kind, id: count === 1 ? kind : `${kind}#${count}`, options, path }, reader);
    return measure === undefined ? [] : [measure];
  });
  const restored = measures.filter(({ kind }) => kind === 'reconstruction');
  if (restored[1] !== undefined) {
    problems.add(fail('EVALUATE_TWICE', { found: restored.length }), restored[1].path, { key: true });
  }
  return value && { ...value, measures };
}

interface Reader {
  readonly evaluate: Evaluate;
  readonly training: Training;
  readonly registry: Registry;
  readonly problems: Problems;
}

interface Written {
  readonly kind: MeasureName;
  readonly options: unknown;
  readonly path: Path;
}

type Raw = Readonly<Record<string, unknown>>;

/** One entry of `measures`: the names that it may have. */
const named = z.strictObject(Object.fromEntries(measureNames.map((name) => [name, z.unknown().optional()])));

function mapAt(value: unknown, path: Path, advice: string, problems: Problems): Raw | undefined {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Raw;
  problems.add(fail('OPTION_VALUE', { option: path.join('.'), expected: 'a map', found: found(value), advice }), path);
  return undefined;
}

/** The measures as they are written, in the short form or in the full one. */
function written(evaluate: Raw, problems: Problems): Written[] {
  const short = measureNames.filter((name) => evaluate[name] !== undefined);
  const { measures } = evaluate;
  if (measures === undefined || short.length > 0) {
    // Several names are several measures; beside a list, or with nothing at all, something is wrong.
    if (short.length === 0 || measures !== undefined) {
      oneOf(evaluate, ['measures', ...(short.length === 0 ? measureNames : short.slice(0, 1))], ['evaluate'], problems);
    }
    return short.map((kind) => ({ kind, options: evaluate[kind], path: ['evaluate', kind] }));
  }
  const path = ['evaluate', 'measures'];
  if (!Array.isArray(measures) || measures.length === 0) {
    const slots = { option: 'measures', expected: 'a list of at least 1 measure', found: found(measures) };
    problems.add(fail('OPTION_VALUE', { ...slots, advice: 'Write `measures: [{ knn: { k: 20 } }]`.' }), path);
    return [];
  }
  return (measures as readonly unknown[]).flatMap((item, i): Written[] => {
    const at = [...path, i];
    const one = mapAt(item, at, 'Write `knn: { k: 20 }`.', problems);
    if (one === undefined) return [];
    const { problems: wrong } = parseOptions(named, one, 'a measure');
    for (const { error, path: inner, key } of wrong) problems.add(error, [...at, ...inner], { key });
    if (wrong.length > 0) return [];
    oneOf(one, measureNames, at, problems);
    return measureNames.flatMap((kind) =>
      one[kind] === undefined ? [] : [{ kind, options: one[kind], path: [...at, kind] }],
    );
  });
}

function measureOf({ kind, id, options, path }: Written & { readonly id: string }, reader: Reader) {
  const whole = mapAt(options ?? {}, path, `Write \`${kind}: { on: ./folder }\`.`, reader.problems);
  if (whole === undefined) return undefined;
  const { on, against, stages, ...own } = whole;
  const answered = kind === 'knn' || kind === 'linear';
  const rest = !answered && against !== undefined ? { ...own, against } : own;
  const also = answered ? ['on', 'against', 'stages'] : ['on', 'stages'];
  const { value, problems: wrong } = parseOptions<unknown>(ownOptions[kind], rest, kind, also);
  for (const { error, path: inner, key } of wrong) reader.problems.add(error, [...path, ...inner], { key });
  const labelled = kind !== 'reconstruction';
  const source = sourceOf(on, { kind, path, labelled, otherwise: reader.evaluate.source }, reader);
  const chain = source && chainOf(source, stages, path, reader);
  const common = { id, path };
  if (!answered) {
    if (value === undefined || chain === undefined) return undefined;
    return { ...common, kind, on: chain, options: value } as ReconstructionMeasure | ClassifyMeasure;
  }
  const answers = answersOf(against, { kind, path }, reader);
  const other = answers && chainOf(answers, stages, path, { ...reader, problems: reader.problems.silent() });
  if (value === undefined || chain === undefined || other === undefined) return undefined;
  return { ...common, kind, on: chain, against: other, options: value } as FeatureMeasure;
}

interface Wanted {
  readonly kind: MeasureName;
  readonly path: Path;
}

/** The source that a measure names, as a folder or a source, or the one of `evaluate`. */
function sourceOf(
  on: unknown,
  { kind, path, labelled, otherwise }: Wanted & { readonly labelled: boolean; readonly otherwise: unknown },
  { registry, problems }: Reader,
): ResolvedSource | undefined {
  if (on === undefined && otherwise === undefined) {
    const advice = ` to ${kind}, or \`source\` to evaluate`;
    problems.add(fail('OPTION_MISSING', { option: 'on', expected: 'a folder or a source', advice }), path);
    return undefined;
  }
  if (on === undefined) return onceOver(checkSource(otherwise, ['evaluate', 'source'], problems));
  return folderOr(on, [...path, 'on'], { labelled, registry, problems });
}

/** The source whose labels give the answers: the pipeline's own where none is named. */
function answersOf(against: unknown, { path }: Wanted, { training, registry, problems }: Reader) {
  if (against === undefined) return onceOver(training.source);
  return folderOr(against, [...path, 'against'], { labelled: true, registry, problems });
}

function folderOr(
  value: unknown,
  path: Path,
  { labelled, registry, problems }: { labelled: boolean; registry: Registry; problems: Problems },
): ResolvedSource | undefined {
  if (typeof value !== 'string') return onceOver(checkSource(value, path, problems));
  const definition = registry.sources.get('image-folder');
  if (definition === undefined) {
    const slots = { kind: 'source', name: 'image-folder', advice: 'Write a source in its place.' };
    problems.add(fail('NAME_UNKNOWN', slots), path);
    return undefined;
  }
  const options = { path: value, ...(labelled && { labels: true }) };
  return checkSource({ source: { name: definition.name, options, definition } }, path, problems);
}

function onceOver(source: ResolvedSource | undefined): ResolvedSource | undefined {
  const { definition, options } = source ?? {};
  return source && { ...source, options: definition?.once?.(options) ?? options };
}

/** A source with the stages of the measure, of `evaluate` or, with twins for random ones, of the training. */
function chainOf(source: ResolvedSource, own: unknown, path: Path, reader: Reader): HeldOutChain {
  const { evaluate, training, registry, problems } = reader;
  const given = (own ?? evaluate.stages) as readonly Stage[] | undefined;
  const stages = given ?? training.stages.flatMap((stage) => twinsOf(stage, registry));
  // Twins repeat what was said of the training stages; only stages written here are told about here.
  const heard = given === undefined ? problems.silent() : problems;
  const at = own === undefined ? ['evaluate', 'stages'] : [...path, 'stages'];
  const folded = inferSpecs(stages, source.spec, at, registry, heard);
  // Unless they were right behind the other source.
  const sound = training.stages.every(({ after }) => !after.open);
  if (given === undefined && sound) for (const { error } of heard.list) problems.add(error, path, { key: true });
  return { source, stages: folded, spec: folded.at(-1)?.after ?? source.spec };
}

/** The stage in evaluation: itself, its deterministic twin, or none where nothing takes its place. */
function twinsOf({ stage, definition, options }: ResolvedStage, registry: Registry): Stage[] {
  const twin = options === undefined ? undefined : definition?.twin?.(options);
  if (twin === null) return [];
  const other = twin && registry.stages.get(twin.name);
  if (twin === undefined || other === undefined) return [{ stage }];
  const { name } = twin;
  return [{ stage: { kind: 'defined', name, policy: stage.policy, options: twin.options, definition: other } }];
}
