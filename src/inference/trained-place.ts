import { createHash } from 'node:crypto';
import { closeSync, existsSync, openSync, readdirSync, readFileSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fail, messageOf, PatchstreamError, printable } from '../errors.ts';
import {
  broken,
  type CheckpointState,
  checkpointFolder,
  otherDigest,
  parts,
  stateOf,
} from '../train/weights/checkpoint.ts';
import { namePattern } from '../train/weights/checkpoint-names.ts';
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

/** What a path stands for, which is there. What a system says of it is said with the path. @throws TRAINED_NONE, WEIGHTS_PIPELINE, WEIGHTS_BROKEN, CHECKPOINT_BROKEN, FILE_UNREADABLE */
export function placeOf(path: string): Place {
  try {
    return place(path);
  } catch (cause) {
    if (cause instanceof PatchstreamError) throw cause;
    throw fail('FILE_UNREADABLE', { file: path, reason: messageOf(cause) }, { cause });
  }
}

function place(path: string): Place {
  const about = statSync(path);
  if (about.isFile()) {
    const isPipeline = pipelineFile(path);
    if (isPipeline !== undefined) throw isPipeline;
    return { where: path, file: path };
  }
  if (!about.isDirectory()) throw fail('WEIGHTS_BROKEN', { found: 'neither a file nor a folder' }, { where: path });
  const checkpoints = checkpointFolder(path);
  if (existsSync(checkpoints)) {
    const { step, notes, ...found } = newest(path, checkpoints);
    return { ...found, notes: [...notes, ...unfinished(path, step)] };
  }
  if (existsSync(join(path, 'model.safetensors'))) return inCheckpoint(path);
  throw fail('TRAINED_NONE', { path });
}

/** The newest whole checkpoint of a run, as the training itself would resume from it. */
function newest(run: string, checkpoints: string): Place & { readonly step?: number; readonly notes: string[] } {
  const names = readdirSync(checkpoints).filter((name) => namePattern.test(name));
  names.sort((a, b) => stepOf(b) - stepOf(a));
  const [first] = names;
  if (first === undefined) throw fail('TRAINED_NONE', { path: run });
  // Its weights are compared with the digest where they are read.
  if (names.length === 1) return { ...inCheckpoint(join(checkpoints, first)), step: stepOf(first), notes: [] };
  const notes: string[] = [];
  for (const name of names) {
    try {
      const found = wholeCheckpoint(join(checkpoints, name));
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

function wholeCheckpoint(where: string): Place & { readonly step: number } {
  let part: string = 'state.json';
  try {
    const { digests, step } = stateOf(JSON.parse(readFileSync(join(where, part), 'utf8')));
    for (part of parts)
      if (digestOf(join(where, part)) !== digests[part as (typeof parts)[number]]) throw new Error(otherDigest);
    return { where, file: join(where, 'model.safetensors'), digest: digests['model.safetensors'], step };
  } catch (cause) {
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

function inCheckpoint(where: string): Place {
  const file = join(where, 'model.safetensors');
  if (!existsSync(file)) throw fail('WEIGHTS_BROKEN', { found: 'no model.safetensors in it' }, { where });
  const state = join(where, 'state.json');
  // A folder with the file alone is no checkpoint.
  return existsSync(state) ? { where, file, digest: digestIn(state) } : { where: file, file };
}

/** The digest of the weights that a checkpoint's state names; it is compared with the file when that is read. */
function digestIn(state: string): string {
  try {
    const { digests } = JSON.parse(readFileSync(state, 'utf8')) as Partial<CheckpointState>;
    const digest = digests?.['model.safetensors'];
    if (typeof digest === 'string') return digest;
    throw new Error('it has no digest of model.safetensors');
  } catch (cause) {
    throw fail('CHECKPOINT_BROKEN', { found: `state.json: ${messageOf(cause)}` }, { where: state, cause });
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
