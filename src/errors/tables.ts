/** Sources that read tables: lists of pictures, files of Parquet, and mixtures of sources. */
export const tablesErrors = {
  MANIFEST_FORM:
    'the form of a list of pictures must be known; got {found}. Let its name end in .csv, .tsv, .jsonl or .ndjson, or say `format`.',
  MANIFEST_BROKEN: 'a list of pictures must be {expected}; got, in line {line}: {found}. Fix the line{advice}.',
  TABLE_COLUMN:
    'the table must have the column {column}; got {found}. Name it in `columns` of the source, rename it in the table, or leave {option} out.',
  TABLE_COLUMNS: 'the columns of a table must have different names; got {column} twice. Rename one.',
  TABLE_ROW: 'a row must have {expected}; got, in {place}: {found}. Fix the row{advice}.',
  TABLE_EMPTY: '{path} must have at least one row {expected}; got {found}. Look at `{option}`.',
  TABLE_LABELS:
    'labels must be whole numbers from 0, or names that are no numbers, one or the other; got {first} in {firstPlace} and {found} in {place}. Say `classes`, the list of names in the order of their numbers, or fix the rows.',
  PARQUET_NONE:
    '{path} must be a file of Parquet, a folder or a pattern of them (*.parquet), or their address; got {found}. Look at `path`.',
  PARQUET_BROKEN: 'a file of Parquet must be whole and as it was written; got, {place}: {found}. Fetch it again.',
  TABLE_CLASSES_OTHER:
    'tables with labels must have the same classes; {file} has others than {first}: {found}. Say `classes`, the names of all in the order of their numbers, or read them by two pipelines.',
  TABLE_CLASSES: '`classes` must be the names of all classes, each once and none empty; got {found}. Fix the list.',
  MIXTURE_NAMES: 'the parts of a mixture must have different names; got {name} twice. Say `name` of one.',
  MIXTURE_NESTED:
    'the parts of a mixture must be other sources; got a mixture. Write its parts beside the others, with its weight times theirs.',
  MIXTURE_WEIGHTS:
    'either each part of a mixture has a `weight`, or none has; got {found} of {count} with one. Say the others, or take it out.',
  MIXTURE_SPEC:
    'each part of a mixture must say what its samples hold; got no spec of {part}, part {number}. Have `spec` of its definition give one, as `{ fields: { bytes: "bytes" } }`.',
  MIXTURE_FIELDS:
    'the parts of a mixture must all have pictures as `bytes`, or all as `picture`; got {found}. Write those of one as `shards` first, or take it out.',
  MIXTURE_CLASSES:
    'labels of a mixture must mean the same classes in all parts; {part} has others than {first}: {found}. Read the labels of one by `manifest` with `classes`, or take `labels` out of one part.',
  MIXTURE_SHARE:
    'each part of a mixture must have a sample in an epoch; got none of {part} among {samples:sample}. Raise its `weight`, `samples` or `limit`.',
  MIXTURE_ENDLESS:
    'the parts of a mixture must have an end; got {part}, which has none. Take it out, or pass over it alone.',
} as const;
