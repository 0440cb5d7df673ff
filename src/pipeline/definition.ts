import { basename, resolve } from 'node:path';
import { fail } from '../errors.ts';
import type { MeasureValue } from '../measures/define.ts';
import type { NamedMeasures } from '../measures/index.ts';
import type { ModelValue } from '../models/define.ts';
import type { Sink } from '../sinks/sink.ts';
import type { Source } from '../sources/source.ts';
import type { Stage } from '../streams/stage.ts';
import type { TrackerValue } from '../trackers/define.ts';
import type { WrittenTiming } from './evaluate.options.ts';
import type { Origin } from './problem.ts';
import type { Registry } from './registry.ts';
import type { TrainInput } from './train.options.ts';

/** A pipeline as it was written, in a file or in a program: immutable and plain. Nothing starts when it is made; `check` says what is wrong with it. */
export interface Definition<S = unknown> {
  readonly name: string;
  readonly seed: number;
  readonly source: Source;
  readonly stages: readonly Stage[];
  readonly sink?: Sink;
  readonly train?: Train;
  readonly evaluate?: Evaluate;
  readonly track?: readonly TrackerValue[];
  /** The run's own folder, absolute. */
  readonly output: string;
  readonly permits?: number;
  readonly threads?: number | 'auto';
  readonly reads?: number | 'auto';
  readonly cells?: number;
  /** The file it was read from, absolute. */
  readonly file?: string;
  /** Relative paths start here: the folder of the file, or the working directory. */
  readonly base: string;
  /** Modules named under `use`, absolute: a worker thread loads them again. */
  readonly uses?: readonly string[];
  /** What its names stand for, where `use` adds some. */
  readonly registry?: Registry;
  /** Where each value was written. Absent for definitions made in a program. */
  readonly origin?: Origin;
  readonly types?: S;
}

/** The section `train`, as written. */
export interface Train extends TrainInput {
  readonly model: ModelValue;
}

/** The section `evaluate`, as written: each of our measures once by its name, or a list of `measures`. */
export interface Evaluate extends WrittenTiming, NamedMeasures {
  readonly source?: Source;
  readonly stages?: readonly Stage[];
  readonly measures?: readonly (NamedMeasures | MeasureValue)[];
}

/** What a pipeline may say beside its source and stages. */
export interface Rest {
  readonly name?: string;
  readonly seed?: number;
  readonly sink?: Sink;
  readonly train?: Train;
  readonly evaluate?: Evaluate;
  /** Who looks at the run: `[tensorboard(), prometheus({ port: 0 })]`. */
  readonly track?: readonly TrackerValue[];
  /** The run's folder. Relative paths start at the file's folder, or the working directory. */
  readonly output?: string;
  readonly permits?: number;
  readonly threads?: number | 'auto';
  readonly reads?: number | 'auto';
  readonly cells?: number;
}

type Written = Rest & { readonly source: Source; readonly stages: readonly Stage[] };

/** What stands where nothing was written. */
export const standard = {
  seed: 0,
  name: (file: string | undefined) => (file === undefined ? 'pipeline' : legalName(basename(file))),
  output: (name: string) => resolve('runs', String(name)),
} as const;

/** The name of a run from that of its file: `job (copy).yaml` gives `job-copy`, `jöb.yaml` gives `job`. */
function legalName(file: string): string {
  const plain = file
    .replace(/\.\w+$/, '')
    .normalize('NFKD')
    .replace(/\p{M}/gu, '');
  const name = plain.replace(/[^\w.-]+/g, '-').replace(/^[^\w]+|[^\w]+$/g, '');
  return name.slice(0, 100) || 'pipeline';
}

// What each definition was made from, so that a file which exports one can be given its own name and folder.
const written = new WeakMap<Definition, Written>();

/** The definition that a file exports, with relative paths and the default name taken from that file. */
export function placed(definition: Definition, place: Pick<Definition, 'file' | 'base'>): Definition {
  return define(written.get(definition) ?? definition, place);
}

/** A definition from its parts, with name, seed and output filled in. Values that are no stages are refused here, where the stack shows the line. */
export function define(
  parts: Written,
  place: Pick<Definition, 'file' | 'base' | 'origin' | 'uses' | 'registry'> = { base: process.cwd() },
): Definition {
  for (const stage of parts.stages as readonly unknown[]) refuseBare(stage);
  const { source, stages, sink, train, evaluate, track, seed = standard.seed, permits, threads, reads, cells } = parts;
  const name = parts.name ?? standard.name(place.file);
  const output = parts.output === undefined ? standard.output(name) : placeOf(parts.output, place.base);
  const rest = { sink, train, evaluate, track, permits, threads, reads, cells };
  const given = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined));
  const definition = Object.freeze({
    name,
    seed,
    source,
    stages: Object.freeze([...stages]),
    ...given,
    output,
    ...place,
  });
  written.set(definition, parts);
  return definition;
}

/** What is no place for a folder stays as it is, for `check` to say so. */
function placeOf(output: unknown, base: string): string {
  if (typeof output === 'string') return output.trim() === '' ? '' : resolve(base, output);
  return typeof output === 'number' ? resolve(base, String(output)) : (output as string);
}

function refuseBare(stage: unknown): void {
  if (typeof stage === 'function') throw fail('FUNCTION_BARE', { name: stage.name || 'fn' });
  if (typeof stage !== 'object' || stage === null || !('stage' in stage)) {
    throw fail('STAGE_VALUE', { found: stage === null ? 'null' : typeof stage });
  }
}
