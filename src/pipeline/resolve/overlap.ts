import { lstatSync, readlinkSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, isAbsolute, join, resolve, sep } from 'node:path';
import { fail } from '../../errors.ts';
import { checkpointFolder } from '../../train/weights/checkpoint.ts';
import { identityOf, systemCode } from '../../whole-file.ts';
import type { Definition } from '../definition.ts';
import type { Path } from '../file/locate.ts';
import type { Problems } from '../problem.ts';
import type { ResolvedEvaluate, ResolvedSource } from './evaluate.ts';
import type { ResolvedSink } from './outputs.ts';

/** What a pipeline reads or writes: where, as it is shown, and where it stands in the file. */
interface Place {
  readonly shown: string;
  readonly real: string;
  readonly at: Path;
}

interface Parts {
  readonly source?: ResolvedSource | undefined;
  readonly sink?: ResolvedSink | undefined;
  readonly evaluate?: ResolvedEvaluate | undefined;
}

/**
 * Compares all that a pipeline writes with all that it reads, by where the paths really lead: nothing is written among the pictures that are read, or the
 * next run would read its own results, and nothing is read out of a folder of results, which the next run replaces. Looks at paths, and at no data.
 */
export function checkOverlap(definition: Definition, parts: Parts, problems: Problems): void {
  if (typeof definition.output !== 'string' || definition.output === '') return;
  const written = writtenBy(definition, parts);
  const told = new Set<string>();
  const tell = (code: 'OUTPUT_IN_SOURCE' | 'OUTPUT_OVER_SOURCE', output: Place, source: Place) => {
    // Of the folders in a folder one is enough.
    if (told.has(source.real)) return;
    told.add(source.real);
    problems.add(fail(code, { output: output.shown, source: source.shown }), output.at);
  };
  for (const source of readBy(definition, parts)) {
    for (const output of written) {
      if (liesIn(output.real, source.real)) tell('OUTPUT_IN_SOURCE', output, source);
      else if (liesIn(source.real, output.real)) tell('OUTPUT_OVER_SOURCE', output, source);
    }
  }
  // Weights are a file, or a folder with checkpoints: beside them may be written.
  const init = definition.train?.init;
  if (typeof init !== 'string') return;
  const first = placeOf(resolve(definition.base, init), ['train', 'init']);
  for (const output of written) {
    if (liesIn(first.real, output.real)) tell('OUTPUT_OVER_SOURCE', output, first);
    if (liesIn(output.real, checkpointFolder(first.real))) tell('OUTPUT_OVER_SOURCE', output, first);
  }
}

/** For one file that is written into no folder of a run. @param on a folder that is read too. @throws OUTPUT_IN_SOURCE */
export function refuseAmongSources(
  path: string,
  resolved: Parts & { readonly definition: Definition },
  on?: string,
): void {
  const output = placeOf(resolve(path), []);
  const also = on === undefined ? [] : [placeOf(resolve(on), [])];
  const source = [...readBy(resolved.definition, resolved), ...also].find(({ real }) => liesIn(output.real, real));
  if (source) throw fail('OUTPUT_IN_SOURCE', { output: output.shown, source: source.shown });
}

/** The real paths of all folders that a pipeline writes to. Nothing is known of one whose output is not said. */
export function writtenFolders(definition: Definition, parts: Pick<Parts, 'sink'>): readonly string[] {
  if (typeof definition.output !== 'string' || definition.output === '') return [];
  return [...new Set(writtenBy(definition, parts).map(({ real }) => real))];
}

function writtenBy({ base, output, train }: Definition, { sink }: Parts): Place[] {
  const folder = resolve(base, output);
  const targets = sink?.definition.writes?.(sink.options, { base, output: folder }) ?? [];
  return [
    placeOf(folder, ['output']),
    ...targets.map((path) => placeOf(path, ['sink', sink!.name])),
    // Where it is a link, it leads somewhere else.
    ...(train === undefined ? [] : [placeOf(checkpointFolder(folder), ['output'])]),
  ];
}

function readBy({ base }: Definition, { source, evaluate }: Parts): Place[] {
  const measured = (evaluate?.measures ?? []).flatMap(({ data, path }) =>
    Object.values(data).map(({ source }) => ({ source, at: path })),
  );
  const all = [...(source === undefined ? [] : [{ source, at: ['source'] as Path }]), ...measured];
  const seen = new Map<string, Place>();
  for (const one of all) {
    const { definition, options } = one.source;
    const folder = definition.folder?.(options);
    const paths = definition.reads?.(options) ?? (folder === undefined ? [] : [folder]);
    for (const path of paths) {
      const whole = resolve(base, path);
      if (!/^[a-z][a-z0-9+.-]+:\/\//i.test(path) && !seen.has(whole)) seen.set(whole, placeOf(whole, one.at));
    }
  }
  return [...seen.values()];
}

function placeOf(path: string, at: Path): Place {
  return { shown: path, real: realPath(path), at };
}

/** Links that lead to links. */
const mostLinks = 40;

/** Where a path leads when all links are followed, also where its end is not there yet. */
export function realPath(path: string, links = 0): string {
  try {
    return realpathSync.native(path);
  } catch (error) {
    if (!['ENOENT', 'ENOTDIR', 'EACCES', 'ELOOP', 'ENAMETOOLONG'].includes(systemCode(error) ?? '')) throw error;
  }
  const parent = dirname(path);
  if (parent === path) return path;
  const whole = join(realPath(parent, links), basename(path));
  const target = links < mostLinks ? targetOf(whole) : undefined;
  if (target === undefined) return whole;
  return realPath(isAbsolute(target) ? target : resolve(dirname(whole), target), links + 1);
}

/** Where a link leads, for one that leads nowhere yet. */
function targetOf(path: string): string | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() ? readlinkSync(path) : undefined;
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'EACCES', 'ELOOP', 'ENAMETOOLONG'].includes(systemCode(error) ?? '')) return undefined;
    throw error;
  }
}

/**
 * Whether one real path is another, or lies in it. Folders are known by what they are on their disk, since one may have several names: where capitals do
 * not count, and where it is mounted twice.
 */
export function liesIn(inner: string, outer: string): boolean {
  if (inner === outer || inner.startsWith(outer.endsWith(sep) ? outer : outer + sep)) return true;
  const wanted = isFolder(outer) ? identityOf(outer) : undefined;
  if (wanted === undefined) return identityOf(outer) !== undefined && identityOf(inner) === identityOf(outer);
  for (let at = inner; ; at = dirname(at)) {
    if (identityOf(at) === wanted) return true;
    if (dirname(at) === at) return false;
  }
}

function isFolder(path: string): boolean {
  return identityOf(path) !== undefined && statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
