import { lstat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { fail, nearest, PatchstreamError, printable } from '../errors.ts';
import { aboutDetector, landmarksOf } from '../faces/face-detector.ts';
import type { FaceDetectorName } from '../faces/faces.ts';
import { builtin } from '../pipeline/builtin.ts';
import { type Description, describe as describePipeline } from '../pipeline/describe.ts';
import { drawMermaid, drawNamed, drawText } from '../pipeline/draw.ts';
import { withModules } from '../pipeline/file/use.ts';
import type { Problem } from '../pipeline/problem.ts';
import { createRegistry, type Registry } from '../pipeline/registry.ts';
import { aboutRenderer } from '../vision/render/native.ts';
import { unlessGone } from '../whole-file.ts';
import { problemLines } from './check.ts';
import { type Command, exits, onlyWord, setOption } from './command.ts';
import { readPipeline } from './read.ts';

/** `patchstream describe <pipeline>`, `patchstream describe <stage>`, and `patchstream describe <module>`, which has stages of the user's own. */
export const describe: Command = {
  name: 'describe',
  usage: '<pipeline, stage or module>',
  summary:
    'Show a pipeline: options, the chain with shapes on its edges, memory. Or what a stage takes; of a module of your own, as `use` names it, what each of its exports takes.',
  options: {
    set: setOption,
    mermaid: { type: 'boolean', about: 'Draw the chain as a Mermaid flow chart.' },
    json: { type: 'boolean', about: 'Print one JSON value.' },
  },
  async run(given, terminal) {
    const { stdout, stderr } = terminal;
    const word = onlyWord(describe, given);
    const page = drawNamed(word, builtin);
    if (page !== undefined) {
      stdout.write(page);
      return exits.ok;
    }
    await fileOrName(word);
    const { resolved, problems } = await readPipeline(word, given.list('set'), terminal);
    const own = await ownPages(word, problems);
    if (own !== undefined) {
      stdout.write(own);
      return exits.ok;
    }
    for (const line of problemLines(problems)) stderr.write(`${line}\n`);
    if (resolved === undefined || problems.length > 0) return exits.usage;
    const description = describePipeline(resolved);
    const renderer = rendererOf(description);
    const means = { renderer, ...facesOf(description) };
    if (given.flag('json')) stdout.write(`${JSON.stringify({ ...description, ...means }, null, 2)}\n`);
    else if (given.flag('mermaid')) stdout.write(drawMermaid(description));
    else {
      const lines = Object.entries(means).map(([what, found]) => `${what.padEnd(10)} ${printable(found)}\n`);
      stdout.write(`${drawText(description)}\n${lines.join('')}`);
    }
    return exits.ok;
  },
};

/** The pages of what a module exports, where it is loaded and is no pipeline; nothing where it exports nothing of ours. */
async function ownPages(file: string, [problem, ...more]: readonly Problem[]): Promise<string | undefined> {
  if (problem?.error.code !== 'PIPELINE_EXPORT' || more.length > 0) return undefined;
  try {
    const own = await withModules(createRegistry({}), [resolve(file)]);
    return [...new Set(namesIn(own))].map((name) => drawNamed(name, own)).join('\n');
  } catch (error) {
    if (error instanceof PatchstreamError && error.code === 'USE_EXPORTS') return undefined;
    throw error;
  }
}

function namesIn({ stages, sources, sinks, models, measures, trackers }: Registry): string[] {
  return [stages, sources, sinks, models, measures, trackers].flatMap((known) => [...known.keys()]);
}

/** Which renderer makes the pipeline's pixels, and why. */
function rendererOf({ chain }: Description): string {
  const special = chain.find(({ options }) => {
    const { kernel } = options as { kernel?: unknown };
    return kernel === 'nearest' || kernel === 'lanczos';
  });
  if (special === undefined) return aboutRenderer();
  const { kernel } = special.options as { kernel: string };
  return `sharp: everything, since ${special.id} has the kernel ${kernel}, which native/image has not`;
}

/** Which detector finds the faces of a pipeline that looks for them, and why; and what finds their landmarks, where it needs them. */
function facesOf({ chain }: Description): { faces?: string; landmarks?: string } {
  const stage = chain.find(({ kind, options }) => kind === 'stage' && 'detector' in (options as object));
  if (stage === undefined) return {};
  const options = stage.options as { detector: FaceDetectorName | 'auto'; align: string; landmarks: boolean };
  const faces = aboutDetector(options.detector);
  const found = options.landmarks || options.align !== 'none' ? landmarksOf(options.detector) : undefined;
  if (found === undefined) return { faces };
  return { faces, landmarks: typeof found === 'string' ? found : `missing: ${found.found}; ${found.remedy}` };
}

/** A word that looks like no file and names nothing is a misspelt name. */
async function fileOrName(word: string): Promise<void> {
  if (/[./\\]/.test(word)) return;
  if ((await lstat(word).catch(unlessGone)) !== undefined) return;
  const names = namesIn(builtin);
  const slip = nearest(word, names);
  const advice = slip
    ? `Did you mean \`${slip}\`?`
    : `Name a pipeline file, the module of what is your own (\`./${word}.ts\`), or one of ${names.join(', ')}.`;
  throw fail('ARGUMENT', { command: 'patchstream describe', found: word, advice });
}
