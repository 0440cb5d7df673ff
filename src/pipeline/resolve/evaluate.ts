import { z } from 'zod';
import { fail } from '../../errors.ts';
import type { DataName, MeasureDefinition, MeasureValue } from '../../measures/define.ts';
import { imageFolder } from '../../sources/image-folder.ts';
import type { SourceDefinition } from '../../sources/source.ts';
import { mapSources } from '../../sources/source-option.ts';
import type { Stage } from '../../streams/stage.ts';
import type { Spec } from '../../vision/spec.ts';
import type { Definition, Evaluate } from '../definition.ts';
import { evaluateParts, type Timing, timing } from '../evaluate.options.ts';
import type { Path } from '../file/locate.ts';
import { found } from '../options.ts';
import type { Problems } from '../problem.ts';
import type { Registry } from '../registry.ts';
import { inferSpecs, type ResolvedStage } from './infer-specs.ts';
import { addIssues, answered, misgiven, parseNamed } from './named.ts';
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
  /** As many samples as are read at most; all where nothing is said. */
  readonly limit?: number | undefined;
}

export interface ResolvedMeasure {
  /** `knn`, and `knn#2` for the second of that name: its key in files. */
  readonly id: string;
  /** Where it was written. */
  readonly path: Path;
  readonly definition: MeasureDefinition;
  readonly options: object;
  /** What it reads: all that its definition names. */
  readonly data: Readonly<Partial<Record<DataName, HeldOutChain>>>;
}

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
  const named = { at: [...path, name], owner: `source ${name}` };
  const parsed = parseNamed(definition.options, options, named, problems);
  if (parsed === undefined) return undefined;
  let sound = true;
  const whole = mapSources(parsed, (inner, at) => {
    const source = checkSource(inner, [...named.at, ...at], problems);
    sound &&= source !== undefined;
    return { source };
  });
  if (!sound) return undefined;
  addIssues(() => definition.check?.(whole), named, problems);
  const ask = () => {
    // A source of the user's own may not know its samples.
    const spec = definition.spec(whole) ?? openSpec;
    if (typeof spec.fields === 'object' && spec.fields !== null) return spec;
    throw misgiven(spec, named, { hook: 'spec', wanted: 'a spec' });
  };
  const spec = answered(ask, named, problems);
  return spec && { name, options: whole, definition, spec };
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
  { evaluate, base }: Definition,
  training: Training,
  registry: Registry,
  problems: Problems,
): ResolvedEvaluate | undefined {
  if (evaluate === undefined) return undefined;
  const whole = mapAt(evaluate, ['evaluate'], 'Write `evaluate: { reconstruction: { on: ./folder } }`.', problems);
  if (whole === undefined) return undefined;
  const also = [...evaluateParts, ...registry.measures.keys()];
  const value = parseNamed(timing, without(whole, also), { at: ['evaluate'], owner: 'evaluate', also }, problems);
  if (whole.every !== undefined) {
    const every = mapAt(whole.every, ['evaluate', 'every'], '', problems.silent());
    if (every !== undefined) oneOf(every, ['steps', 'epochs'], ['evaluate', 'every'], problems);
  }
  const reader: Reader = { base, evaluate, training, registry, problems };
  const counts = new Map<string, number>();
  const measures = written(whole, registry, problems).flatMap((one) => {
    const { name } = one.definition;
    const count = (counts.get(name) ?? 0) + 1;
    counts.set(name, count);
    const measure = measureOf(one, count === 1 ? name : `${name}#${count}`, reader);
    return measure === undefined ? [] : [measure];
  });
  refuseSecond(measures, problems);
  return value && { ...value, measures };
}

function refuseSecond(measures: readonly ResolvedMeasure[], problems: Problems): void {
  for (const definition of new Set(measures.map((measure) => measure.definition))) {
    const all = measures.filter((measure) => measure.definition === definition);
    if (!definition.single || all[1] === undefined) continue;
    const slots = { measure: definition.name, found: all.length };
    problems.add(fail('EVALUATE_TWICE', slots), all[1].path, { key: true });
  }
}

interface Reader {
  readonly base: string;
  readonly evaluate: Evaluate;
  readonly training: Training;
  readonly registry: Registry;
  readonly problems: Problems;
}

interface Written {
  readonly definition: MeasureDefinition;
  readonly options: unknown;
  readonly path: Path;
}

type Raw = Readonly<Record<string, unknown>>;

function without(map: Raw, names: readonly string[]): Raw {
  return Object.fromEntries(Object.entries(map).filter(([name]) => !names.includes(name)));
}

function mapAt(value: unknown, path: Path, advice: string, problems: Problems): Raw | undefined {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Raw;
  problems.add(fail('OPTION_VALUE', { option: path.join('.'), expected: 'a map', found: found(value), advice }), path);
  return undefined;
}

