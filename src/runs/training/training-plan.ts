import { fail } from '../../errors.ts';
import { type Notice, notice } from '../../events/notices.ts';
import { inLargePages } from '../../external-memory.ts';
import type { ResolvedTrain } from '../../pipeline/resolve/outputs.ts';
import type { Resolved } from '../../pipeline/resolve/resolve.ts';
import type { OpenSource } from '../../sources/source.ts';
import { Ring } from '../../streams/ring.ts';
import { type CellLayout, cellLayout } from '../../train/cells.ts';
import type { TrainDefinition } from '../../train/definition.ts';
import { requireTrained } from '../loader/open.ts';
import { type MicroBatchRange, microBatchRange, ringCells } from './micro-batch-range.ts';
import { trainingDevice } from './training-device.ts';
import { checkTrainingMemory } from './training-memory.ts';

/** What is fixed before the first sample is read. */
export interface TrainingPlan {
  readonly train: ResolvedTrain;
  readonly layout: CellLayout;
  readonly micro: MicroBatchRange;
  readonly ring: Ring;
  readonly count: number;
  readonly classNames: readonly string[] | undefined;
  /** Passes that the loader may need at most; the trainer ends it where steps are counted. */
  readonly epochs: number;
  readonly length: TrainDefinition['length'];
  readonly total: number;
  /** Bytes that the loader may take, where they are known. */
  readonly loading?: number | undefined;
}

/** @throws LABEL_CLASSES, TRAINED_MISSING, TRAIN_TOO_FEW, TRAIN_MEMORY */
export function planOf(resolved: Resolved, { count, classNames }: OpenSource): TrainingPlan {
  const train = resolved.train!;
  const classes = train.model.definition.classes?.(train.model.options);
  if (classes !== undefined && classNames !== undefined && classNames.length > classes)
    throw fail('LABEL_CLASSES', { classes, found: classNames.length });
  checkLength(train, count);
  const { spec } = resolved;
  requireTrained(resolved);
  const layout = cellLayout({ name: train.model.name, fields: train.model.definition.fields }, spec);
  checkTrainingMemory(train, { spec, cellBytes: layout.cellBytes });
  const micro = microBatchRange(train, resolved, layout, undefined, trainingDevice(train));
  const ring = new Ring(ringCells(micro, resolved), layout.cellBytes);
  inLargePages(new Uint8Array(ring.memory));
  const fixed = { train, layout, micro, ring, count, classNames };
  if (train.steps !== undefined) {
    const { steps } = train;
    return { ...fixed, epochs: Number.POSITIVE_INFINITY, length: { steps }, total: steps };
  }
  const epochs = train.epochs!;
  return { ...fixed, epochs, length: { epochs }, total: stepsIn(epochs, count, train) };
}

/** So many names of classes are shown. */
const named = 5;

/** Classes that the model distinguishes and of which there is no picture: it would never answer them, and its probabilities make room for them. */
export function classNotices(
  { train }: Pick<TrainingPlan, 'train'>,
  { classNames, classCounts }: Pick<OpenSource, 'classNames' | 'classCounts'>,
): Notice[] {
  const classes = train.model.definition.classes?.(train.model.options);
  if (classes === undefined || classNames === undefined) return [];
  const list = (names: readonly string[]) =>
    `${names.slice(0, named).join(', ')}${names.length > named ? `, and ${names.length - named} more` : ''}`;
  const empty = classNames.filter((_, rank) => classCounts?.[rank] === 0);
  const unused = { classes, found: classNames.length, names: list(classNames) };
  return [
    ...(classNames.length < classes ? [notice('CLASSES_UNUSED', unused)] : []),
    ...(empty.length > 0 ? [notice('CLASSES_EMPTY', { names: list(empty) })] : []),
  ];
}

/** What could never have a step is refused before a trainer is made. @throws TRAIN_TOO_FEW */
function checkLength(train: ResolvedTrain, count: number): void {
  const { batch, dropLast, epochs } = train;
  const tooFew = (found: number | string) => fail('TRAIN_TOO_FEW', { batch, found });
  if (count === 0) throw tooFew('an empty source');
  if (dropLast && count < batch) throw tooFew(`${count} in an epoch, which \`dropLast\` ends at its last full batch`);
  if (epochs !== undefined && stepsIn(epochs, count, train) === 0) throw tooFew(Math.floor(epochs * count));
}

function stepsIn(epochs: number, count: number, { batch, dropLast }: ResolvedTrain): number {
  if (!dropLast) return Math.floor(Math.floor(epochs * count) / batch);
  const whole = Math.floor(epochs);
  return whole * Math.floor(count / batch) + Math.floor(Math.floor((epochs - whole) * count) / batch);
}
