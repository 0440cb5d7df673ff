import { createHash } from 'node:crypto';
import { closeSync, existsSync, openSync, readdirSync, readFileSync, readSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fail, messageOf, PatchstreamError } from '../errors.ts';
import { openSafetensors } from '../formats/safetensors.ts';
import type { ModelDefinition } from '../models/define.ts';
import { models } from '../models/index.ts';
import { checkpointFolder } from '../train/weights/checkpoint.ts';
import { namePattern } from '../train/weights/checkpoint-names.ts';
import { parseTrained, type TrainedOn } from '../train/weights/trained-on.ts';

/** What was trained, found under a path, before its weights are read. */
export interface Trained extends TrainedOn {
  /** The path that was given, absolute. */
  readonly from: string;
  /** The checkpoint's folder or the file of the weights. */
  readonly where: string;
  /** A digest of the weights. */
  readonly digest: string;
  /** A digest of the user's module that has the model. */
  readonly code?: string | undefined;
  /** The model's definition; undefined where a module of the user's has it. */
  readonly definition: ModelDefinition | undefined;
  /** [height, width] of the pictures that it knows. */
  readonly size: readonly [number, number];
}

/**
 * Finds what lies under a path: a run's folder, whose newest checkpoint is meant, a checkpoint's, or a file of weights. Reads heads of files, and of weights that no
 * checkpoint vouches for all bytes once. Synchronous: the specs of a chain hang on it.
 *
 * @returns undefined where nothing lies there yet.
 * @throws TRAINED_NONE, TRAINED_UNKNOWN, WEIGHTS_BROKEN
 */
export function findTrained(from: string, base: string): Trained | undefined {
  const path = resolve(base, from);
  if (!existsSync(path)) return undefined;
  const { where, file, digest } = readable(path);
  const { mtimeMs, size: bytes } = statSync(file);
  const known = seen.get(file);
  if (known?.mtimeMs === mtimeMs && known.bytes === bytes && known.trained.digest === (digest ?? known.trained.digest))
    return { ...known.trained, from: path, where, ...codeOf(known.trained) };
  const about = parseTrained(metadataOf(file));
  if (about?.model.spec.size === undefined) throw fail('TRAINED_UNKNOWN', {}, { where: file });
  const definition =
    about.model.module === undefined ? models.find(({ name }) => name === about.model.name) : undefined;
  const trained = {
    ...about,
    from: path,
    where,
    digest: digest ?? digestOf(file),
    definition,
    size: about.model.spec.size,
  };
  seen.set(file, { mtimeMs, bytes, trained });
  return { ...trained, ...codeOf(trained) };
}

/** The text of a user's module is part of the model: it may change without the weights. One that is not there is said where the model is built. */
function codeOf({ model: { module } }: TrainedOn): Pick<Trained, 'code'> {
  return module === undefined || !existsSync(module) ? {} : { code: digestOf(module) };
}

/** What was read of files: the digest of a large one takes long. */
const seen = new Map<string, { readonly mtimeMs: number; readonly bytes: number; readonly trained: Trained }>();

/** As `findTrained`, where it is needed now. @throws TRAINED_MISSING too. */
export function foundTrained(from: string, base: string): Trained {
  const trained = findTrained(from, base);
  if (trained === undefined) throw fail('TRAINED_MISSING', { path: resolve(base, from) });
  return trained;
}

/** What a system says of a path is said with the path. */
function readable(path: string): Place {
  try {
    return place(path);
  } catch (cause) {
    if (cause instanceof PatchstreamError) throw cause;
    throw fail('FILE_UNREADABLE', { file: path, reason: messageOf(cause) }, { cause });
  }
}

interface Place {
  /** What is read: the folder of a checkpoint, else the file. */
  readonly where: string;
  readonly file: string;
  readonly digest?: string | undefined;
}

function place(path: string): Place {
  const about = statSync(path);
  if (about.isFile()) return { where: path, file: path };
  if (!about.isDirectory()) throw fail('WEIGHTS_BROKEN', { found: 'neither a file nor a folder' }, { where: path });
  const checkpoints = checkpointFolder(path);
  if (existsSync(checkpoints)) {
    const newest = readdirSync(checkpoints)
      .filter((name) => namePattern.test(name))
      .sort((a, b) => Number(namePattern.exec(a)![1]) - Number(namePattern.exec(b)![1]))
      .at(-1);
    if (newest === undefined) throw fail('TRAINED_NONE', { path });
    return inCheckpoint(join(checkpoints, newest));
  }
  if (existsSync(join(path, 'model.safetensors'))) return inCheckpoint(path);
  throw fail('TRAINED_NONE', { path });
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
    const { digests } = JSON.parse(readFileSync(state, 'utf8')) as { digests?: Record<string, unknown> };
    const digest = digests?.['model.safetensors'];
    if (typeof digest === 'string') return digest;
    throw new Error('it has no digest of model.safetensors');
  } catch (cause) {
    throw fail('CHECKPOINT_BROKEN', { found: `state.json: ${messageOf(cause)}` }, { where: state, cause });
  }
}

function metadataOf(file: string): Readonly<Record<string, string>> {
  try {
    return openSafetensors(file).metadata;
  } catch (cause) {
    if (cause instanceof PatchstreamError && cause.code === 'WEIGHTS_BROKEN') throw cause;
    throw fail('WEIGHTS_BROKEN', { found: messageOf(cause) }, { where: file, cause });
  }
}

function digestOf(path: string): string {
  const hash = createHash('sha256');
  const file = openSync(path, 'r');
  try {
    const piece = new Uint8Array(1 << 20);
    for (let count = readSync(file, piece); count > 0; count = readSync(file, piece))
      hash.update(piece.subarray(0, count));
  } finally {
    closeSync(file);
  }
  return hash.digest('hex');
}

/** A digest of model and weights, and of what becomes of the answer: values of equal fingerprints may be compared. */
export function fingerprintOf({ model, digest, code }: Trained, pool: string): string {
  const { name, options, spec } = model;
  const decisive = JSON.stringify([name, options, spec.grid?.patch, spec.size, digest, code, pool]);
  return createHash('sha256').update(decisive).digest('hex').slice(0, 16);
}
