import { printable } from '../errors.ts';
import { builtin } from '../pipeline/builtin.ts';
import { PipelineProblems } from '../pipeline/check.ts';
import { parsePart } from '../pipeline/part.ts';
import {
  aboutText,
  failuresOf,
  readStudy,
  runStudy,
  type StudyEvent,
  studyTable,
  writePage,
} from '../studies/index.ts';
import { problemLines } from './check.ts';
import { type Command, exits, onlyWord } from './command.ts';
import { tableLines } from './figures/table.ts';
import { signals } from './run.ts';

/** `patchstream study <file>` */
export const study: Command = {
  name: 'study',
  usage: '<file>',
  works: true,
  summary:
    'Run a study: trainings of a grid of models, options and seeds over pipeline files, and a table of what they are measured to be. What has been run before is not run again.',
  options: {
    part: {
      type: 'string',
      value: 'i/n',
      about: 'Run part i of n of the rows, while other machines that share the folder run the rest; as for `run`.',
    },
    json: { type: 'boolean', about: 'Print the result as one JSON value.' },
  },
  async run(given, terminal) {
    const { stdout, stderr, env } = terminal;
    const { study: read, problems } = await readStudy(onlyWord(study, given));
    for (const line of problemLines(problems)) stderr.write(`${line}\n`);
    if (read === undefined || problems.length > 0) return exits.usage;
    const written = given.text('part');
    const part = written === undefined ? undefined : parsePart(written, env);
    const stop = signals(terminal, (text) => stderr.write(`\n${text}\n`));
    try {
      const onEvent = (event: StudyEvent) => {
        const line = lineOf(event);
        if (line !== undefined) stderr.write(`${printable(line)}\n`);
      };
      const result = await runStudy(read, {
        ...{ registry: builtin, environment: env, signal: stop.signal, onEvent },
        ...(part && { part }),
      });
      const page = await writePage(read.output, result);
      if (given.flag('json')) stdout.write(`${JSON.stringify(result, null, 2)}\n`);
      else
        stdout.write(
          `${[...tableLines(studyTable(result)), printableLines(aboutText(result)), `study: ${printable(page)}`].join('\n')}\n`,
        );
      return failuresOf(result).length > 0 ? exits.failed : exits.ok;
    } catch (error) {
      if (error instanceof PipelineProblems) {
        for (const line of problemLines(error.problems)) stderr.write(`${line}\n`);
        return exits.usage;
      }
      const received = stop.received();
      if (received === undefined) throw error;
      stderr.write('The study goes on from here when it is started again.\n');
      return exits[received];
    } finally {
      stop.forget();
    }
  },
};

/** A line for what begins and ends; steps of trainings are in their folders. */
function lineOf(event: StudyEvent): string | undefined {
  if (event.type === 'run') return undefined;
  if (event.type === 'begins') return `${event.row}: ${event.what} in ${event.folder}`;
  const { found, failure } = event.outcome;
  if (failure !== undefined) return `${event.row}: ${event.what} failed: ${failure}`;
  const value = found?.[event.measure];
  return `${event.row}: ${event.what}, ${event.measure} ${value === undefined ? 'was not measured' : Number(value.toPrecision(4))}`;
}

const printableLines = (text: string) => text.split('\n').map(printable).join('\n');