/** The measures as they are written, in the short form or in the full one. */
function written(evaluate: Raw, registry: Registry, problems: Problems): Written[] {
  const names = [...registry.measures.keys()];
  const short = measuresIn(evaluate, ['evaluate'], registry);
  const { measures } = evaluate;
  if (measures === undefined || short.length > 0) {
    // Several names are several measures; beside a list, or with nothing at all, something is wrong.
    if (short.length === 0 || measures !== undefined) {
      const known = short[0] === undefined ? names : [short[0].definition.name];
      oneOf(evaluate, ['measures', ...known], ['evaluate'], problems);
    }
    return short;
  }
  const path = ['evaluate', 'measures'];
  if (!Array.isArray(measures) || measures.length === 0) {
    const slots = { option: 'measures', expected: 'a list of at least 1 measure', found: found(measures) };
    problems.add(fail('OPTION_VALUE', { ...slots, advice: 'Write `measures: [{ knn: { k: 20 } }]`.' }), path);
    return [];
  }
  const named = z.strictObject(Object.fromEntries(names.map((name) => [name, z.unknown().optional()])));
  return (measures as readonly unknown[]).flatMap((item, i): Written[] => {
    const at = [...path, i];
    const one = mapAt(item, at, 'Write `knn: { k: 20 }`.', problems);
    if (one === undefined) return [];
    // A value of a program says itself what it is.
    if (isMeasureValue(one)) return [{ ...one.measure, path: [...at, one.measure.name] }];
    if (parseNamed(named, one, { at, owner: 'a measure' }, problems) === undefined) return [];
    oneOf(one, names, at, problems);
    return measuresIn(one, at, registry);
  });
}

function isMeasureValue(map: object): map is MeasureValue {
  return 'measure' in map && typeof map.measure === 'object' && map.measure !== null && 'definition' in map.measure;
}

function measuresIn(map: Raw, at: Path, { measures }: Registry): Written[] {
  return [...measures.values()].flatMap((definition) => {
    const { name } = definition;
    return map[name] === undefined ? [] : [{ definition, options: map[name], path: [...at, name] }];
  });
}

function measureOf({ definition, options, path }: Written, id: string, reader: Reader): ResolvedMeasure | undefined {
  const { name, data } = definition;
  const { problems } = reader;
  const whole = mapAt(options ?? {}, path, `Write \`${name}: { on: ./folder }\`.`, problems);
  if (whole === undefined) return undefined;
  const own = data.length === 0 ? whole : without(whole, [...data, 'stages']);
  const value = parseNamed(definition.options, own, { at: path, owner: name }, problems) as Limited | undefined;
  const { limit } = value ?? {};
  // What is wrong with the stages is said once: behind the other source they are the same.
  const quiet = { ...reader, problems: problems.silent() };
  const chains = data.map((which, i) => {
    const source = sourceOf(which, whole[which], { definition, path }, reader);
    const chain = source && chainOf(onceOver(source), whole.stages, path, i === 0 ? reader : quiet);
    return [which, chain && { ...chain, limit: typeof limit === 'object' ? limit[which] : limit }] as const;
  });
  if (value === undefined || chains.some(([, chain]) => chain === undefined)) return undefined;
  return { id, path, definition, options: value, data: Object.fromEntries(chains) as ResolvedMeasure['data'] };
}

interface Limited {
  readonly limit?: number | Readonly<Partial<Record<DataName, number>>>;
}

/** The source that a measure names, as a folder or a source; by default that of `evaluate`, and for answers the pipeline's own. */
function sourceOf(
  which: DataName,
  named: unknown,
  { definition, path }: Pick<Written, 'definition' | 'path'>,
  { evaluate, training, problems }: Reader,
): ResolvedSource | undefined {
  const folder = typeof named === 'string' && imageFolder({ path: named, ...(definition.labels && { labels: true }) });
  if (named !== undefined) return checkSource(folder || named, [...path, which], problems);
  if (which === 'reference') return training.source;
  if (evaluate.source !== undefined) return checkSource(evaluate.source, ['evaluate', 'source'], problems);
  const advice = ` to ${definition.name}, or \`source\` to evaluate`;
  problems.add(fail('OPTION_MISSING', { option: which, expected: 'a folder or a source', advice }), path);
  return undefined;
}

function onceOver(source: ResolvedSource): ResolvedSource {
  const { definition, options } = source;
  return { ...source, options: definition.once?.(options) ?? options };
}

/** A source with the stages of the measure, of `evaluate` or, with the variants for evaluation of random ones, of the training. */
function chainOf(source: ResolvedSource, own: unknown, path: Path, reader: Reader): HeldOutChain {
  const { evaluate, training, registry, problems } = reader;
  const given = (own ?? evaluate.stages) as readonly Stage[] | undefined;
  const stages = given ?? training.stages.flatMap((stage) => variantOf(stage, registry));
  // Twins repeat what was said of the training stages; only stages written here are told about here.
  const heard = given === undefined ? problems.silent() : problems;
  const at = own === undefined ? ['evaluate', 'stages'] : [...path, 'stages'];
  const folded = inferSpecs(stages, source.spec, at, registry, heard, reader);
  // Unless they were right behind the other source.
  const sound = training.stages.every(({ after }) => !after.open);
  if (given === undefined && sound) for (const { error } of heard.list) problems.add(error, path, { key: true });
  return { source, stages: folded, spec: folded.at(-1)?.after ?? source.spec };
}

/** What a stage is in evaluation, by name and options; undefined where it stays as it is, null where nothing takes its place. */
export function evaluationVariant({ definition, options }: ResolvedStage) {
  return options === undefined ? undefined : definition?.evalVariant?.(options);
}

/** The stage in evaluation: itself, its deterministic variant, or none where nothing takes its place. */
function variantOf(resolved: ResolvedStage, registry: Registry): Stage[] {
  const { stage } = resolved;
  const variant = evaluationVariant(resolved);
  if (variant === null) return [];
  const other = variant && registry.stages.get(variant.name);
  if (variant === undefined || other === undefined) return [{ stage }];
  const { name } = variant;
  return [{ stage: { kind: 'defined', name, policy: stage.policy, options: variant.options, definition: other } }];
}
