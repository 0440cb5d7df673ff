import { createHash, randomUUID } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fail, messageOf } from '../errors.ts';
import { decodeSafetensors, encodeSafetensors, type FloatTensor, floatsOf, type Safetensors } from './safetensors.ts';

/** `state.json` of a checkpoint: everything of a run that is neither weights nor optimizer. */
export interface CheckpointState {
  readonly format: 1;
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
  /** SHA-256 of the two files beside it, in hexadecimal. */
  readonly digests: Readonly<Record<'model.safetensors' | 'optimizer.safetensors', string>>;
}

/** A checkpoint's values on the host, in the layout of the files. */
export interface Checkpoint {
  readonly path: string;
  readonly state: CheckpointState;
  readonly model: Safetensors;
  readonly optimizer: Safetensors;
}

/** The name under which a model's file says what it is of. */
export const aboutKey = 'patchstream.model';

/** What is to be saved; names and layout as in the files. */
export interface ToSave {
  readonly state: Omit<CheckpointState, 'format' | 'digests'>;
  readonly model: ReadonlyMap<string, FloatTensor>;
  readonly optimizer: ReadonlyMap<string, FloatTensor>;
  /** What the weights are of, as text; written into the model's file, for those who read it elsewhere. */
  readonly about?: string;
}

const parts = ['model.safetensors', 'optimizer.safetensors'] as const;
const namePattern = /^step-(\d{8,})$/;

/** `step-00000900` for 900 finished steps. */
export function checkpointName(step: number): string {
  return `step-${String(step).padStart(8, '0')}`;
}

/**
 * Saves a checkpoint under `folder` (`…/checkpoints`): written under a temporary name, brought to the disk, renamed; then all but the last
 * `keep` are deleted. A kill at any point leaves either no checkpoint or a whole one.
 *
 * @returns its path.
 * @throws CHECKPOINT_WRITE
 */
export async function saveCheckpoint(folder: string, saved: ToSave, keep = 2): Promise<string> {
  try {
    return await writeCheckpoint(folder, saved, keep);
  } catch (cause) {
    // What is half written would keep a full disk full.
    await clearLeftovers(folder).catch(() => {});
    throw fail('CHECKPOINT_WRITE', { found: messageOf(cause) }, { where: folder, cause });
  }
}

async function writeCheckpoint(folder: string, { state, model, optimizer, about }: ToSave, keep: number) {
  await mkdir(folder, { recursive: true });
  await clearLeftovers(folder);
  const path = join(folder, checkpointName(state.step));
  const temporary = join(folder, `.${checkpointName(state.step)}-${randomUUID()}`);
  await mkdir(temporary);
  const digests = {
    'model.safetensors': await writeParts(
      join(temporary, 'model.safetensors'),
      encodeSafetensors(model, { format: 'pt', ...(about !== undefined && { [aboutKey]: about }) }),
    ),
    'optimizer.safetensors': await writeParts(join(temporary, 'optimizer.safetensors'), encodeSafetensors(optimizer)),
  };
  const whole: CheckpointState = { format: 1, ...state, digests };
  await writeParts(join(temporary, 'state.json'), [Buffer.from(`${JSON.stringify(whole, undefined, 2)}\n`)]);
  await syncFolder(temporary);
  // A folder of this name can only be one that was found broken on resume: a whole one would have been resumed from.
  await rm(path, { recursive: true, force: true });
  await rename(temporary, path);
  await syncFolder(folder);
  const all = await checkpointNames(folder);
  // Later ones were found broken on resume, or this run would have gone on from them: they must not push out the whole ones.
  const here = all.indexOf(checkpointName(state.step));
  const kept = new Set(all.slice(Math.max(0, here + 1 - Math.max(1, keep)), here + 1));
  for (const name of all) if (!kept.has(name)) await rm(join(folder, name), { recursive: true, force: true });
  return path;
}

/** Names of the checkpoints in a folder, oldest first; a folder that is not there has none. */
export async function checkpointNames(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => []);
  return names
    .filter((name) => namePattern.test(name))
    .sort((a, b) => Number(namePattern.exec(a)![1]) - Number(namePattern.exec(b)![1]));
}

/**
 * The newest whole checkpoint of a folder, or undefined when there is none.
 * @param skipped hears the error of each newer one that is broken.
 */
export async function newestCheckpoint(
  folder: string,
  skipped: (error: Error) => void = () => {},
): Promise<Checkpoint | undefined> {
  for (const name of (await checkpointNames(folder)).reverse()) {
    try {
      return await readCheckpoint(join(folder, name));
    } catch (error) {
      skipped(error instanceof Error ? error : new Error(messageOf(error)));
    }
  }
  return undefined;
}

