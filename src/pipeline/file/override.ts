import { resolve } from 'node:path';
import { parseDocument } from 'yaml';
import { fail, messageOf, nearest, PatchstreamError, sentence } from '../../errors.ts';
import type { StageKind } from '../../streams/stage.ts';
import { builtin } from '../builtin.ts';
import { type Definition, standard } from '../definition.ts';
import { evaluateOptions } from '../evaluate.options.ts';
import { type JsonSchema, jsonSchema } from '../options.ts';
import type { Origin, Problem } from '../problem.ts';
import { stageIds } from '../resolve/stage-ids.ts';
import { trainOptions } from '../train.options.ts';
import type { Path, Place } from './locate.ts';
import { topKeys } from './parse.ts';
import { mapPaths } from './paths.ts';

/**
 * Lays values of the command line over a definition: `train.epochs=1`, `stages.2.ratio=0.5`, or by the stage's name or id,
 * `stages.mask.ratio=0.5`. A value is read as YAML; `null` takes out what the path names: an option, a stage, or a part as `evaluate`.
 * Each is laid over what those before it have left.
 *
 * @param from where relative paths start.
 */
export function override(
  definition: Definition,
  sets: readonly string[],
  from = process.cwd(),
): { definition: Definition; problems: Problem[] } {
  let current = definition;
  const problems: Problem[] = [];
  for (const set of sets) {
    const place: Place = { file: `--set ${set}` };
    try {
      const { next, path, gone } = overrideOne(current, set, from);
      current = Object.freeze({ ...next, origin: originOver(current.origin, path, place, gone) });
    } catch (error) {
      if (!(error instanceof PatchstreamError)) throw error;
      problems.push({ error: new PatchstreamError(error.code, error.text, place.file), place });
    }
  }
  return { definition: current, problems };
}

/** Where values stand once one was laid over them at `path`, or taken out there: what stood behind an item has moved up by one. */
function originOver(below: Origin | undefined, path: Path, place: Place, gone: boolean): Origin {
  const at = path.length - 1;
  const item = path[at];
  const taken = gone && typeof item === 'number';
  const within = (asked: Path, parts: Path) => parts.every((part, i) => part === asked[i]);
  return {
    place(asked, key) {
      if (!taken && within(asked, path)) return place;
      const index = asked[at];
      const behind = taken && typeof index === 'number' && index >= item && within(asked, path.slice(0, at));
      return below?.place(behind ? asked.with(at, index + 1) : asked, key);
    },
    secrets: below?.secrets ?? [],
  };
}

/** The last part of a path to stages, sources, sinks, models and trackers. */
const looked: ReadonlySet<string> = new Set(['stages', 'source', 'sink', 'model', 'track', 'on', 'reference']);

/** The parts that a pipeline can be without. */
const optional: ReadonlySet<string> = new Set(['sink', 'train', 'evaluate', 'track']);

interface Overridden {
  readonly next: Definition;
  /** Where the value stands, or stood. */
  readonly path: Path;
  /** Whether it was taken out. */
  readonly gone: boolean;
}

