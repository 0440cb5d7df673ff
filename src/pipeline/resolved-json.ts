import type { ResolvedStage } from './fold.ts';
import { redact, type Secret } from './problem.ts';
import type { Resolved } from './resolve.ts';

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
    ...(evaluate && {
      evaluate: {
        source: { [evaluate.source.name]: evaluate.source.options },
        stages: evaluate.stages.map(stageJson),
        measures: evaluate.measures,
      },
    }),
    permits: capacity.permits,
    threads: capacity.threads,
  };
  return withoutSecrets(json, origin?.secrets ?? []) as typeof json;
}

/** A stage as in a file. Functions and operators of a program have a name only. */
export function stageJson({ name, stage, options, policy, holds }: ResolvedStage): Record<string, unknown> {
  const own = stage.kind === 'defined' ? (options as object) : holds > 0 ? { holds } : {};
  return { [stage.kind === 'defined' ? name : `${stage.kind}(${name})`]: { ...own, ...policy } };
}

function withoutSecrets(value: unknown, secrets: readonly Secret[]): unknown {
  if (typeof value === 'string') return redact(value, secrets);
  if (Array.isArray(value)) return value.map((item) => withoutSecrets(item, secrets));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, withoutSecrets(inner, secrets)]));
}