/**
 * Reads a checkpoint whole and checks it: `state.json`, the digests of both files, their format.
 * @throws CHECKPOINT_BROKEN
 */
export async function readCheckpoint(path: string): Promise<Checkpoint> {
  const broken = (found: string, cause?: unknown) => fail('CHECKPOINT_BROKEN', { found }, { where: path, cause });
  let state: CheckpointState;
  try {
    state = readState(JSON.parse(await readFile(join(path, 'state.json'), 'utf8')));
  } catch (cause) {
    throw broken(`state.json: ${messageOf(cause)}`, cause);
  }
  const read = async (part: (typeof parts)[number]) => {
    try {
      const bytes = await readFile(join(path, part));
      if (sha256([bytes]) !== state.digests[part]) throw new Error('its digest is not the one in state.json');
      return decodeSafetensors(bytes, join(path, part));
    } catch (cause) {
      throw broken(`${part}: ${messageOf(cause)}`, cause);
    }
  };
  return { path, state, model: await read(parts[0]), optimizer: await read(parts[1]) };
}

function readState(value: unknown): CheckpointState {
  const state = value as Partial<CheckpointState> | null;
  if (state?.format !== 1) throw new Error(`format must be 1, got ${String(state?.format)}`);
  for (const name of ['step', 'position', 'updates', 'seed'] as const) {
    if (!Number.isSafeInteger(state[name]) || state[name]! < 0) throw new Error(`${name} must be a count`);
  }
  for (const part of parts) {
    if (typeof state.digests?.[part] !== 'string') throw new Error(`the digest of ${part} is missing`);
  }
  return state as CheckpointState;
}

/** How a model stores a parameter: `Model.stored`. */
export type Layout = (name: string) => {
  readonly shape: readonly number[];
  toFile(data: Float32Array): Float32Array;
  fromFile(data: Float32Array): Float32Array;
};

/**
 * Parameter values from a file in the layout of memory.
 *
 * @param names of the parameters. @param prefix before each name in the file (`exp_avg.`).
 * @throws CHECKPOINT_MISMATCH with those that are missing or have another shape.
 */
export function fromFile(
  stored: Safetensors,
  names: readonly string[],
  layout: Layout,
  { prefix = '', where }: { prefix?: string; where?: string } = {},
): Map<string, Float32Array> {
  const values = new Map<string, Float32Array>();
  const wrong: string[] = [];
  for (const name of names) {
    const tensor = stored.tensors.get(prefix + name);
    const { shape, fromFile: convert } = layout(name);
    if (tensor === undefined) wrong.push(`it lacks ${prefix}${name}, [${shape.join(', ')}]`);
    else if (tensor.shape.join() !== shape.join()) {
      wrong.push(`${prefix}${name} is [${tensor.shape.join(', ')}] in it and [${shape.join(', ')}] in the model`);
    } else if (wrong.length === 0) values.set(name, convert(floatsOf(tensor, where)));
  }
  if (wrong.length === 0) return values;
  const more = wrong.length > most ? `; and ${wrong.length - most} more do not fit` : '';
  throw fail('CHECKPOINT_MISMATCH', { found: `${wrong.slice(0, most).join('; ')}${more}` }, { where });
}

/** How many tensors a message holds. */
const most = 4;

/** A digest of what decides the weights of a run, for `state.definition`: keys are sorted, so that the order of writing does not count. */
export function digestDefinition(definition: unknown): string {
  const sorted = JSON.stringify(definition, (_, value: unknown) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  );
  return sha256([Buffer.from(sorted)]).slice(0, 16);
}

async function writeParts(path: string, bytes: readonly Uint8Array[]): Promise<string> {
  const file = await open(path, 'wx');
  try {
    for (const part of bytes) await file.writeFile(part);
    await file.sync();
  } finally {
    await file.close();
  }
  return sha256(bytes);
}

function sha256(bytes: readonly Uint8Array[]): string {
  const hash = createHash('sha256');
  for (const part of bytes) hash.update(part);
  return hash.digest('hex');
}

/** Brings a folder's entries to the disk. Windows cannot open folders, and has no need to. */
async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** Deletes what a killed run left half-written. */
async function clearLeftovers(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (name.startsWith('.step-')) await rm(join(folder, name), { recursive: true, force: true });
  }
}

/** The run folder's place for checkpoints. */
export function checkpointFolder(runFolder: string): string {
  return join(runFolder, 'checkpoints');
}

/** The run folder that a checkpoint lies in. */
export function runFolderOf(checkpoint: string): string {
  return dirname(dirname(checkpoint));
}
