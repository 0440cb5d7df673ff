/** Samples on their way: permits, stages, batches, runs, evaluation. */
export const streamsErrors = {
  PERMITS_TOO_FEW:
    'this chain must have at least {needed:permit} (threads + holds + 1 of every stage that holds); got {permits}. Raise `permits` or leave it out.',
  PERMIT_TWICE:
    'a permit must be returned once; that of position {position} was returned again. A stage returned a permit it did not hold.',
  STAGE_TIMEOUT:
    'a sample must leave the stage within {seconds} s; it did not. Raise `timeout`, or find out what it waits for.',
  STAGE_STUCK:
    'every place of the stage, {concurrency} in all, is held by work that outlived its time-out of {seconds} s, so the run cannot continue. The work never returns: make it end, or raise `timeout`.',
  STAGE_BUDGET:
    'the failed samples must be at most {budget}; got {failures} of {seen}. {first} Fix the data, or raise `maxFailures`.',
  STAGE_OUTPUT:
    "a stage must return a sample (an object with the key it was given), several, or drop('reason'); got {found}. Spread the sample you were given: `{ ...sample, more }`.",
  OPERATOR_LATE:
    'an operator with holds: {holds} must let a sample out in its turn, with the key it was given; {key} came out after its turn or was never inside. This operator holds all that it may have: raise `holds` (operator(op, { holds: n }), with n at least {more}).',
  OPERATOR_STALLS:
    'an operator that keeps samples back must let one out, or be seen to have dropped it, within {seconds} s; {times:time} it was waited for in vain. Drop samples before the operator waits (`filter` before `delay`), or in each(fn) by drop(reason); raise `timeout` where it takes longer.',
  OPERATOR_FAILED:
    'an operator must not fail, because rxjs cannot continue after an error; got: {reason}. Catch it inside (a function that may fail belongs in each(fn), which counts failures).',
  FUNCTION_BARE:
    'a stage must be made by a stage factory, each(fn) or operator(op); got a bare function. Write each({name}) for a function of one sample, operator({name}) for an rxjs operator.',
  NOTHING_LEFT: 'at least one sample must come through; of {seen} all failed or were dropped: {first}',
  BATCH_SIZE: 'a batch must have a whole number of samples, at least 1; got {found}.',
  EPOCHS: '`epochs` must be a number, 0 or more, or Infinity; got {found}.',
  RUN_BUSY:
    'a folder must belong to one run at a time; {found} is running in this one. Wait for it, or choose another `output`; if you are sure that it no longer runs, remove {file}.',
  MOST_FAILED: 'more samples must come through than fail; {failures} of {seen} failed: {first}',
  BATCH_EMPTY:
    'a batch must have a field of fixed size (a picture, a number, an array of numbers); the samples have {found}. Put `decode` and `resize` before it.',
  FIELD_SHAPE: 'the field {field} must be {expected} in every sample; got {found}.',
  OUTPUT_FOLDER:
    'the folder of the run must be one that can be written to; got: {found}. Choose another `output`, or make room.',
  TRAIN_TOO_FEW:
    'a training must have the samples of one step at least, {batch}; got {found}. Take a smaller `batch`, leave out `dropLast`, `repeat` the source, or train for more epochs.',
  EVALUATE_SHAPE:
    'a model is evaluated on what it was trained on, {expected}; got {found}. Give `evaluate` the same `patch` and `size`, or leave its stages out.',
  EVALUATE_FOLDER: '--on must name a folder, from the working directory; {path} is not there.',
  OUTPUT_IN_SOURCE:
    'results must not be written among the pictures they are made of, or the next run would read them; {output} lies in {source}. Choose another `output` or `path`.',
  OUTPUT_OVER_SOURCE:
    'results must not be written over what they are made of; {source} lies in {output}. Choose another `output` or `path`.',
  OUTPUT_OTHER:
    'the run would overwrite what no earlier run has created: {found}. Choose another `output`, or move it away (--fresh does not delete it either).',
  OUTPUT_GONE:
    'the folder of the run must stay where it is during the run; it was moved, removed or replaced. Restore it and run again: a training resumes from its last checkpoint, a job after its last finished file.',
  RUN_LOCK:
    'a lock must be a file that patchstream has written; got {found}. Check what this file is and move it away; it holds no run data.',
  EVALUATE_ON: '--on replaces the folder of an image-folder; this pipeline evaluates on {source}. Leave --on out.',
  EVALUATE_TRAIN:
    '`evaluate` measures what `train` has trained; this pipeline trains nothing. Take it out, or add a section `train`.',
  EVALUATE_MISSING:
    'a pipeline must say `train` and on what to `evaluate`; this one does not. Add `evaluate: { reconstruction: { on: ./folder } }`.',
  EVALUATE_RANDOM: '{measure} is measured on pictures that do not change at random; {stage} changes them. {advice}',
  EVALUATE_TWICE: '{measure} is measured on one set of pictures; got {found}. Take all but one out.',
  RECONSTRUCTION_NONE:
    'the pipeline must say on what to restore pictures; it measures {found}. Add `reconstruction: { on: ./folder }` to `evaluate`.',
  LABELS_MISSING:
    '{measure} needs pictures with labels; the source {source} gives {fields}. Give it its labels (`labels: true` for a folder of a folder per class, the file of `labels` for idx), or name another source.',
  SCALES_LARGE:
    '`sizes` must be at most the side of the pictures that the model takes, {side} px; got {found}. A picture that is larger tells the model no more.',
  KNN_FEW:
    '`k` must be at most the number of pictures that vote, {count}; got {k}. Lower `k`, or raise the number of reference pictures (`limit.reference`).',
  LABEL_NUMBER:
    'a label must be a whole number from 0, the rank of a class; got {found}. Fix the labels of the source.',
  SCORE_NOT_A_NUMBER:
    'the scores of classes must be finite numbers; got some that are not. The training has diverged: lower its learning rate.',
  FEATURE_NOT_A_NUMBER:
    'features must be finite numbers; the encoder makes others. The training has diverged: lower its learning rate.',
  CLASSES_DIFFER:
    'both sets of pictures must have the same classes in the same order; got {found}. Classes are folders in the order of their names: give both sets a folder for each, empty where there is no picture.',
  CHECKPOINT_NONE:
    'a trained model must lie in {folder}; there is no checkpoint. Run the pipeline first, or name one with --checkpoint.',
  MODEL_RESTORES: '{measure} needs a model that restores pixels; {model} does not. Leave `{measure}` out.',
  MODEL_CLASSIFIES:
    '{measure} needs a model that distinguishes classes, such as `classifier`; {model} does not. Measure `knn` or `linear` of its features.',
  MODEL_ENCODES:
    '{measure} needs a model that gives features of whole pictures; {model} does not. Leave `{measure}` out.',
  PART: '`--part` must be i/n or auto/n, i from 1 to n; got {found}. {advice}',
  PART_SINK:
    'only a job whose sink is shards, webdataset or jsonl is done in parts; this pipeline ends in {found}. Leave `--part` out, or take another sink.',
  SELECTION_EMPTY:
    '`fold`, `without` and `limit` must leave something of the {found:sample} of the source; got nothing. Take fewer folds, or another one.',
  SELECTION_TOGETHER:
    '`together` says what is to stay in one fold; there is neither `fold` nor `without`. Add one of them, or leave `together` out.',
  SELECTION_ENDLESS:
    '`fold`, `without` and `limit` choose among the samples of a source that has an end; got one without. Leave them out.',
  WATCH_SOURCE:
    'only a folder of pictures, without `labels` and `repeat`, is watched for what arrives; got {found}. Leave `--watch` out, or take the source image-folder.',
  WATCH_SINK:
    'only a job whose sink is shards, webdataset, jsonl or duplicates can be watched, and not in parts; got {found}. Leave `--watch` out, or take another sink.',
  WATCH_IDLE:
    '`--idle` must be a number of seconds above 0, and needs `--watch`; got {found}. Write `--watch --idle 30`.',
  WATCH_ARRIVALS:
    'a resumed watched job must find its list of arrived files, {expected:file} at least; got {found}. Restore arrivals.jsonl, or start over with --fresh.',
  WATCH_FILES:
    'a watched job takes at most {limit:file}; got more. Move away the files that are processed, and start a job with another `output`.',
  SUM_DIFFERS:
    'every sample that is listed must be delivered, failed, dropped or passed over; got {listed} listed, {found}. This is a bug in patchstream: report it, with events.jsonl of the run.',
  RUN_CANCELLED: 'the run was cancelled by {cause}.',
} as const;
