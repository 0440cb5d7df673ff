import { createHash } from 'node:crypto';
import { basename } from 'node:path';

/** The files beside `state.json` that every checkpoint has, and that of the weights' average. */
export const parts = ['model.safetensors', 'optimizer.safetensors'] as const;
export const averagePart = 'ema.safetensors';
/** The files that have weights. */
export const weightParts = { model: parts[0], ema: averagePart } as const;

/** `state.json` of a checkpoint: everything of a run that is neither weights nor optimizer. */
export interface CheckpointState {
  /** 1 has no digest of the whole. */
  readonly format: 1 | 2;
  /** Finished steps, so the next step's number. */
  readonly step: number;
  /** The position after the last committed sample of the last finished step: where the loader goes on. */
  readonly position: number;
  /** Optimizer updates: finished steps less those that `onNotANumber: skip` left out. */
  readonly updates: number;
  readonly seed: number;
  readonly versions: Readonly<Record<string, string>>;
  /** Digest of what decides the weights (`digestDefinition`); a checkpoint of another definition is not taken for a resume. */
  readonly definition: string;
  /** What the digest is of, without secrets, so that a run which is refused can say what differs. */
  readonly decides?: unknown;
  /** Of a model that is trained on labels: the names of the classes by their ranks, where the source has names. Earlier versions have none. */
  readonly classNames?: readonly string[];
  /** SHA-256 of the files beside it, in hexadecimal. */
  readonly digests: Readonly<Record<(typeof parts)[number], string>> & { readonly [averagePart]?: string };
  /** SHA-256 of all the rest of this file as JSON with sorted keys, and so, by `digests`, of the checkpoint as a whole. */
  readonly digest?: string;
}

/** Which weights of a checkpoint are meant: those that are trained, or their running average. */
export type WhichWeights = 'model' | 'ema';

/** The files beside `state.json` that a checkpoint has. */
export function partsOf({ digests }: Pick<CheckpointState, 'digests'>): readonly (keyof CheckpointState['digests'])[] {
  return digests[averagePart] === undefined ? parts : [...parts, averagePart];
}

/** The file of the weights that are meant; by default the average where there is one. Undefined where there is none and it is asked for. */
export function partFor(
  { digests }: Pick<CheckpointState, 'digests'>,
  which: WhichWeights | undefined,
): (typeof weightParts)[WhichWeights] | undefined {
  const averaged = digests[averagePart] !== undefined;
  if (which === 'ema' && !averaged) return undefined;
  return weightParts[which ?? (averaged ? 'ema' : 'model')];
}

/** Which weights a path names by the name of its file. */
export function whichOf(path: string): WhichWeights | undefined {
  const name = basename(path);
  return name === weightParts.ema ? 'ema' : name === weightParts.model ? 'model' : undefined;
}

/** `state.json` as it was parsed, compared with its digest. Throws a plain error that says what is wrong. */
export function stateOf(value: unknown): CheckpointState {
  const state = value as Partial<CheckpointState> | null;
  if (state?.format !== 1 && state?.format !== 2)
    throw new Error(`format must be 1 or 2, got ${String(state?.format)}`);
  for (const name of ['step', 'position', 'updates', 'seed'] as const) {
    if (!Number.isSafeInteger(state[name]) || state[name]! < 0) throw new Error(`${name} must be a count`);
  }
  for (const part of parts) {
    if (typeof state.digests?.[part] !== 'string') throw new Error(`the digest of ${part} is missing`);
  }
  const { classNames } = state;
  if (classNames !== undefined && !isNames(classNames)) throw new Error('classNames must be a list of names');
  const { digest, ...rest } = state;
  if (state.format === 2 && digest !== digestOf(rest)) throw new Error('its content is not what its digest is of');
  return state as CheckpointState;
}

function isNames(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((name) => typeof name === 'string');
}

/** A digest of what decides the weights of a run, for `state.definition`: keys are sorted, so that the order of writing does not count. */
export function digestDefinition(definition: unknown): string {
  return digestOf(definition).slice(0, 16);
}

/** SHA-256 of a value as JSON with sorted keys, in hexadecimal. */
export function digestOf(value: unknown): string {
  const sorted = JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
  return createHash('sha256').update(sorted).digest('hex');
}
