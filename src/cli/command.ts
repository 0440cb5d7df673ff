import { type ParseArgsConfig, parseArgs } from 'node:util';
import { type ErrorCode, fail, nearest, PatchstreamError, printable } from '../errors.ts';
import { nothingThere, systemCode } from '../files/system.ts';
import { withCauses } from '../own-code.ts';
import type { WhichWeights } from '../train/weights/checkpoint.ts';

/** Where a verb reads and writes; a test gives its own. */
export interface Terminal {
  readonly stdout: Output;
  readonly stderr: Output;
  readonly env: Readonly<Record<string, string | undefined>>;
  on(signal: Signal, listener: () => void): unknown;
  off(signal: Signal, listener: () => void): unknown;
  exit(code: number): never;
  /** Of the process, which can send itself a signal. */
  readonly pid?: number;
  kill?(pid: number, signal: Signal): unknown;
}

/** What asks a run to end. */
export type Signal = 'SIGINT' | 'SIGTERM' | 'SIGHUP';

export interface Output {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  write(text: string): unknown;
  /** Tells that what was written could not be: who reads it has left. */
  on?(event: 'error', listener: (error: Error) => void): unknown;
}

/** Characters in a line of a terminal; undefined where a file or another program takes what is written, or the terminal does not say (it then says 0). */
export function columnsOf({ isTTY, columns }: Output): number | undefined {
  return isTTY && columns !== 0 ? columns : undefined;
}

/** What a verb ends with. `unread`: what it had to say was read by nobody. */
export const exits = { ok: 0, failed: 1, usage: 2, SIGHUP: 129, SIGINT: 130, unread: 141, SIGTERM: 143 } as const;

/** What is wrong with the command line itself, whenever that is found. */
const typed: readonly ErrorCode[] = [
  ...(['ARGUMENT', 'PART', 'PART_SINK', 'WATCH_IDLE', 'WATCH_SINK', 'WATCH_SOURCE'] as const),
  ...(['EVALUATE_ON', 'EVALUATE_FOLDER', 'FIGURE_FILE'] as const),
];

/** What the command line or the pipeline names is not there, is empty, or is something else. */
const named: readonly ErrorCode[] = [
  ...(['TRAINED_MISSING', 'TRAINED_NONE', 'WEIGHTS_MISSING', 'WEIGHTS_PIPELINE', 'CHECKPOINT_NONE'] as const),
  ...(['WEIGHTS_BROKEN', 'EXPORT_ENCODER'] as const),
  ...(['RECONSTRUCT_MODEL', 'ATTENTION_DECODER', 'ATTENTION_MODEL', 'ATTENTION_LAYER', 'ATTENTION_PATCH'] as const),
  ...(['COMPARE_RUN', 'COMPARE_ROWS'] as const),
  ...([
    'EMBED_MODEL',
    'PREDICT_MODEL',
    'ONNX_MODEL',
    'ONNX_POOL',
    'ONNX_OPERATION',
    'ONNX_BATCH',
    'VECTORS_NONE',
    'VECTORS_KEY',
    'VECTORS_MODEL',
    'INSPECT_NOTHING',
  ] as const),
  ...(['FOLDER_MISSING', 'FOLDER_FILE', 'FOLDER_EMPTY', 'WEIGHTS_AVERAGE'] as const),
  ...(['SHARDS_NONE', 'TARS_NONE', 'TARS_EMPTY', 'PARQUET_NONE', 'TABLE_EMPTY', 'SELECTION_EMPTY'] as const),
  ...(['SELECTION_ENDLESS', 'MIXTURE_SHARE', 'MIXTURE_CLASSES', 'MIXTURE_ENDLESS'] as const),
  ...(['FOLDER_CLASSES', 'FOLDER_ALIKE', 'TABLE_CLASSES_OTHER'] as const),
];

/** What is to be written has the place of something else, or of what was made otherwise. */
const taken: readonly ErrorCode[] = [
  ...(['FILE_EXISTS', 'EXPORT_EXISTS', 'OUTPUT_OTHER', 'OUTPUT_IN_SOURCE', 'OUTPUT_OVER_SOURCE'] as const),
  ...(['SHARDS_OTHER', 'COMPARED_OTHER', 'CHECKPOINT_MISMATCH'] as const),
];

