import { fail, messageOf, type PatchstreamError } from '../../errors.ts';
import type { StagePlace } from '../../stages/stage.ts';
import type { Stage, StageKind, StagePolicy } from '../../streams/stage.ts';
import type { Spec } from '../../vision/spec.ts';
import type { Path } from '../file/locate.ts';
import { policyOptions } from '../file/policy.ts';
import type { Problems } from '../problem.ts';
import type { AnyStage, Registry } from '../registry.ts';
import { addIssues, answered, completedOptions, type Named, parseNamed } from './named.ts';
import { stageIds } from './stage-ids.ts';

/** A stage with its options parsed and its place in the chain known. */
export interface ResolvedStage {
  readonly index: number;
  /** `mask`, `mask#2`, or the user's own: the key of its chance and its name in errors. */
  readonly id: string;
  readonly name: string;
  readonly policy: StagePolicy;
  readonly stage: StageKind;
  /** Parsed, of a defined stage; frozen. */
  readonly options: unknown;
  /** Of a defined stage. */
  readonly definition?: AnyStage;
  /** What lies at the paths among its options, where it says so. */
  readonly identity?: readonly string[];
  /** How many samples it may keep back. */
  readonly holds: number;
  /** The spec in front of it and behind it. */
  readonly before: Spec;
  readonly after: Spec;
}

/**
 * Folds the spec along a chain and collects all that is wrong with it. Behind a stage that failed its check, and behind `each` and
 * `operator`, the spec is open: it keeps what was known as a guess, shape checks are silent, option checks go on.
 */
export function inferSpecs(
  stages: readonly Stage[],
  source: Spec,
  path: Path,
  registry: Registry,
  problems: Problems,
  place: StagePlace = { base: process.cwd() },
): ResolvedStage[] {
  const kinds = stages.map(({ stage }) => stage);
  const ids = stageIds(kinds);
  const later = laterFields(kinds);
  let spec = source;
  return kinds.map((stage, index) => {
    const id = ids[index]!;
    const at = [...path, index, stage.name];
    if (ids.indexOf(id) < index) problems.add(fail('STAGE_ID_TWICE', { id }), [...at, 'id'], { who: `stage ${id}` });
    const before = spec;
    const owner = `stage ${id}`;
    const named = { at, owner, who: owner };
    const policy = (parseNamed(policyOptions, stage.policy, named, problems) ?? {}) as StagePolicy;
    const common = {
      index,
      id,
      name: stage.name,
      policy,
      stage,
      holds: stage.kind === 'operator' ? stage.holds : 0,
      before,
    };
    if (stage.kind !== 'defined') {
      spec = { ...before, open: true };
      return { ...common, options: undefined, after: spec };
    }
    const definition = stage.definition as AnyStage;
    const parsed = parseNamed(definition.options, stage.options, { ...named, also: policyNames }, problems);
    const options = parsed === undefined ? undefined : completed(definition, parsed, { place, named, problems });
    const giver = (field: string) => giverOf(field, later.slice(index + 1), registry);
    const sound =
      options !== undefined && checkStage({ definition, options, spec: before, id, at, giver, problems, place });
    spec = sound ? specAfter(definition, options, before, { id, at, problems, place }) : { ...before, open: true };
    const identity = sound ? answered(() => definition.identity?.(options, place), named, problems) : undefined;
    return { ...common, options, definition, ...(identity && { identity }), after: spec };
  });
}

/** Undefined, and a problem, where the stage's code throws or gives no options. */
function completed(
  definition: AnyStage,
  parsed: unknown,
  { place, named, problems }: Pick<Checking, 'place' | 'problems'> & { readonly named: Named },
): unknown {
  if (definition.complete === undefined) return parsed;
  const options = completedOptions(() => definition.complete!(parsed, place), named, problems);
  return options && Object.freeze(options);
}

const policyNames = Object.keys(policyOptions.shape);

interface Checking {
  readonly definition: AnyStage;
  readonly options: unknown;
  readonly spec: Spec;
  readonly id: string;
  readonly at: Path;
  readonly giver: (field: string) => string | undefined;
  readonly problems: Problems;
  readonly place: StagePlace;
}

/** True when the stage found nothing wrong with its options and with what it is given. */
function checkStage({ definition, options, spec, id, at, giver, problems, place }: Checking): boolean {
  const who = `stage ${id}`;
  const before = problems.list.length;
  for (const field of spec.open ? [] : definition.needs.filter((need) => !(need in spec.fields))) {
    const by = giver(field);
    const advice = by === undefined ? 'Put a stage that gives it before it.' : `Put \`${by}\` before it.`;
    problems.add(fail('FIELD_MISSING', { owner: who, field, fields: fieldList(spec), advice }), at, { key: true, who });
  }
  // A stage that lacks a field cannot judge shapes; its options are still judged, as behind an open spec.
  const seen: Spec = problems.list.length > before ? { ...spec, open: true } : spec;
  addIssues(() => definition.check?.(options, seen, place), { at, owner: who, who }, problems);
  return problems.list.length === before;
}

