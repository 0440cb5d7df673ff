import { existsSync, type Stats } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { dirname, extname, join, resolve } from 'node:path';
import { fail, firstLine, messageOf, PatchstreamError, reasonOf } from '../../errors.ts';
import { importModule } from '../../files/import-module.ts';
import { type Definition, placed } from '../definition.ts';
import { found } from '../options.ts';
import type { Problem } from '../problem.ts';
import type { Registry } from '../registry.ts';
import { layOver, limits, readDocument, withoutNulls } from './document.ts';
import { type Environment, substitute } from './environment.ts';
import { child, type Node, type Place, placeText, plain, shownFile } from './locate.ts';
import { override } from './override.ts';
import { parsePipeline } from './parse.ts';
import { withModules } from './use.ts';

export interface LoadOptions {
  readonly registry: Registry;
  /** `train.epochs=1`, as after `--set`. */
  readonly set?: readonly string[];
  /** Where relative paths among those values start. Default: the working directory. */
  readonly setFrom?: string;
  /** Where `${NAME}` is looked up. Default: `process.env`. */
  readonly environment?: Environment;
}

export interface Loaded {
  /** Absent when nothing could be made of the file. With problems it is for checking only. */
  readonly definition?: Definition;
  /** With what `use` adds. */
  readonly registry: Registry;
  readonly problems: readonly Problem[];
}

/** Reads a pipeline file, YAML or a module, with its bases, its modules, the environment and the command line's values. Opens no data. */
export async function loadPipeline(
  file: string,
  { registry, set = [], setFrom, environment = process.env }: LoadOptions,
): Promise<Loaded> {
  const path = resolve(file);
  const kind = extname(path).toLowerCase();
  let loaded: Loaded;
  if (['.yaml', '.yml'].includes(kind)) loaded = await loadYaml(path, registry, environment);
  else if (['.ts', '.mts', '.js', '.mjs'].includes(kind)) loaded = await loadModule(path, registry);
  else loaded = await otherEnding(path, kind, registry);
  if (loaded.definition === undefined || set.length === 0) return loaded;
  const { definition, problems } = override(loaded.definition, set, setFrom);
  return { ...loaded, definition, problems: [...loaded.problems, ...problems] };
}

async function otherEnding(file: string, ending: string, registry: Registry): Promise<Loaded> {
  const missing = await unreadable(file);
  if (missing) return { registry, problems: [missing] };
  const found = ending === '' ? 'a file without an ending' : `the ending '${ending}'`;
  const advice = 'Name a pipeline file, or give this one such an ending.';
  const place = { file };
  return {
    registry,
    problems: [{ error: fail('PIPELINE_FILE', { found, advice }, { where: placeText(place) }), place }],
  };
}

async function loadModule(file: string, registry: Registry): Promise<Loaded> {
  let value: unknown;
  const missing = await unreadable(file);
  if (missing) return { registry, problems: [missing] };
  try {
    value = (await importModule(file)).default;
  } catch (cause) {
    const known =
      cause instanceof PatchstreamError
        ? cause
        : fail('PIPELINE_MODULE', { found: firstLine(messageOf(cause)) }, { cause });
    const error = new PatchstreamError(known.code, known.text, shownFile(file), cause);
    return { registry, problems: [{ error, place: { file } }] };
  }
  if (typeof value !== 'object' || value === null || !('source' in value) || !('stages' in value)) {
    const error = fail('PIPELINE_EXPORT', { found: found(value) }, { where: shownFile(file) });
    return { registry, problems: [{ error, place: { file } }] };
  }
  return { definition: placed(value as Definition, { file, base: dirname(file) }), registry, problems: [] };
}

/** What keeps a file from being read as a pipeline: it is not there, no file (opening a pipe would wait for ever), or too large. */
async function unreadable(file: string): Promise<Problem | undefined> {
  const place = { file };
  const where = shownFile(file);
  try {
    const about = await stat(file);
    if (!about.isFile()) {
      // Other verbs are given it.
      const isRun = existsSync(join(file, 'pipeline.json'));
      const slots = isRun
        ? { found: 'the folder of a run', advice: 'Name the pipeline file that it is a run of.' }
        : { found: kindOf(about), advice: 'Name a file.' };
      return { error: fail('PIPELINE_FILE', slots, { where }), place };
    }
    if (about.size <= limits.bytes) return undefined;
    const slots = { most: `${limits.bytes >> 20} MiB`, found: `${Math.ceil(about.size / 2 ** 20)} MiB` };
    return { error: fail('PIPELINE_SIZE', slots, { where }), place };
  } catch (cause) {
    const slots = { found: reasonOf(cause), advice: 'Look at the path.' };
    return { error: fail('PIPELINE_FILE', slots, { where, cause }), place };
  }
}

function kindOf(about: Stats): string {
  if (about.isDirectory()) return 'a folder';
  if (about.isFIFO()) return 'a pipe';
  return about.isSocket() ? 'a socket' : 'a device';
}

