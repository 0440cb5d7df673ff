import { readFile } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { z } from 'zod';
import { fail, reasonOf } from '../errors.ts';
import { pathOption } from '../files/path-option.ts';
import { readDocument } from '../pipeline/file/document.ts';
import { child, placeAt, plain, shownFile } from '../pipeline/file/locate.ts';
import { mapPaths } from '../pipeline/file/paths.ts';
import { jsonSchema, parseOptions } from '../pipeline/options.ts';
import { type Problem, Problems } from '../pipeline/problem.ts';

/** What a study file says. A study is a grid of trainings over pipeline files; `docs/studies.md` has one line by line. */

/** Values of options by their paths, as after `--set`: `train.optimizer.adamw.lr`, or with `pretrain.` in front those of the pre-training. */
const laid = z.record(z.string().min(1), z.unknown()).refine(...without('tune.pretrain.'));
const name = z.string().regex(/^\w[\w .+-]{0,59}$/, 'letters, digits, spaces, `.`, `_`, `+` and `-`, at most 60');
/** Several values for each path, or several sets of values by name: all combinations are run. */
const grid = z
  .record(
    z.string().min(1),
    z.union([
      z.array(z.unknown()).min(1).max(1000),
      z.record(name, laid).refine((sets) => Object.keys(sets).length > 0, 'at least one set of values'),
    ]),
  )
  .refine(...without('tune.pretrain.'));
