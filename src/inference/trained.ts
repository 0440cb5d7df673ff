import { createHash } from 'node:crypto';
import { existsSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { fail, reasonOf } from '../errors.ts';
import type { ModelDefinition } from '../models/define.ts';
import { models } from '../models/index.ts';
import { mask, stages as ownStages } from '../stages/index.ts';
import type { WhichWeights } from '../train/weights/checkpoint.ts';
import { insteadOf } from '../train/weights/no-weights.ts';
import { checkOptions, parseTrained, type TrainedOn } from '../train/weights/trained-on.ts';
import { openWeights } from '../train/weights/weights-file.ts';
import { systemCode } from '../whole-file.ts';
import { digestOf, placeOf } from './trained-place.ts';

/** What was trained, found under a path, before its weights are read. */
export interface Trained extends TrainedOn {
  /** The path that was given, absolute; the file of the weights where one of several was asked for. */
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
  /** What its user should know: checkpoints that were passed over, a run that has not come to its end. */
  readonly notes: readonly string[];
}

/**
 * Finds what lies under a path: a run's folder, whose newest whole checkpoint is meant, a checkpoint's, or a file of weights. Reads all bytes once where a checkpoint
 * may be passed over for an older one, or no checkpoint vouches for the weights, else heads of files. Synchronous: the specs of a chain hang on it.
 *
 * @param which of the weights of a checkpoint are meant; by default its average where it has one.
 * @returns undefined where nothing lies there yet.
 * @throws TRAINED_NONE, TRAINED_UNKNOWN, TRAINED_OPTION, WEIGHTS_PIPELINE, WEIGHTS_BROKEN, WEIGHTS_AVERAGE, CHECKPOINT_BROKEN, SAFETENSORS_INVALID
 */
export function findTrained(from: string, base: string, which?: WhichWeights): Trained | undefined {
  const given = resolve(base, from);
  if (!existsSync(given)) return undefined;
  const { where, file, digest, notes = [] } = placeOf(given, which);
  const path = which === undefined ? given : file;
  const { mtimeMs, size: bytes } = statSync(file);
  const known = seen.get(file);
  if (known?.mtimeMs === mtimeMs && known.bytes === bytes && known.trained.digest === (digest ?? known.trained.digest))
    return { ...known.trained, from: path, where, notes, ...codeOf(known.trained) };
  const about = parseTrained(metadataOf(file), file);
  if (about?.model.spec.size === undefined) throw fail('TRAINED_UNKNOWN', {}, { where: file });
  const definition =
    about.model.module === undefined ? models.find(({ name }) => name === about.model.name) : undefined;
  if (definition !== undefined) checkOptions('model.options', definition.options, about.model.options, file);
  for (const [i, { name, options }] of (about.stages ?? []).entries()) {
    const stage = ownStages.find(({ definition }) => definition.name === name)?.definition;
    if (stage !== undefined) checkOptions(`stages.${i}.${name}`, stage.options, options, file);
  }
  if (about.masks !== undefined) checkOptions('masks', mask.definition.options, about.masks, file);
  const trained = {
    ...about,
    from: path,
    where,
    digest: digest ?? digestOf(file),
    definition,
    size: about.model.spec.size,
    notes,
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
export function foundTrained(from: string, base: string, which?: WhichWeights): Trained {
  const trained = findTrained(from, base, which);
  if (trained === undefined) {
    const path = resolve(base, from);
    throw fail('TRAINED_MISSING', { path, advice: insteadOf(path, base) });
  }
  return trained;
}

function metadataOf(file: string): Readonly<Record<string, string>> {
  try {
    return openWeights(file).metadata;
  } catch (cause) {
    if (systemCode(cause) === undefined) throw cause;
    throw fail('FILE_UNREADABLE', { file, reason: reasonOf(cause) }, { cause });
  }
}

/** A digest of model and weights, and of what becomes of the answer: values of equal fingerprints may be compared. */
export function fingerprintOf({ model, digest, code }: Trained, pool: string): string {
  const { name, options, spec } = model;
  const decisive = JSON.stringify([name, options, spec.grid?.patch, spec.size, digest, code, pool]);
  return createHash('sha256').update(decisive).digest('hex').slice(0, 16);
}
