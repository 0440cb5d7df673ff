// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references in pipeline files look like templates
import { baselines } from '../../measures/reconstruction/texts.ts';
import { evaluateOptions, evaluateParts, timing } from '../evaluate.options.ts';
import { type JsonSchema, jsonSchema } from '../options.ts';
import type { Registry } from '../registry.ts';
import { trainOptions } from '../train.options.ts';
import { policyOptions } from './policy.ts';
import { settings } from './settings.ts';

export interface Described {
  readonly name: string;
  readonly summary: string;
  readonly shorthand?: string;
  readonly options: Parameters<typeof jsonSchema>[0];
}

/** The parts of a pipeline file that are no settings, in the order in which they are written. `takes` is for the page, with links into it. */
export const parts = {
  extends: {
    takes: 'a path, or a list of them',
    about: 'Files that this one is laid over: maps are merged, lists replaced, and null takes a part out.',
  },
  use: {
    takes: 'a path, or a list of them',
    about: 'Modules that bring further stages, sources, sinks, models, measures and trackers. Their code runs.',
    more: '[A stage of your own](../README.md#a-stage-of-your-own).',
  },
  source: {
    takes: 'one of the [sources](#sources)',
    default: 'required',
    about: 'Where the samples come from.',
  },
  stages: {
    takes: 'a list of [stages](#stages)',
    default: 'required',
    about: 'What is done to each sample, in order.',
  },
  sink: {
    takes: 'one of the [sinks](#sinks)',
    about: 'Where the samples go: the end of a job.',
  },
  train: {
    takes: 'a map, [train](#train)',
    about: 'The training that the pipeline feeds.',
    more: 'A pipeline that is run has either this or a sink.',
  },
  evaluate: {
    takes: 'a map, [evaluate](#evaluate)',
    about: `How the model is measured; its restorations also compared with simple ones (${baselines.join(', ')}).`,
  },
  track: {
    takes: 'a list of [trackers](#trackers)',
    about: 'Who looks at the run from outside. They change nothing of it.',
  },
} as const satisfies Record<string, Part>;

export interface Part {
  readonly takes: string;
  readonly default?: 'required';
  readonly about: string;
  /** For the page alone. */
  readonly more?: string;
}

/**
 * The JSON schema of pipeline files, for completion in editors: every stage, source, sink, model, measure and tracker with its options. It is as strict as
 * `check` about names only in files without `use` and `extends`, which may bring more. A file with `extends` need not say what its bases do, and takes
 * out by null what they say.
 */
export function pipelineSchema(registry: Registry): JsonSchema & { readonly $schema: string } {
  const strict = definitions(registry, '');
  const over = Object.fromEntries(
    Object.entries(definitions(registry, 'Over')).map(([name, schema]) => [`${name}Over`, partial(schema)]),
  );
  const of = (name: string) => ({ $ref: `#/$defs/${name}` });
  const schema = {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    type: 'object',
    description: 'A pipeline of patchstream.',
    if: { required: ['extends'] },
    // biome-ignore lint/suspicious/noThenProperty: the word of JSON schema
    then: of('fileOver'),
    else: of('file'),
    allOf: [closed(registry)],
    $defs: { ...strict, ...over },
  };
  const { $defs, ...rest } = published(schema as JsonSchema) as JsonSchema & { readonly $schema: string };
  const reference = {
    type: 'string',
    pattern: `^${variable}$`,
    description: 'The value of an environment variable.',
  } as const;
  return { ...rest, $defs: { reference, ...$defs } } as JsonSchema & { readonly $schema: string };
}

/** An environment variable, in text or instead of it. */
const variable = '\\$\\{[A-Za-z_]\\w*(:-[^}]*)?\\}';

/** What a file and its parts may be; `suffix` is that of the names by which they refer to each other. */
function definitions(registry: Registry, suffix: string): Record<string, JsonSchema> {
  const of = (name: string) => ({ $ref: `#/$defs/${name}${suffix}` });
  const named = (list: Iterable<Described>, extra?: JsonSchema) => nameOrMap([...list], extra);
  const inner = (schema: JsonSchema): JsonSchema =>
    schema.format === 'source' ? { description: schema.description ?? '', ...of('source') } : mapped(schema, inner);
  const stages = { type: 'array', items: of('stage') } as const;
  const path = { type: 'string', minLength: 1 } as const;
  const paths = { anyOf: [path, { type: 'array', items: path }] } as const;
  const train = jsonSchema(trainOptions);
  const evaluate = withSources(jsonSchema(evaluateOptions(registry.measures)), of('source'), stages);
  const { properties = {} } = jsonSchema(settings.partial());
  const file = {
    type: 'object',
    properties: {
      ...properties,
      extends: { ...paths, description: parts.extends.about },
      use: { ...paths, description: parts.use.about },
      source: { ...of('source'), description: parts.source.about },
      stages: { ...stages, description: parts.stages.about },
      sink: { ...of('sink'), description: parts.sink.about },
      train: { ...train, properties: { ...train.properties, model: of('model') }, description: parts.train.about },
      evaluate: { ...evaluate, description: parts.evaluate.about },
      track: { type: 'array', items: of('tracker'), description: parts.track.about },
    },
    required: ['source', 'stages'],
    additionalProperties: false,
  };
  return {
    file: file as JsonSchema,
    source: inner(named(registry.sources.values())),
    stage: named(registry.stages.values(), jsonSchema(policyOptions)),
    sink: named(registry.sinks.values()),
    model: named(registry.models.values()),
    tracker: named(registry.trackers.values()),
  };
}