const measured = z.string().regex(/^[\w#-]+\.\w+$/, 'a measure and one of its values, `linear.top1`');
const seedOption = z.int().min(0).max(4_294_967_295);

/** A pre-training is one of all that begins with it: what would hold while it searches alone would make it another one each time. */
function without(prefix: string) {
  const isSound = (values: object) => !Object.keys(values).some((path) => path.startsWith(prefix));
  const expected = `values by path, none of which begins with \`${prefix}\`: the search and the seeds share a pre-training`;
  return [isSound, expected] as const;
}

const tuneOptions = z.strictObject({
  over: grid.describe('Values by path, of which all combinations are tried: the search budget, the same for each arm.'),
  set: laid
    .refine(...without('pretrain.'))
    .default({})
    .describe('Values that hold while it searches, by path: what `evaluate` measures on then is a validation split.'),
  seeds: z.array(seedOption).min(1).max(100).default([0]).describe('The seeds of each try; their mean decides.'),
});

const armOptions = z.strictObject({
  file: pathOption().describe('The pipeline file of the training that is measured.'),
  pretrain: pathOption()
    .optional()
    .describe(
      'The pipeline file of a training before it, with the same seed; its weights are what `file` begins with.',
    ),
  set: laid
    .default({})
    .describe('Values by path, laid over the files as `--set` does; with `tune.` in front, while it searches alone.'),
  measure: measured.optional().describe('What is measured of it, in the place of what is measured of the study.'),
  tune: z
    .strictObject({ over: grid.describe('Values by path, in the place of those of the study.') })
    .optional()
    .describe('Its own values to search among, as many as those of every other arm.'),
});

const studyPart = z.strictObject({
  arms: z.record(name, armOptions).describe('What is compared, by name.'),
  vary: grid
    .default({})
    .describe(
      'Values by path, or sets of them by name, that every arm is run with: each combination is a row of its own.',
    ),
  tune: tuneOptions
    .optional()
    .describe('A search before the seeds: each arm takes the combination that measures best, in each row anew.'),
  seeds: z
    .union([z.int().min(1).max(1000), z.array(seedOption).min(1).max(1000)])
    .default(1)
    .describe('The seeds of each row: a list, or how many, from 1.'),
  measure: measured.describe('What decides and is compared, as `evaluate` measures it at the end.'),
  best: z.enum(['highest', 'lowest']).default('highest').describe('Which value of the measure is the best.'),
  also: z
    .array(measured)
    .default([])
    .describe('Further values that the table shows, of the arms that are measured so.'),
});

export const studyOptions = z.strictObject({
  study: studyPart.describe('The grid.'),
  name: z
    .string()
    .regex(/^[\w][\w.-]{0,99}$/, 'letters, digits, `.`, `_` and `-`, at most 100')
    .optional()
    .describe('Name of the study. Default: the name of its file.'),
  output: pathOption()
    .optional()
    .describe('The folder of all its runs. Default: runs/<name>, in the working directory.'),
});

/** A study as read from its file: paths are absolute. */
export interface Study extends Omit<z.output<typeof studyPart>, 'seeds'> {
  readonly name: string;
  readonly output: string;
  readonly file: string;
  /** The folder of the file: relative paths in it start here. */
  readonly base: string;
  readonly seeds: readonly number[];
}

export type Arm = z.output<typeof armOptions>;

/** Whether a file is a study, and no pipeline: YAML with `study` at its top. What cannot be read is none. */
export async function isStudy(path: string): Promise<boolean> {
  // Whoever reads the file as a pipeline says what is wrong with it.
  const text = await readFile(path, 'utf8').catch(() => '');
  if (!/^study\s*:/m.test(text)) return false;
  const { root } = readDocument(text, path);
  return root !== undefined && child(root, 'study') !== undefined && child(root, 'source') === undefined;
}

/** Reads a study file, YAML. @throws nothing: what is wrong is in `problems`, with its place. */
export async function readStudy(path: string): Promise<{ study?: Study; problems: readonly Problem[] }> {
  const file = resolve(path);
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    const slots = { found: reasonOf(cause), advice: 'Look at the path.' };
    return { problems: [{ error: fail('PIPELINE_FILE', slots, { where: shownFile(file), cause }), place: { file } }] };
  }
  const { root, problems: broken } = readDocument(text, file);
  if (root === undefined) return { problems: broken };
  const problems = new Problems({ origin: { place: (at, key) => placeAt(root, at, key), secrets: [] }, file });
  const { value, problems: wrong } = parseOptions(
    studyOptions,
    mapPaths(plain(root), jsonSchema(studyOptions), (written) => resolve(dirname(file), written)),
    'a study',
  );
  for (const { error, path: at, key } of wrong) problems.add(error, at, { key });
  if (value === undefined) return { problems: [...broken, ...problems.sorted()] };
  const { study, name = standardName(file) } = value;
  const { output = resolve('runs', name) } = value;
  budgetProblems(study, (slots, at) => problems.add(fail('STUDY_BUDGET', slots), at));
  if (Object.keys(study.arms).length === 0) {
    const slots = { option: 'arms', expected: 'at least one arm by its name', advice: ' below `study`' };
    problems.add(fail('OPTION_MISSING', slots), ['study', 'arms']);
  }
  const seeds = typeof study.seeds === 'number' ? Array.from({ length: study.seeds }, (_, i) => i + 1) : study.seeds;
  const all = [...broken, ...problems.sorted()];
  return {
    problems: all,
    ...(all.length === 0 && { study: { ...study, seeds, name, output: resolve(output), file, base: dirname(file) } }),
  };
}

const standardName = (file: string) =>
  basename(file)
    .replace(/\.\w+$/, '')
    .replace(/[^\w.-]+/g, '-');

/** Arms that search among other numbers of values were given unequal chances. */
function budgetProblems(
  { arms, tune }: z.output<typeof studyPart>,
  add: (slots: { found: string }, at: readonly string[]) => void,
): void {
  const tries = (over: z.output<typeof grid>) =>
    Object.values(over).reduce((product, values) => product * Object.keys(values).length, 1);
  for (const [name, arm] of Object.entries(arms)) {
    if (arm.tune === undefined) continue;
    const at = ['study', 'arms', name, 'tune'];
    if (tune === undefined) add({ found: `a search of ${name} alone` }, at);
    else if (tries(arm.tune.over) !== tries(tune.over))
      add({ found: `${tries(arm.tune.over)} tries for ${name} and ${tries(tune.over)} for the others` }, at);
  }
}
