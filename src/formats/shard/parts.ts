import { dirname } from 'node:path';
import { counted } from '../../counts.ts';

/** What a file says of the job, and the part of it, that wrote it. */
export interface PartInfo {
  readonly name: string;
  /** [i, n] of a job in n parts. */
  readonly part?: readonly [number, number] | undefined;
  readonly recipe: { readonly job?: string | undefined };
  readonly source: { readonly count: number; readonly keys: string };
}

/** A file, and what it says of itself where damage does not hide it. */
interface Told {
  /** Its path: files of other folders are of other jobs. */
  readonly name: string;
  readonly info?: PartInfo;
}

/**
 * What is wrong with files that the parts of a job have written: parts of which nothing is there, and parts that were made by other recipes or
 * of other sources than the first. A line for each job and trouble.
 *
 * @param what such a file is called.
 */
export function partTroubles(files: readonly Told[], what = 'shard'): string[] {
  const jobs = new Map<string, { readonly job: string; readonly folder: string; readonly infos: PartInfo[] }>();
  for (const { name, info } of files) {
    if (info?.part === undefined) continue;
    const folder = dirname(name);
    const job = `${info.name} in ${counted(info.part[1], 'part')}`;
    const key = JSON.stringify([folder, job]);
    const found = jobs.get(key);
    if (found === undefined) jobs.set(key, { job, folder, infos: [info] });
    else found.infos.push(info);
  }
  const all = [...jobs.values()];
  return all.flatMap(({ job: called, folder, infos }) => {
    const isAlone = all.every((other) => other.job !== called || other.folder === folder);
    const job = isAlone ? called : `${called}, in ${folder}`;
    const first = infos[0]!;
    const numbers = (of: readonly PartInfo[]) => [...new Set(of.map(({ part }) => part![0]))].join(', ');
    const lines: string[] = [];
    const recipes = infos.filter(({ recipe }) => !isSame(recipe.job, first.recipe.job));
    if (recipes.length > 0)
      lines.push(`${job}: part ${numbers(recipes)} was made by another recipe than part ${first.part![0]}`);
    const sources = infos.filter(
      ({ source }) => source.keys !== first.source.keys || source.count !== first.source.count,
    );
    if (sources.length > 0)
      lines.push(`${job}: part ${numbers(sources)} was made of another source than part ${first.part![0]}`);
    const of = first.part![1];
    const there = new Set(infos.map(({ part }) => part![0]));
    // Of fewer samples than parts, some have nothing to write.
    const missing =
      of > first.source.count || of > mostParts
        ? []
        : Array.from({ length: of }, (_, i) => i + 1).filter((i) => !there.has(i));
    if (missing.length > 0) {
      const shown = missing.slice(0, 10).join(', ');
      lines.push(
        `${job}: no ${what} of part ${shown}${missing.length > 10 ? ` and ${counted(missing.length - 10, 'other')}` : ''}`,
      );
    }
    return lines;
  });
}

/** A head may announce any number of parts. */
const mostParts = 1_000_000;

/** Digests of jobs, which files of earlier versions have not. */
export function isSame(one: string | undefined, other: string | undefined): boolean {
  return one === undefined || other === undefined || one === other;
}
