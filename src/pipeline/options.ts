import { z } from 'zod';
import { fail, nearest, type PatchstreamError } from '../errors.ts';
import { colonAdvice, plainAdvice } from './file/slips.ts';

/** A JSON schema, as far as we read it. */
export interface JsonSchema {
  readonly type?: string | readonly string[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly allOf?: readonly JsonSchema[];
  readonly items?: JsonSchema | boolean;
  readonly prefixItems?: readonly JsonSchema[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly default?: unknown;
  readonly description?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
  readonly minProperties?: number;
  readonly maxProperties?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
  /** `path` where it says that a text is one, `source` where another source is to stand. */
  readonly format?: string;
  /** The name of an option before it got the one that it has: who writes that is shown the new one. */
  readonly formerly?: string;
  readonly $defs?: Readonly<Record<string, JsonSchema>>;
  readonly $ref?: string;
}

/** An error in the options of one thing, with the path of the option inside them. */
export interface OptionProblem {
  readonly error: PatchstreamError;
  readonly path: readonly (string | number)[];
  /** The key is wrong, not the value. */
  readonly key: boolean;
}

const written = new WeakMap<z.ZodType, JsonSchema>();

/** The schema of what a user writes (before defaults), for documents, completion and messages. Made once: it takes milliseconds, and each option of each file asks. */
export function jsonSchema(schema: z.ZodType): JsonSchema {
  const known = written.get(schema);
  if (known !== undefined) return known;
  const { $schema: _, ...json } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any', reused: 'inline' });
  written.set(schema, json as JsonSchema);
  return json as JsonSchema;
}

/**
 * Parses the options of one thing (`owner`: `stage windows`) and says everything that is wrong with them in our own words. Unknown
 * options are problems whether the schema is strict or not; `also` are further names that may stand there, for suggestions.
 */
export function parseOptions<T>(
  schema: z.ZodType<T>,
  options: unknown,
  owner: string,
  also: readonly string[] = [],
): { readonly value?: T; readonly problems: OptionProblem[] } {
  const json = jsonSchema(schema);
  const problems: OptionProblem[] = [];
  const unknown = ({ path, names, renamed }: UnknownKey) => {
    const option = path.at(-1) as string;
    const slip = nearest(option, names);
    const all = names.length > 0 ? `It knows ${names.join(', ')}.` : 'It has no options.';
    const now = renamed && `It is called \`${renamed}\` now.`;
    const advice = now ?? colonAdvice(option, names) ?? (slip ? `Did you mean \`${slip}\`?` : all);
    problems.push({ error: fail('OPTION_UNKNOWN', { owner, option, advice }), path, key: true });
  };
  const more = (error: PatchstreamError) => problems.push({ error, path: [], key: false });
  for (const key of firstOf(unknownKeys(json, options), owner, more))
    unknown(key.path.length === 1 ? { ...key, names: [...key.names, ...also] } : key);
  const parsed = schema.safeParse(options);
  if (parsed.success && problems.length === 0) return { value: parsed.data, problems };
  for (const issue of (parsed.error?.issues ?? []).flatMap(meant)) {
    if (issue.code === 'unrecognized_keys') continue;
    const path = issue.path.filter((part) => typeof part !== 'symbol');
    problems.push({ error: translate(issue, path, json, options, owner), path, key: false });
  }
  return { problems };
}

/** Names that are not known are told of one by one up to here: each is compared with all that are, and a file of thousands would take minutes. */
const mostUnknown = 100;

/** The first of the names that are not known; of the others the number alone is reported. */
export function firstOf<T>(unknown: Iterable<T>, owner: string, report: (error: PatchstreamError) => void): T[] {
  const all = [...unknown];
  if (all.length > mostUnknown) {
    const option = `${(all.length - mostUnknown).toLocaleString('en')} more`;
    report(fail('OPTION_UNKNOWN', { owner, option, advice: 'Check whether this is a pipeline file.' }));
  }
  return all.slice(0, mostUnknown);
}

/** Of a union of which one form alone was begun, what is wrong in that form. */
function meant(issue: z.core.$ZodIssue): readonly z.core.$ZodIssue[] {
  if (issue.code !== 'invalid_union') return [issue];
  const forms = issue.errors.map((form) => form.filter(({ code }) => code !== 'unrecognized_keys'));
  const begun = forms.filter((form, i) => issue.errors[i]!.length > 0 && form.every(({ path }) => path.length > 0));
  if (begun.length !== 1) return [issue];
  return begun[0]!.flatMap((inner) => meant({ ...inner, path: [...issue.path, ...inner.path] }));
}

function translate(
  issue: z.core.$ZodIssue,
  path: readonly (string | number)[],
  json: JsonSchema,
  options: unknown,
  owner: string,
): PatchstreamError {
  const option = optionText(path) || owner;
  if (issue.code === 'invalid_key') {
    const expected = `a map whose names are ${issue.issues.map(({ message }) => message).join('; ')}`;
    const option = optionText(path.slice(0, -1)) || owner;
    return fail('OPTION_VALUE', { option, expected, found: found(path.at(-1)), advice: 'Change it.' });
  }
  const value = valueAt(options, path);
  const schema = schemaAt(json, path);
  const rule =
    ['custom', 'not_multiple_of'].includes(issue.code) ||
    (issue.code === 'invalid_format' && !/^Invalid (?!string: )/.test(issue.message));
  const expected = rule ? issue.message.replace(/^Invalid string: /, '') : schema ? typeText(schema) : issue.message;
  if (value === undefined && issue.code !== 'custom') {
    return fail('OPTION_MISSING', { option, expected, advice: path.length > 1 ? '' : ` to ${owner}` });
  }
  const names = schema ? allowed(schema) : [];
  const slip = typeof value === 'string' ? nearest(value, names) : undefined;
  const about = schema?.description;
  const written = typeof value === 'string' ? writtenAdvice(value, schema) : undefined;
  return fail('OPTION_VALUE', {
    option,
    expected,
    found: found(value),
    advice: slip ? `Did you mean \`${slip}\`?` : (written ?? about ?? 'Change it.'),
  });
}

/** What is to be done about a text that is right but for how YAML reads it. */
function writtenAdvice(text: string, schema: JsonSchema | undefined): string | undefined {
  const shapes = schema === undefined ? [] : [schema, ...branches(schema)];
  const names = shapes.flatMap(({ properties = {} }) => Object.keys(properties));
  return (
    colonAdvice(text, names) ?? shapes.map(({ type }) => plainAdvice(text, type)).find((advice) => advice !== undefined)
  );
}

interface UnknownKey {
  readonly path: readonly (string | number)[];
  readonly names: readonly string[];
  /** What the option of this name is called now. */
  readonly renamed?: string | undefined;
}

/** Keys that no schema at their place knows, with the names that would do. Where a schema is a union of maps, the names of all. */
function unknownKeys(schema: JsonSchema, value: unknown, path: readonly (string | number)[] = []): UnknownKey[] {
  if (Array.isArray(value)) {
    const { items } = schema;
    return typeof items === 'object' ? value.flatMap((inner, i) => unknownKeys(items, inner, [...path, i])) : [];
  }
  if (typeof value !== 'object' || value === null) return [];
  const all = [schema, ...branches(schema)];
  const shapes = all.filter(({ properties }) => properties !== undefined);
  // A map whose keys are the user's own: what stands below each may still be known.
  const own = all.flatMap(({ additionalProperties }) =>
    typeof additionalProperties === 'object' ? additionalProperties : [],
  );
  if (shapes.length === 0 && own.length === 1)
    return Object.entries(value).flatMap(([key, inner]) => unknownKeys(own[0]!, inner, [...path, key]));
  if (shapes.length === 0 || shapes.some((shape) => typeof shape.additionalProperties === 'object')) return [];
  const properties: Record<string, JsonSchema> = Object.assign({}, ...shapes.map((shape) => shape.properties));
  return Object.entries(value).flatMap(([key, inner]) =>
    Object.hasOwn(properties, key)
      ? unknownKeys(properties[key]!, inner, [...path, key])
      : [{ path: [...path, key], names: Object.keys(properties), renamed: renamedFrom(key, properties) }],
  );
}

function renamedFrom(key: string, properties: Readonly<Record<string, JsonSchema>>): string | undefined {
  return Object.entries(properties).find(([, { formerly }]) => formerly === key)?.[0];
}

function branches({ anyOf = [], oneOf = [], allOf = [] }: JsonSchema): readonly JsonSchema[] {
  return [...anyOf, ...oneOf, ...allOf];
}

function allowed(schema: JsonSchema): string[] {
  const own = schema.const === undefined ? (schema.enum ?? []) : [schema.const];
  return [...own.map(String), ...branches(schema).flatMap(allowed)];
}

/** The schema at `path`, as deep as it can be followed; undefined where it is not known. */
export function schemaAt(schema: JsonSchema, path: readonly (string | number)[]): JsonSchema | undefined {
  let at: JsonSchema | undefined = schema;
  for (const part of path) {
    const shapes: readonly JsonSchema[] = at === undefined ? [] : [at, ...branches(at)];
    at = shapes
      .map((shape) => {
        if (typeof part === 'string') {
          const { properties, additionalProperties: own } = shape;
          return properties?.[part] ?? (typeof own === 'object' ? own : undefined);
        }
        return shape.prefixItems?.[part] ?? (typeof shape.items === 'object' ? shape.items : undefined);
      })
      .find((next) => next !== undefined);
  }
  return at;
}

function valueAt(value: unknown, path: readonly (string | number)[]): unknown {
  return path.reduce<unknown>(
    (at, part) =>
      typeof at === 'object' && at !== null && Object.hasOwn(at, part)
        ? (at as Record<string | number, unknown>)[part]
        : undefined,
    value,
  );
}

/** `betas[1]`, `cosine.warmupSteps` */
export function optionText(path: readonly (string | number)[]): string {
  return path.map((part, i) => (typeof part === 'number' ? `[${part}]` : i === 0 ? part : `.${part}`)).join('');
}

/** What a schema takes, in words: `an integer from 1`, `cover, contain or fill`. */
export function typeText(schema: JsonSchema): string {
  const either = [...(schema.anyOf ?? []), ...(schema.oneOf ?? [])];
  if (either.length > 0) return orList([...new Set(either.map(typeText))]);
  if (schema.const !== undefined) return String(schema.const);
  if (schema.format === 'source') return 'a source';
  if (schema.enum) return orList(schema.enum.map(String));
  const type = typeof schema.type === 'string' ? schema.type : undefined;
  if (type === 'integer' || type === 'number')
    return `${type === 'integer' ? 'an integer' : 'a number'}${rangeText(schema)}`;
  if (type === 'array') return listText(schema);
  if (type === 'object') return `a map of ${Object.keys(schema.properties ?? {}).join(', ')}`.replace(/ of $/, '');
  if (type === 'boolean') return 'true or false';
  if (type === 'string') return schema.minLength ? 'text that is not empty' : 'text';
  return type === 'null' ? 'nothing' : 'a value';
}

function rangeText(schema: JsonSchema): string {
  const huge = Number.MAX_SAFE_INTEGER;
  const { minimum = -huge, maximum = huge, exclusiveMinimum, exclusiveMaximum } = schema;
  const low = exclusiveMinimum !== undefined ? ` above ${exclusiveMinimum}` : minimum > -huge ? ` from ${minimum}` : '';
  const high = exclusiveMaximum !== undefined ? ` below ${exclusiveMaximum}` : maximum < huge ? ` to ${maximum}` : '';
  if (low === '' && high !== '') return exclusiveMaximum === undefined ? ` of at most ${maximum}` : high;
  return exclusiveMaximum !== undefined && low !== '' ? `${low} and${high}` : `${low}${high}`;
}

function listText({ items, prefixItems, minItems, maxItems }: JsonSchema): string {
  if (prefixItems) {
    const each = prefixItems.map(typeText);
    return each.every((text) => text === each[0])
      ? `a list of ${each.length}, each ${each[0]}`
      : `a list of ${each.join(', ')}`;
  }
  const least = minItems !== undefined ? ` of at least ${minItems}` : '';
  const count = minItems !== undefined && minItems === maxItems ? ` of ${minItems}` : least;
  return typeof items === 'object' ? `a list${count}, each ${typeText(items)}` : `a list${count}`;
}

function orList(names: readonly string[]): string {
  return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`;
}

/** A value as it is named in messages. */
export function found(value: unknown): string {
  if (value === undefined || value === null) return 'nothing';
  if (typeof value === 'string') return `'${value.length > 60 ? `${value.slice(0, 60)}…` : value}'`;
  if (Array.isArray(value)) return value.length > 8 ? `a list of ${value.length}` : `[${value.map(found).join(', ')}]`;
  if (typeof value === 'function') return 'a function';
  if (typeof value === 'object')
    return Object.keys(value).length === 0 ? 'an empty map' : `a map of ${Object.keys(value).slice(0, 8).join(', ')}`;
  return String(value);
}
