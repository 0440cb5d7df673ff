import { createHash } from 'node:crypto';
import { closeSync, existsSync, openSync, readdirSync, readFileSync, readSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fail, PatchstreamError, printable, reasonOf } from '../errors.ts';
import { broken, checkpointFolder, otherDigest } from '../train/weights/checkpoint.ts';
import { namePattern } from '../train/weights/checkpoint-names.ts';
import {
  averagePart,
  type CheckpointState,
  partFor,
  partsOf,
  stateOf,
  type WhichWeights,
} from '../train/weights/checkpoint-state.ts';
import { pipelineFile } from '../train/weights/no-weights.ts';
import { jsonOf } from '../whole-file.ts';

/** Where the weights lie that a path stands for. */
export interface Place {
  /** What is read: the folder of a checkpoint, else the file. */
  readonly where: string;
  readonly file: string;
  /** Of the weights, where a checkpoint vouches for them. */
  readonly digest?: string | undefined;
  /** What its user should know. */
  readonly notes?: readonly string[];
}

/**
 * What a path stands for, which is there. What a system says of it is said with the path.
 *
 * @param which of the weights of a checkpoint are meant; by default its average where it has one.
 * @throws TRAINED_NONE, WEIGHTS_PIPELINE, WEIGHTS_BROKEN, WEIGHTS_AVERAGE, CHECKPOINT_BROKEN, FILE_UNREADABLE
 */
export function placeOf(path: string, which?: WhichWeights): Place {
  try {
    return place(path, which);
  } catch (cause) {
    if (cause instanceof PatchstreamError) throw cause;
    throw fail('FILE_UNREADABLE', { file: path, reason: reasonOf(cause) }, { cause });
  }
}

function place(path: string, which: WhichWeights | undefined): Place {
  const about = statSync(path);
  if (about.isFile()) {
    const isPipeline = pipelineFile(path);
    if (isPipeline !== undefined) throw isPipeline;
    if (which === 'ema' && basename(path) !== averagePart) throw fail('WEIGHTS_AVERAGE', {}, { where: path });
    return { where: path, file: path };
  }
  if (!about.isDirectory()) throw fail('WEIGHTS_BROKEN', { found: 'neither a file nor a folder' }, { where: path });
  const checkpoints = checkpointFolder(path);
  if (existsSync(checkpoints)) {
    const { step, notes, ...found } = newest(path, checkpoints, which);
    return { ...found, notes: [...notes, ...unfinished(path, step)] };
  }
  if (existsSync(join(path, 'model.safetensors'))) return inCheckpoint(path, which);
  throw fail('TRAINED_NONE', { path });
}

/** The newest whole checkpoint of a run, as the training itself would resume from it. */
function newest(
  run: string,
  checkpoints: string,
  which: WhichWeights | undefined,
): Place & { readonly step?: number; readonly notes: string[] } {
  const names = readdirSync(checkpoints).filter((name) => namePattern.test(name));
  names.sort((a, b) => stepOf(b) - stepOf(a));
  const [first] = names;
  if (first === undefined) throw fail('TRAINED_NONE', { path: run });
  // Its weights are compared with the digest where they are read.
  if (names.length === 1) return { ...inCheckpoint(join(checkpoints, first), which), step: stepOf(first), notes: [] };
  const notes: string[] = [];
  for (const name of names) {
    try {
      const found = wholeCheckpoint(join(checkpoints, name), which);
      if (notes.length > 0) notes.push(`The older checkpoint ${name} is taken in place of newer ones that are broken.`);
      return { ...found, notes };
    } catch (error) {
      if (!(error instanceof PatchstreamError && error.code === 'CHECKPOINT_BROKEN')) throw error;
      notes.push(error.message);
    }
  }
  throw fail('CHECKPOINT_BROKEN', { found: 'none of them is' }, { where: checkpoints });
}

function stepOf(name: string): number {
  return Number(namePattern.exec(name)![1]);
}

function wholeCheckpoint(where: string, which: WhichWeights | undefined): Place & { readonly step: number } {
  let part: string = 'state.json';
  try {
    const state = stateOf(JSON.parse(readFileSync(join(where, part), 'utf8')));
    const { digests, step } = state;
    for (part of partsOf(state))
      if (digestOf(join(where, part)) !== digests[part as keyof typeof digests]) throw new Error(otherDigest);
    const chosen = chosenOf(where, state, which);
    return { where, file: join(where, chosen), digest: digests[chosen], step };
  } catch (cause) {
    if (cause instanceof PatchstreamError) throw cause;
    throw broken(where, part, cause);
  }
}

/** A run that was stopped, or that trains still: `finished.json` is there once it has come to its end. */
function unfinished(run: string, step: number | undefined): string[] {
  if (step === undefined || existsSync(join(run, 'finished.json')) || !existsSync(join(run, 'pipeline.json')))
    return [];
  const { train } = (jsonOf(readFileSync(join(run, 'pipeline.json'), 'utf8')) ?? {}) as {
    readonly train?: { readonly steps?: unknown };
  };
  const total = typeof train?.steps === 'number' ? ` of ${train.steps.toLocaleString('en')}` : '';
  return [
    `The training of ${printable(run)} has not come to its end: its checkpoint of step ${step.toLocaleString('en')}${total} is used.`,
  ];
}

function inCheckpoint(where: string, which: WhichWeights | undefined): Place {
  const state = join(where, 'state.json');
  // A folder with the file alone is no checkpoint.
  if (!existsSync(state)) return place(join(where, 'model.safetensors'), which);
  const digests = digestsIn(state);
  const part = chosenOf(where, { digests }, which);
  const file = join(where, part);
  if (!existsSync(file)) throw fail('WEIGHTS_BROKEN', { found: `no ${part} in it` }, { where });
  return { where, file, digest: digests[part] };
}

/** @throws WEIGHTS_AVERAGE */
function chosenOf(where: string, state: Pick<CheckpointState, 'digests'>, which: WhichWeights | undefined) {
  const part = partFor(state, which);
  if (part === undefined) throw fail('WEIGHTS_AVERAGE', {}, { where });
  return part;
}

/** The digests that a checkpoint's state names; that of the weights is compared with the file when that is read. */
function digestsIn(state: string): CheckpointState['digests'] {
  try {
    const { digests } = JSON.parse(readFileSync(state, 'utf8')) as Partial<CheckpointState>;
    if (typeof digests?.['model.safetensors'] === 'string') return digests;
    throw new Error('it has no digest of model.safetensors');
  } catch (cause) {
    throw fail('CHECKPOINT_BROKEN', { found: `state.json: ${reasonOf(cause)}` }, { where: state, cause });
  }
}

/** Digests of files that stand as they did: that of a large one takes long. */
const digests = new Map<string, { readonly mtimeMs: number; readonly bytes: number; readonly digest: string }>();

/** SHA-256 of a file, in hexadecimal. */
export function digestOf(path: string): string {
  const { mtimeMs, size: bytes } = statSync(path);
  const known = digests.get(path);
  if (known?.mtimeMs === mtimeMs && known.bytes === bytes) return known.digest;
  const hash = createHash('sha256');
  const file = openSync(path, 'r');
  try {
    const piece = new Uint8Array(1 << 20);
    for (let count = readSync(file, piece); count > 0; count = readSync(file, piece))
      hash.update(piece.subarray(0, count));
  } finally {
    closeSync(file);
  }
  const digest = hash.digest('hex');
  digests.set(path, { mtimeMs, bytes, digest });
  return digest;
}