/** A schema of which nothing need be there, and every option may be null. */
function partial(schema: JsonSchema): JsonSchema {
  const { required: _, maxProperties: _most, minProperties: _least, ...rest } = schema;
  const nullable = (inner: JsonSchema) => ({ anyOf: [partial(inner), { type: 'null' }] }) as const;
  return mapped(rest, (inner, at) => (at === 'properties' ? nullable(inner) : partial(inner)));
}

/** As editors know it: without marks of ours; a number, a truth value or a word may also come from the environment, and so may part of a text. */
function published(schema: JsonSchema): JsonSchema {
  const { format, formerly: _, ...rest } = schema;
  const whole = mapped(format === undefined || format === 'path' ? rest : { ...rest, format }, published);
  const { type, enum: words, const: word } = whole;
  const isLeaf = ['number', 'integer', 'boolean'].includes(String(type)) || words !== undefined || word !== undefined;
  if (type === 'string' && whole.pattern !== undefined && words === undefined)
    return { ...whole, pattern: `${whole.pattern}|${variable}` };
  if (!isLeaf) return whole;
  const { description, default: standard, ...leaf } = whole;
  return {
    anyOf: [leaf, { $ref: '#/$defs/reference' }],
    ...(description !== undefined && { description }),
    ...(standard !== undefined && { default: standard }),
  };
}

/** A schema with every schema in it changed. `at` is the key below which it stands. */
function mapped(schema: JsonSchema, change: (inner: JsonSchema, at: string) => JsonSchema): JsonSchema {
  const isSchema = (value: unknown): value is JsonSchema => typeof value === 'object' && value !== null;
  const one = (value: unknown, at: string) => (isSchema(value) ? change(value, at) : value);
  return Object.fromEntries(
    Object.entries(schema).map(([key, value]) => {
      if (['properties', '$defs'].includes(key)) {
        const inner = Object.entries(value as object).map(([name, inner]) => [name, one(inner, key)]);
        return [key, Object.fromEntries(inner)];
      }
      if (['anyOf', 'oneOf', 'allOf', 'prefixItems'].includes(key))
        return [key, (value as unknown[]).map((inner) => one(inner, key))];
      return [key, ['items', 'additionalProperties', 'then', 'else'].includes(key) ? one(value, key) : value];
    }),
  );
}

/** `evaluate` with what its sources and stages may be, at the top, in each measure and in the list of measures; other measures may stand beside ours. */
function withSources(evaluate: JsonSchema, source: JsonSchema, stages: JsonSchema): JsonSchema {
  const known: Readonly<Record<string, JsonSchema>> = { source, stages, on: source, reference: source };
  const filled = ({ properties = {}, ...rest }: JsonSchema): JsonSchema => ({
    ...rest,
    properties: Object.fromEntries(
      Object.entries(properties).map(([key, inner]) => {
        // `limit.on` is a number.
        const named = inner.type === undefined ? known[key] : undefined;
        if (named !== undefined) return [key, { ...named, description: inner.description }];
        return [key, inner.properties === undefined ? inner : filled(inner)];
      }),
    ),
  });
  const { additionalProperties: _, ...whole } = filled(evaluate);
  const { measures } = whole.properties ?? {};
  const { additionalProperties: _closed, ...items } = filled((measures?.items ?? {}) as JsonSchema);
  return { ...whole, properties: { ...whole.properties, measures: { ...measures, items } } };
}

/** `decode`, or `resize: { size: 100 }`, or `resize: 100`. One object schema with a property per name: editors then complete each. */
function nameOrMap(list: readonly Described[], extra?: JsonSchema): JsonSchema {
  const properties = Object.fromEntries(
    list.map(({ name, summary, shorthand, options }) => {
      const own = jsonSchema(options);
      const whole = { ...own, properties: { ...own.properties, ...extra?.properties } };
      const short = shorthand === undefined ? undefined : own.properties?.[shorthand];
      return [name, { description: summary, anyOf: [whole, { type: 'null' }, ...(short ? [short] : [])] }];
    }),
  );
  const map = { type: 'object', properties, minProperties: 1, maxProperties: 1 };
  return { anyOf: [{ type: 'string' }, map] } as JsonSchema;
}

/** Names are those of the registry where no other file brings more. What is text alone where a folder will do stays. */
function closed({ stages, sources, sinks, models, measures, trackers }: Registry): JsonSchema {
  const names = (known: ReadonlyMap<string, unknown>) => ({ enum: [...known.keys()] });
  const strict = (known: ReadonlyMap<string, unknown>) => ({
    anyOf: [
      { type: 'string', ...names(known) },
      { type: 'object', propertyNames: names(known) },
    ],
  });
  const rule = {
    if: { not: { anyOf: [{ required: ['use'] }, { required: ['extends'] }] } },
    // biome-ignore lint/suspicious/noThenProperty: the word of JSON schema
    then: {
      properties: {
        source: strict(sources),
        stages: { items: strict(stages) },
        sink: strict(sinks),
        train: { properties: { model: strict(models) } },
        evaluate: {
          propertyNames: { enum: [...Object.keys(timing.shape), ...evaluateParts, ...measures.keys()] },
          properties: { measures: { items: { propertyNames: names(measures) } } },
        },
        track: { items: strict(trackers) },
      },
    },
  };
  return rule as JsonSchema;
}
