import type { Arguments } from './arguments.ts';

/** A part of a script: a program of the folder sections, in a process of its own. */
export interface Section {
  readonly name: string;
  readonly script: Arguments['script'];
  /** The most that it may take. */
  readonly seconds: number;
  /** What is kept for it while those before it run. */
  readonly least: number;
  /** It judges: where it is cut, nothing says that all is well. */
  readonly judges?: true;
}

/** All sections, of each script in the order of their importance. `addon` comes first in both, before them. */
export const sections: readonly Section[] = [
  { script: 'a', name: 'parity', seconds: 60, least: 25, judges: true },
  { script: 'a', name: 'kernels', seconds: 25, least: 12, judges: true },
  { script: 'a', name: 'graphs', seconds: 40, least: 15, judges: true },
  { script: 'a', name: 'suites', seconds: 60, least: 20, judges: true },
  { script: 'a', name: 'resume', seconds: 40, least: 15, judges: true },
  { script: 'a', name: 'steps', seconds: 110, least: 55 },
  { script: 'b', name: 'peers', seconds: 150, least: 90 },
  { script: 'b', name: 'sweep', seconds: 60, least: 35 },
  { script: 'b', name: 'coupled', seconds: 120, least: 25 },
  { script: 'b', name: 'loader', seconds: 70, least: 35 },
];

/** Less than this is not worth a start. */
const leastStart = 5;

/**
 * The seconds that a section may take when `left` are left: as many as it wants, but those kept for the sections behind it are theirs. 0 leaves it out.
 */
export function allowance(
  section: Pick<Section, 'seconds' | 'least'>,
  behind: readonly Pick<Section, 'least'>[],
  left: number,
): number {
  const kept = behind.reduce((sum, { least }) => sum + least, 0);
  const seconds = Math.min(section.seconds, Math.max(section.least, left - kept), left);
  return seconds < leastStart ? 0 : seconds;
}