/** Options, or what they name, do not fit each other, the data or the machine. */
const unfit: readonly ErrorCode[] = [
  ...(['EVALUATE_MISSING', 'RECONSTRUCTION_NONE', 'BACKEND_MISSING', 'DEVICE_MISSING', 'TRAIN_MEMORY'] as const),
  ...([
    'MASK_COUNT',
    'KNN_FEW',
    'TRAIN_TOO_FEW',
    'LABEL_CLASSES',
    'TABLE_COLUMN',
    'TABLE_CLASSES',
    'TABLE_LABELS',
  ] as const),
  ...(['WEIGHTS_FOREIGN', 'WEIGHTS_MISMATCH', 'WEIGHTS_CLASSES', 'TRAINED_UNKNOWN', 'TRAINED_STAGES'] as const),
  ...(['VECTORS_OTHER', 'VECTORS_MIXED', 'CLASSES_DIFFER', 'LABELS_MISSING', 'RUN_FOLDER'] as const),
];

/** What is named cannot be read, or be written to: because it is not there or is something else, or for a reason of the machine, as a right that is not given. */
const unread: readonly ErrorCode[] = [
  ...(['FILE_UNREADABLE', 'FIGURE_PICTURE', 'EMBED_PICTURE', 'OUTPUT_FOLDER', 'FILE_WRITE'] as const),
];

/**
 * The one rule of exit codes, of all verbs: 2 where the command must be written otherwise (the command line or the pipeline is wrong, or what either names is not
 * there, is taken or does not fit, and nothing was begun), 1 where its work has failed. @param begun whether the work had begun: of a run, whether it had `started`.
 */
export function exitOf(error: unknown, { begun }: { readonly begun: boolean }): number {
  if (!(error instanceof PatchstreamError)) return exits.failed;
  const isNamed =
    [...named, ...taken, ...unfit].includes(error.code) || (unread.includes(error.code) && isMissing(error.cause));
  return typed.includes(error.code) || (!begun && isNamed) ? exits.usage : exits.failed;
}

/** Whether there was nothing, or a folder in the place of a file, or the other way round. */
function isMissing(cause: unknown): boolean {
  const codes = [...nothingThere, 'EISDIR', 'EEXIST'];
  return withCauses(cause).some((at) => codes.includes(systemCode(at) ?? ''));
}

/** One verb of the command line. */
export interface Command {
  readonly name: string;
  /** What stands behind the verb: `<pipeline>`. */
  readonly usage: string;
  readonly summary: string;
  readonly options: Readonly<Record<string, CommandOption>>;
  /** True where its work is more than what it prints: it goes on, and ends well, when nobody reads that any more. */
  readonly works?: true;
  /** Returns the exit code. Errors it throws are shown, and exit 1. */
  run(given: Given, terminal: Terminal): Promise<number>;
}

export interface CommandOption {
  readonly type: 'boolean' | 'string';
  readonly multiple?: true;
  readonly about: string;
  /** What the value is called in the help. */
  readonly value?: string;
}

/** The command line of a verb, parsed. */
export interface Given {
  readonly words: readonly string[];
  flag(name: string): boolean;
  text(name: string): string | undefined;
  list(name: string): readonly string[];
}

/**
 * Parses what stands behind a verb.
 *
 * @throws ARGUMENT for an option that the verb does not have, with the nearest one that it has, and for an empty text: as a path it would be the current folder.
 */
export function parseGiven(command: Command, args: readonly string[]): Given {
  const options: NonNullable<ParseArgsConfig['options']> = { help: { type: 'boolean', short: 'h' } };
  for (const [name, { type, multiple }] of Object.entries(command.options))
    options[name] = { type, multiple: multiple ?? false };
  try {
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true, strict: true });
    refuseEmpty(command, positionals, values);
    return {
      words: positionals,
      flag: (name) => values[name] === true,
      text: (name) => (typeof values[name] === 'string' ? values[name] : undefined),
      list: (name) => (Array.isArray(values[name]) ? values[name].filter((value) => typeof value === 'string') : []),
    };
  } catch (cause) {
    if (cause instanceof PatchstreamError) throw cause;
    const names = Object.keys(options).map((name) => `--${name}`);
    const unknown = args.find((arg) => arg.startsWith('--') && !names.includes(arg.split('=', 1)[0]!));
    const slip = unknown && nearest(unknown.split('=', 1)[0]!, names);
    const found = unknown ?? (cause as Error).message;
    throw fail('ARGUMENT', {
      command: `patchstream ${command.name}`,
      found,
      advice: slip ? `Did you mean \`${slip}\`?` : `It knows ${names.join(', ')}.`,
    });
  }
}

