import { upload } from '../../backends/upload.ts';
import { fail } from '../../errors.ts';
import type { Classifier, HostBatch, Params } from '../../models/model.ts';
import { largestClass } from '../accuracy.ts';
import type { Accuracy } from '../features.ts';
import { rankOf } from '../knn/neighbours.ts';
import { Answers } from './answers.ts';
import { WorstAnswers } from './worst.ts';

export interface ClassAccuracyOptions {
  readonly model: Classifier;
  readonly params: Params;
  /** `picture` uint8 [N, H, W, 3] and `label` int32 [N]; their memory may be used again once the next is asked for. */
  readonly batches: Iterable<Batched> | AsyncIterable<Batched>;
}

interface Batched {
  readonly keys?: readonly string[];
  readonly fields: HostBatch;
}

/** Accuracy, over how many pictures, and how many classes these have. */
export interface ClassAccuracy extends Accuracy {
  readonly images: number;
  readonly classes: number;
  /** How many the model distinguishes. */
  readonly modelClasses: number;
  /** The share of the class that most of the pictures have, 0 to 1: what an answer that is always the same would reach. */
  readonly largest: number;
  /** How often each class was taken for which. */
  readonly answers: Answers;
  /** The pictures whose class the model thought least likely. */
  readonly worst: WorstAnswers;
}

/** Pictures that are shown. */
const mostShown = 12;

/**
 * How often a model names the class of a picture, and how often among its first five; of classes with equal scores the lower one comes first. One
 * batch at a time is on the backend; leaves no tensor behind.
 * @throws LABEL_CLASS for a label that is none of the model's classes; SCORE_NOT_A_NUMBER when it has diverged; MEASURE_EMPTY.
 */
export async function classAccuracy({ model, params, batches }: ClassAccuracyOptions): Promise<ClassAccuracy> {
  const seen: number[] = [];
  const worst = new WorstAnswers(mostShown);
  let answers: Answers | undefined;
  let modelClasses = 0;
  let [images, first, firstFive] = [0, 0, 0];
  for await (const { keys, fields } of batches) {
    // Before the backend is waited for: the memory is lent.
    const labels = Int32Array.from(fields.label!.data);
    const picture = upload(fields.picture!);
    const scores = model.classify(params, { picture });
    picture.dispose();
    const values = (await scores.data()) as Float32Array;
    scores.dispose();
    const classes = values.length / labels.length;
    answers ??= new Answers(classes);
    modelClasses = classes;
    for (const [n, label] of labels.entries()) {
      if (label < 0 || label >= classes) throw fail('LABEL_CLASS', { classes, most: classes - 1, found: label });
      const own = values.subarray(n * classes, (n + 1) * classes);
      if (own.some((value) => !Number.isFinite(value))) throw fail('SCORE_NOT_A_NUMBER', {});
      const rank = rankOf(own, label);
      if (rank === 0) first += 1;
      if (rank < 5) firstFive += 1;
      answers.add(label, rank === 0 ? label : own.indexOf(Math.max(...own)));
      worst.offer(keys?.[n] ?? String(images + n), label, own, fields.picture!, n);
      seen.push(label);
    }
    images += labels.length;
  }
  if (answers === undefined || images === 0) throw fail('MEASURE_EMPTY', {});
  return {
    top1: first / images,
    top5: firstFive / images,
    images,
    ...largestClass(seen),
    modelClasses,
    answers,
    worst,
  };
}
