import type { ResolvedMeasure, ResolvedSource } from './evaluate.ts';
import type { ResolvedStage } from './fold.ts';
import { redactValue, sealed } from './redact.ts';
import type { Resolved } from './resolve.ts';

/**
 * The part of a resolved pipeline that decides what comes out of it, with its true values: not how many work on it at a time, nor what may fail.
 * For digests alone; what is shown or written is `decisiveJson`.
 */
export function trueJson(resolved: Resolved) {
  const { name, seed, source, sink, train, evaluate } = wholeJson(resolved);
  const {
    microBatch: _m,
    checkpoint: _c,
    thread: _t,
    backend: _b,
    device: _d,
    ...training
  } = (train ?? {}) as Record<string, unknown>;
  const stages = resolved.stages.map((stage) => ({ id: stage.id, ...stageJson({ ...stage, policy: {} }) }));
  return { name, seed, source, stages, sink, train: train && training, evaluate };
}

/** `trueJson` to be shown and written: values from the environment stand as `${NAME}`, with a digest of each under `environment`. */
export function decisiveJson(resolved: Resolved) {
  return shown(trueJson(resolved), resolved);
}

/** A pipeline with every default filled in, as JSON for the run's folder and the report. Values from the environment as in `decisiveJson`. */
export function resolvedJson(resolved: Resolved) {
  return shown(wholeJson(resolved), resolved);
}

function shown<T extends object>(json: T, { definition }: Resolved): T & Environment {
  const secrets = definition.origin?.secrets ?? [];
  const safe = redactValue(json, secrets) as T;
  const environment = sealed(safe, secrets);
  return { ...safe, ...(Object.keys(environment).length > 0 && { environment }) };
}

interface Environment {
  readonly environment?: Readonly<Record<string, string>>;
}

function wholeJson({ definition, source, stages, sink, train, evaluate, capacity }: Resolved) {
  const { name, seed } = definition;
  const { model, ...training } = train ?? {};
  return {
    name,
    seed,
    source: source && { [source.name]: source.options },
    stages: stages.map(stageJson),
    ...(sink && { sink: { [sink.name]: sink.options } }),
    ...(train && { train: { model: { [model!.name]: model!.options }, ...training } }),
    ...(evaluate && { evaluate: { ...evaluate, measures: evaluate.measures.map(measureJson) } }),
    permits: capacity.permits,
    threads: capacity.threads,
  };
}

/** A measure in the full form. */
export function measureJson(measure: ResolvedMeasure): Record<string, unknown> {
  const { kind, options, on } = measure;
  const source = ({ name, options }: ResolvedSource) => ({ [name]: options });
  const against = 'against' in measure ? { against: source(measure.against.source) } : {};
  return { [kind]: { ...options, on: source(on.source), ...against, stages: on.stages.map(stageJson) } };
}

/** A stage as in a file. Functions and operators of a program have a name only. */
export function stageJson({ name, stage, options, policy, holds }: ResolvedStage): Record<string, unknown> {
  const own = stage.kind === 'defined' ? (options as object) : holds > 0 ? { holds } : {};
  return { [stage.kind === 'defined' ? name : `${stage.kind}(${name})`]: { ...own, ...policy } };
}