/** What a variable of the shell that is not set leaves behind. */
function refuseEmpty(command: Command, words: readonly string[], values: Readonly<Record<string, unknown>>): void {
  const option = Object.entries(values).find(
    ([, value]) => value === '' || (Array.isArray(value) && value.includes('')),
  );
  if (option === undefined && !words.includes('')) return;
  const found =
    option === undefined ? `an empty text in the place of ${command.usage}` : `--${option[0]} with an empty text`;
  const advice = 'Look whether a variable of the shell is not set.';
  throw fail('ARGUMENT', { command: `patchstream ${command.name}`, found, advice });
}

/** Options that are numbers, by their names, where they are given; what is none is for `check` to refuse. */
export function numbersOf<Name extends string>(given: Given, ...names: readonly Name[]): { [_ in Name]?: number } {
  const entries = names.flatMap((name) => {
    const text = given.text(name);
    return text === undefined ? [] : [[name, text.trim() === '' ? text : Number(text)] as const];
  });
  return Object.fromEntries(entries) as { [_ in Name]?: number };
}

/** The one word a verb needs. @throws ARGUMENT when there is none, or more. */
export function onlyWord(command: Command, { words }: Given): string {
  const [word, ...more] = words;
  if (word !== undefined && more.length === 0) return word;
  const found = word === undefined ? `no ${command.usage}` : words.join(' ');
  throw fail('ARGUMENT', {
    command: `patchstream ${command.name}`,
    found,
    advice: `Write \`patchstream ${command.name} ${command.usage}\`.`,
  });
}

/** The help of one verb. */
export function helpOf({ name, usage, summary, options }: Command): string {
  const rows = Object.entries({ ...options, help: { type: 'boolean', about: 'Show this.' } as CommandOption }).map(
    ([option, { type, value = 'value', about }]) =>
      [`--${option}${type === 'string' ? ` <${value}>` : ''}`, about] as const,
  );
  const width = Math.max(...rows.map(([left]) => left.length));
  const lines = rows.map(([left, about]) => `  ${left.padEnd(width)}  ${about}`);
  return `patchstream ${name} ${usage}\n\n${summary}\n\n${lines.join('\n')}\n`;
}

/** The option `--set`, which all verbs that read a pipeline have. */
export const setOption: CommandOption = {
  type: 'string',
  multiple: true,
  value: 'path=value',
  about:
    'Lay a value over the file: train.epochs=1, stages.mask.ratio=0.5; null takes out an option, a stage or a part: evaluate=null. May be repeated.',
};

/** The option `--weights`, of the verbs that use weights. */
export const weightsOption: CommandOption = {
  type: 'string',
  value: 'name',
  about:
    'Which weights of a checkpoint: `ema`, the average that `train.ema` keeps, or `model`, those that are trained. Default: the average where there is one.',
};

/** What `--weights` says, where it is given. @throws ARGUMENT */
export function weightsOf({ name }: Command, given: Given): { readonly weights?: WhichWeights } {
  const weights = given.text('weights');
  if (weights === undefined) return {};
  if (weights === 'ema' || weights === 'model') return { weights };
  const advice = 'It must be `ema` or `model`.';
  throw fail('ARGUMENT', { command: `patchstream ${name}`, found: `--weights ${weights}`, advice });
}

/** The option `--peak`, of the verbs that say how much of its device a training uses. */
export const peakOption: CommandOption = {
  type: 'string',
  value: 'TFLOP/s',
  about:
    'Of a training: what the device could compute, in place of what is known or measured here. 0.2 is 200 GFLOP/s.',
};

/** Says that a `--peak` is compared with nothing, where one was given. @param found why: `the folder of a job computes nothing`. */
export function peakUnused({ text }: Given, found: string, { stderr }: Terminal): void {
  if (text('peak') !== undefined) stderr.write(`--peak is left out: ${printable(found)}.\n`);
}

/** The value of `--peak` in FLOP/s, where it was given. @throws ARGUMENT for what is no number above 0. */
export function peakOf({ text }: Given): { readonly peak?: number } {
  const given = text('peak');
  if (given === undefined) return {};
  const tflops = Number(given);
  if (given.trim() !== '' && tflops > 0 && Number.isFinite(tflops)) return { peak: tflops * 1e12 };
  const advice = 'Write TFLOP/s, as in `--peak 121`.';
  throw fail('ARGUMENT', { command: '--peak', found: given, advice });
}
