import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { fail, messageOf, PatchstreamError, reasonOf } from '../../errors.ts';
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
import {
  averagePart,
  type CheckpointState,
  digestDefinition,
  digestOf,
  partFor,
  parts,
  partsOf,
  stateOf,
  type WhichWeights,
  type weightParts,
  whichOf,
} from './checkpoint-state.ts';
import { trainedKey } from './trained-on.ts';

export { checkpointName, checkpointNames, digestDefinition, type WhichWeights };

/** A checkpoint on the disk. */
interface Stored {
  readonly path: string;
  readonly state: CheckpointState;
}

/** The weights of a checkpoint in the layout of the file, each read when it is asked for. */
export interface StoredModel extends Stored {
  readonly model: Safetensors;
  /** The file that has them. */
  readonly part: (typeof weightParts)[WhichWeights];
}

/** A checkpoint's values in the layout of the files, each read when it is asked for. */
export interface Checkpoint extends Stored {
  readonly model: Safetensors;
  readonly optimizer: Safetensors;
  /** The average of the weights, where the training keeps one. */
  readonly average?: Safetensors;
}

/** The name under which a model's file says what it is of. */
export const aboutKey = 'patchstream.model';

/** What is to be saved; names and layout as in the files. */
export interface ToSave {
  readonly state: Omit<CheckpointState, 'format' | 'digests' | 'digest'>;
  readonly model: ReadonlyMap<string, FloatTensor | LateTensor>;
  readonly optimizer: ReadonlyMap<string, FloatTensor | LateTensor>;
  /** The average of the weights, in the layout of `model`. */
  readonly average?: ReadonlyMap<string, FloatTensor | LateTensor>;
  /** What the weights are of, as text; written into the model's file, for those who read it elsewhere. */
  readonly about?: string;
  /** How they are used: `TrainedOn`, as text. */
  readonly trained?: string;
}

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

async function writeCheckpoint(folder: string, saved: ToSave): Promise<string> {
  const { state, model, optimizer, average, about, trained } = saved;
  // Not the run's own folder: one that is gone is not made anew.
  await mkdir(folder).catch(unless('EEXIST'));
  await clearLeftovers(folder);
  const path = join(folder, checkpointName(state.step));
  const temporary = join(folder, `.${checkpointName(state.step)}-${randomUUID()}`);
  await mkdir(temporary);
  const metadata = {
    format: 'pt',
    ...(about !== undefined && { [aboutKey]: about }),
    ...(trained !== undefined && { [trainedKey]: trained }),
  };
  const write = (part: string, ...tensors: Parameters<typeof safetensorsParts>) =>
    writeParts(join(temporary, part), safetensorsParts(...tensors));
  const digests = {
    'model.safetensors': await write('model.safetensors', model, metadata),
    'optimizer.safetensors': await write('optimizer.safetensors', optimizer),
    ...(average && { [averagePart]: await write(averagePart, average, metadata) }),
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
export async function newestCheckpoint<C extends Stored>(
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
  if (state.digests[averagePart] === undefined) return { path, state, model, optimizer };
  return { path, state, model, optimizer, average: await readPart(path, state, averagePart) };
}

/**
 * Reads the weights of a checkpoint. All its digests are compared, as by `readCheckpoint`; other values are not kept.
 *
 * @param which by default the average, where the checkpoint has one.
 * @throws CHECKPOINT_BROKEN, FILE_UNREADABLE; WEIGHTS_AVERAGE where it is asked for an average that it has not.
 */
export async function readModel(path: string, which?: WhichWeights): Promise<StoredModel> {
  const state = await readState(path);
  const part = partFor(state, which);
  if (part === undefined) throw fail('WEIGHTS_AVERAGE', {}, { where: path });
  const model = await readPart(path, state, part);
  for (const other of partsOf(state).filter((one) => one !== part)) {
    try {
      if ((await sha256(createReadStream(join(path, other)))) !== state.digests[other]) throw new Error(otherDigest);
    } catch (cause) {
      throw broken(path, other, cause);
    }
  }
  return { path, state, model, part };
}

/**
 * The folder of the checkpoint that a path is or lies in; undefined where it is something else. `step-00000900/model.safetensors` is part of a checkpoint, which
 * has digests for it.
 */
export async function checkpointAt(path: string): Promise<string | undefined> {
  const folder = whichOf(path) === undefined ? path : dirname(path);
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
  const reason = reasonOf(cause);
  if (/^E[A-Z0-9]+$/.test(code) && !lost.includes(code)) {
    return fail('FILE_UNREADABLE', { file: join(path, part), reason }, { cause });
  }
  return fail('CHECKPOINT_BROKEN', { found: `${part}: ${reason}` }, { where: path, cause });
}

async function readPart(
  path: string,
  state: CheckpointState,
  part: keyof CheckpointState['digests'],
): Promise<Safetensors> {
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