function overrideOne(definition: Definition, set: string, from: string): Overridden {
  const equals = set.indexOf('=');
  const keys = set.slice(0, Math.max(0, equals)).split('.');
  if (equals < 1 || keys.includes('')) throw refuse(`'${set}'`, 'Write it as `--set train.epochs=1`.');
  const [top, ...inner] = keys as [string, ...string[]];
  const names = topKeys.filter((key) => key !== 'use' && key !== 'extends');
  if (!names.includes(top)) {
    const slip = nearest(top, names);
    throw refuse(`\`${top}\``, slip ? `Did you mean \`${slip}\`?` : `It may begin with ${names.join(', ')}.`);
  }
  const value = readValue(set.slice(equals + 1));
  const gone = value === undefined;
  if (inner.length === 0 && (looked.has(top) || optional.has(top)) && !(gone && optional.has(top))) {
    const out = optional.has(top) ? ` \`${top}=null\` takes it out.` : '';
    const option = top === 'stages' || top === 'track' ? `${top}.name.option` : `${top}.option`;
    throw refuse(`\`${top}\` as a whole`, `Set one of its options: \`${option}=value\`.${out}`);
  }
  // What is looked up by name when a file is read cannot be written here.
  if (typeof value === 'object' && looked.has(inner.at(-1)!)) {
    throw refuse(`\`${keys.join('.')}\` as a whole`, `Set one of its options: \`${keys.join('.')}.option=value\`.`);
  }
  const placed = placedFrom(from, value, keys, partsSchema(definition.registry));
  const laid = { value: placed, from };
  const [changed, path] = put((definition as unknown as Record<string, unknown>)[top], inner, laid, [top]);
  const next: Record<string, unknown> = { ...definition, [top]: changed };
  if (changed === undefined) delete next[top];
  const { name, output, file } = definition;
  if (top === 'seed' && gone) next.seed = standard.seed;
  if (top === 'output')
    next.output = gone ? standard.output(name) : String(value).trim() === '' ? '' : resolve(from, String(value));
  if (top === 'name') {
    const renamed = gone ? standard.name(file) : String(value);
    if (gone) next.name = renamed;
    if (output === standard.output(name)) next.output = standard.output(renamed);
  }
  return { next: next as unknown as Definition, path, gone };
}

function readValue(text: string): unknown {
  if (text === '') return '';
  const document = parseDocument(text, { prettyErrors: false });
  const wrong = document.errors[0] ?? document.warnings[0];
  if (wrong) throw refuse(`'${text}'`, `${sentence(`The value must be YAML: ${messageOf(wrong)}`)} Quote it.`);
  try {
    return document.toJS({ maxAliasCount: 10 }) ?? undefined;
  } catch (cause) {
    throw refuse(`'${text}'`, `${sentence(`The value must be YAML: ${messageOf(cause)}`)} Quote it.`);
  }
}

function refuse(found: string, advice: string): PatchstreamError {
  return fail('SET_PATH', { found, advice });
}

/** Keys whose values name something, and have its options. */
const carriers: ReadonlySet<unknown> = new Set(['source', 'sink', 'model', 'on', 'reference']);

/** A value to lay over, and where relative paths in it start. */
interface Laid {
  readonly value: unknown;
  readonly from: string;
}

/** `target` with a value at `keys`, and the path at which it then stands. */
function put(target: unknown, keys: readonly string[], laid: Laid, path: Path): [unknown, Path] {
  const { value } = laid;
  const [key, ...rest] = keys;
  if (key === undefined || (target === undefined && value === undefined)) return [value, path];
  if (['__proto__', 'constructor', 'prototype'].includes(key)) throw refuse(`\`${key}\``, 'Name an option.');
  if (Array.isArray(target)) return putItem(target, key, rest, laid, path);
  if (target !== undefined && (typeof target !== 'object' || target === null)) {
    throw refuse(
      `\`${keys.join('.')}\` below \`${path.join('.')}\`, which is no map`,
      `Set \`${path.join('.')}\` itself.`,
    );
  }
  if (target === undefined && carriers.has(path.at(-1))) {
    const part = path.join('.');
    throw refuse(
      `\`${keys.join('.')}\` below \`${part}\`, which the pipeline has not`,
      `Write \`${part}\` in the file.`,
    );
  }
  const map = { ...target } as Record<string, unknown>;
  const carrier = (['stage', 'source', 'sink', 'model', 'measure', 'tracker'] as const).find((kind) =>
    isCarrier(map[kind]),
  );
  if (carrier) {
    const [changed, where] = putOption(map[carrier] as Carried, keys, laid, path);
    return [{ ...map, [carrier]: changed }, where];
  }
  const [changed, where] = put(Object.hasOwn(map, key) ? map[key] : undefined, rest, laid, [...path, key]);
  if (changed === undefined) delete map[key];
  else map[key] = changed;
  return [map, where];
}