function specAfter(
  definition: AnyStage,
  options: unknown,
  spec: Spec,
  { id, at, problems, place }: Pick<Checking, 'id' | 'at' | 'problems' | 'place'>,
): Spec {
  try {
    const after = definition.output(spec, options, place);
    if (typeof after?.fields !== 'object') throw new TypeError('no spec');
    return spec.open ? { ...after, open: true } : after;
  } catch (cause) {
    // Behind an open spec the stage was handed a guess, which it need not be able to continue.
    const who = `stage ${id}`;
    const slots = { owner: who, hook: 'output', found: messageOf(cause) };
    if (!spec.open) problems.add(fail('STAGE_BROKEN', slots, { cause }), at, { key: true, who });
    return { ...spec, open: true };
  }
}

/** The fields of a spec, for messages. */
export function fieldList(spec: Spec): string {
  return Object.keys(spec.fields).join(', ') || 'none';
}

/** For each stage of a chain the fields it would give, as far as that can be told without what comes before it. */
function laterFields(kinds: readonly StageKind[]): { name: string; fields: readonly string[] }[] {
  return kinds.map((kind) => ({
    name: kind.name,
    fields: kind.kind === 'defined' ? given(kind.definition as AnyStage, kind.options) : [],
  }));
}

function given(definition: AnyStage, options: unknown): string[] {
  try {
    const parsed = definition.options.safeParse(options);
    return parsed.success ? Object.keys(definition.output(wide, parsed.data, { base: process.cwd() }).fields) : [];
  } catch {
    // Whatever the user's code throws for a spec that is none of its chain: this only looks for a suggestion, and `inferSpecs` tells what it throws for its own.
    return [];
  }
}

// Something of everything, so that an `output` that continues a spec finds what it continues.
const wide: Spec = { fields: {}, size: [96, 96], grid: { patch: 8, side: 12 }, windows: { K: 5, M: 2 }, open: true };

// By the names of contracts; only for stages that cannot be asked because they have options without a default.
const usual: Readonly<Record<string, string>> = {
  picture: 'decode',
  lr: 'downsample',
  windows: 'windows',
  masks: 'mask',
  codes: 'tokenize',
};

/** The stage that gives a field: one that stands too late in this chain, else one of the registry. */
export function giverOf(
  field: string,
  later: readonly { name: string; fields: readonly string[] }[],
  registry: Registry,
): string | undefined {
  const here = later.find(({ fields }) => fields.includes(field));
  if (here) return here.name;
  for (const definition of registry.stages.values()) if (given(definition, {}).includes(field)) return definition.name;
  const name = usual[field];
  return name !== undefined && registry.stages.has(name) ? name : undefined;
}

/** Where fields come from that no stage gives. */
const origins: Readonly<Record<string, string>> = {
  label: 'Give the source its labels: `labels: true` for a folder of a folder per class, the file of `labels` for idx.',
};

/** What keeps `fields` out of a batch: a field that is missing, bytes of any length, pictures of no common size. Empty for an open spec. */
export function looseFields(
  spec: Spec,
  fields: readonly string[],
  owner: string,
  registry: Registry,
): PatchstreamError[] {
  if (spec.open) return [];
  return fields.flatMap((field): PatchstreamError[] => {
    const known = spec.fields[field];
    if (known === undefined) {
      const by = giverOf(field, [], registry);
      const advice =
        by === undefined ? (origins[field] ?? 'Add a stage that gives it.') : `Add \`${by}\` to the stages.`;
      return [fail('FIELD_MISSING', { owner, field, fields: fieldList(spec), advice })];
    }
    if (known === 'bytes') return [fail('FIELD_LOOSE', { field, advice: 'Put `decode` and `resize` before it.' })];
    if (known === 'text') return [fail('FIELD_LOOSE', { field, advice: 'Text does not go into a batch.' })];
    const size =
      known === 'picture' ? spec.size : typeof known === 'object' && 'picture' in known ? known.picture : 'fixed';
    if (!size) {
      return [
        fail('FIELD_LOOSE', { field, advice: 'Put `resize`, or another stage that fixes the size, into the chain.' }),
      ];
    }
    return [];
  });
}
