import { originEnding } from '../../formats/part-origin.ts';
import { temporaryEnding } from '../../whole-file.ts';
import type { Job } from '../sink.ts';

/** What the names of a run's files are made of. */
export interface Named {
  readonly stem: string;
  readonly ending: string;
  /** How the files beside these end. */
  readonly beside?: string;
  readonly job: Job;
}

export function fileName(named: Named, number: number): string {
  return `${ownStem(named)}-${String(number).padStart(5, '0')}${named.ending}`;
}

/** The name of the file beside that of a number; it is written and removed with it. */
export function besideName(named: Named, number: number): string {
  return fileName({ ...named, ending: named.beside ?? named.ending }, number);
}

/** What the names of a run begin with: those of each part with another. */
export function ownStem({ stem, job: { part } }: Named): string {
  return part === undefined ? stem : `${stem}-${String(part.index).padStart(String(part.of).length, '0')}of${part.of}`;
}

/** Where a part says of which job it is. */
export function originName(named: Named): string {
  return `${ownStem(named)}${named.ending}${originEnding}`;
}

/** Parts the files of this run from what it left half-written, and from one that belongs neither to it nor to the other parts of its job. */
export function sortNames(names: readonly string[], options: Named) {
  const { stem, ending, beside, job } = options;
  const escaped = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const anyPart = job.part === undefined ? '' : `(\\d+)of${job.part.of}-`;
  const pattern = new RegExp(`^${escaped(stem)}-${anyPart}(\\d{5,})${escaped(ending)}$`);
  const origin = new RegExp(`^${escaped(stem)}-\\d+of${job.part?.of}${escaped(`${ending}${originEnding}`)}$`);
  const ours = (name: string) => {
    const number = pattern.exec(name)?.at(-1);
    return number !== undefined && fileName(options, Number(number)) === name;
  };
  // Also one beside them, under the name of its file.
  const isOurs = (name: string) =>
    ours(name) || (beside !== undefined && name.endsWith(beside) && ours(`${name.slice(0, -beside.length)}${ending}`));
  const others = new Map<string, string>();
  for (const name of names) {
    const part = pattern.exec(name)?.at(-2);
    if (job.part !== undefined && part !== undefined && Number(part) !== job.part.index) others.set(part, name);
  }
  return {
    own: names.filter(ours).sort(),
    /** One of each other part. */
    others: [...others.values()],
    origins: job.part === undefined ? [] : names.filter((name) => origin.test(name) && name !== originName(options)),
    /** What says of which job this part is. */
    origin: job.part === undefined ? [] : names.filter((name) => name === originName(options)),
    temporary: names.filter((name) => name.endsWith(temporaryEnding) && isOurs(wholeName(name))),
    /** Those that lie beside files of this run. */
    beside: beside === undefined ? [] : names.filter((name) => name.endsWith(beside) && isOurs(name)),
    // Also what is another name only where capitals count.
    foreign: names.find((name) => name.toLowerCase().endsWith(ending.toLowerCase()) && !pattern.test(name)),
  };
}

/** The name of a file that is written under a temporary one. */
export function wholeName(name: string): string {
  return name.endsWith(temporaryEnding) ? name.slice(0, -temporaryEnding.length) : name;
}
