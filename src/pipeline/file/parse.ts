import type { z } from 'zod';
import { counted } from '../../counts.ts';
import { fail, nearest } from '../../errors.ts';
import type { ModelValue } from '../../models/define.ts';
import type { Sink } from '../../sinks/sink.ts';
import type { Source } from '../../sources/source.ts';
import { splitPolicy } from '../../stages/stage.ts';
import type { Stage } from '../../streams/stage.ts';
import type { TrackerValue } from '../../trackers/define.ts';
import { type Definition, define, type Evaluate, type Rest, type Train } from '../definition.ts';
import { evaluateOptions } from '../evaluate.options.ts';
import { firstOf, found, type JsonSchema, jsonSchema } from '../options.ts';
import { type Origin, Problems } from '../problem.ts';
import type { Registry } from '../registry.ts';
import { trainOptions } from '../train.options.ts';
import { child, type MapNode, type Node, type Path, placeAt, plain, shownFile } from './locate.ts';
import { plainWithPaths } from './paths.ts';
import type { Secret } from './redact.ts';
import { settings } from './settings.ts';
import { colonAdvice } from './slips.ts';
import { unknownModel, unknownSink, unknownSource, unknownStage, unknownTracker } from './stand-ins.ts';

/** A chain of more is a slip, or an attack: each stage is looked up, and each that is not known makes a sentence. */
const mostStages = 1000;

/** Every key that may stand at the top of a pipeline file. */
export const topKeys: readonly string[] = [
  ...['extends', 'use', 'source', 'stages', 'sink', 'train', 'evaluate', 'track'],
  ...Object.keys(settings.shape),
];

/**
 * Makes a definition from the nodes of a file. Names are looked up here and options stay as written: `check` parses them. What cannot
 * be looked up becomes a stand-in of unknown effect, so that the rest can still be checked; such a definition has problems and is not run.
 */
export function parsePipeline(
  root: Node,
  registry: Registry,
  { file, base, secrets, uses }: { file: string; base: string; secrets: readonly Secret[]; uses: readonly string[] },
): { definition: Definition; problems: Problems } {
  const origin: Origin = { place: (path, key) => placeAt(root, path, key), secrets };
  const problems = new Problems({ origin, file });
  const place = { file, base, origin, uses, registry };
  if (root.kind !== 'map') {
    const expected = 'a map of source, stages and what follows';
    problems.add(
      fail('OPTION_VALUE', {
        option: 'pipeline',
        expected,
        found: found(plain(root)),
        advice: spaceIn(root, topKeys)[0] ?? 'Write `source:` first.',
      }),
      [],
    );
    return { definition: define({ source: unknownSource, stages: [] }, place), problems };
  }
  if (root.entries.has('study') && !root.entries.has('source')) {
    problems.add(fail('STUDY_NO_PIPELINE', { file: shownFile(file) }), ['study'], { key: true });
    return { definition: define({ source: unknownSource, stages: [] }, place), problems };
  }
  knownKeys(root, topKeys, 'a pipeline', [], problems);
  const reader: Reader = { registry, problems, file };
  const source = sourceOf(child(root, 'source'), ['source'], reader);
  const stages = stagesOf(child(root, 'stages'), ['stages'], reader);
  if (!root.entries.has('stages')) missing('stages', 'a list of stages', problems);
  const rest: Record<string, unknown> = {};
  const known = jsonSchema(settings).properties ?? {};
  for (const key of Object.keys(settings.shape)) {
    const node = root.entries.get(key);
    if (node !== undefined) rest[key] = plainWithPaths(node, known[key] ?? {}, file);
  }
  const sink = root.entries.get('sink');
  if (sink) rest.sink = sinkOf(sink, reader);
  const train = root.entries.get('train');
  if (train) rest.train = trainOf(train, reader);
  const evaluate = root.entries.get('evaluate');
  if (evaluate) rest.evaluate = evaluateOf(evaluate, reader);
  const track = root.entries.get('track');
  if (track) rest.track = trackersOf(track, reader);
  return { definition: define({ source, stages, ...(rest as Rest) }, place), problems };
}

interface Reader {
  readonly registry: Registry;
  readonly problems: Problems;
  /** The file that is read: relative paths in it stay, those of the files it extends start at those. */
  readonly file: string;
}

function missing(option: string, expected: string, problems: Problems): void {
  problems.add(fail('OPTION_MISSING', { option, expected, advice: ' at the top of the file' }), []);
}

