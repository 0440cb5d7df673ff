import { messageOf, nearest, printable } from '../errors.ts';
import { version } from '../pipeline/version.ts';
import { type Command, exitOf, exits, helpOf, parseGiven, type Terminal } from './command.ts';
import { hiding } from './hidden.ts';
import { enduring, hangupsIgnored } from './outputs.ts';

/** Every verb, in the order of the help. Each is loaded when it is called: most of them import most of the program. */
const verbs: Readonly<Record<string, () => Promise<Command>>> = {
  run: async () => (await import('./run.ts')).run,
  evaluate: async () => (await import('./evaluate.ts')).evaluate,
  reconstruct: async () => (await import('./figures/reconstruct.ts')).reconstruct,
  attention: async () => (await import('./figures/attention.ts')).attention,
  compare: async () => (await import('./figures/compare.ts')).compare,
  predict: async () => (await import('./use/use.ts')).predict,
  embed: async () => (await import('./use/use.ts')).embed,
  search: async () => (await import('./search/search.ts')).search,
  duplicates: async () => (await import('./duplicates/duplicates.ts')).duplicates,
  study: async () => (await import('./study.ts')).study,
  inspect: async () => (await import('./inspect/inspect.ts')).inspect,
  export: async () => (await import('./export.ts')).exportWeights,
  check: async () => (await import('./check.ts')).check,
  describe: async () => (await import('./describe.ts')).describe,
  profile: async () => (await import('./profile.ts')).profile,
  doctor: async () => (await import('./doctor/doctor.ts')).doctor,
};

/** The command of a verb; undefined where there is none of this name. */
async function commandOf(verb: string | undefined): Promise<Command | undefined> {
  return verb !== undefined && Object.hasOwn(verbs, verb) ? verbs[verb]!() : undefined;
}

/** Every command, in the order of the help. */
export function commands(): Promise<Command[]> {
  return Promise.all(Object.values(verbs).map((load) => load()));
}

/**
 * The command line: runs a verb and returns the exit code. Nothing from outside reaches the terminal unescaped. A reader who leaves ends no verb: what works
 * goes on, and what only prints ends with 141 where it would have ended with 0. Hang-ups are not heard where they were ignored at the start.
 */
export async function main(args: readonly string[], given: Terminal): Promise<number> {
  const ignore = () => {};
  // Before anything is loaded, which takes a while.
  const deaf = hangupsIgnored(given.env);
  if (deaf) given.on('SIGHUP', ignore);
  try {
    const command = await commandOf(args[0]);
    const works = command?.works === true;
    const outputs = enduring(given, (reason) => {
      if (!works) return;
      outputs.terminal.stderr.write(
        `\nThe output is closed (${printable(reason)}); the run continues, and events.jsonl in its folder has the same lines.\n`,
      );
    });
    const code = await runVerb(args, command, outputs.terminal);
    return code === exits.ok && !works && (await outputs.unread()) ? exits.unread : code;
  } finally {
    if (deaf) given.off('SIGHUP', ignore);
  }
}

async function runVerb(args: readonly string[], command: Command | undefined, terminal: Terminal): Promise<number> {
  const [verb, ...rest] = args;
  if (verb === undefined || verb === 'help' || verb === '--help' || verb === '-h') {
    const about = await commandOf(rest[0]);
    terminal.stdout.write(about ? helpOf(about) : helpOn(await commands()));
    return verb === undefined ? exits.usage : exits.ok;
  }
  if (verb === '--version' || verb === '-v') {
    terminal.stdout.write(`${version()}\n`);
    return exits.ok;
  }
  if (command === undefined) {
    const names = Object.keys(verbs);
    const slip = nearest(verb, names);
    const advice = slip ? `Did you mean \`${slip}\`?` : `The verbs are ${names.join(', ')}.`;
    terminal.stderr.write(`patchstream: there is no verb \`${printable(verb)}\`. ${advice}\n`);
    return exits.usage;
  }
  const shown = hiding(terminal);
  try {
    const given = parseGiven(command, rest);
    if (given.flag('help')) {
      terminal.stdout.write(helpOf(command));
      return exits.ok;
    }
    return await command.run(given, shown);
  } catch (error) {
    shown.stderr.write(`${messageOf(error)}\n`);
    if (terminal.env.PATCHSTREAM_DEBUG && error instanceof Error) shown.stderr.write(`${error.stack}\n`);
    return exitOf(error, { begun: false });
  }
}

function helpOn(commands: readonly Command[]): string {
  const width = Math.max(...commands.map(({ name, usage }) => name.length + usage.length + 1));
  const lines = commands.map(({ name, usage, summary }) => `  ${`${name} ${usage}`.padEnd(width)}  ${summary}`);
  return `patchstream: image patches, streamed\n\n${lines.join('\n')}\n\n  patchstream <verb> --help    what a verb takes\n  patchstream --version\n`;
}
