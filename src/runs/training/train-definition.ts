import { resolve } from 'node:path';
import type { z } from 'zod';
import { isNamed, networkOf } from '../../models/index.ts';
import type { Model } from '../../models/model.ts';
import { redactValue, sealed } from '../../pipeline/file/redact.ts';
import { jsonSchema } from '../../pipeline/options.ts';
import { evaluationVariant } from '../../pipeline/resolve/evaluate.ts';
import type { ResolvedStage } from '../../pipeline/resolve/infer-specs.ts';
import type { Resolved } from '../../pipeline/resolve/resolve.ts';
import { decisiveJson, trueJson } from '../../pipeline/resolve/resolved-json.ts';
import type { Blocks } from '../../stages/mask.ts';
import type { ModelPlan, TrainDefinition } from '../../train/definition.ts';
import { trainingFlop } from '../../train/flops.ts';
import type { StageInFile, TrainedOn } from '../../train/weights/trained-on.ts';

/** The model of a training, to be built in any thread. */
export function modelPlan({ definition, train, spec }: Resolved): ModelPlan {
  const { name, options, definition: model } = train!.model;
  const secrets = definition.origin?.secrets ?? [];
  const shown = redactValue(options, secrets);
  const environment = sealed(shown, secrets);
  // Weights say what they are of, for those who read them elsewhere.
  const written = Object.keys(environment).length > 0 && { shown: { ...(shown as object), environment } };
  return { name, options, spec, ...written, ...(model.module !== undefined && { module: model.module }) };
}

/** The model itself, where no other thread can build it: one made in the running program. */
export async function ownModel({ train, spec }: Resolved): Promise<Model | undefined> {
  const { definition, options } = train!.model;
  return isNamed(definition) ? undefined : networkOf(definition, options, spec);
}

/**
 * What a checkpoint of this training says of its use: its pictures go through what those of its evaluation go through, else through its own stages without what is random. Stages that only
 * the training needs (`windows`, `mask`, `downsample`) are no part of it.
 */
function trainedOn(resolved: Resolved): TrainedOn {
  const { definition, train, spec } = resolved;
  const { name, options, definition: model } = train!.model;
  const own = model.fields.filter((field) => !['picture', 'label'].includes(field));
  const adds = ({ before, after }: ResolvedStage) =>
    own.some((field) => field in after.fields && !(field in before.fields));
  const used = (measuredStages(resolved) ?? resolved.stages).filter((stage) => !adds(stage));
  const masked = resolved.stages.findLast(({ stage }) => stage.kind === 'defined' && stage.name === 'mask');
  const { blocks } = (masked?.options ?? {}) as { readonly blocks?: Blocks };
  const isNamed = used.every(({ stage }) => stage.kind === 'defined');
  const secrets = definition.origin?.secrets ?? [];
  const safe = (value: unknown, schema: z.ZodType) => withPublic(value, redactValue(value, secrets), schema);
  return {
    model: {
      name,
      options: safe(options, model.options),
      spec,
      ...(model.module !== undefined && { module: model.module }),
    },
    stages: isNamed
      ? used.flatMap((stage) =>
          inEvaluation(stage).map((one) => ({ ...one, options: safe(one.options, stage.definition!.options) })),
        )
      : null,
    ...(blocks && { masks: { blocks } }),
  };
}

/** Numbers, yes and no, and the words that a schema lists are no secrets, though a variable of the environment may have the same value: without them nobody could use the weights. */
function withPublic(value: unknown, redacted: unknown, schema: z.ZodType): unknown {
  const words = JSON.stringify(jsonSchema(schema));
  const walk = (own: unknown, safe: unknown): unknown => {
    if (typeof own === 'string') return words.includes(JSON.stringify(own)) ? own : safe;
    if (typeof own !== 'object' || own === null) return own;
    if (Array.isArray(own)) return own.map((item, i) => walk(item, (safe as readonly unknown[])?.[i]));
    const entries = Object.entries(own);
    return Object.fromEntries(
      entries.map(([key, item]) => [key, walk(item, (safe as Record<string, unknown>)?.[key])]),
    );
  };
  return walk(value, redacted);
}

/** The stages of a measure of whole pictures, where these have the size of the training's. */
function measuredStages({ evaluate, spec }: Resolved): readonly ResolvedStage[] | undefined {
  const chain = evaluate?.measures.find(({ definition }) => definition.labels)?.data.on;
  const isAlike = chain?.spec.size?.[0] === spec.size?.[0] && chain?.spec.size?.[1] === spec.size?.[1];
  return isAlike ? chain?.stages : undefined;
}

function inEvaluation(stage: ResolvedStage): StageInFile[] {
  const variant = evaluationVariant(stage);
  return variant === null ? [] : [variant ?? { name: stage.name, options: stage.options }];
}

/** Of one sample in a training step, where the model says what it costs. */
function flopOf({ train, spec }: Resolved): number | undefined {
  const { model } = train!;
  const cost = spec.open ? undefined : model.definition.cost?.(model.options, spec);
  return cost === undefined ? undefined : trainingFlop(cost.macs);
}

/** What the trainer's thread is told of a pipeline. */
export function trainDefinition(
  resolved: Resolved,
  run: Pick<TrainDefinition, 'length' | 'count' | 'folder' | 'fresh' | 'classNames' | 'loadingBytes'>,
): TrainDefinition {
  const { model, batch, optimizer, clip, ema, schedule, onNotANumber, dropLast, ...rest } = resolved.train!;
  const { checkpoint, backend, device, precision, init, stop } = rest;
  const { seed, source, stages, train, environment } = decisiveJson(resolved);
  const exact = trueJson(resolved);
  return {
    ...run,
    // Names of labels that are not trained on may change.
    classNames: model.definition.fields.includes('label') ? run.classNames : undefined,
    model: modelPlan(resolved),
    trained: trainedOn(resolved),
    batch,
    dropLast,
    seed: resolved.definition.seed,
    optimizer,
    clip,
    ema,
    schedule,
    onNotANumber,
    checkpoint,
    backend,
    device,
    precision,
    flopPerSample: flopOf(resolved),
    evaluate: resolved.evaluate?.every,
    judged: stop === undefined ? undefined : true,
    init: init === undefined ? undefined : resolve(resolved.definition.base, init),
    data: { source: exact.source, stages: exact.stages, dropLast },
    decides: {
      seed,
      train,
      stages: Object.fromEntries(
        stages.map(({ id, ...stage }) => [id, (stage as Readonly<Record<string, unknown>>)[id] ?? stage]),
      ),
      source,
      ...(environment && { environment }),
      'samples per epoch': run.count,
      order: stages.map(({ id }) => id),
      spec: resolved.spec,
    },
  } as TrainDefinition;
}