async function loadYaml(file: string, registry: Registry, environment: Environment): Promise<Loaded> {
  const problems: Problem[] = [];
  const whole = await readWithBases(file, [], { problems, read: new Map() });
  if (whole === undefined) return { registry, problems };
  const { root, secrets, problems: unset } = substitute(withoutNulls(whole), environment);
  problems.push(...unset);
  const { all, uses } = await loadUses(child(root, 'use'), registry, problems);
  const base = dirname(file);
  const { definition, problems: wrong } = parsePipeline(root, all, { file, base, secrets, uses });
  return { definition, registry: all, problems: [...problems, ...wrong.list] };
}

interface Reading {
  readonly problems: Problem[];
  /** What every file has given: one that several extend is read once. */
  readonly read: Map<string, Node | undefined>;
}

/** The file's nodes over those of the files it extends. `seen` are the places that lead to it. */
async function readWithBases(file: string, seen: readonly Place[], reading: Reading): Promise<Node | undefined> {
  if (reading.read.has(file)) return reading.read.get(file);
  const whole = await readOver(file, seen, reading);
  reading.read.set(file, whole);
  return whole;
}

async function readOver(file: string, seen: readonly Place[], reading: Reading): Promise<Node | undefined> {
  const { problems } = reading;
  const wrong = await unreadable(file);
  if (wrong) {
    const place = seen.at(-1);
    // A base that is missing is a problem of the line that names it.
    problems.push(
      place ? { error: new PatchstreamError(wrong.error.code, wrong.error.text, placeText(place)), place } : wrong,
    );
    return undefined;
  }
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    const slots = { found: reasonOf(cause), advice: 'Look at the path and its rights.' };
    problems.push({ error: fail('PIPELINE_FILE', slots, { where: shownFile(file), cause }), place: { file } });
    return undefined;
  }
  const { root, problems: found } = readDocument(text, file);
  problems.push(...found);
  const named = root && child(root, 'extends');
  if (root === undefined || named === undefined) return root;
  let below: Node | undefined;
  for (const node of named.kind === 'list' ? named.items : [named]) {
    const base = await readBase(node, file, seen, reading);
    if (base) below = below ? layOver(below, base) : base;
  }
  return below ? layOver(below, root) : root;
}

async function readBase(node: Node, file: string, seen: readonly Place[], reading: Reading): Promise<Node | undefined> {
  const { place } = node;
  const refuse = (error: PatchstreamError) => {
    reading.problems.push({ error, place });
    return undefined;
  };
  if (node.kind !== 'scalar' || typeof node.value !== 'string' || node.value === '') {
    const slots = {
      option: 'extends',
      expected: 'the path of a YAML file, or a list of such',
      found: found(plain(node)),
      advice: 'Write `extends: ./base.yaml`.',
    };
    return refuse(fail('OPTION_VALUE', slots, { where: placeText(place) }));
  }
  const base = resolve(dirname(file), node.value);
  const chain = [...seen.map((at) => at.file), file];
  if (chain.includes(base)) {
    const circle = [...chain.slice(chain.indexOf(base)), base].map(shownFile).join(' → ');
    return refuse(fail('EXTENDS_CIRCLE', { circle }, { where: placeText(place) }));
  }
  // Files that were read before cost nothing; new ones are counted.
  if (reading.read.size + chain.length >= mostFiles && !reading.read.has(base))
    return refuse(fail('EXTENDS_MANY', { most: mostFiles }, { where: placeText(place) }));
  return readWithBases(base, [...seen, place], reading);
}

/** How many files a pipeline may be made of. */
const mostFiles = 64;

async function loadUses(
  node: Node | undefined,
  registry: Registry,
  problems: Problem[],
): Promise<{ all: Registry; uses: string[] }> {
  let all = registry;
  const uses: string[] = [];
  for (const item of node === undefined ? [] : node.kind === 'list' ? node.items : [node]) {
    const { place } = item;
    const where = placeText(place);
    if (item.kind !== 'scalar' || typeof item.value !== 'string' || item.value === '') {
      const slots = {
        option: 'use',
        expected: 'a list of paths of modules',
        found: found(plain(item)),
        advice: 'Write `use: [./my-stage.ts]`.',
      };
      problems.push({ error: fail('OPTION_VALUE', slots, { where }), place });
      continue;
    }
    const module = resolve(dirname(place.file), item.value);
    const wrong = await unreadable(module);
    if (wrong?.error.cause === undefined && wrong !== undefined) {
      problems.push({ error: new PatchstreamError(wrong.error.code, wrong.error.text, where), place });
      continue;
    }
    try {
      all = await withModules(all, [module]);
      uses.push(module);
    } catch (error) {
      if (!(error instanceof PatchstreamError)) throw error;
      problems.push({ error: new PatchstreamError(error.code, error.text, where, error.cause), place });
    }
  }
  return { all, uses };
}