function putItem(
  list: readonly unknown[],
  key: string,
  rest: readonly string[],
  laid: Laid,
  path: Path,
): [unknown, Path] {
  const ids = idsOf(list);
  const index = /^\d+$/.test(key) ? Number(key) : ids.indexOf(key);
  if (index < 0 || index >= list.length) {
    const slip = nearest(key, ids);
    const known = ids.length > 0 ? `0 to ${list.length - 1}, ${ids.join(', ')}` : `0 to ${list.length - 1}`;
    throw refuse(`\`${key}\` in \`${path.join('.')}\``, slip ? `Did you mean \`${slip}\`?` : `It has ${known}.`);
  }
  if (rest.length === 0 && laid.value === undefined) return [list.toSpliced(index, 1), [...path, index]];
  if (rest.length === 0 && ids.length > 0) {
    const name = [...path, key].join('.');
    throw refuse(
      `the ${path.at(-1) === 'track' ? 'tracker' : 'stage'} \`${key}\` as a whole`,
      `Set one of its options: \`${name}.option=value\`. \`${name}=null\` takes it out.`,
    );
  }
  const [changed, where] = put(list[index], rest, laid, [...path, index]);
  return [list.with(index, changed), where];
}

/** The names by which stages, or trackers, of a list can be found. */
function idsOf(list: readonly unknown[]): readonly string[] {
  const items = list as readonly ({ readonly stage?: StageKind; readonly tracker?: Carried } | null)[];
  const kinds = items.map((item) => item?.stage).filter((kind) => kind !== undefined);
  if (kinds.length === list.length) return stageIds(kinds);
  const names = items.map((item) => item?.tracker?.name).filter((name) => name !== undefined);
  return names.length === list.length ? names : [];
}

/** A value that is to stand at `keys`, with the relative paths in it from a folder on. */
function placedFrom(from: string, value: unknown, keys: readonly string[], schema: JsonSchema): unknown {
  const whole = keys.reduceRight((inner, key) => ({ [key]: inner }), value);
  const placed = mapPaths(whole, schema, (path) => resolve(from, path));
  return keys.reduce((inner, key) => (inner as Readonly<Record<string, unknown>>)[key], placed);
}

/** Of the parts that are no names with options. */
function partsSchema({ measures } = builtin): JsonSchema {
  return { properties: { train: jsonSchema(trainOptions), evaluate: jsonSchema(evaluateOptions(measures)) } };
}

interface Carried {
  readonly name: string;
  readonly definition?: { readonly options: Parameters<typeof jsonSchema>[0] };
  readonly options?: unknown;
  readonly policy?: Readonly<Record<string, unknown>>;
}

function isCarrier(value: unknown): value is Carried {
  return typeof value === 'object' && value !== null && 'name' in value && ('options' in value || 'policy' in value);
}

function putOption(carried: Carried, keys: readonly string[], { value, from }: Laid, path: Path): [Carried, Path] {
  // `stages.2.mask.ratio` and `stages.2.ratio` are the same option.
  const own = keys[0] === carried.name && keys.length > 1 ? keys.slice(1) : keys;
  const options = (carried.options ?? {}) as object;
  if (value === undefined && own[0] === carried.name && !Object.hasOwn(options, own[0])) {
    throw refuse(
      `\`${[...path, own[0]].join('.')}\` as an option`,
      `\`${path.join('.')}=null\` takes \`${own[0]}\` out.`,
    );
  }
  const policy = carried.policy !== undefined && ['id', 'concurrency', 'timeout', 'maxFailures'].includes(own[0]!);
  const part = policy || !('options' in carried) ? 'policy' : 'options';
  const known = carried.definition?.options;
  const placed = known === undefined || policy ? value : placedFrom(from, value, own, jsonSchema(known));
  const [changed, where] = put(carried[part] ?? {}, own, { value: placed, from }, [...path, carried.name]);
  return [{ ...carried, [part]: changed }, where];
}