function knownKeys(node: MapNode, names: readonly string[], owner: string, path: Path, problems: Problems): void {
  const unknown = [...node.entries.keys()].filter((option) => !names.includes(option));
  for (const option of firstOf(unknown, owner, (error) => problems.add(error, path))) {
    const slip = nearest(option, names);
    const all = slip ? `Did you mean \`${slip}\`?` : `It knows ${names.join(', ')}.`;
    const advice = colonAdvice(option, names) ?? all;
    problems.add(fail('OPTION_UNKNOWN', { owner, option, advice }), [...path, option], { key: true });
  }
}

interface Described {
  readonly options: z.ZodType;
  readonly shorthand?: string;
}

interface Named<D> {
  readonly name: string;
  readonly options: unknown;
  readonly definition: D;
}

/** A name, or a map with one name and its options, looked up among `known`; undefined (and a problem) when it cannot be. */
function named<D extends Described>(
  node: Node,
  kind: string,
  known: ReadonlyMap<string, D>,
  path: Path,
  reader: Reader,
): Named<D> | undefined {
  const { problems, file } = reader;
  const entry = entryOf(node);
  if (entry === undefined) {
    const keys = node.kind === 'map' ? [...node.entries.keys()] : [];
    const advice =
      keys.length > 1 && keys.filter((key) => known.has(key)).length === 1
        ? `Indent the options further than the name: \`${keys.find((key) => known.has(key))}: { … }\`.`
        : `Write \`name\` or \`name: { option: value }\`${keys.length > 1 ? ', each with a dash of its own' : ''}.`;
    problems.add(fail('NAME_ENTRY', { kind, found: found(plain(node)), advice }), path);
    return undefined;
  }
  const definition = known.get(entry.name);
  if (definition === undefined) {
    const slip = nearest(entry.name, known.keys());
    const spaced = colonAdvice(entry.name, known.keys());
    const all = `Known are ${[...known.keys()].sort().join(', ') || 'none'}.`;
    const advice = spaced ?? (slip ? `Did you mean \`${slip}\`?` : all);
    problems.add(fail('NAME_UNKNOWN', { kind, name: entry.name, advice }), [...path, entry.name], { key: true });
    return undefined;
  }
  const { name, options: written } = entry;
  if (written === undefined) return { name, options: {}, definition };
  const schema = jsonSchema(definition.options);
  const short = written.kind !== 'map' && definition.shorthand !== undefined;
  const own = short ? (schema.properties?.[definition.shorthand!] ?? {}) : schema;
  const place = { schema: own, path: [...path, name], reader };
  return { name, options: withSources(written, plainWithPaths(written, own, file), place), definition };
}

interface Options {
  readonly schema: JsonSchema;
  readonly path: Path;
  readonly reader: Reader;
}

/** Options with every source among them looked up. */
function withSources(node: Node, options: unknown, { schema, path, reader }: Options): unknown {
  if (schema.format === 'source') return sourceOf(node, path, reader);
  const inner = options as Readonly<Record<string | number, unknown>>;
  const { items, properties = {} } = schema;
  if (node.kind === 'list' && typeof items === 'object')
    return node.items.map((item, i) => withSources(item, inner[i], { schema: items, path: [...path, i], reader }));
  if (node.kind !== 'map') return options;
  const known = [...node.entries].flatMap(([key, one]): [string, unknown][] =>
    properties[key] === undefined
      ? []
      : [[key, withSources(one, inner[key], { schema: properties[key], path: [...path, key], reader })]],
  );
  return known.length === 0 ? options : { ...inner, ...Object.fromEntries(known) };
}

/** The name in a node, and the node of its options, where there are any. */
function entryOf(node: Node): { name: string; options?: Node } | undefined {
  if (node.kind === 'scalar') return typeof node.value === 'string' ? { name: node.value } : undefined;
  if (node.kind !== 'map' || node.entries.size !== 1) return undefined;
  const [name, options] = [...node.entries][0]!;
  const nothing = options.kind === 'scalar' && options.value === null;
  return nothing ? { name } : { name, options };
}

function sourceOf(node: Node | undefined, path: Path, reader: Reader): Source {
  if (node === undefined) {
    missing('source', 'a source, such as `image-folder: { path: ./photos }`', reader.problems);
    return unknownSource;
  }
  const value = named(node, 'source', reader.registry.sources, path, reader);
  return value ? { source: { ...value, options: splitOptions(value) } } : unknownSource;
}

