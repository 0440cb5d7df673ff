import type { ResolvedMeasure, ResolvedSource } from './evaluate.ts';
import type { ResolvedStage } from './fold.ts';
import { redact, redactValue } from './problem.ts';
import type { Resolved } from './resolve.ts';

/** The part of a resolved pipeline that decides what comes out of it: not how many work on it at a time, nor what may fail. For digests. */
export function decisiveJson(resolved: Resolved) {
  const { name, seed, source, sink, train, evaluate } = resolvedJson(resolved);
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

/** A pipeline with every default filled in, as JSON for the run's folder, the report and digests. Values from the environment stand as `${NAME}`. */
export function resolvedJson({ definition, source, stages, sink, train, evaluate, capacity }: Resolved) {
  const { name, seed, origin } = definition;
  const { model, ...training } = train ?? {};
  const json = {
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
  const hide = (text: string) => redact(text, origin?.secrets ?? []);
  return redactValue(json, hide) as typeof json;
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
