import { mapSources } from '../../sources/source-option.ts';
import { redactValue, sealed } from '../file/redact.ts';
import type { ResolvedMeasure } from './evaluate.ts';
import type { ResolvedStage } from './infer-specs.ts';
import type { Resolved } from './resolve.ts';

/**
 * The part of a resolved pipeline that decides what comes out of it, with its true values: not how many work on it at a time, nor what may fail.
 * For digests alone; what is shown or written is `decisiveJson`.
 */
export function trueJson(resolved: Resolved) {
  const { name, seed, sink, train } = wholeJson(resolved);
  const { source, evaluate } = resolved;
  const {
    microBatch: _m,
    checkpoint: _c,
    stop: _s,
    thread: _t,
    backend: _b,
    device: _d,
    precision: _p,
    onNotANumber: _n,
    ...training
  } = (train ?? {}) as Record<string, unknown>;
  const measures = evaluate?.measures.map((measure) =>
    measureJson(measure, { options: deciding, stage: decidingStage }),
  );
  return {
    name,
    seed,
    source: source && { [source.name]: deciding(source) },
    stages: resolved.stages.map((stage) => ({ id: stage.id, ...decidingStage(stage) })),
    sink,
    train: train && training,
    evaluate: evaluate && { ...evaluate, measures },
  };
}

/** The options of a source or stage that decide what it makes of sound data: not those that say what happens to the rest, which may change when a run goes on. */
function deciding({ definition, options: written }: WithPolicies): unknown {
  const options = mapSources(written, ({ source }) => ({ [source.name]: deciding(source) }));
  const policies = definition?.policies ?? [];
  if (policies.length === 0 || typeof options !== 'object' || options === null) return options;
  // Jobs of before there were precisions computed in float32.
  const decides = ([name, value]: [string, unknown]) =>
    !policies.includes(name) && !(name === 'precision' && value === 'float32');
  return Object.fromEntries(Object.entries(options).filter(decides));
}

function decidingStage(stage: ResolvedStage): Record<string, unknown> {
  const { identity = [] } = stage;
  return { ...stageJson({ ...stage, policy: {}, options: deciding(stage) }), ...(identity.length > 0 && { identity }) };
}

interface WithPolicies {
  readonly definition?: { readonly policies?: readonly string[] };
  readonly options: unknown;
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

function wholeJson({ definition, source, stages, sink, train, evaluate, track, capacity }: Resolved) {
  const { name, seed } = definition;
  const { model, ...training } = train ?? {};
  return {
    name,
    seed,
    source: source && { [source.name]: plainOptions(source) },
    stages: stages.map(stageJson),
    ...(sink && { sink: { [sink.name]: sink.options } }),
    ...(train && { train: { model: { [model!.name]: model!.options }, ...training } }),
    ...(evaluate && { evaluate: { ...evaluate, measures: evaluate.measures.map((measure) => measureJson(measure)) } }),
    ...(track && { track: track.map(({ name, options }) => ({ [name]: options })) }),
    permits: capacity.permits,
    threads: capacity.threads,
    ...(capacity.reads !== undefined && { reads: capacity.reads }),
  };
}

/** A measure in the full form. @param shown what is shown of the options of a source, and of a stage. */
export function measureJson(measure: ResolvedMeasure, shown: Shown = whole): Record<string, unknown> {
  const { definition, options, data } = measure;
  const chains = Object.entries(data).map(([which, { source }]) => [which, { [source.name]: shown.options(source) }]);
  const [first] = Object.values(data);
  const stages = first && { stages: first.stages.map(shown.stage) };
  return { [definition.name]: { ...options, ...Object.fromEntries(chains), ...stages } };
}

interface Shown {
  options(of: WithPolicies): unknown;
  stage(of: ResolvedStage): Record<string, unknown>;
}

const whole: Shown = { options: plainOptions, stage: stageJson };

/** Options as in a file: of a source that stands among them its name and its options. */
export function plainOptions({ options }: Pick<WithPolicies, 'options'>): unknown {
  return mapSources(options, ({ source }) => ({ [source.name]: plainOptions(source) }));
}

/** A stage as in a file. Functions and operators of a program have a name only. */
export function stageJson({ name, stage, options, policy, holds }: ResolvedStage): Record<string, unknown> {
  const own = stage.kind === 'defined' ? (options as object) : holds > 0 ? { holds } : {};
  return { [stage.kind === 'defined' ? name : `${stage.kind}(${name})`]: { ...own, ...policy } };
}
