import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { fail, messageOf, PatchstreamError } from '../../errors.ts';
import {
  type FloatTensor,
  type LateTensor,
  openSafetensors,
  type Safetensors,
  safetensorsParts,
} from '../../formats/safetensors.ts';
import { syncFolder, systemCode, unless } from '../../whole-file.ts';
import {
  checkpointName,
  checkpointNames,
  clearLeftovers,
  namePattern,
  pruneCheckpoints,
  removeCheckpoint,
} from './checkpoint-names.ts';
import { trainedKey } from './trained-on.ts';

export { checkpointName, checkpointNames };

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
  /** SHA-256 of the two files beside it, in hexadecimal. */
  readonly digests: Readonly<Record<'model.safetensors' | 'optimizer.safetensors', string>>;
  /** SHA-256 of all the rest of this file as JSON with sorted keys, and so, by `digests`, of the checkpoint as a whole. */
  readonly digest?: string;
}

/** The weights of a checkpoint in the layout of the file, each read when it is asked for. */
export interface StoredModel {
  readonly path: string;
  readonly state: CheckpointState;
  readonly model: Safetensors;
}

/** A checkpoint's values in the layout of the files, each read when it is asked for. */
export interface Checkpoint extends StoredModel {
  readonly optimizer: Safetensors;
}

/** The name under which a model's file says what it is of. */
export const aboutKey = 'patchstream.model';

/** What is to be saved; names and layout as in the files. */
export interface ToSave {
  readonly state: Omit<CheckpointState, 'format' | 'digests' | 'digest'>;
  readonly model: ReadonlyMap<string, FloatTensor | LateTensor>;
  readonly optimizer: ReadonlyMap<string, FloatTensor | LateTensor>;
  /** What the weights are of, as text; written into the model's file, for those who read it elsewhere. */
  readonly about?: string;
  /** How they are used: `TrainedOn`, as text. */
  readonly trained?: string;
}

/** The files beside `state.json`. */
export const parts = ['model.safetensors', 'optimizer.safetensors'] as const;

/**
 * Saves a checkpoint under `folder` (`…/checkpoints`): written under a temporary name, brought to the disk, renamed; then all but the last
 * `keep`, and those that are `held`, are deleted. A kill at any point leaves either no checkpoint or a whole one.
 *
 * @param held names of checkpoints that are still to be read. @returns its path.
 * @throws CHECKPOINT_WRITE
 */
export async function saveCheckpoint(
  folder: string,
  saved: ToSave,
  keep = 2,
  held: ReadonlySet<string> = new Set(),
): Promise<string> {
  try {
    const path = await writeCheckpoint(folder, saved);
    await pruneCheckpoints(folder, { keep, held, newest: basename(path) });
    return path;
  } catch (cause) {
    // What is half written would keep a full disk full. Where that cannot go either, the cause is the same.
    await Promise.allSettled([clearLeftovers(folder)]);
    throw fail('CHECKPOINT_WRITE', { found: messageOf(cause) }, { where: folder, cause });
  }
}

async function writeCheckpoint(folder: string, { state, model, optimizer, about, trained }: ToSave): Promise<string> {
  // Not the run's own folder: one that is gone is not made anew.
  await mkdir(folder).catch(unless('EEXIST'));
  await clearLeftovers(folder);
  const path = join(folder, checkpointName(state.step));
  const temporary = join(folder, `.${checkpointName(state.step)}-${randomUUID()}`);
  await mkdir(temporary);
  const digests = {
    'model.safetensors': await writeParts(
      join(temporary, 'model.safetensors'),
      safetensorsParts(model, {
        format: 'pt',
        ...(about !== undefined && { [aboutKey]: about }),
        ...(trained !== undefined && { [trainedKey]: trained }),
      }),
    ),
    'optimizer.safetensors': await writeParts(join(temporary, 'optimizer.safetensors'), safetensorsParts(optimizer)),
  };
  const unsealed = { format: 2, ...state, digests } as const;
  const whole: CheckpointState = { ...unsealed, digest: digestOf(unsealed) };
  await writeParts(join(temporary, 'state.json'), [Buffer.from(`${JSON.stringify(whole, undefined, 2)}\n`)]);
  await syncFolder(temporary);
  // One of this name can only be one that was found broken on resume: a whole one would have been resumed from.
  if (!(await removeCheckpoint(path))) throw new Error(`${path} holds what no checkpoint is made of`);
  await rename(temporary, path);
  await syncFolder(folder);
  return path;
}

/**
 * The newest whole checkpoint of a folder, or undefined when there is none.
 *
 * @param read `readCheckpoint` or `readModel`. @param note hears what is wrong with each newer one, and which one is taken in its place.
 */
