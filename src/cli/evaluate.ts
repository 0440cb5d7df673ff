import { existsSync } from 'node:fs';
import { lstat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { fail, messageOf, printable } from '../errors.ts';
import { telling } from '../measures/define.ts';
import type { Registry } from '../pipeline/registry.ts';
import { refuseAmongSources } from '../pipeline/resolve/overlap.ts';
import { type Resolved, resolvePipeline } from '../pipeline/resolve/resolve.ts';
import { type Evaluation, evaluateModel, reconstructionOf } from '../runs/training/evaluation.ts';
import { evaluationLines } from '../runs/training/evaluation-text.ts';
import { heldOutLines } from '../runs/training/held-out.ts';
import type { Failure } from '../streams/failures.ts';
import { unlessGone } from '../whole-file.ts';
import { problemLines } from './check.ts';
import {
  type Command,
  type CommandOption,
  exits,
  type Given,
  onlyWord,
  setOption,
  type Terminal,
  weightsOf,
  weightsOption,
} from './command.ts';
import { writeFigure } from './figures/output.ts';
import { readPipeline } from './read.ts';

const shared = {
  set: setOption,
  weights: weightsOption,
  on: { type: 'string', value: 'folder', about: 'A folder of pictures, instead of the one that `evaluate` names.' },
  checkpoint: {
    type: 'string',
    value: 'path',
    about: "A checkpoint's folder or a .safetensors file, instead of the run's newest checkpoint.",
  },
} as const satisfies Readonly<Record<string, CommandOption>>;

/** `patchstream evaluate <pipeline>` */
export const evaluate: Command = {
  name: 'evaluate',
  usage: '<pipeline>',
  summary: 'Measure a trained model on pictures that it was not trained on, as the pipeline says under `evaluate`.',
  options: { ...shared, json: { type: 'boolean', about: 'Print the numbers as JSON.' } },
  async run(given, terminal) {
    const resolved = await resolvedOf(evaluate, given, terminal);
    if (resolved === undefined) return exits.usage;
    const made = await evaluateModel(resolved, { ...optionsOf(evaluate, given, terminal), pictures: 0 });
    sayHeldOut(made, terminal);
    if (given.flag('json')) terminal.stdout.write(`${JSON.stringify(numbersOf(made))}\n`);
    else terminal.stdout.write(`${evaluationLines(made.results).map(printable).join('\n')}\n`);
    return exits.ok;
  },
};

/** The options of `reconstruct <pipeline>`, beside `--output`. */
export const heldOutOptions = {
  ...shared,
  pictures: {
    type: 'string',
    value: 'number',
    about: 'Of a pipeline: how many pictures to draw, 1 to 64. Default 8.',
  },
} as const satisfies Readonly<Record<string, CommandOption>>;

/** `patchstream reconstruct <pipeline>`: a PNG of pictures that the model has not seen, by default a new one in the run's folder. */
export async function drawHeldOut(command: Command, given: Given, terminal: Terminal): Promise<number> {
  const count = given.text('pictures') ?? '8';
  if (!/^\d+$/.test(count) || Number(count) < 1 || Number(count) > 64) {
    const slots = { command: 'patchstream reconstruct', found: `--pictures ${count}` };
    throw fail('ARGUMENT', { ...slots, advice: 'It must be a number from 1 to 64.' });
  }
  const resolved = await resolvedOf(command, given, terminal, { restoring: true });
  if (resolved === undefined) return exits.usage;
  const measures = [reconstructionOf(resolved)];
  // Said before the work. No picture is drawn over another.
  const path = given.list('output').at(-1) ?? freePicture(resolved.definition.output, given.text('on'));
  refuseAmongSources(path, resolved, given.text('on'));
  if ((await lstat(path).catch(unlessGone)) !== undefined) throw fail('FILE_EXISTS', { path });
  const options = { ...optionsOf(command, given, terminal), measures, pictures: Number(count) };
  const made = await evaluateModel(resolved, options);
  sayHeldOut(made, terminal);
  await writeFigure(path, await made.results[0]!.draw!());
  terminal.stdout.write(`restored pictures: ${path}\n`);
  return exits.ok;
}

/** The numbers of an evaluation as one map: those of a measure that stands alone, and each other measure by its id. */
function numbersOf({ results, sums }: Evaluation): object {
  const parts = results.map(({ measure: { id, definition }, numbers, notes = [] }) =>
    definition.single
      ? { ...numbers, notes }
      : { [id]: { ...telling(definition, numbers), ...(notes.length > 0 && { notes }) } },
  );
  return { ...Object.assign({}, ...parts), sums };
}

function sayHeldOut({ sums }: Evaluation, { stderr }: Terminal): void {
  for (const line of heldOutLines(sums)) stderr.write(`${printable(line)}\n`);
}

function optionsOf(command: Command, given: Given, { stderr }: Terminal) {
  return {
    which: weightsOf(command, given).weights,
    on: given.text('on'),
    checkpoint: given.text('checkpoint'),
    onLine: (text: string) => stderr.write(`${printable(text)}\n`),
    onFailure: ({ stage, key, error }: Failure) =>
      stderr.write(`failed in ${printable(stage)}: ${printable(key)}: ${messageOf(error)}\n`),
  };
}

/** A pipeline that measures no restoration, with one on a folder; undefined after its problems have been told. */
function measuredOn(
  { definition }: Resolved,
  registry: Registry,
  on: string,
  { stderr }: Terminal,
): Resolved | undefined {
  const resolved = resolvePipeline({ ...definition, evaluate: { reconstruction: { on } } }, registry);
  for (const line of problemLines(resolved.problems)) stderr.write(`${line}\n`);
  return resolved.problems.length > 0 ? undefined : resolved;
}

/** A name that no picture has: the run's own, and those that were drawn before, stay. */
function freePicture(folder: string, on: string | undefined): string {
  const stem = on === undefined ? 'reconstruction' : `reconstruction-${basename(resolve(on))}`;
  for (let n = 1; ; n++) {
    const path = join(folder, `${stem}${n === 1 ? '' : `-${n}`}.png`);
    if (!existsSync(path)) return path;
  }
}

/** The pipeline of the command line, or undefined after its problems have been told. */
async function resolvedOf(
  command: Command,
  given: Given,
  terminal: Terminal,
  { restoring = false } = {},
): Promise<Resolved | undefined> {
  const file = onlyWord(command, given);
  const { resolved, registry, problems } = await readPipeline(file, given.list('set'), terminal);
  const on = given.text('on');
  const restores = resolved?.evaluate?.measures.some(({ definition }) => definition.name === 'reconstruction') ?? false;
  const measured = restoring ? restores : resolved?.evaluate !== undefined;
  if (problems.length === 0 && resolved?.train !== undefined && on !== undefined && !measured) {
    return measuredOn(resolved, registry, resolve(on), terminal);
  }
  for (const line of problemLines(problems)) terminal.stderr.write(`${line}\n`);
  return problems.length > 0 ? undefined : resolved;
}
