/** Backends, models and training. */
export const trainErrors = {
  BACKEND_WASM:
    "tfjs' wasm backend must start; {found}. Run `npm ci` again, and check that node_modules/@tensorflow/tfjs-backend-wasm is complete.",
  BACKEND_MEMORY: 'the backend {backend} must find {needed} in {memory}; it found none. Lower `microBatch`.',
  TRAIN_MEMORY:
    'a training must fit the memory that it may use, and {where} {limit}; this one takes {needed} at least: {state} for weights, gradients, moments and the runtime, and {sample} for each sample of a pass, of {samples}. {advice}',
  BACKEND_MISSING: 'backend {backend} is not available; {found}. {remedy}',
  DEVICE_MISSING: 'device {device} is not available; got {found}. Set `device: cpu`, or leave it out.',
  STEP_WRITE:
    'a training step must write the same constants every time to be replayed; the values for operation {operation} changed. Pass anything that changes per step as a model input, and do not draw random numbers on the backend in the loss.',
  MODEL_BUILD:
    'a model that is built must give the lists `fields` and `parameters`, and the functions `init`, `inputs`, `loss`, `stored`, `decays` and `dispose`; {model} gave {found}. Look at its `build`.',
  MODEL_HEADS: 'width must be a multiple of heads; got width {width}, heads {heads}. Try heads {suggestion}.',
  MODEL_OPTION: 'the option `{option}` of {model} must {rule}; got `{found}`. {advice}',
  MODEL_POSITIONS:
    'a model with fixed positions must have a width that is a multiple of 4; got {width}. Try {suggestion}.',
  MASKS_UNEVEN:
    'every picture or window must have as many of its {n:patch/patches} visible, at least one; got {found} after {first}. Hide a fixed share, as the stage `mask` does.',
  MODEL_UNEVEN:
    '{model} must be shown as many patches of every picture, for it is given the visible ones alone; `mask` has `exact: false`, which may hide fewer of some. Leave `exact` out.',
  MODEL_PATCH:
    'a model needs one patch size, in pixels; {found}. Add the stage `windows`, or say `patch` in the options of the model.',
  MODEL_WINDOWS: '{model} needs windows of patches; got none. Add the stage `windows` before `mask`.',
  MODEL_CODES:
    '{model} must be given codes of its patches to learn; got none. Add `tokenize: { from: RUN }`, RUN being the run of a tokenizer.',
  MODEL_CODES_GRID:
    'the codes must be of the grid that is hidden, {side} × {side:patch/patches}; the tokenizer makes {found} × {found}. Set `patch`, or name a tokenizer that was trained on pictures of another size.',
  MODEL_WHOLE:
    '{model} hides patches of the whole picture; got windows. Take the stage `windows` out and say `mask: { ratio: 0.75, patch: 16 }`.',
  MODEL_SUPER_RESOLUTION: 'the super-resolution module `{module}` must get {expected}; got {found}. {advice}',
  MODEL_FIELD: 'field {field} of a micro-batch must be {expected}; got {found}. Look at the stages that make it.',
  MODEL_PARAMETER: 'a parameter of the model must be asked for by its name; got {name}. Try {suggestion}.',
  SCHEDULE_RATE:
    'exactly one of `lr` (absolute) and `baseLr` (for 256 samples) is needed; got {found}. Keep one of them.',
  SAFETENSORS_INVALID:
    'a safetensors file must {rule}; got {found}. Do not load it: fetch it again, or take an older checkpoint.',
  CHECKPOINT_BROKEN:
    'a checkpoint must be whole; {found}. Take another one, or delete this folder: then the run resumes from an older one, if there is one.',
  CHECKPOINT_WRITE:
    'a checkpoint must be written whole; got: {found}. Make room, or choose another `output`; the run resumes from its last checkpoint.',
  WEIGHTS_BROKEN:
    'weights must be a .safetensors file, or the folder of a checkpoint or of a run that has one; got: {found}. Look at the path.',
  EXPORT_ENCODER:
    '`--encoder` needs weights of a model with an encoder, such as lomar, mae, srmae, beit or classifier; {path} has none of its tensors. Leave `--encoder` out, or name the run of another.',
  WEIGHTS_MISSING:
    'weights to begin with must be a .safetensors file, a checkpoint or a run; nothing is at {path}. {advice}',
  WEIGHTS_PIPELINE: 'weights must be a run, a checkpoint or a .safetensors file; {path} is a pipeline file. {advice}',
  TRAINED_MISSING: 'a trained model must be a run, a checkpoint or a file of weights; nothing is at {path}. {advice}',
  TRAINED_NONE:
    'a trained model must lie in the folder; {path} has no checkpoint and no model.safetensors. Run its pipeline first, or name another folder.',
  TRAINED_UNKNOWN:
    'weights must say which pictures they know, to be used; these do not: an earlier version has written them, or another program. Begin a run with them (`init`), and name that run.',
  TRAINED_OPTION:
    'weights must say how they are used in a form that this version knows; of what these say, `{option}` is another: {found}. Use the version of patchstream that trained them, take an older checkpoint, or train again.',
  TRAINED_CHANGED: 'weights must stay as they are while a run uses them; these were written anew. Run again.',
  TRAINED_STAGES:
    'the pictures of a training must be made by stages that are known here, for others to be made alike; this one has {found}. Write a pipeline file with the stages, `use:` and `embed` or `predict`.',
  EMBED_PICTURE: 'a picture must give a vector; {found}. Name another picture.',
  FIGURE_PICTURE: 'a picture must be one that can be shown; {found}. Name another picture.',
  FIGURE_FILE: 'a figure must be written to a file that ends in {endings}; got {found}. Give it such a name.',
  RECONSTRUCT_MODEL:
    '`reconstruct` needs a model that restores the hidden patches of a picture, such as lomar, mae or srmae; {model} does not. Name the run of another.',
  ATTENTION_DECODER:
    '`--of decoder` needs a model whose decoder restores hidden patches, such as mae or srmae; {model} has none. Write `--of encoder`.',
  ATTENTION_MODEL:
    '`attention` needs a model of transformer blocks that works on whole pictures, such as lomar, mae, srmae or classifier; got {model}. Name the run of another.',
  ATTENTION_LAYER:
    '`--layers` must name blocks of the {part} from 1 to {depth}; got {found}. Leave it out, or change it.',
  ATTENTION_PATCH:
    '`--patch` must name a patch by its row and column, each from 1 to {grid}; got {found}. Leave it out for the one in the middle.',
  COMPARE_RUN:
    'a run to compare must be the folder of a training, which has pipeline.json; got: {found}. Name the `output` of a pipeline that was run.',
  COMPARE_ROWS:
    'at least one run must have done a step to be compared; got none in {found}. Wait for the first step, or name others.',
  EMBED_MODEL:
    '`embed` needs a model that gives features of whole pictures, such as lomar, mae, srmae, beit or classifier; {model} does not. Name the run of another.',
  PREDICT_MODEL:
    '`predict` needs a model that distinguishes classes, such as `classifier`; {model} does not. Fine-tune it first, or use `embed`.',
  TOKENIZE_MODEL:
    '`tokenize` needs a model that turns pictures into codes, such as `tokenizer`; {model} does not. Name the run of a tokenizer.',
  TOKENIZE_SIZE:
    'the side of the picture that a tokenizer sees must be a multiple of its patches, {patch} px; got {size} px. Try {suggestion}.',
  MODEL_TOKENIZES:
    'the measure {measure} needs a model that turns pictures into codes, such as `tokenizer`; {model} does not. Take {measure} out of `evaluate`.',
  MODEL_PREDICTS_CODES:
    'the measure {measure} needs a model that learns codes, such as `beit`; {model} does not. Take {measure} out of `evaluate`.',
  PREDICT_LABEL:
    '`predict` adds the field `label`; the samples have one. Leave the labels of the source out, or measure the model with `evaluate`.',
  INFERENCE_SIZE:
    'pictures must be of the size that the model was trained on, {expected}, or have no size yet, so that they are cut as those were; got {found}. Leave `resize` out.',
  INFERENCE_MEMORY:
    'what a model is asked at a time must fit {limit:byte}; with `batch: {batch}` and pictures of {size} it takes {needed:byte}. Set `batch: {suggestion}`, or less.',
  MODEL_THREAD:
    'the thread of the trained model must answer until the run has ended; it ended with {found}. Run again.',
  WEIGHTS_FOREIGN:
    'weights must be of the model that the pipeline describes, {expected}; these are of {found}. Name the pipeline that trained them.',
  WEIGHTS_MISMATCH:
    'weights to begin with must be of the model {model}, or of its encoder alone; {found}. Set the options of the model (size, patch, decoder, `rpeOn`) as the weights have them, or take their encoder alone: `patchstream export --encoder`.',
  WEIGHTS_CLASSES:
    'a classifier must begin with a head of the same classes in the same order; the source has {found}. Begin with the encoder alone (`patchstream export --encoder`), or give the source the same classes.',
  WEIGHTS_AVERAGE:
    'a checkpoint must have the average of its weights (`ema.safetensors`) for it to be taken; this one has none: its training kept none (`train.ema`). Take `weights: model`, or leave it out.',
  EXPORT_EXISTS:
    'an export must be written to a file of its own; {path} is there already. Name another with --output, or delete it.',
  ONNX_MODEL:
    'a file of ONNX needs a model that turns pictures into vectors, classes or codes; {model} does none of it. Name another run, or export its weights: a file that ends in .safetensors.',
  ONNX_POOL: '`pool` says what a vector is, of a model with an encoder; {model} gives no vectors. Leave it out.',
  ONNX_OPERATION:
    'a model must be made of operations that can be written in ONNX, to be exported; got {operation}: {reason}. Write the model with other operations, or export its weights: a file that ends in .safetensors.',
  ONNX_BATCH:
    'a model must compute the same for each picture, to be exported for any number of them; got {operation}, which depends on how many there are. Write the model without the number, or export its weights: a file that ends in .safetensors.',
  WINDOW_OUTSIDE:
    'a window of {K} × {K:patch/patches} must lie on the picture, {rows} × {columns:patch/patches}; got one at row {top}, column {left}.',
  CHECKPOINT_MISMATCH:
    'the checkpoint must fit the pipeline; {found}. Give the run another output folder, start afresh with --fresh, or change the pipeline back.',
  LOSS_NOT_A_NUMBER:
    'loss and gradient must be finite; step {step} got loss {loss} and gradient norm {gradNorm}, with the samples {keys}. Lower the learning rate, look at these samples, or skip such steps with `onNotANumber: skip`.',
  LOSS_LOST:
    'a training must go on to finite losses; the last {most:step} up to step {step} were all skipped (`onNotANumber: skip`). Lower the learning rate, and start again: an earlier checkpoint may be whole (`--fresh`, or `init`).',
  MICRO_BATCH_PAIRS:
    'mixup and cutmix mix samples 2i and 2i + 1, so a micro-batch must have an even number of samples; got {found}. Make `batch` and `microBatch` even, or set `mixup` and `cutmix` to 0.',
  LABEL_CLASS:
    'a label must be a class of the model, which has {classes:class/classes}, 0 to {most}; got {found}. Set `classes` of the model to as many as there are.',
  LABEL_CLASSES:
    'the model must have a class for each of the {found} of the source; it has {classes}. Set `classes` of the model to {found}.',
  MICRO_BATCH_SIZE:
    'the micro-batches of a step must add up to the batch of {batch:sample}; got {got} at step {step}. Make `microBatch` a divisor of `batch`.',
  MODEL_UNKNOWN: 'the model must be one of {known}; got {name}. {suggestion}',
  TRAIN_SPEC: 'the model {model} must be given {needs}; got a chain without. Add the stage that makes it: {stage}.',
  TRAINER_DIED:
    "the trainer's thread must end by itself; it ended with {found}. Run again: it resumes from the last checkpoint.",
  METRICS_BROKEN:
    'line {line} of metrics.jsonl must be one row of JSON; got {found}. Delete the file or start afresh with --fresh.',
  RECONSTRUCTION_NOT_A_NUMBER:
    'restored pixels must be finite numbers; the model makes others. The training has diverged: lower its learning rate, or take an earlier checkpoint.',
  PROBE_NOT_A_NUMBER: 'the scores of a linear probe must be finite numbers; it has diverged. Lower its `lr`.',
  MEASURE_NUMBER:
    'a measure must give its values as finite numbers, {value} at least; {measure} gives {found}. Change its `run`.',
  MEASURE_EMPTY: 'a measure must be taken on one picture at least; got none. Look at the folder that it is taken on.',
  RECONSTRUCTION_EMPTY:
    'the held-out images must have at least one hidden pixel; got {images:image}. Give more images or a higher mask ratio.',
} as const;
