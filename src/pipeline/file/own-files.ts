/** What every run writes into its folder. */
export const filesOfRuns = [
  'pipeline.json',
  'source.json',
  'events.jsonl',
  'quarantine.jsonl',
  'finished.json',
] as const;

export const filesOfJobs = ['arrivals.jsonl', 'written.jsonl'] as const;

/** `evaluations.jsonl` is none of them: lines of others stay in it. */
export const filesOfTrainings = [
  'metrics.jsonl',
  'checkpoints',
  'loss.svg',
  'report.html',
  'evaluation.json',
  'reconstruction.png',
] as const;

export const sheetFile = 'sheet.png';

/** All names that patchstream itself gives to files of a run. */
export const ownFiles: readonly string[] = [
  ...filesOfRuns,
  ...filesOfJobs,
  ...filesOfTrainings,
  sheetFile,
  'evaluations.jsonl',
  'run.lock',
  'state.json',
  'model.safetensors',
  'ema.safetensors',
  'optimizer.safetensors',
];
