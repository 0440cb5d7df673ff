/**
 * Every error that patchstream makes on purpose: one code, one message. A message says what was expected, what was found and what
 * to do; `where` says the place (file:line:column, stage, sample). `{slots}` are filled and escaped by `fail`.
 * A code is never reused after its removal. `docs/errors.md` is made from this list, and a test holds the two together.
 */
export declare const catalogue: {
    PICTURE_EMPTY: "a picture must have bytes; got an empty file. Copy it again, or remove it.";
    PICTURE_FORMAT: "a picture must be one of {formats}; got {found}. {advice}";
    PICTURE_LIMIT: "a picture must have at most {limit} pixels; got {width}×{height} in its header. Raise `maxPixels` if that is meant, or remove the file.";
    PICTURE_BROKEN: "a picture must decode to its end; got: {reason}. The file is damaged: copy it again, or remove it.";
    PICTURE_MEMORY: "a picture must find memory for its pixels; it found none. Lower `maxPixels`, or render fewer at a time.";
    PICTURE_REFUSED: "a picture must keep its memory until it is rendered; got: {reason}. Detach or shrink it later.";
    PICTURE_BOX: "a crop must lie in the picture of {width}×{height} px and have at least one pixel; got {box}. Look at what computes the box.";
    PICTURE_SIZE: "width and height of a picture must be integers from 1 to 65535, in pixels; got {found}. Look at what computes them.";
    PICTURE_ROOM: "a picture of {width}×{height} px must be given exactly {needed} bytes; got {found}. Look at what computes the size.";
    CROP_LARGE: "a crop must fit into the picture of {width}×{height} px; got {crop}. Put `resize` before it, or crop less.";
    SIZE_VARIES: "`{stage}` must get pictures of one size; got pictures of any size. Put `resize`, `center-crop` or `random-resized-crop` before it.";
    STAGE_ORDER: "`{stage}` must come before {later}, which rely on the picture as it is there; got it after. Move it up.";
    RANGE_ORDER: "`{option}` must be [low, high] with low at most high; got [{low}, {high}]. Swap the two.";
    PICTURE_SQUARE: "the picture must be square to be cut into a grid of patches; got {width}×{height} px. Resize or crop it to one side.";
    PATCH_SIDE: "patch must divide the side of the picture, {side} px; got {patch}. Try {suggestion}.";
    PATCH_TWO: "all stages must cut the picture into the same patches, here of {patch} px; got {found}. Leave `patch` out, or make the two equal.";
    WINDOW_SIZE: "size of a window must be at most the side of the grid, {side} patches; got {size}. Try {side} or less, or a smaller patch.";
    WINDOW_VIEWS: "views must be at most {most} (grid {side} − window {size} + 1), because no two windows share a row or a column; got {views}. Ask for fewer views, a smaller window or a smaller patch.";
    MASK_GRID: "`mask` must be told what to hide: the windows before it, or patches of the whole picture; got neither. Put `windows` before it, or give `patch`.";
    MASK_COUNT: "ratio must hide at least one of {n} patches and leave at least one; got {ratio}, which hides {hidden}. Try 0.5 or 0.75.";
    DOWNSAMPLE_SIZE: "the low-resolution picture must be smaller than the picture of {size}; got {found}. Try factor 2.";
    FOLDER_MISSING: "the folder {path} must exist; got nothing there. {advice}";
    FOLDER_FILE: "the source must be given a folder; got the file {path}. Give the folder it lies in.";
    FOLDER_UNREADABLE: "the folder {path} must be readable; got {reason}. Give this user the right to read it.";
    FOLDER_EMPTY: "the folder {path} must hold pictures ({endings}); got {found}. Look at `path`, or name more `formats`.";
    FOLDER_CLASSES: "with `labels`, every picture must lie in the folder of its class; got {file} beside these folders. Move it, or leave `labels` out.";
    FILE_UNREADABLE: "the file {file} must be readable; got {reason}. Look whether it is still there, and whose it is.";
    FILE_LARGE: "a file must have at most {limit} bytes; got {size}. Raise `maxBytes` if that is meant, or remove the file.";
    RECORDS_READ: "a source with `records` must read its samples at once and without failing; {key} gave {found}. Leave `records` out: samples are then taken one by one, and may wait and fail.";
    IDX_HEADER: "an idx file of {what} must begin with {expected}; got {found}. Look whether images and labels are swapped, or the download went wrong.";
    IDX_LENGTH: "an idx file must be as long as its header says, {expected} bytes; got {found}. The file is damaged: fetch it again.";
    IDX_LIMIT: "an idx file must announce at least 1 and at most {limit} bytes; got {shape} in its header. Raise `maxBytes` if that is meant; else the file is damaged.";
    IDX_COUNTS: "there must be one label for each image; got {images} images and {labels} labels. Look whether both files are of the same part.";
    MAT_FORMAT: "a MAT-file must {rule}; got {found}. Fetch it again; of SVHN, take train_32x32.mat, test_32x32.mat or extra_32x32.mat.";
    MAT_LIMIT: "an array of a MAT-file must hold at least 1 and at most {limit} bytes; got {name}, {shape}. Raise `maxBytes` if that is meant; else the file is damaged.";
    EXPW_LINE: "line {line} must be `name face top left right bottom confidence label`, the name that of a file in image/origin, the label from 0 to 6; got {found}. Mend the line, or fetch the list again.";
    EXPW_EMPTY: "at least one face must be {minSide} px wide and high and belong to the part asked for; got {found} faces in all. Lower `minSide`, or look at `path`.";
    SHARD_FORMAT: "a shard must begin with \"PSHARD1\\n\"; got {found}. Look at `path`; shards are what the sink `shards` writes.";
    SHARD_VERSION: "a shard must be of format 1; got format {found}. Read it with the patchstream that wrote it, or a newer one.";
    SHARD_DAMAGED: "shard {shard} must be as it was written; got, in {place}: {found}. Copy it again, or read what is left of it with `damage: skip`.";
    SHARD_INFO: "what a shard says of its job, its pipeline and the names of its classes, must have at most {limit}; got {found}. Leave the labels out, or write the job shorter.";
    SHARDS_NONE: "{path} must be a shard or a folder with shards (*.shard); got {found}. Look at `path`.";
    SHARDS_FIELD: "the shards must have the field {field}, {expected}; got {found}. Leave it out, or write it with the stages that give it.";
    SHARDS_OTHER: "the folder must hold the files of this very job alone; got {found}. {advice}";
    SHARDS_CHANGED: "a job that goes on must find the source as it was: {expected}; got {found}. Bring it back, or begin again with --fresh.";
    RECORD_FIELD: "a field of a record must be a picture, numbers, text, true, false or lists and maps of these; {field} is {found}. Drop it in an `each`, or make it one of these.";
    RECORD_LARGE: "a record must have at most {limit}; got {found}. {advice}";
    RECORD_NOTHING: "a record must be made of a picture or of a file; got samples with {fields}. Put a source of pictures before it.";
    RECORD_FILE: "`pictures: file` keeps the files as they were; got {found}. {advice}";
    TAR_DAMAGED: "a tar must be whole and as tar writes it; got, at byte {at}: {found}. Fetch it again, or read what lies before with `damage: skip`.";
    TARS_NONE: "{path} must be a tar, a folder with tars (*.tar), or their address; got {found}. Look at `path`.";
    TARS_EMPTY: "the tars must hold pictures ({endings}); got {found}. Look at `path`, or name more `formats`.";
    TAR_SAMPLES: "a tar must have at most {limit} samples; got more. Divide it into several.";
    TAR_LABEL: "a label, {member}, must be a whole number from 0; got {found}. Mend the tar, or leave `labels` out.";
    TAR_JSON: "the fields of a sample, {member}, must be JSON; got {found}. Mend the tar, or leave `fields` out.";
    WEB_ADDRESS: "an address must be one of http or https; got {found}. Write it out, or give a path of files.";
    WEB_READ: "the server must send bytes {from} to {to}; got {found}, {tries} times. Try later, or look at the address.";
    WEB_RANGE: "the server must answer requests for part of a file, with its size (206, Content-Range); got {found}. Download the file, and give its path.";
    WEB_CHANGED: "the file must stay as it was while it is read; it has changed on the server. Begin again.";
    FACES_DETECTOR: "`face-crop` must have a detector of faces; {found}. Run `npx patchstream doctor`, which says how to get one.";
    FACES_LANDMARKS: "`align` and `landmarks` must have a sound model of 68 landmarks beside the detector; got {found}. {advice}";
    FACES_ALIGN_SHAPE: "a crop that is turned, `align: eyes`, must be square; got `shape: found`. Leave one of the two out.";
    FACES_LARGE: "a picture must have at most {most} pixels and {longest} px a side where it is looked through for faces; with `minSide` {minSide} that would be {scanned} px. Raise `minSide`, or make it smaller before.";
    FACES_FAILED: "the detector {detector} must get through every picture; got: {reason}. Remove the picture, or take another detector.";
    FACES_NONE: "a picture must show a face of at least {minSide} px; got none. Lower `minSide`, or say `none: drop`.";
    FACES_LABEL: "`faces: matching` must get samples with `box`, the labelled place of a face; got {fields}. Take a source with boxes, such as `expw`, or say `faces: all`.";
    SINK_SAMPLE: "one sample must become no more records than one file can take; got more of the sample at position {position}. Make fewer of it.";
    SINK_WRITE: "the sink must be able to write {file}; got {reason}. {advice}";
    SHEET_COLUMN: "a column `{column}` of the sheet must have something to show; got samples without `{field}`. Add the stage `{stage}`, or leave the column out.";
    PIPELINE_FILE: "a pipeline file must be readable and end in .yaml, .yml, .ts, .mts, .js or .mjs; got {found}. {advice}";
    PIPELINE_SIZE: "a pipeline file must be at most {most} large; got {found}. Keep data in files of its own and name them here.";
    PIPELINE_YAML: "a pipeline file must be plain YAML; got {found}. {advice}";
    PIPELINE_EXPORT: "a pipeline module must export a pipeline as its default; got {found}. Write `export default definePipeline(…)`.";
    PIPELINE_ENDS: "a pipeline must end in either `train` or `sink`; got {found}. {advice}";
    PIPELINE_PROBLEMS: "a pipeline must have no problems; got {count}: {list} Mend them; `patchstream check` shows those of a file with their lines.";
    EXTENDS_CIRCLE: "`extends` must end at a file that extends nothing; got a circle, {circle}. Take one link out.";
    ENVIRONMENT_MISSING: "the environment variable {name} must be set; got nothing. {advice}";
    SET_PATH: "`--set` must name an option as path=value; got {found}. {advice}";
    USE_MODULE: "a module under `use` must load; got {found}. Mend the module, or the path, which starts at the file it stands in.";
    USE_EXPORTS: "a module under `use` must export stages, sources, sinks or models, such as `export const mine = defineStage(…)`; got {found}. Export one.";
    NAME_TAKEN: "the name of a {kind} must be free; got `{name}`, which is registered already. Choose another name.";
    NAME_UNKNOWN: "a {kind} must be one that is registered; got `{name}`. {advice}";
    NAME_ENTRY: "a {kind} must be a name, or a map with one name and its options; got {found}. {advice}";
    OPTION_UNKNOWN: "{owner} must have only options it knows; got `{option}`. {advice}";
    OPTION_MISSING: "`{option}` must be given: {expected}; got nothing. Add it{advice}.";
    OPTION_VALUE: "`{option}` must be {expected}; got {found}. {advice}";
    OPTION_ONE_OF: "exactly one of {options} must be given; got {found}. {advice}";
    STAGE_VALUE: "a stage must be made by a stage factory, each(fn) or operator(op); got {found}. Call the factory: `decode()`, not `decode`.";
    STAGE_ID_TWICE: "the ids of stages must differ; got `{id}` twice. Give one of the two an `id` of its own.";
    STAGE_BROKEN: "the stage must say what it does to the spec; it threw {found}. Mend `check` or `output` of its definition.";
    FIELD_MISSING: "{owner} must get samples with `{field}`; got {fields}. {advice}";
    FIELD_LOOSE: "what enters a batch must have a fixed size; `{field}` has none. {advice}";
    CELLS_TOO_FEW: "`cells` must be at least twice the micro-batch plus a cell per thread, {needed}; got {cells}. Raise `cells` or leave it out.";
    MICRO_BATCH: "`microBatch` must divide `batch`, {batch}; got {found}. {advice}";
    RUN_FOLDER: "the folder of a training must hold pipeline.json, metrics.jsonl and events.jsonl; got: {found}. Name the `output` of a pipeline that was run.";
    ARGUMENT: "the command line must be one that `{command} --help` shows; got {found}. {advice}";
    INSPECT_NOTHING: "{path} must be something that can be looked into: {kinds}; got {found}. Look at the path.";
    BACKEND_WASM: "tfjs' wasm backend must start; {found}. Run `npm ci` again, and look whether node_modules/@tensorflow/tfjs-backend-wasm is complete.";
    BACKEND_MEMORY: "the backend {backend} must find {needed} in {memory}; it found none. Lower `microBatch`.";
    BACKEND_MISSING: "backend {backend} must be installed to be asked for by name; {found}. {remedy}";
    DEVICE_MISSING: "device {device} must be there to be asked for by name; got {found}. Say `device: cpu`, or leave it out.";
    STEP_WRITE: "a training step must bring along the same values each time, so that it can be replayed; other values were written for its operation {operation}. Give what changes from step to step as inputs of the model, and make chance on the backend no part of its loss.";
    MODEL_HEADS: "width must be a multiple of heads; got width {width}, heads {heads}. Try heads {suggestion}.";
    MODEL_POSITIONS: "a model with fixed positions must have a width that is a multiple of 4; got {width}. Try {suggestion}.";
    MASKS_UNEVEN: "every picture must have as many of its {n} patches visible, at least one; got {found} after {first}. Hide a fixed share, as the stage `mask` does.";
    MODEL_PATCH: "a model needs one patch size, in pixels; {found}. Add the stage `windows`, or say `patch` in the options of the model.";
    MODEL_WINDOWS: "LoMaR needs windows of patches; got none. Add the stage `windows` before `mask`.";
    MODEL_WHOLE: "{model} hides patches of the whole picture; got windows. Take the stage `windows` out and say `mask: { ratio: 0.75, patch: 16 }`.";
    MODEL_SUPER_RESOLUTION: "the super-resolution module `{module}` must get {expected}; got {found}. {advice}";
    MODEL_FIELD: "field {field} of a micro-batch must be {expected}; got {found}. Look at the stages that make it.";
    MODEL_PARAMETER: "a parameter of the model must be asked for by its name; got {name}. Try {suggestion}.";
    SCHEDULE_RATE: "exactly one of `lr` (absolute) and `baseLr` (for 256 samples) is needed; got {found}. Keep one of them.";
    SAFETENSORS_INVALID: "a safetensors file must {rule}; got {found}. Do not load it: fetch it again, or take an older checkpoint.";
    CHECKPOINT_BROKEN: "a checkpoint must be whole; {found}. Take another one, or delete this folder: then the run goes on from an older one, if there is one.";
    CHECKPOINT_WRITE: "a checkpoint must be written whole; got: {found}. Make room, or choose another `output`; the run goes on from its last checkpoint.";
    WEIGHTS_BROKEN: "weights must be a .safetensors file, or the folder of a checkpoint or of a run that has one; got: {found}. Look at the path.";
    WEIGHTS_FOREIGN: "weights must be of the model that the pipeline describes, {expected}; these are of {found}. Name the pipeline that trained them.";
    WEIGHTS_MISMATCH: "weights to begin with must be of the model {model}, or of its encoder alone; {found}. Set size, patch and decoder of the model as the weights have them, or take their encoder alone: `patchstream export --encoder`.";
    EXPORT_EXISTS: "weights are exported to a file of their own; {path} is there already. Name another with --output, or delete it.";
    WINDOW_OUTSIDE: "a window of {K} × {K} patches must lie on the picture, {rows} × {columns} patches; got one at row {top}, column {left}.";
    CHECKPOINT_MISMATCH: "the checkpoint must fit the pipeline; {found}. Give the run another output folder, start afresh with --fresh, or change the pipeline back.";
    LOSS_NOT_A_NUMBER: "loss and gradient must be finite; step {step} got loss {loss} and gradient norm {gradNorm}, with the samples {keys}. Lower the learning rate, look at these samples, or skip such steps with `onNotANumber: skip`.";
    MICRO_BATCH_PAIRS: "mixup and cutmix mix samples 2i and 2i + 1, so a micro-batch must have an even number of samples; got {found}. Make `batch` and `microBatch` even, or set `mixup` and `cutmix` to 0.";
    LABEL_CLASS: "a label must be one of the {classes} classes of the model, 0 to {most}; got {found}. Set `classes` of the model to as many as there are.";
    LABEL_CLASSES: "the model must have a class for each of the {found} of the source; it has {classes}. Set `classes` of the model to {found}.";
    MICRO_BATCH_SIZE: "the micro-batches of a step must add up to the batch of {batch} samples; got {got} at step {step}. Make `microBatch` a divisor of `batch`.";
    MODEL_UNKNOWN: "the model must be one of {known}; got {name}. {suggestion}";
    TRAIN_SPEC: "the model {model} must be given {needs}; got a chain without. Add the stage that makes it: {stage}.";
    TRAINER_DIED: "the trainer's thread must end by itself; it ended with {found}. Run again: it goes on from the last checkpoint.";
    METRICS_BROKEN: "line {line} of metrics.jsonl must be one row of JSON; got {found}. Delete the file or start afresh with --fresh.";
    RECONSTRUCTION_EMPTY: "the held-out images must have at least one hidden pixel; got {images} images. Give more images or a higher mask ratio.";
    PERMITS_TOO_FEW: "{needed} permits are the least this chain can run with (threads + holds + 1 of every stage that holds); got {permits}. Raise `permits` or leave it out.";
    PERMIT_TWICE: "a permit must be returned once; that of position {position} was returned again. A stage returned a permit it did not hold.";
    STAGE_TIMEOUT: "a sample must leave the stage within {seconds} s; it did not. Raise `timeout`, or find out what it waits for.";
    STAGE_STUCK: "all {concurrency} places of the stage are held by work that outlived its time-out of {seconds} s, so nothing can go on. The work never returns: make it end, or raise `timeout`.";
    STAGE_BUDGET: "at most {budget} failed samples are allowed; got {failures} of {seen}. {first} Mend the data, or raise `maxFailures`.";
    STAGE_OUTPUT: "a stage must return a sample (an object with the key it was given), several, or drop('reason'); got {found}. Spread the sample you were given: `{ ...sample, more }`.";
    OPERATOR_LATE: "an operator with holds: {holds} must let a sample out in its turn, with the key it was given; {key} came out after its turn or was never inside. This operator holds samples back: say operator(op, { holds: n }), with n at least {more}.";
    OPERATOR_FAILED: "an operator must not fail, because rxjs cannot go on after an error; got: {reason}. Catch it inside (a function that may fail belongs in each(fn), which counts failures).";
    FUNCTION_BARE: "a stage must be made by a stage factory, each(fn) or operator(op); got a bare function. Write each({name}) for a function of one sample, operator({name}) for an rxjs operator.";
    NOTHING_LEFT: "at least one sample must come through; all {seen} failed or were dropped: {first}";
    BATCH_SIZE: "a batch must have a whole number of samples, at least 1; got {found}.";
    EPOCHS: "`epochs` must be a number, 0 or more, or Infinity; got {found}.";
    RUN_BUSY: "a folder must belong to one run at a time; {found} is running in this one. Wait for it, or choose another `output`; where it is gone for sure, remove {file}.";
    MOST_FAILED: "more samples must come through than fail; {failures} of {seen} failed: {first}";
    BATCH_EMPTY: "a batch must have a field of fixed size (a picture, a number, an array of numbers); the samples have {found}. Put `decode` and `resize` before it.";
    FIELD_SHAPE: "the field {field} must be {expected} in every sample; got {found}.";
    OUTPUT_FOLDER: "the folder of the run must be one that can be written to; got: {found}. Choose another `output`, or make room.";
    TRAIN_TOO_FEW: "a training must have the samples of one step at least, {batch}; got {found}. Take a smaller `batch`, `repeat` the source, or train for more epochs.";
    EVALUATE_SHAPE: "a model is evaluated on what it was trained on, {expected}; got {found}. Give `evaluate` the same `patch` and `size`, or leave its stages out.";
    EVALUATE_FOLDER: "--on must name a folder, from the working directory; {path} is not there.";
    OUTPUT_IN_SOURCE: "results must not be written among the pictures they are made of, or the next run would read them; {output} lies in {source}. Choose another `output`.";
    EVALUATE_ON: "--on replaces the folder of an image-folder; this pipeline evaluates on {source}. Leave --on out.";
    EVALUATE_TRAIN: "`evaluate` measures what `train` has trained; this pipeline trains nothing. Take it out, or add a section `train`.";
    EVALUATE_MISSING: "a pipeline must say `train` and on what to `evaluate`; this one does not. Add `evaluate: { reconstruction: { on: ./folder } }`.";
    EVALUATE_RANDOM: "features are measured on pictures that do not change at random; {stage} changes them. {advice}";
    EVALUATE_TWICE: "a reconstruction is measured on one set of pictures; got {found}. Take all but one out.";
    RECONSTRUCTION_NONE: "the pipeline must say on what to restore pictures; it measures {found}. Add `reconstruction: { on: ./folder }` to `evaluate`.";
    LABELS_MISSING: "{measure} needs pictures with labels; the source {source} gives {fields}. Give it its labels (`labels: true` for a folder of a folder per class, the file of `labels` for idx), or name another source.";
    KNN_FEW: "`k` must be at most the number of pictures that vote, {count}; got {k}. Lower `k`, or take more pictures `against`.";
    LABEL_NUMBER: "a label must be a whole number from 0, the rank of a class; got {found}. Mend the labels of the source.";
    SCORE_NOT_A_NUMBER: "the scores of classes must be finite numbers; got some that are not. The training has diverged: lower its learning rate.";
    FEATURE_NOT_A_NUMBER: "features must be finite numbers; the encoder makes others. The training has diverged: lower its learning rate.";
    CLASSES_DIFFER: "both sets of pictures must have the same classes in the same order, {expected}; got {found}. Classes are folders in the order of their names: give both sets a folder for each.";
    CHECKPOINT_NONE: "a trained model must lie in {folder}; there is no checkpoint. Run the pipeline first, or name one with --checkpoint.";
    MODEL_RESTORES: "a reconstruction error needs a model that restores pixels; {model} does not. Leave `reconstruction` out.";
    MODEL_CLASSIFIES: "an accuracy of its own needs a model that tells classes apart, such as `classifier`; {model} does not. Measure `knn` or `linear` of its features.";
    MODEL_ENCODES: "{measure} needs a model with an encoder of whole pictures; {model} has none. Leave `{measure}` out.";
    PART: "`--part` must be i/n or auto/n, i from 1 to n; got {found}. {advice}";
    PART_SINK: "only a job whose sink is shards, webdataset or jsonl is done in parts; this pipeline ends in {found}. Leave `--part` out, or take another sink.";
    WATCH_SOURCE: "only a folder of pictures, without `labels` and `repeat`, is watched for what arrives; got {found}. Leave `--watch` out, or take the source image-folder.";
    WATCH_SINK: "only a job whose sink is shards, webdataset or jsonl can be watched, and not in parts; got {found}. Leave `--watch` out, or take another sink.";
    WATCH_IDLE: "`--idle` must be seconds above 0, beside `--watch`; got {found}. Write `--watch --idle 30`.";
    WATCH_ARRIVALS: "a watched job that goes on must find its list of what has arrived, {expected} files at least; got {found}. Bring arrivals.jsonl back, or begin again with --fresh.";
    WATCH_FILES: "a watched job takes at most {limit} files; got more. Move those that are taken away, and begin a job with another `output`.";
    RUN_CANCELLED: "the run was cancelled by {cause}.";
};
export type ErrorCode = keyof typeof catalogue;
type SlotNames<T extends string> = T extends `${string}{${infer Name}}${infer Rest}` ? (Name extends `${string} ${string}` ? never : Name) | SlotNames<Rest> : never;
/** The values that fill the message of a code. */
export type Slots<C extends ErrorCode> = {
    [K in SlotNames<(typeof catalogue)[C]>]: string | number;
};
/** An error of the catalogue. `code` is stable and for programs, `message` is for people, `where` names the place, `cause` keeps the original. */
export declare class PatchstreamError extends Error {
    readonly code: ErrorCode;
    readonly where: string | undefined;
    /** The message without code and place. */
    readonly text: string;
    /** True where it ends the run, whatever may fail: a sample of a source that is told to stop at the first damage. */
    readonly ends: boolean;
    constructor(code: ErrorCode, text: string, where?: string, cause?: unknown, ends?: boolean);
}
/** A rule that an option breaks, found without opening data. `option` is a path into the options (`size`, `size.0`), for the line and column in the file. */
export interface Refusal {
    readonly option?: string;
    readonly error: PatchstreamError;
}
/** Makes the error of `code`; does not throw it, so that call sites read `throw fail(…)`. Slot values are escaped by `printable`. */
export declare function fail<C extends ErrorCode>(code: C, slots: Slots<C>, { where, cause, ends }?: {
    where?: string | undefined;
    cause?: unknown;
    ends?: boolean;
}): PatchstreamError;
/** Text from outside (a file name, a key, a value) made safe to show in a terminal, log or label: what does not print becomes \u{…}. */
export declare function printable(text: string): string;
/** The message of anything thrown, in one line that is safe to show. */
export declare function messageOf(error: unknown): string;
/** A message up to its first line end, real or as `messageOf` shows it: parsers and loaders append excerpts and stacks. */
export declare function firstLine(message: string): string;
/** The nearest of `names` to `name` by edit distance when it is near enough to be a slip, for suggestions. */
export declare function nearest(name: string, names: Iterable<string>): string | undefined;
export {};
