import { fail } from '../errors.ts';
import type { ModelDefinition } from '../models/define.ts';
import type { SinkDefinition } from '../sinks/sink.ts';
import type { SourceDefinition } from '../sources/source.ts';
import type { StageDefinition } from '../stages/stage.ts';

/** What pipeline files can name, by kind. A plain value made from lists: importing a stage registers nothing. */
export interface Registry {
  readonly stages: ReadonlyMap<string, AnyStage>;
  readonly sources: ReadonlyMap<string, SourceDefinition>;
  readonly sinks: ReadonlyMap<string, SinkDefinition>;
  readonly models: ReadonlyMap<string, ModelDefinition>;
  /** A registry with more in it. @throws NAME_TAKEN */
  with(more: Listed): Registry;
}

/** A stage's definition with its types forgotten: options are parsed before they are handed to it. */
export type AnyStage = StageDefinition;

/** What a list may hold: definitions, or the factories that carry them. */
export interface Listed {
  readonly stages?: readonly Carrying[];
  readonly sources?: readonly Carrying[];
  readonly sinks?: readonly Carrying[];
  readonly models?: readonly Carrying[];
}

type Carrying = { readonly definition: { readonly name: string } } | { readonly name: string };

/**
 * Makes a registry from lists of stages, sources, sinks and models.
 *
 * @throws NAME_TAKEN when two of a kind have one name.
 */
export function createRegistry(listed: Listed): Registry {
  return extend({ stages: new Map(), sources: new Map(), sinks: new Map(), models: new Map() }, listed);
}

type Sets = Omit<Registry, 'with'>;

function extend(sets: Sets, more: Listed): Registry {
  const all: Sets = {
    stages: add('stage', sets.stages, more.stages),
    sources: add('source', sets.sources, more.sources),
    sinks: add('sink', sets.sinks, more.sinks),
    models: add('model', sets.models, more.models),
  };
  return Object.freeze({ ...all, with: (further: Listed) => extend(all, further) });
}

// The lists are heterogeneous; what is common to all definitions of a kind is what the maps promise.
function add<T>(kind: string, known: ReadonlyMap<string, T>, more: readonly Carrying[] = []): ReadonlyMap<string, T> {
  const all = new Map(known);
  for (const entry of more) {
    const definition = 'definition' in entry ? entry.definition : entry;
    if (all.has(definition.name) && all.get(definition.name) !== definition) {
      throw fail('NAME_TAKEN', { kind, name: definition.name });
    }
    all.set(definition.name, definition as T);
  }
  return all;
}
