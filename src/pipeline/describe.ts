import type { FieldSpec, Numbers, Spec } from '../vision/spec.ts';
import { cellsOf } from './cells.ts';
import { redactValue } from './file/redact.ts';
import type { Resolved } from './resolve/resolve.ts';
import { measureJson, plainOptions } from './resolve/resolved-json.ts';

/** A pipeline as `describe` shows it: plain data, without anything that came from the environment. */
export interface Description {
  readonly name: string;
  readonly seed: number;
  readonly output: string;
  /** The source, the stages in order, and the sink or the model. */
  readonly chain: readonly Link[];
  readonly memory: readonly MemoryPart[];
  readonly model?: { readonly parameters: number; readonly macs: number };
  readonly train?: unknown;
  readonly evaluate?: unknown;
  readonly track?: unknown;
}

export interface Link {
  readonly kind: 'source' | 'stage' | 'sink' | 'model';
  readonly id: string;
  readonly options: unknown;
  /** Fields of the samples behind it: `picture uint8 [64, 64, 3]`. */
  readonly gives: readonly string[];
  /** Sizes behind it are a guess, since a stage before has an unknown effect. */
  readonly guess: boolean;
}

export interface MemoryPart {
  readonly what: string;
  readonly count: number;
  /** Bytes of one; absent where only the data can tell. */
  readonly bytes?: number;
}

/** Describes a resolved pipeline. Pure; `text` and `mermaid` draw it. */
export function describe(resolved: Resolved): Description {
  const { definition, source, stages, spec, sink, train, evaluate, track, capacity } = resolved;
  const { name, seed, output, origin } = definition;
  const chain: Link[] = [
    ...(source ? [link('source', source.name, plainOptions(source) as object, source.spec)] : []),
    ...stages.map(({ id, options, after }) => link('stage', id, options ?? {}, after)),
    ...(sink ? [link('sink', sink.name, sink.options)] : []),
    ...(train ? [link('model', train.model.name, train.model.options)] : []),
  ];
  const micro = train && (train.microBatch === 'auto' ? train.batch : train.microBatch);
  const cell = train && cellBytes(spec, train.model.definition.fields);
  const cells = capacity.cells ?? (micro === undefined ? undefined : cellsOf(undefined, micro, capacity.threads));
  // `auto` takes as many as the machine has memory for, and no more than a micro-batch of the whole batch wants.
  const cellsText = train?.microBatch === 'auto' ? 'cells of rendered samples, at most' : 'cells of rendered samples';
  const memory: MemoryPart[] = [
    { what: 'encoded files, one per permit', count: capacity.permits },
    ...(cells === undefined ? [] : [{ what: cellsText, count: cells, ...(cell !== undefined && { bytes: cell }) }]),
  ];
  const model = train && !spec.open ? train.model.definition.cost?.(train.model.options, spec) : undefined;
  const rest = {
    ...(train && { train: withoutModel(train) }),
    ...(evaluate && { evaluate: shownEvaluate(evaluate) }),
    ...(track && { track: shownTrackers(track) }),
  };
  const whole: Description = { name, seed, output, chain, memory, ...(model && { model }), ...rest };
  return redactValue(whole, origin?.secrets ?? []) as Description;
}

function withoutModel(train: NonNullable<Resolved['train']>): unknown {
  const { model: _, ...rest } = train;
  return rest;
}

function shownEvaluate({ measures, ...timing }: NonNullable<Resolved['evaluate']>): unknown {
  return {
    ...timing,
    ...Object.fromEntries(measures.map((each) => [each.id, measureJson(each)[each.definition.name]])),
  };
}

function shownTrackers(track: NonNullable<Resolved['track']>): unknown {
  const names = track.map(({ name }) => name);
  const id = (name: string, i: number) => {
    const before = names.slice(0, i).filter((one) => one === name).length;
    return before === 0 ? name : `${name}#${before + 1}`;
  };
  return Object.fromEntries(track.map(({ name, options }, i) => [id(name, i), options]));
}

function link(kind: Link['kind'], id: string, options: unknown, spec?: Spec): Link {
  const gives = spec
    ? Object.entries(spec.fields).map(([field, type]) => `${field} ${fieldText(type, spec)}`.trim())
    : [];
  return { kind, id, options, gives, guess: spec?.open === true };
}

/** `uint8 [64, 64, 3]`; of a picture without a size `of its own size`. */
export function fieldText(field: FieldSpec, spec: Spec): string {
  if (field === 'bytes' || field === 'text') return '';
  const known = numbersOf(field, spec);
  return known ? `${known.dtype} [${known.shape.join(', ')}]` : 'of its own size';
}

/** A field as it lies in a cell; undefined while it has no fixed size. */
function numbersOf(field: FieldSpec, spec: Spec): Numbers | undefined {
  if (field === 'bytes' || field === 'text') return undefined;
  if (typeof field === 'object' && 'dtype' in field) return field;
  const size = field === 'picture' ? spec.size : field.picture;
  return size ? { dtype: 'uint8', shape: [...size, 3] } : undefined;
}

/** Bytes of a cell: each field aligned to 64 bytes; undefined while a field has no size. */
export function cellBytes(spec: Spec, fields: readonly string[]): number | undefined {
  let total = 0;
  for (const name of fields) {
    const field = spec.fields[name];
    const known = field && numbersOf(field, spec);
    if (known === undefined) return undefined;
    const values = known.shape.reduce((product, n) => product * n, 1);
    total += Math.ceil((values * (known.dtype === 'uint8' ? 1 : 4)) / 64) * 64;
  }
  return total;
}
