import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, extname, join, relative, resolve } from 'node:path';
import { fail, nearest, type PatchstreamError } from '../../errors.ts';
import { checkpointFolder } from './checkpoint.ts';

/** Runs that a message names, and entries of a folder that are looked at for it. */
const [shown, looked] = [5, 1000];

const pipelineEndings: readonly string[] = ['.yaml', '.yml', '.ts', '.mts', '.js', '.mjs'];

/** The error of a path that is a pipeline file where weights are wanted; nothing where it is none. */
export function pipelineFile(path: string): PatchstreamError | undefined {
  if (!pipelineEndings.includes(extname(path).toLowerCase()) || !statSync(path).isFile()) return undefined;
  const run = `patchstream run ${shortest(path)}`;
  const output = outputIn(path);
  if (output === undefined) {
    return fail('WEIGHTS_PIPELINE', { path, advice: `Run it (\`${run}\`), and name the folder of its \`output\`.` });
  }
  const advice = existsSync(checkpointFolder(output))
    ? `Name the run that it has made: ${shortest(output)}.`
    : `Run it (\`${run}\`), then name the run: ${shortest(output)}.`;
  return fail('WEIGHTS_PIPELINE', { path, advice });
}

/** The `output` of a file of YAML, where it is written out. */
function outputIn(path: string): string | undefined {
  if (!/\.ya?ml$/i.test(path)) return undefined;
  const [, written] = /^output:[ \t]*([^\s#$][^#\n$]*?)[ \t]*(?:#.*)?$/m.exec(readFileSync(path, 'utf8')) ?? [];
  return written && resolve(dirname(path), written.replace(/^(["'])(.*)\1$/, '$2'));
}

/** What to do where nothing is at a path: the run whose name is near, else the runs that are there. */
export function insteadOf(path: string, base: string = process.cwd()): string {
  const folders = [dirname(path), join(base, 'runs'), base, join(dirname(path), 'runs')];
  const runs = [...new Set(folders.map((folder) => resolve(base, folder)))].flatMap(runsIn);
  const name = basename(path);
  const near =
    nearest(
      name,
      runs.map((run) => basename(run)),
    ) ?? runs.map((run) => basename(run)).find((one) => one.startsWith(name));
  const found = runs.find((run) => basename(run) === near);
  if (found !== undefined) return `Did you mean ${shortest(found, base)}?`;
  if (runs.length === 0) return 'Train the model first, or name another path.';
  const more = runs.length > shown ? `, and ${runs.length - shown} more` : '';
  return `Train the model first, or name a run that is there: ${runs
    .slice(0, shown)
    .map((run) => shortest(run, base))
    .join(', ')}${more}.`;
}

/** Folders of runs that have a checkpoint folder. */
function runsIn(folder: string): string[] {
  try {
    const names = readdirSync(folder, { withFileTypes: true }).slice(0, looked);
    return names
      .filter((entry) => entry.isDirectory() && existsSync(checkpointFolder(join(folder, entry.name))))
      .map(({ name }) => join(folder, name))
      .sort();
  } catch {
    // A folder that cannot be listed has nothing to suggest: the error is that of the path.
    return [];
  }
}

function shortest(path: string, base: string = process.cwd()): string {
  const short = relative(base, path);
  return short === '' || short.startsWith('..') ? path : short;
}
