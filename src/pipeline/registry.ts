import { fail } from '../errors.ts';
import type { MeasureDefinition } from '../measures/define.ts';
import type { ModelDefinition } from '../models/define.ts';
import type { SinkDefinition } from '../sinks/sink.ts';
import type { SourceDefinition } from '../sources/source.ts';
import type { StageDefinition } from '../stages/stage.ts';
import type { TrackerDefinition } from '../trackers/define.ts';
import { evaluateParts, timing } from './evaluate.options.ts';

/** What pipeline files can name, by kind. A plain value made from lists: importing a stage registers nothing. */
export interface Registry extends Sets {
  /** A registry with more in it. @throws NAME_TAKEN */
  with(more: Listed): Registry;
}

interface Sets {
  readonly stages: ReadonlyMap<string, AnyStage>;
  readonly sources: ReadonlyMap<string, SourceDefinition>;
  readonly sinks: ReadonlyMap<string, SinkDefinition>;
  readonly models: ReadonlyMap<string, ModelDefinition>;
  readonly measures: ReadonlyMap<string, MeasureDefinition>;
  readonly trackers: ReadonlyMap<string, TrackerDefinition>;
}

/** A stage's definition with its types forgotten: options are parsed before they are handed to it. */
export type AnyStage = StageDefinition;

/** What a list may hold: definitions, or the factories that carry them. */
export type Listed = { readonly [Kind in keyof Sets]?: readonly Carrying[] };

type Carrying = { readonly definition: { readonly name: string } } | { readonly name: string };

/** The kinds, as they are called in messages. */
const kinds = {
  stages: 'stage',
  sources: 'source',
  sinks: 'sink',
  models: 'model',
  measures: 'measure',
  trackers: 'tracker',
} as const satisfies Record<keyof Sets, string>;

/**
 * Makes a registry from lists of stages, sources, sinks, models, measures and trackers.
 *
 * @throws NAME_TAKEN when two of a kind have one name.
 */
export function createRegistry(listed: Listed): Registry {
  return extend({}, listed);
}

// The lists are heterogeneous; what is common to all definitions of a kind is what the maps promise.
function extend(sets: Partial<Sets>, more: Listed): Registry {
  const all = Object.fromEntries(
    (Object.keys(kinds) as (keyof Sets)[]).map((kind) => [kind, add(kinds[kind], sets[kind] ?? new Map(), more[kind])]),
  ) as unknown as Sets;
  return Object.freeze({ ...all, with: (further: Listed) => extend(all, further) });
}

/** Names that mean something else where a measure, or what it has found, stands. */
const notOfMeasures: readonly string[] = [
  ...[...Object.keys(timing.shape), ...evaluateParts],
  ...['step', 'epoch', 'digest', 'features', 'sums', 'notes'],
];

function add(kind: string, known: ReadonlyMap<string, unknown>, more: readonly Carrying[] = []) {
  const all = new Map(known);
  for (const entry of more) {
    const definition = 'definition' in entry ? entry.definition : entry;
    const { name } = definition;
    const isOther = all.has(name) && all.get(name) !== definition;
    if (isOther || (kind === 'measure' && notOfMeasures.includes(name))) throw fail('NAME_TAKEN', { kind, name });
    all.set(name, definition);
  }
  return all;
}
