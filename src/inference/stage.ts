import { z } from 'zod';
import { deviceOptions } from '../backends/device.options.ts';
import type { Precision } from '../backends/torch/precision.ts';
import { fail, PatchstreamError, type ValidationIssue } from '../errors.ts';
import { pathOption } from '../files/path-option.ts';
import { stages as ownStages } from '../stages/index.ts';
import type { WithPicture } from '../stages/size.ts';
import type { StageContext, StageDefinition, StagePlace } from '../stages/stage.ts';
import type { Sample } from '../streams/sample.ts';
import type { WhichWeights } from '../train/weights/checkpoint.ts';
import type { Picture } from '../vision/picture.ts';
import type { Origin, Spec } from '../vision/spec.ts';
import type { Task } from './protocol.ts';
import { findTrained, fingerprintOf, foundTrained, type Trained } from './trained.ts';
import { batchTooLarge, buffers, TrainedThread } from './trained-thread.ts';

/** What both stages that use a trained model are told. */
export const inferenceOptions = {
  from: pathOption().describe("The trained model: a run's folder, a checkpoint's, or a file of weights of one."),
  weights: z
    .enum(['ema', 'model'])
    .optional()
    .describe(
      'Which weights of a checkpoint: the average that `train.ema` keeps, or those that are trained. Default: the average where there is one.',
    ),
  batch: z
    .int()
    .min(1)
    .max(1024)
    .default(32)
    .describe('How many pictures the model computes at a time. Results depend on it in their last bits.'),
  ...deviceOptions,
};

/** As a stage is defined: where the model is computed decides nothing, and pictures are kept until their batch goes. */
export const inferenceStage = {
  shorthand: 'from',
  policies: ['backend', 'device'],
  needs: ['picture'],
  reads: ({ from }: InferenceOptions) => [from],
  atATime: ({ batch }: InferenceOptions) => buffers * batch,
} as const;

export interface InferenceOptions {
  readonly from: string;
  readonly weights?: WhichWeights | undefined;
  readonly batch: number;
  readonly backend: 'auto' | 'tensorflow' | 'torch' | 'wasm';
  readonly device: string;
  readonly precision: Precision;
}

/**
 * What is wrong with the model or with the pictures that it is given. A model that is not there yet is none of these: a pipeline may be written before its run has
 * trained.
 */
export function* checkInference(
  { from, weights, batch }: InferenceOptions,
  spec: Spec,
  { base }: StagePlace,
  refuses: (trained: Trained) => PatchstreamError | undefined,
): Iterable<ValidationIssue> {
  let trained: Trained | undefined;
  try {
    trained = findTrained(from, base, weights);
  } catch (error) {
    if (!(error instanceof PatchstreamError)) throw error;
    yield { option: 'from', error };
  }
  if (trained === undefined) return;
  const refused = refuses(trained);
  if (refused !== undefined) yield { option: 'from', error: refused };
  const { size } = trained;
  const tooLarge = batchTooLarge(batch, size);
  if (tooLarge !== undefined) yield { option: 'batch', error: tooLarge };
  if (spec.size !== undefined && !spec.open && (spec.size[0] !== size[0] || spec.size[1] !== size[1])) {
    const text = ([height, width]: readonly [number, number]) => `${width}×${height} px`;
    yield { error: fail('INFERENCE_SIZE', { expected: text(size), found: text(spec.size) }, { where: trained.where }) };
  }
}

/** The model that lies there, and what is made with it; nothing where none is there yet. @param made of its answers. */
export function inferenceIdentity(
  { from, weights }: InferenceOptions,
  { base }: StagePlace,
  made: Made,
): readonly string[] {
  const trained = findTrained(from, base, weights);
  return trained === undefined ? [] : [fingerprintOf(trained, madeOf(made, trained))];
}

/** What is made of the model's answers: the pool of vectors, `classes`, or codes; it may hang on the model. */
type Made = string | ((trained: Trained) => string);

function madeOf(made: Made, trained: Trained): string {
  return typeof made === 'function' ? made(trained) : made;
}

/**
 * The spec behind the stage; open where the model is not there yet, or is the user's own: of that it is known where the field comes from, and not its shape.
 *
 * @param field that of the numbers. @param pool what they are of the model's answer; none for classes.
 */
