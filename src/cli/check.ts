import { counted } from '../counts.ts';
import { fail, printable } from '../errors.ts';
import { builtin } from '../pipeline/builtin.ts';
import { shownFile } from '../pipeline/file/locate.ts';
import type { Problem } from '../pipeline/problem.ts';
import { missingFolders } from '../pipeline/resolve/missing-folders.ts';
import { checkStudy, isStudy, readStudy } from '../studies/index.ts';
import { type Command, exits, setOption, type Terminal } from './command.ts';
import { readPipeline } from './read.ts';

/** So many paths that are not there stand in a line: a pattern may stand for thousands of tars. */
const shown = 5;

/** `patchstream check <pipeline>…` */
export const check: Command = {
  name: 'check',
  usage: '<pipeline>…',
  summary:
    'Say everything that is wrong with files of pipelines and studies, with line and column. Opens no data, but says which folders and files are not there.',
  options: {
    set: setOption,
    json: {
      type: 'boolean',
      about: 'Print one JSON value: files, their problems, and the folders and files that are not there.',
    },
  },
  async run(given, terminal) {
    const { stdout, stderr } = terminal;
    if (given.words.length === 0) {
      throw fail('ARGUMENT', {
        command: 'patchstream check',
        found: 'no <pipeline>',
        advice: 'Write `patchstream check pipeline.yaml`.',
      });
    }
    const files: { file: string; problems: readonly Problem[]; absent: readonly string[] }[] = [];
    for (const file of given.words) {
      if (await isStudy(file)) {
        files.push({ file, problems: await studyProblems(file, terminal), absent: [] });
        continue;
      }
      const { resolved, problems } = await readPipeline(file, given.list('set'), terminal);
      files.push({ file, problems, absent: resolved && problems.length === 0 ? missingFolders(resolved) : [] });
    }
    const count = files.reduce((sum, { problems }) => sum + problems.length, 0);
    if (given.flag('json')) {
      const json = files.map(({ file, problems, absent }) => ({ file, problems: problems.map(problemJson), absent }));
      stdout.write(`${JSON.stringify(json, null, 2)}\n`);
      return count > 0 ? exits.usage : exits.ok;
    }
    for (const { file, problems, absent } of files) {
      for (const line of problemLines(problems)) stderr.write(`${line}\n`);
      const more = absent.length > shown ? `, and ${absent.length - shown} more` : '';
      const but = absent.length > 0 ? `, but not there: ${absent.slice(0, shown).join(', ')}${more}` : '';
      if (problems.length === 0) stdout.write(`${printable(`${shownFile(file)}: no problems${but}`)}\n`);
    }
    if (count > 0) stderr.write(`${counted(count, 'problem')}\n`);
    return count > 0 ? exits.usage : exits.ok;
  },
};

/** Of a study file and of the pipelines that it runs. */
async function studyProblems(file: string, { env }: Terminal): Promise<readonly Problem[]> {
  const { study, problems } = await readStudy(file);
  return study === undefined ? problems : checkStudy(study, { registry: builtin, environment: env });
}

/** A problem for programs. */
function problemJson({ error, place }: Problem): Record<string, unknown> {
  return { code: error.code, message: error.text, where: error.where, ...place };
}

/** Problems as lines that editors and terminals make into links: the place first. */
export function problemLines(problems: readonly Problem[]): string[] {
  return problems.map(({ error }) => `${error.where ?? ''}: ${error.text} [${error.code}]`.replace(/^: /, ''));
}
