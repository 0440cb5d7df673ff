/** Pipeline files and the command line. */
export const pipelineErrors = {
  PIPELINE_FILE:
    'a pipeline file must be readable and end in .yaml, .yml, .ts, .mts, .js or .mjs; got {found}. {advice}',
  PIPELINE_SIZE:
    'a pipeline file must be at most {most} large; got {found}. Keep data in files of its own and name them here.',
  PIPELINE_YAML: 'a pipeline file must be plain YAML; got {found}. {advice}',
  PIPELINE_EXPORT:
    'a pipeline module must export a pipeline as its default; got {found}. Write `export default definePipeline(…)`.',
  PIPELINE_VALUE:
    'a pipeline must be one that `definePipeline` has made; got {found}. Of a file that is `(await checkFile(file, { registry: builtin })).resolved.definition`.',
  PIPELINE_ENDS: 'a pipeline must end in either `train` or `sink`; got {found}. {advice}',
  PIPELINE_PROBLEMS:
    'a pipeline must have no problems; got {count}: {list} Fix them; `patchstream check` shows those of a file with their lines.',
  EXTENDS_CIRCLE: '`extends` must end at a file that extends nothing; got a circle, {circle}. Take one link out.',
  EXTENDS_MANY: 'a pipeline must be made of at most {most:file}; got more by `extends`. Merge them into fewer files.',
  ENVIRONMENT_MISSING: 'the environment variable {name} must be set; got nothing. {advice}',
  SET_PATH: '`--set` must name an option as path=value; got {found}. {advice}',
  STUDY_BUDGET:
    'every arm of a study must be searched as long as the others; got {found}. Give each arm as many values, or leave `tune` of the arm out.',
  STUDY_MEASURE:
    'the {option} of a study must be a value that `evaluate` measures at the end of each training; got `{value}`. {advice}',
  STUDY_SEARCH:
    'a search must be measured on other pictures than the seeds; got {source} for both, in {row}. Name others where it searches: `tune: { set: … }`, or a path that begins with `tune.`; a tenth that no training reads is `fold: 1/10`, and `without: 1/10` for the training.',
  STUDY_TRAIN: 'what a study runs must be a training; got {found}. Write `train` in that file.',
  STUDY_NO_PIPELINE: 'a pipeline file must be one; got a study. Run it with `patchstream study {file}`.',
  PIPELINE_MODULE: 'the module of a pipeline must load; got {found}. Fix it, or what it imports.',
  USE_MODULE:
    'a module under `use` must load; got {found}. Fix the module, or the path, which is relative to the file that names it.',
  USE_EXPORTS:
    'a module under `use` must export stages, sources, sinks, models, measures or trackers, such as `export const mine = defineStage(…)`; got {found}. Export one.',
  NAME_TAKEN: 'the name of a {kind} must be free; got `{name}`, which is registered already. Choose another name.',
  NAME_UNKNOWN: 'a {kind} must be one that is registered; got `{name}`. {advice}',
  NAME_ENTRY: 'a {kind} must be a name, or a map with one name and its options; got {found}. {advice}',
  OPTION_UNKNOWN: '{owner} has no option `{option}`. {advice}',
  OPTION_MISSING: '`{option}` must be given: {expected}; got nothing. Add it{advice}.',
  OPTION_VALUE: '`{option}` must be {expected}; got {found}. {advice}',
  OPTION_ONE_OF: 'exactly one of {options} must be given; got {found}. {advice}',
  JUDGED_EVERY:
    'what judges checkpoints must be measured while the training goes on; `evaluate` measures {measure} at its ends at most. Add `evaluate: { every: { epochs: 1 } }` and the measure.',
  JUDGED_UNKNOWN:
    'checkpoints must be judged by a number that `evaluate` measures, one of {known}; got {found}. Name one of these, or add its measure to `evaluate`.',
  JUDGED_BETTER:
    'it must be known whether higher or lower values of {measure} are better; its measure does not say. Add `better: higher` or `better: lower`.',
  STAGE_VALUE:
    'a stage must be made by a stage factory, each(fn) or operator(op); got {found}. Call the factory: `decode()`, not `decode`.',
  STAGE_ID_TWICE: 'the ids of stages must differ; got `{id}` twice. Give one of the two an `id` of its own.',
  STAGE_BROKEN:
    '{owner} must get through its `{hook}` without an error; got: {found}. Look at `{hook}` of its definition.',
  FIELD_MISSING: '{owner} must get samples with `{field}`; got {fields}. {advice}',
  FIELD_LOOSE: 'what enters a batch must have a fixed size; `{field}` has none. {advice}',
  CELLS_TOO_FEW:
    '`cells` must be at least twice the micro-batch plus a cell per thread, {needed}; got {cells}. Raise `cells` or leave it out.',
  MICRO_BATCH: '`microBatch` must divide `batch`, {batch}; got {found}. {advice}',
  PORT_TAKEN:
    'the port {port} of {host} must be free to serve metrics at; got {found}. Name another `port`; 0 takes any that is free.',
  RUN_FOLDER:
    'the folder of a training must hold pipeline.json, metrics.jsonl and events.jsonl; got: {found}. Name the `output` of a pipeline that was run.',
  ARGUMENT: 'the command line must be one that `{command} --help` shows; got {found}. {advice}',
  INSPECT_NOTHING: '{path} must be something that `inspect` can read: {kinds}; got {found}. Check the path.',
} as const;
