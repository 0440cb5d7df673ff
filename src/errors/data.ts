/** Pictures, sources, stages and sinks. */
export const dataErrors = {
  PICTURE_EMPTY: 'a picture must have bytes; got an empty file. Copy it again, or remove it.',
  PICTURE_FORMAT: 'a picture must be one of {formats}; got {found}. {advice}',
  PICTURE_UNSUPPORTED:
    'a picture must be of a kind that can be decoded here; got {found}. Convert it to a JPEG or PNG of 8 bits, or remove the file.',
  PICTURE_LIMIT:
    'a picture must have at most {limit:pixel}; got {width}×{height} in its header. Raise `maxPixels` if that is meant, or remove the file.',
  PICTURE_BROKEN: 'a picture must decode to its end; got: {reason}. The file is damaged: copy it again, or remove it.',
  PICTURE_MEMORY:
    'a picture must find memory for its pixels; it found none. Lower `maxPixels`, or render fewer at a time.',
  THREADS_NONE:
    'there must be at least one thread for {what}; the system gives none: {reason}. Raise the limit of processes (`ulimit -u`, `pids.max` of a container), or start fewer threads (`threads`, OMP_NUM_THREADS).',
  PICTURE_REFUSED: 'a picture must keep its memory until it is rendered; got: {reason}. Detach or shrink it later.',
  PICTURE_BOX:
    'a crop must lie in the picture of {width}×{height} px and have at least one pixel; got {box}. Look at what computes the box.',
  BOX_OUTSIDE:
    'the box of a sample must overlap its picture, of {width}×{height} px as it stands upright; got {box}. Look at where the boxes come from: they count in pixels from the upper left corner of the upright picture.',
  PICTURE_SIZE:
    'width and height of a picture must be integers from 1 to 65535, in pixels; got {found}. Look at what computes them.',
  PICTURE_ROOM:
    'a picture of {width}×{height} px must be given exactly {needed:byte}; got {found}. Look at what computes the size.',
  CROP_LARGE:
    'a crop must fit into the picture of {width}×{height} px; got {crop}. Put `resize` before it, or crop less.',
  SIZE_VARIES:
    '`{stage}` must get pictures of one size; got pictures of any size. Put `resize`, `center-crop` or `random-resized-crop` before it.',
  STAGE_ORDER:
    '`{stage}` must come before {later}, which rely on the picture as it is there; got it after. Move it up.',
  DUPLICATES_ROW:
    'a line of the sink duplicates must be a picture and those that it looks like, as the sink writes it; line {line} is {found}. Restore the file, or start over with --fresh.',
  RANGE_ORDER: '`{option}` must be [low, high] with low at most high; got [{low}, {high}]. Swap the two.',
  PICTURE_SQUARE:
    'the picture must be square to be cut into a grid of patches; got {width}×{height} px. Resize or crop it to one side.',
  PATCH_SIDE: 'patch must divide the side of the picture, {side} px; got {patch}. Try {suggestion}.',
  PATCH_TWO:
    'all stages must cut the picture into the same patches, here of {patch} px; got {found}. Leave `patch` out, or make the two equal.',
  WINDOW_SIZE:
    'size of a window must be at most the side of the grid, {side:patch/patches}; got {size}. Try {side} or less, or a smaller patch.',
  WINDOW_VIEWS:
    'views must be at most {most} (grid {side} − window {size} + 1), because no two windows share a row or a column; got {views}. Ask for fewer views, a smaller window or a smaller patch.',
  MASK_GRID:
    '`mask` needs something to hide: put `windows` before it to mask windows, or set `patch` to mask the whole picture.',
  MASK_COUNT:
    'ratio must hide at least one of {n:patch/patches} and leave at least one; got {ratio}, which hides {hidden}. Try 0.5 or 0.75.',
  MASK_BLOCK:
    'a block must be at most as large as what is hidden, {hidden:patch/patches}; got `blocks.min` {min}. Try {hidden} or less, or leave it out.',
  DOWNSAMPLE_SIZE: 'the low-resolution picture must be smaller than the picture of {size}; got {found}. Try factor 2.',
  FOLDER_MISSING: 'the folder {path} must exist; got nothing there. {advice}',
  FOLDER_FILE: 'the source must be given a folder; got the file {path}. {advice}',
  FOLDER_UNREADABLE:
    'the folder {path} must be readable; got {reason}. Give this user the right to read it, or take it away.',
  FOLDER_EMPTY:
    'the folder {path} must hold pictures ({endings}); got {found}. Look at `path`, or name more `formats`.',
  FOLDER_CLASSES:
    'with `labels`, every picture must lie in the folder of its class; got {file} outside of these folders. Move it, or leave `labels` out.',
  FOLDER_ALIKE:
    'with `labels`, no two folders may have one name; got {name} twice, as {first} and {second}, which look alike. Give one another name, or move its pictures to the other.',
  FILE_UNREADABLE: 'the file {file} must be readable; got {reason}. Check whether it still exists, and who owns it.',
  FILE_LARGE:
    'a file must have at most {limit:byte}; got {size}. Raise `maxBytes` if that is meant, or remove the file.',
  SOURCE_OPEN:
    'a source that is opened must give `count`, how many samples it has (a whole number, or Infinity), and the functions `key` and `read`; {source} gave {found}. Look at its `open`.',
  SOURCE_READ:
    '`read` of a source must give the fields of a sample, or `drop(…)`; got {found}. Return an object, as `{ bytes }`.',
  RECORDS_READ:
    'a source with `records` must read its samples at once and without failing; {key} gave {found}. Leave `records` out: samples are then taken one by one, and may wait and fail.',
  IDX_HEADER:
    'an idx file of {what} must begin with {expected}; got {found}. Check whether images and labels are swapped, or the download failed.',
  IDX_LENGTH:
    'an idx file must be as long as its header says, {expected:byte}; got {found}. The file is damaged: fetch it again.',
  IDX_LIMIT:
    'an idx file must announce at least 1 and at most {limit:byte}; got {shape} in its header. Raise `maxBytes` if that is meant; else the file is damaged.',
  IDX_COUNTS:
    'there must be one label for each image; got {images:image} and {labels:label}. Check whether both files are of the same part.',
  IDX_LABEL: 'a label must be a whole number from 0 to 65535; got {found}. Check whether this is the file of labels.',
  MAT_FORMAT:
    'a MAT-file must {rule}; got {found}. Fetch it again; of SVHN, take train_32x32.mat, test_32x32.mat or extra_32x32.mat, of ImageNet data/meta.mat of the devkit.',
  MAT_LIMIT:
    'an array of a MAT-file must hold at least 1 and at most {limit:byte}; got {name}, {shape}. Raise `maxBytes` if that is meant; else the file is damaged.',
  EXPW_LINE:
    'line {line} must be `name face top left right bottom confidence label`, the name that of a file in image/origin, the label from 0 to 6; got {found}. Fix the line, or fetch the list again.',
  EXPW_EMPTY:
    'at least one face must be {minSide} px wide and high and belong to the part asked for; got {found:face} in all. Lower `minSide`, or look at `path`.',
  CK_FORMAT:
    'CK+ must {rule}; got {found}. Unpack extended-cohn-kanade-images.zip and Emotion_labels.zip again, side by side.',
  RAF_LINE:
    'line {line} must be `train_00001.jpg 5` or `test_0001.jpg 5`, a name that no other line has and a label from 1 to 7; got {found}. Fix the line, or fetch the list again.',
  RAF_EMPTY:
    'the list must have at least one face of the part asked for, {part}; got {found:face} in all. Look at `path`.',
  IMAGENET_FORMAT:
    'ImageNet must {rule}; got {found}. Unpack it again, or take `image-folder` for folders of your own.',
  IMAGENET_LINE: 'line {line} must be the number of a class, from 1 to {most}; got {found}. Unpack the devkit again.',
  IMAGENET_CLASSES:
    'the folders must be {what}, one for each; got {found}. Unpack what is missing and move away what is too much; where fewer classes are meant, say `classes`.',
  SHARD_FORMAT:
    'a shard must begin with "PSHARD1\\n"; got {found}. Look at `path`; shards are what the sink `shards` writes.',
  SHARD_VERSION:
    'a shard must be of format 1; got format {found}. Read it with the patchstream that wrote it, or a newer one.',
  SHARD_DAMAGED:
    'shard {shard} must be as it was written; got, in {place}: {found}. Copy it again, or read what is left of it with `damage: skip`.',
  SHARD_INFO:
    'the description of the job in a shard, its pipeline and the names of its classes, must have at most {limit}; got {found}. Leave the labels out, or shorten the pipeline.',
  SHARDS_NONE: '{path} must be a shard or a folder with shards (*.shard); got {found}. Look at `path`.',
  SHARDS_FIELD:
    'the shards must have the field {field}, {expected}; got {found}. Leave it out, or write it with the stages that give it.',
  SHARDS_CLASSES:
    'shards with labels must have the same classes; {shard} has others than {first}: {found}. Read them by two pipelines, or write them again from one folder.',
  SHARDS_OTHER: 'the folder must hold only files of this job; got {found}. {advice}',
  SHARDS_CHANGED:
    'a resumed job must find its source as it was: {expected}; got {found}. Restore it, or start over with --fresh.',
  ENCODER_OTHER:
    'a resumed job must make its pictures with the encoder that it was begun with, {expected}; this machine has {found}. Install that version and run `npx patchstream doctor --build`, or start over with --fresh.',
  RECORD_FIELD:
    'a field of a record must be a picture, numbers, text, true, false or lists and maps of these; {field} is {found}. Drop it in an `each`, or make it one of these.',
  NPY_FIELD:
    'an array of vectors must get {expected} of every sample, as `{field}`; got {found}. Drop the sample in an `each`, or look at the stage that gives the field.',
  VECTORS_NONE:
    "{path} must hold vectors, the field `{field}` in files of parquet, npy, jsonl or shards: a job's output folder, a folder of such files, or one of them; got {found}. Name what `patchstream embed` has written, or the field that it has.",
  VECTORS_BROKEN:
    'a file of vectors must be as a job writes it; got, {place}: {found}. Copy it again, or write it again with `patchstream embed`.',
  VECTORS_MIXED:
    'the files of a set of vectors must be of one model: {what}; got {found}. Move the files of other jobs away.',
  VECTORS_OTHER:
    'vectors that are compared must be of one model, here of {expected}; got those of {found}. Embed the photos with the model of the set (`--from`), or the set anew with `patchstream embed`.',
  VECTORS_MODEL:
    'a photo must be embedded by the model of the vectors; these do not name theirs. Name the run with `--from`, or ask by a key of the set: `key:KEY`.',
  VECTORS_KEY:
    'a question `key:KEY` must name a vector of the set; got {key}, which is no key there. Keys are paths as they stand in the set, from the folder of the pictures on.',
  COMPARED_OTHER:
    'the folder must be that of the same comparison: {expected}; got {found}. Name another --output, or start over with --fresh.',
  COMPARED_CHANGED:
    'vectors that were compared must still come first, as they were: {rows} of them; got {found}. Restore them, or start over with --fresh.',
  RECORD_LARGE: 'a record must have at most {limit}; got {found}. {advice}',
  RECORD_NOTHING:
    'a record must be made of a picture or of a file; got samples with {fields}. Put a source of pictures before it.',
  RECORD_FILE: '`pictures: file` keeps the files as they were; got {found}. {advice}',
  TAR_DAMAGED:
    'a tar must be whole and as tar writes it; got, at byte {at}: {found}. Fetch it again, or read what lies before with `damage: skip`.',
  ONNX_DAMAGED:
    'a file of ONNX must be whole, a model in protocol buffers; got, at byte {at}: {found}. Copy it again, or export it again.',
  TAR_PACKED:
    'a tar must be plain, so that its samples are read in any order; got {found}. Unpack it once, as by `gunzip --keep FILE`; JPEGs hardly get smaller by packing.',
  TAR_APART:
    'the files of a sample must lie side by side in the tar; {what} of {key} is in the tar, as {member}, but not next to its picture. Make the tar with sorted names (`tar --sort=name`).',
  TAR_PARTED:
    "the files of a sample must have one name before their endings; {what} of {key} may be {member}, which is another name. Give each picture a file of its own name, or put the picture's further words before the first dot.",
  TARS_NONE: '{path} must be a tar, a folder with tars (*.tar), or their address; got {found}. Look at `path`.',
  TARS_EMPTY: 'the tars must hold pictures ({endings}); got {found}. Look at `path`, or name more `formats`.',
  TAR_SAMPLES: 'a tar must have at most {limit:sample}; got more. Divide it into several.',
  TAR_LABEL: 'a label, {member}, must be a whole number from 0; got {found}. Fix the tar, or leave `labels` out.',
  TAR_JSON: 'the fields of a sample, {member}, must be JSON; got {found}. Fix the tar, or leave `fields` out.',
  WEB_ADDRESS: 'an address must be one of http or https; got {found}. Write it out, or give a path of files.',
  WEB_READ: 'the server must send bytes {from} to {to}; got {found}, {tries:time}. Try later, or look at the address.',
  WEB_RANGE:
    'the server must answer requests for part of a file, with its size (206, Content-Range); got {found}. Download the file, and give its path.',
  WEB_CHANGED: 'the file must stay as it was while it is read; it has changed on the server. Begin again.',
  FACES_DETECTOR:
    '`face-crop` must have a detector of faces; {found}. Run `npx patchstream doctor`, which says how to get one.',
  FACES_LANDMARKS:
    '`align` and `landmarks` need a valid model of 68 landmarks in addition to the detector; got {found}. {advice}',
  FACES_ALIGN_SHAPE:
    'a crop that is turned, `align: eyes`, must be square; got `shape: found`. Leave one of the two out.',
  FACES_LARGE:
    'a picture must have at most {most:pixel} and {longest} px a side when it is searched for faces; with `minSide` {minSide} that would be {scanned} px. Raise `minSide`, or make it smaller before.',
  FACES_FAILED:
    'the detector {detector} must get through every picture; got: {reason}. Remove the picture, or take another detector.',
  FACES_NONE:
    'a picture must show a face of at least {minSide} px; got none. Lower `minSide`, or say `onNoFace: drop`.',
  FACES_LABEL:
    '`faces: matching` must get samples with `box`, the labelled place of a face; got {fields}. Take a source with boxes, such as `expw`, or say `faces: all`.',
  SINK_SAMPLE:
    'the records of one sample must fit in one output file; those of the sample at position {position} do not. Produce fewer records per sample.',
  SINK_OPEN:
    'a sink that is opened must give the functions `write`, `commit` and `close`; {sink} gave {found}. Look at its `open`.',
  TRACKER_OPEN: 'a tracker that is opened must give the function `event`; got {found}. Look at its `open`.',
  SINK_WRITE: 'the sink must be able to write {file}; got {reason}. {advice}',
  FILE_WRITE: '{file} must be written whole; got {reason}. {advice}',
  FILE_EXISTS:
    'a file must be written to a new name; got {path}, which is there already. Choose another name, or move it away.',
  SHEET_COLUMN:
    'a column `{column}` of the sheet must have something to show; got samples without `{field}`. Add the stage `{stage}`, or leave the column out.',
} as const;
