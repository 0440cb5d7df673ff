import { messageOf, nearest, printable } from '../errors.ts';
import { version } from '../pipeline/version.ts';
import { check } from './check.ts';
import { type Command, exitOf, exits, helpOf, parseGiven, type Terminal } from './command.ts';
import { describe } from './describe.ts';
import { doctor } from './doctor/doctor.ts';
import { duplicates } from './duplicates/duplicates.ts';
import { evaluate } from './evaluate.ts';
import { exportWeights } from './export.ts';
import { attention } from './figures/attention.ts';
import { compare } from './figures/compare.ts';
import { reconstruct } from './figures/reconstruct.ts';
import { hiding } from './hidden.ts';
import { inspect } from './inspect/inspect.ts';
import { enduring, hangupsIgnored } from './outputs.ts';
import { profile } from './profile.ts';
import { run } from './run.ts';
import { search } from './search/search.ts';
import { study } from './study.ts';
import { embed, predict } from './use/use.ts';

/** Every verb, in the order of the help. */
export const commands: readonly Command[] = [
  run,
  evaluate,
  reconstruct,
  attention,
  compare,
  predict,
  embed,
  search,
  duplicates,
  study,
  inspect,
  exportWeights,
  check,
  describe,
  profile,
  doctor,
];

/**
 * The command line: runs a verb and returns the exit code. Nothing from outside reaches the terminal unescaped. A reader who leaves ends no verb: what works
 * goes on, and what only prints ends with 141 where it would have ended with 0. Hang-ups are not heard where they were ignored at the start.
 */
export async function main(args: readonly string[], given: Terminal): Promise<number> {
  const works = commands.find(({ name }) => name === args[0])?.works === true;
  const outputs = enduring(given, (reason) => {
    if (!works) return;
    outputs.terminal.stderr.write(
      `\nThe output is closed (${printable(reason)}); the run continues, and events.jsonl in its folder has the same lines.\n`,
    );
  });
  const ignore = () => {};
  const deaf = hangupsIgnored(given.env);
  if (deaf) given.on('SIGHUP', ignore);
  try {
    const code = await runVerb(args, outputs.terminal);
    return code === exits.ok && !works && (await outputs.unread()) ? exits.unread : code;
  } finally {
    if (deaf) given.off('SIGHUP', ignore);
  }
}

async function runVerb(args: readonly string[], terminal: Terminal): Promise<number> {
  const [verb, ...rest] = args;
  if (verb === undefined || verb === 'help' || verb === '--help' || verb === '-h') {
    const about = commands.find(({ name }) => name === rest[0]);
    terminal.stdout.write(about ? helpOf(about) : help());
    return verb === undefined ? exits.usage : exits.ok;
  }
  if (verb === '--version' || verb === '-v') {
    terminal.stdout.write(`${version()}\n`);
    return exits.ok;
  }
  const command = commands.find(({ name }) => name === verb);
  if (command === undefined) {
    const names = commands.map(({ name }) => name);
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

function help(): string {
  const width = Math.max(...commands.map(({ name, usage }) => name.length + usage.length + 1));
  const lines = commands.map(({ name, usage, summary }) => `  ${`${name} ${usage}`.padEnd(width)}  ${summary}`);
  return `patchstream: image patches, streamed\n\n${lines.join('\n')}\n\n  patchstream <verb> --help    what a verb takes\n  patchstream --version\n`;
}
