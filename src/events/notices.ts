import { filled, type SlotsOf } from '../errors.ts';

/**
 * Every notice that a run gives: one code, one sentence. A notice is nothing that ends a run; what does is an error (`catalogue`). `{slots}` are filled and
 * escaped as those of errors are. A code is never reused after its removal.
 */
export const noticeCatalogue = {
  // A job
  OUTPUT_REPLACED: 'What an earlier run has left in {folder} is replaced{why}.',
  PART_EMPTY: 'part {part} of {of} is empty: the source has {count:sample}',
  SOURCE_CHANGED: 'The source is not what this run was begun on, {what}. Begin anew with --fresh where that matters.',
  QUARANTINE_UNREADABLE: '{count:line} of quarantine.jsonl cannot be read: those samples count as dropped',
  WATCHING: 'watches for files that arrive, until it is stopped',
  WATCH_WRITTEN: 'all is written of what has arrived: {count:file}',
  WATCH_WAITING: 'cannot be looked at now: {found}',
  CLOSE_FAILED: 'The sink could not be closed after the error that has ended the run: {found}',
  // A training
  MODEL_THREAD: 'A model that was made in this program trains in its thread.',
  CLASSES_UNUSED:
    'The model distinguishes {classes:class/classes}, of which the source has {found}: {names}. No picture is of the others: set `classes` of the model to {found}.',
  CLASSES_EMPTY:
    'No picture of the source is of {names}, which the model distinguishes all the same. Delete the empty folders, or put pictures there.',
  STOPPED_EARLY:
    'The training has ended early, after {steps} of {total:step}: {measure} has become no better in {evaluations:evaluation}.',
  MICRO_BATCH: 'Micro-batch {reason}',
  MICRO_BATCH_KNOWN: 'Micro-batch {microBatch} of {batch}: an earlier run has found it.',
  // What parts of a run say in their own words
  SOURCE: '{text}',
  TRAINER: '{text}',
  TUNER: '{text}',
  EVALUATION: '{text}',
  // Trackers
  TRACKER: '{tracker}: {text}',
  TRACKER_FAILED: 'The tracker {tracker} has failed and is left out from here on; the run continues: {found}',
  TRACKER_BLOCKED:
    'The tracker {tracker} does not answer for {seconds:second} ({what}) and is left out from here on; the run continues.',
  TRACKER_SLOW:
    'The tracker {tracker} keeps the run’s thread busy ({busy} of the time) and is left out from here on. Do its work in a thread of its own, or less of it.',
  TRACKER_DROPPED: 'The tracker {tracker} is slower than the run: {count:event} were not given to it.',
} as const;

export type NoticeCode = keyof typeof noticeCatalogue;

/** A notice, ready to be sent or kept: its sentence is made where it is shown. */
export interface Notice {
  readonly code: NoticeCode;
  /** What fills the sentence, by name. */
  readonly slots: Readonly<Record<string, string | number>>;
}

/** Makes the notice of `code`. */
export function notice<C extends NoticeCode>(code: C, slots: SlotsOf<(typeof noticeCatalogue)[C]>): Notice {
  return { code, slots };
}

/** The sentence of a notice, safe to show in a terminal. */
export function noticeText({ code, slots }: Notice): string {
  return filled(noticeCatalogue[code], slots);
}
