import { access } from 'node:fs/promises';
import { fail, nearest } from '../errors.ts';
import { builtin } from '../pipeline/builtin.ts';
import { checkFile } from '../pipeline/check.ts';
import { describe as describePipeline } from '../pipeline/describe.ts';
import { drawMermaid, drawNamed, drawText } from '../pipeline/draw.ts';
import { problemLines } from './check.ts';
import { type Command, exits, onlyWord, setOption } from './command.ts';

/** `patchstream describe <pipeline>`, and `patchstream describe <stage>`. */
export const describe: Command = {
  name: 'describe',
  usage: '<pipeline or stage>',
  summary: 'Show a pipeline: options, the chain with shapes on its edges, memory. Or what a stage takes.',
  options: {
    set: setOption,
    mermaid: { type: 'boolean', about: 'Draw the chain as a Mermaid flow chart.' },
    json: { type: 'boolean', about: 'Print one JSON value.' },
  },
  async run(given, { stdout, stderr, env }) {
    const word = onlyWord(describe, given);
    const page = drawNamed(word, builtin);
    if (page !== undefined) {
      stdout.write(page);
      return exits.ok;
    }
    await fileOrName(word);
    const { resolved, problems } = await checkFile(word, {
      registry: builtin,
      set: given.list('set'),
      environment: env,
    });
    for (const line of problemLines(problems)) stderr.write(`${line}\n`);
    if (resolved === undefined || problems.length > 0) return exits.usage;
    const description = describePipeline(resolved);
    if (given.flag('json')) stdout.write(`${JSON.stringify(description, null, 2)}\n`);
    else stdout.write(given.flag('mermaid') ? drawMermaid(description) : drawText(description));
    return exits.ok;
  },
};

/** A word that looks like no file and names nothing is a misspelt name. */
async function fileOrName(word: string): Promise<void> {
  if (/[./\\]/.test(word)) return;
  const there = await access(word).then(
    () => true,
    () => false,
  );
  if (there) return;
  const names = [builtin.stages, builtin.sources, builtin.sinks, builtin.models].flatMap((known) => [...known.keys()]);
  const slip = nearest(word, names);
  const advice = slip ? `Did you mean \`${slip}\`?` : `Name a pipeline file, or one of ${names.join(', ')}.`;
  throw fail('ARGUMENT', { command: 'patchstream describe', found: word, advice });
}
