import { basename, join, resolve } from 'node:path';
import { fail, printable } from '../../errors.ts';
import { embed as embedStage, predict as predictStage } from '../../inference/index.ts';
import { photoStages } from '../../inference/photos.ts';
import { foundTrained } from '../../inference/trained.ts';
import { builtin } from '../../pipeline/builtin.ts';
import { check } from '../../pipeline/check.ts';
import { type Definition, define } from '../../pipeline/definition.ts';
import { parsePart, partFolder } from '../../pipeline/part.ts';
import { writtenSource } from '../../runs/loader/written-source.ts';
import type { Sink } from '../../sinks/sink.ts';
import type { Source } from '../../sources/source.ts';
import type { Stage } from '../../streams/stage.ts';
import type { WhichWeights } from '../../train/weights/checkpoint.ts';
import { problemLines } from '../check.ts';
import {
  type Command,
  type CommandOption,
  columnsOf,
  exits,
  type Given,
  numbersOf,
  type Terminal,
  weightsOf,
  weightsOption,
} from '../command.ts';
import { jobOptions, runShown } from '../run.ts';
import { sayArrived } from './arrived.ts';
import { nameOf, picturesAt } from './pictures.ts';
import { predictionLines, readPredictions, writePredictionSheet } from './predictions.ts';

const shared = {
  output: { type: 'string', value: 'folder', about: 'The folder to write; a job that was stopped resumes in it.' },
  weights: weightsOption,
  batch: { type: 'string', value: 'number', about: 'How many pictures the model computes at a time. Default 32.' },
  ...jobOptions,
} as const satisfies Readonly<Record<string, CommandOption>>;

/** `patchstream predict <run> <photos>` */
export const predict: Command = {
  name: 'predict',
  usage: '<run> <photos>',
  works: true,
  summary:
    'Name the classes of pictures (a folder, a list, a table of Parquet) by a classifier that was trained before.',
  options: {
    top: { type: 'string', value: 'number', about: 'How many of the likeliest classes are named. Default 1.' },
    format: formatOption(['jsonl', 'parquet']),
    sheet: { type: 'string', value: 'file.html', about: 'Write a page that shows the pictures of each class.' },
    ...shared,
  },
  async run(given, terminal) {
    const [from, photos] = twoWords(predict, given);
    const source = await picturesAt(photos);
    const options = { from, ...weightsOf(predict, given), ...numbersOf(given, 'top', 'batch') };
    const output = outputOf('predictions', given, from, photos);
    const format = formatOf(predict, given, ['jsonl', 'parquet']);
    const sheet = given.text('sheet');
    if (sheet !== undefined && format !== 'jsonl') {
      const found = `--sheet with --format ${format}`;
      throw fail('ARGUMENT', { command: 'patchstream predict', found, advice: 'Leave --format out.' });
    }
    const code = await use(options, predictStage(options), { source, photos, given, terminal, output, format });
    if (code !== exits.ok || format !== 'jsonl') return code;
    const folder = join(folderOf(output, given, terminal), 'jsonl');
    const predictions = await readPredictions(folder);
    if (!given.flag('json'))
      for (const line of predictionLines(predictions, folder, columnsOf(terminal.stdout)))
        terminal.stdout.write(`${line}\n`);
    if (sheet === undefined) return code;
    for (const line of await writePredictionSheet(sheet, writtenSource(source), predictions))
      terminal.stderr.write(`${printable(line)}\n`);
    if (!given.flag('json')) terminal.stdout.write(`${sheet}\n`);
    return code;
  },
};

/** `patchstream embed <run> <photos>` */
export const embed: Command = {
  name: 'embed',
  usage: '<run> <photos>',
  works: true,
  summary: 'Turn pictures (a folder, a list, a table of Parquet) into vectors, by an encoder that was trained before.',
  options: {
    pool: {
      type: 'string',
      value: 'name',
      about:
        "What a vector is: `mean` over the patches' tokens, `cls`, or `patches`. Default: what the head of a classifier reads; of other models `mean`.",
    },
    format: formatOption(['parquet', 'npy', 'jsonl']),
    ...shared,
  },
  async run(given, terminal) {
    const [from, photos] = twoWords(embed, given);
    const source = await picturesAt(photos);
    const pool = given.text('pool') as 'mean' | undefined;
    const weights = weightsOf(embed, given);
    const options = { from, ...weights, ...(pool !== undefined && { pool }), ...numbersOf(given, 'batch') };
    const output = outputOf('vectors', given, from, photos);
    const format = formatOf(embed, given, ['parquet', 'npy', 'jsonl']);
    return use(options, embedStage(options), { source, photos, given, terminal, output, format });
  },
};

/** A folder for each model and folder of pictures: results of one are not those of another. */
function outputOf(what: string, given: Given, from: string, photos: string): string {
  return resolve(given.text('output') ?? join(what, basename(resolve(from)), nameOf(photos)));
}

interface Using {
  readonly source: Source;
  /** What the command line calls it. */
  readonly photos: string;
  readonly given: Given;
  readonly terminal: Terminal;
  /** The job's folder, absolute. */
  readonly output: string;
  readonly format: string;
}

/** Runs the pipeline of the verb: its pictures, brought to where the model takes them. @returns the exit code. */
async function use(
  { from, weights }: { readonly from: string; readonly weights?: WhichWeights },
  last: Stage,
  { source, photos, given, terminal, output, format }: Using,
) {
  const trained = foundTrained(from, process.cwd(), weights);
  const definition: Definition = define({
    name: 'pictures',
    source,
    stages: [...photoStages(trained, builtin.stages), last],
    sink: sinkNamed(format),
    output,
    ...numbersOf(given, 'threads', 'reads'),
  });
  const problems = check(definition, builtin);
  for (const line of problemLines(problems)) terminal.stderr.write(`${line}\n`);
  if (problems.length > 0) return exits.usage;
  if (!given.flag('fresh') && !given.flag('watch')) await sayArrived(output, source, photos, terminal);
  return runShown(definition, given, terminal, builtin);
}

function sinkNamed(name: string): Sink {
  return { sink: { name, options: {}, definition: builtin.sinks.get(name)! } };
}

function formatOption(formats: readonly [string, ...string[]]): CommandOption {
  const [first, ...others] = formats;
  return { type: 'string', value: 'name', about: `What is written: ${first} (the default), ${others.join(' or ')}.` };
}

/** @throws ARGUMENT */
function formatOf({ name }: Command, given: Given, formats: readonly [string, ...string[]]): string {
  const format = given.text('format') ?? formats[0];
  if (formats.includes(format)) return format;
  const advice = `It must be one of ${formats.join(', ')}.`;
  throw fail('ARGUMENT', { command: `patchstream ${name}`, found: `--format ${format}`, advice });
}

/** @throws ARGUMENT unless there are two words. */
function twoWords({ name, usage }: Command, { words }: Given): [string, string] {
  const [first, second, ...more] = words;
  if (first !== undefined && second !== undefined && more.length === 0) return [first, second];
  const advice = `Write \`patchstream ${name} ${usage}\`.`;
  throw fail('ARGUMENT', { command: `patchstream ${name}`, found: words.join(' ') || 'nothing', advice });
}

/** Where the run's own files lie. */
function folderOf(output: string, given: Given, { env }: Terminal): string {
  const part = given.text('part');
  return part === undefined ? output : join(output, partFolder(parsePart(part, env)));
}