export function inferenceOutput(
  { from, weights }: InferenceOptions,
  spec: Spec,
  { base }: StagePlace,
  {
    field,
    pool,
    fieldsOf,
  }: {
    readonly field: string;
    readonly pool?: (trained: Trained) => string;
    fieldsOf(trained: Trained, origin: Origin): Spec['fields'] | undefined;
  },
): Spec {
  const trained = findTrained(from, base, weights);
  if (trained === undefined) return { ...spec, open: true };
  const made = pool?.(trained);
  const fingerprint = fingerprintOf(trained, made ?? 'classes');
  const origin = { from: trained.from, ...(made !== undefined && { pool: made }), fingerprint };
  const fields = fieldsOf(trained, origin);
  if (fields !== undefined) return { ...spec, fields: { ...spec.fields, ...fields } };
  return { ...spec, open: true, origins: { ...spec.origins, [field]: origin } };
}

/**
 * The work of a stage: gives a picture the cut that the model was trained on, unless it has its size, and asks the model.
 *
 * @param made as `inferenceIdentity` has it. @param sized of its pictures, where it is not that which it was trained on.
 * @throws TRAINED_MISSING, TRAINED_CHANGED and what `findTrained` throws; what `TrainedThread.row` throws.
 */
export function inferenceWork(
  { from, weights, batch, backend, device, precision }: InferenceOptions,
  task: (trained: Trained) => Task,
  { base, signal, identity, note, supply }: StageContext,
  made: Made,
  sized?: readonly [number, number],
) {
  const trained = foundTrained(from, base, weights);
  const size = sized ?? trained.size;
  // Results are said to be of the model that was there when the chain was checked.
  if (identity?.[0] !== undefined && identity[0] !== fingerprintOf(trained, madeOf(made, trained)))
    throw fail('TRAINED_CHANGED', {}, { where: trained.where });
  for (const text of trained.notes) note?.(text);
  const { name, options, spec, module } = trained.model;
  const thread = new TrainedThread(
    {
      task: task(trained),
      ...{ where: trained.where, digest: trained.digest, weights, batch, size },
      model: { model: { name, options, spec, ...(module !== undefined && { module }) }, backend, device, precision },
    },
    { signal, supply, note },
  );
  const cut = cutOf({ stages: trained.stages, size });
  const ask = (sample: Sample & WithPicture) => thread.row(cut(sample.picture), slotOf(sample, batch));
  return { trained, ask };
}

/**
 * The slot of a sample in its batch: its position, and for one that is part of another, whose key ends in `/2`, somewhere else by that number, so that those of one picture fall into one
 * batch. A pure function of the sample.
 */
export function slotOf({ position, key }: Sample, batch: number): number {
  const part = Number(/\/([1-9]\d{0,8})$/.exec(key)?.[1] ?? 1);
  if (part === 1) return position % batch;
  // The first steps of murmur3's mixing: numbers in a row go to places that do not follow one another.
  let mixed = Math.imul(part, 0xcc9e2d51);
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x1b873593);
  return (position + ((mixed ^ (mixed >>> 13)) >>> 0)) % batch;
}

/**
 * Makes of a picture of any size one that the model knows: by the stages at the end of its chain that describe a picture anew by its size alone, as `resize` and
 * `center-crop`; where there are none, by resizing. What stood before them (`face-crop`) belongs into the pipeline.
 */
export function cutOf({ stages, size }: Pick<Trained, 'stages' | 'size'>): (picture: Picture) => Picture {
  const [height, width] = size;
  const isSized = (picture: Picture) => picture.width === width && picture.height === height;
  const works = cutStages(stages).map(({ definition, options }) => definition.run(options, { fields: {} }, nowhere));
  return (picture) => {
    if (isSized(picture)) return picture;
    let sample = { key: '', position: 0, epoch: 0, picture };
    for (const work of works) sample = (work as (one: typeof sample) => typeof sample)(sample);
    return isSized(sample.picture) ? sample.picture : sample.picture.resize({ width, height });
  };
}

export function cutStages(stages: Trained['stages']) {
  const known = new Map(ownStages.map(({ definition }) => [definition.name, definition as unknown as StageDefinition]));
  const all = (stages ?? []).map(({ name, options }) => ({ definition: known.get(name), options }));
  const last = all.findLastIndex(({ definition }) => definition?.uniform !== true);
  return all.slice(last + 1).map(({ definition, options }) => ({
    definition: definition!,
    options: definition!.options.parse(options),
  }));
}

/** These stages draw nothing and read nothing. */
const nowhere: StageContext = { id: 'cut', seed: 0, base: '', signal: new AbortController().signal };