function stagesOf(node: Node | undefined, path: Path, reader: Reader): Stage[] {
  if (node === undefined) return [];
  if (node.kind !== 'list') {
    const value = fail('OPTION_VALUE', {
      option: 'stages',
      expected: 'a list of stages',
      found: found(plain(node)),
      advice: ['Begin each stage with a dash.', ...spaceIn(node, reader.registry.stages.keys())].join(' '),
    });
    reader.problems.add(value, path);
    return [];
  }
  if (node.items.length > mostStages) {
    const expected = `a list of at most ${mostStages.toLocaleString('en')} stages`;
    const slots = { option: 'stages', expected, found: counted(node.items.length, 'stage'), advice: '' };
    reader.problems.add(fail('OPTION_VALUE', slots), path);
    return [];
  }
  return node.items.map((item, i) => {
    const value = named(item, 'stage', reader.registry.stages, [...path, i], reader);
    if (value === undefined) return unknownStage(entryOf(item)?.name ?? '?');
    const { own, policy } = splitPolicy(value.options, value.definition.shorthand);
    return { stage: { kind: 'defined', name: value.name, policy, options: own, definition: value.definition } };
  });
}

function trackersOf(node: Node, reader: Reader): TrackerValue[] {
  if (node.kind !== 'list') {
    const slots = {
      option: 'track',
      expected: 'a list of trackers',
      found: found(plain(node)),
      advice: ['Begin each tracker with a dash.', ...spaceIn(node, reader.registry.trackers.keys())].join(' '),
    };
    reader.problems.add(fail('OPTION_VALUE', slots), ['track']);
    return [];
  }
  return node.items.map((item, i) => {
    const value = named(item, 'tracker', reader.registry.trackers, ['track', i], reader);
    return value ? { tracker: { ...value, options: splitOptions(value) } } : unknownTracker;
  });
}

/** What is to be done about `name:value` in a text that should be more than one. */
function spaceIn(node: Node, names: Iterable<string>): string[] {
  const advice = node.kind === 'scalar' && typeof node.value === 'string' ? colonAdvice(node.value, names) : undefined;
  return advice === undefined ? [] : [advice];
}

function sinkOf(node: Node, reader: Reader): Sink {
  const value = named(node, 'sink', reader.registry.sinks, ['sink'], reader);
  return value ? { sink: { ...value, options: splitOptions(value) } } : unknownSink;
}

// `resize: 100` is `resize: { size: 100 }` for sources, sinks, models and trackers as well.
function splitOptions({ options, definition }: Named<{ readonly shorthand?: string }>): unknown {
  const bare = typeof options !== 'object' || options === null || Array.isArray(options);
  return bare && definition.shorthand !== undefined ? { [definition.shorthand]: options } : options;
}

function trainOf(node: Node, reader: Reader): Train | undefined {
  const whole = plainWithPaths(node, jsonSchema(trainOptions), reader.file);
  if (node.kind !== 'map') return whole as Train;
  const model = node.entries.get('model');
  const value = model && named(model, 'model', reader.registry.models, ['train', 'model'], reader);
  const known: ModelValue = {
    model: value ? { ...value, options: splitOptions(value) } : { name: '?', options: {}, definition: unknownModel },
  };
  return { ...(whole as Train), ...(model && { model: known }) };
}

function evaluateOf(node: Node, reader: Reader): Evaluate {
  const { measures } = reader.registry;
  const whole = plainWithPaths(node, jsonSchema(evaluateOptions(measures)), reader.file) as Evaluate;
  return lookedUp(node, whole, ['evaluate'], ['source', 'stages', 'measures', ...measures.keys()], reader) as Evaluate;
}

/** What is `written` in `evaluate`, a list in it or a measure, with the sources and stages that it names looked up where they are `known` to stand. */
function lookedUp(node: Node, written: unknown, path: Path, known: readonly string[], reader: Reader): unknown {
  const inner = written as Readonly<Record<string | number, unknown>>;
  if (node.kind === 'list') return node.items.map((item, i) => lookedUp(item, inner[i], [...path, i], known, reader));
  if (node.kind !== 'map') return written;
  const entries = known.flatMap((key): [string, unknown][] => {
    const own = node.entries.get(key);
    if (own === undefined) return [];
    const at = [...path, key];
    const measure = reader.registry.measures.get(key);
    if (measure !== undefined) return [[key, lookedUp(own, inner[key], at, [...measure.data, 'stages'], reader)]];
    if (key === 'measures') return [[key, lookedUp(own, inner[key], at, known, reader)]];
    if (key === 'stages') return [[key, stagesOf(own, at, reader)]];
    // A text is a folder, but as the source of all.
    const isFolder = key !== 'source' && own.kind === 'scalar' && typeof own.value === 'string';
    return isFolder ? [] : [[key, sourceOf(own, at, reader)]];
  });
  return { ...inner, ...Object.fromEntries(entries) };
}
