import type { SourceDefinition } from '../datasets/source.ts';
import { fail } from '../errors.ts';
import type { Stage } from '../streams/stage.ts';
import type { Spec } from '../vision/spec.ts';
import type { Definition, Evaluate } from './definition.ts';
import { oneOf } from './ends.ts';
import { foldStages, optionPath, type ResolvedStage } from './fold.ts';
import type { Path } from './locate.ts';
import { found, parseOptions } from './options.ts';
import type { Problems } from './problem.ts';
import type { Registry } from './registry.ts';
import { evaluateOptions, type Measure } from './train.options.ts';

export interface ResolvedSource {
  readonly name: string;
  readonly options: unknown;
  readonly definition: SourceDefinition;
  readonly spec: Spec;
}

/** `evaluate`, parsed, in its full form. */
export interface ResolvedEvaluate {
  readonly source: ResolvedSource;
  readonly stages: readonly ResolvedStage[];
  readonly spec: Spec;
  readonly measures: readonly Measure[];
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

/** Parses `evaluate` and brings the short form into the full one; stages are training's, with their deterministic twins. */
export function checkEvaluate(
  { evaluate }: Definition,
  training: readonly ResolvedStage[],
  registry: Registry,
  problems: Problems,
): ResolvedEvaluate | undefined {
  if (evaluate === undefined) return undefined;
  if (typeof evaluate !== 'object' || evaluate === null || Array.isArray(evaluate)) {
    const advice = 'Write `evaluate: { reconstruction: { on: ./folder } }`.';
    problems.add(fail('OPTION_VALUE', { option: 'evaluate', expected: 'a map', found: found(evaluate), advice }), [
      'evaluate',
    ]);
    return undefined;
  }
  const { source: _source, stages: _stages, ...own } = evaluate;
  const schema = evaluateOptions.omit({ source: true, stages: true });
  const { value, problems: wrong } = parseOptions(schema, own, 'evaluate', ['source', 'stages']);
  for (const { error, path, key } of wrong) problems.add(error, ['evaluate', ...path], { key });
  oneOf(own, ['measures', 'reconstruction'], ['evaluate'], problems);
  const short = value?.reconstruction;
  if (own.reconstruction !== undefined && evaluate.source !== undefined) {
    oneOf({ source: 1, reconstruction: 1 }, ['source', 'reconstruction'], ['evaluate'], problems);
  }
  const source = sourceOf(evaluate, short?.on, registry, problems);
  const stages = evaluate.stages ?? training.flatMap((stage) => twinsOf(stage, registry));
  // Twins repeat what was said of the training stages; only stages written here are told about here.
  const heard = evaluate.stages ? problems : problems.silent();
  const folded = foldStages(stages, source?.spec ?? openSpec, ['evaluate', 'stages'], registry, heard);
  if (value === undefined || source === undefined) return undefined;
  const { measures } = value;
  const measured: readonly Measure[] = short
    ? [{ reconstruction: { beside: short.beside, pictures: short.pictures } }]
    : (measures ?? []);
  const spec = folded.at(-1)?.after ?? source.spec;
  return { source, stages: folded, spec, measures: measured };
}

function sourceOf(
  { source }: Evaluate,
  on: string | undefined,
  registry: Registry,
  problems: Problems,
): ResolvedSource | undefined {
  if (source !== undefined) return checkSource(source, ['evaluate', 'source'], problems);
  if (on === undefined) return undefined;
  const definition = registry.sources.get('image-folder');
  if (definition === undefined) {
    const slots = { kind: 'source', name: 'image-folder', advice: 'Write `source` in `evaluate`.' };
    problems.add(fail('NAME_UNKNOWN', slots), ['evaluate', 'reconstruction', 'on']);
    return undefined;
  }
  return checkSource(
    { source: { name: definition.name, options: { path: on }, definition } },
    ['evaluate', 'reconstruction'],
    problems,
  );
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
