import { fail, messageOf, PatchstreamError } from '../errors.ts';
import type { RunEvent } from '../events/events.ts';
import type { Definition } from '../pipeline/definition.ts';
import { parsePart } from '../pipeline/part.ts';
import type { Registry } from '../pipeline/registry.ts';
import { type RunOptions, run as runPipeline } from '../runs/run.ts';
import { problemLines } from './check.ts';
import {
  type Command,
  type CommandOption,
  exitOf,
  exits,
  type Given,
  onlyWord,
  type Signal,
  setOption,
  type Terminal,
} from './command.ts';
import { endNow, StillWatch } from './ending.ts';
import { hangupsIgnored } from './outputs.ts';
import { viewOf } from './progress.ts';
import { readPipeline } from './read.ts';

/** The options of every verb that runs a job. */
export const jobOptions = {
  threads: { type: 'string', value: 'number', about: 'Loader threads; short for --set threads=number.' },
  reads: { type: 'string', value: 'number', about: 'Reads in flight; short for --set reads=number.' },
  fresh: { type: 'boolean', about: 'Start anew, whatever an earlier run has left.' },
  part: {
    type: 'string',
    value: 'i/n',
    about:
      'Process part i of n of a job, while other machines process the rest; auto/n takes i from a Kubernetes indexed job or a Slurm array.',
  },
  watch: {
    type: 'boolean',
    about: 'Keep a job running: take the files that arrive in the folder of its source, until it is stopped.',
  },
  idle: {
    type: 'string',
    value: 'seconds',
    about: 'With --watch: close a shard after so long without a new sample. Default 30.',
  },
  json: { type: 'boolean', about: 'Print events as JSON, one per line.' },
} as const satisfies Readonly<Record<string, CommandOption>>;

/** `patchstream run <pipeline>` */
export const run: Command = {
  name: 'run',
  usage: '<pipeline>',
  works: true,
  summary: 'Run a pipeline to its end: a job into its sink, or a training.',
  options: {
    set: setOption,
    seed: { type: 'string', value: 'number', about: 'The seed of all chance; short for --set seed=number.' },
    ...jobOptions,
  },
  async run(given, terminal) {
    const file = onlyWord(run, given);
    const { resolved, registry, problems } = await readPipeline(file, setsOf(given), terminal);
    for (const line of problemLines(problems)) terminal.stderr.write(`${line}\n`);
    if (resolved === undefined || problems.length > 0) return exits.usage;
    return runShown(resolved.definition, given, terminal, registry);
  },
};

/**
 * Runs a pipeline, shows its events, and ends well by a signal. @param given may hold `part`, `watch`, `idle`, `fresh` and `json`, as `run` has them.
 * @returns the exit code.
 */
export async function runShown(
  definition: Definition,
  given: Given,
  terminal: Terminal,
  registry: Registry,
): Promise<number> {
  const { stdout, stderr, env } = terminal;
  const written = given.text('part');
  const part = written === undefined ? undefined : parsePart(written, env);
  const view = viewOf({ out: stdout, log: stderr, json: given.flag('json') });
  const stop = signals(terminal, (text) => stderr.write(`\n${text}\n`));
  let begun = false;
  try {
    const options = {
      registry,
      signal: stop.signal,
      fresh: given.flag('fresh'),
      onEvent(event: RunEvent) {
        begun ||= event.type === 'started';
        view(event);
      },
      ...(part && { part }),
      ...watchOf(given),
    };
    await runPipeline(definition, options);
    // Only what is watched ends well by a signal.
    return stop.received() === undefined ? exits.ok : exits[stop.received()!];
  } catch (error) {
    if (given.flag('json')) stdout.write(`${JSON.stringify({ type: 'error', ...errorJson(error) })}\n`);
    stderr.write(`${messageOf(error)}\n`);
    return stop.received() ? exits[stop.received()!] : exitOf(error, { begun });
  } finally {
    stop.forget();
  }
}

/** @throws WATCH_IDLE */
function watchOf(given: Given): Pick<RunOptions, 'watch'> {
  const written = given.text('idle');
  const idleSeconds = Number(written);
  if (written !== undefined && !(given.flag('watch') && written.trim() !== '' && idleSeconds > 0)) {
    throw fail('WATCH_IDLE', { found: given.flag('watch') ? written : 'no --watch' });
  }
  if (!given.flag('watch')) return {};
  return { watch: written === undefined ? true : { idleSeconds } };
}

function setsOf(given: Given): string[] {
  const short = ['seed', 'threads', 'reads'].flatMap((name) => {
    const value = given.text(name);
    return value === undefined ? [] : [`${name}=${value}`];
  });
  return [...given.list('set'), ...short];
}

function errorJson(error: unknown): Record<string, unknown> {
  if (error instanceof PatchstreamError) return { code: error.code, message: error.text, where: error.where };
  return { message: messageOf(error) };
}

/** Whether the process was asked to end. */
export interface Stopping {
  readonly signal: AbortSignal;
  /** What has asked. */
  received(): Signal | undefined;
  /** Hears no more. */
  forget(): void;
}

/**
 * The first signal asks the run to end well, the second ends the process, and so does a process that stands still after the first. A terminal that closes may say so several times: that asks once, and not at all
 * where hang-ups were ignored at the start.
 */
export function signals(terminal: Terminal, say: (text: string) => void): Stopping {
  const controller = new AbortController();
  let received: Signal | undefined;
  let rest = () => {};
  const listen = (signal: Signal) => () => {
    if (received !== undefined) {
      if (signal !== 'SIGHUP') endNow(terminal, signal, listeners);
      return;
    }
    received = signal;
    say('stopping after what is under way; again stops at once');
    const still = new StillWatch(() => {
      say('the current work makes no progress: stopping at once');
      endNow(terminal, signal, listeners);
    });
    rest = still.start();
    controller.abort(signal);
  };
  const names: readonly Signal[] = hangupsIgnored(terminal.env)
    ? ['SIGINT', 'SIGTERM']
    : ['SIGINT', 'SIGTERM', 'SIGHUP'];
  const listeners: (readonly [Signal, () => void])[] = names.map((signal) => [signal, listen(signal)] as const);
  for (const [signal, listener] of listeners) terminal.on(signal, listener);
  return {
    signal: controller.signal,
    received: () => received,
    forget: () => {
      rest();
      for (const [signal, listener] of listeners) terminal.off(signal, listener);
    },
  };
}