export async function newestCheckpoint<C extends StoredModel>(
  folder: string,
  read: (path: string) => Promise<C>,
  note: (text: string) => void,
): Promise<C | undefined> {
  const broken: string[] = [];
  for (const name of (await checkpointNames(folder)).reverse()) {
    try {
      const found = await read(join(folder, name));
      if (broken.length > 0) note(`The older checkpoint ${name} is taken in place of ${broken.join(', ')}.`);
      if (found.state.digest === undefined) note(undigested(found.path));
      return found;
    } catch (error) {
      if (!(error instanceof PatchstreamError && error.code === 'CHECKPOINT_BROKEN')) throw error;
      note(error.message);
      broken.push(name);
    }
  }
  if (broken.length > 0) note(`No checkpoint in ${folder} is whole.`);
  return undefined;
}

/** What is said of a checkpoint of format 1. */
export function undigested(path: string): string {
  return `${path} is of an earlier version: it has no digest of its state, so a changed state.json would not be noticed.`;
}

/**
 * Reads a checkpoint and compares its digests: that of `state.json`, and in it those of both files.
 *
 * @throws CHECKPOINT_BROKEN, FILE_UNREADABLE
 */
export async function readCheckpoint(path: string): Promise<Checkpoint> {
  const state = await readState(path);
  const [model, optimizer] = [await readPart(path, state, parts[0]), await readPart(path, state, parts[1])];
  return { path, state, model, optimizer };
}

/**
 * Reads the weights of a checkpoint. All its digests are compared, as by `readCheckpoint`; the optimizer's values are not kept.
 *
 * @throws CHECKPOINT_BROKEN, FILE_UNREADABLE
 */
export async function readModel(path: string): Promise<StoredModel> {
  const state = await readState(path);
  const model = await readPart(path, state, parts[0]);
  try {
    if ((await sha256(createReadStream(join(path, parts[1])))) !== state.digests[parts[1]])
      throw new Error(otherDigest);
  } catch (cause) {
    throw broken(path, parts[1], cause);
  }
  return { path, state, model };
}

/**
 * The folder of the checkpoint that a path is or lies in; undefined where it is something else. `step-00000900/model.safetensors` is part of a checkpoint, which
 * has digests for it.
 */
export async function checkpointAt(path: string): Promise<string | undefined> {
  const folder = basename(path) === parts[0] ? dirname(path) : path;
  if (namePattern.test(basename(resolve(folder)))) return folder;
  try {
    const { digests } = JSON.parse(await readFile(join(folder, 'state.json'), 'utf8')) as Partial<CheckpointState>;
    return digests === undefined ? undefined : folder;
  } catch (error) {
    if (error instanceof SyntaxError) return folder;
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}

export const otherDigest = 'its digest is not the one in state.json';

/** What the system answers of a file that is not there, or no longer as it was written. */
const lost = ['ENOENT', 'ENOTDIR', 'EISDIR', 'EIO'];

/** Any other error of the system, as of a file that this user may not read, says nothing of a checkpoint, which may be whole: no older one is taken for it. */
export function broken(path: string, part: string, cause: unknown) {
  const code = systemCode(cause) ?? '';
  const reason = messageOf(cause);
  if (/^E[A-Z0-9]+$/.test(code) && !lost.includes(code)) {
    return fail('FILE_UNREADABLE', { file: join(path, part), reason }, { cause });
  }
  return fail('CHECKPOINT_BROKEN', { found: `${part}: ${reason}` }, { where: path, cause });
}

async function readPart(path: string, state: CheckpointState, part: (typeof parts)[number]): Promise<Safetensors> {
  try {
    const file = openSafetensors(join(path, part));
    if ((await sha256(file.pieces())) !== state.digests[part]) throw new Error(otherDigest);
    return file;
  } catch (cause) {
    throw broken(path, part, cause);
  }
}

/** `state.json` of a checkpoint, compared with its digest. @throws CHECKPOINT_BROKEN, FILE_UNREADABLE */
export async function readState(path: string): Promise<CheckpointState> {
  try {
    return stateOf(JSON.parse(await readFile(join(path, 'state.json'), 'utf8')));
  } catch (cause) {
    throw broken(path, 'state.json', cause);
  }
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
function digestOf(value: unknown): string {
  const sorted = JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
  return createHash('sha256').update(sorted).digest('hex');
}

/** Writes parts to a new file as they come and brings it to the disk. @returns the SHA-256 of what was written. */
async function writeParts(path: string, bytes: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<string> {
  const hash = createHash('sha256');
  const file = await open(path, 'wx');
  try {
    for await (const part of bytes) {
      hash.update(part);
      await file.writeFile(part);
    }
    await file.sync();
  } finally {
    await file.close();
  }
  return hash.digest('hex');
}

/** The SHA-256 of pieces end to end, in hexadecimal. */
async function sha256(pieces: AsyncIterable<Uint8Array>): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of pieces) hash.update(piece);
  return hash.digest('hex');
}

/** The run folder's place for checkpoints. */
export function checkpointFolder(runFolder: string): string {
  return join(runFolder, 'checkpoints');
}

/** The run folder that a checkpoint lies in. */
export function runFolderOf(checkpoint: string): string {
  return dirname(dirname(checkpoint));
}
