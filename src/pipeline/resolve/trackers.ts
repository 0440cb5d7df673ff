import { fail } from '../../errors.ts';
import type { TrackerDefinition } from '../../trackers/define.ts';
import type { Definition } from '../definition.ts';
import { found } from '../options.ts';
import type { Problems } from '../problem.ts';
import { addIssues, parseNamed } from './named.ts';

export interface ResolvedTracker {
  readonly name: string;
  readonly options: unknown;
  readonly definition: TrackerDefinition;
}

/** Parses the options of each tracker. Those that have problems are absent. */
export function checkTrackers({ track }: Definition, problems: Problems): readonly ResolvedTracker[] | undefined {
  if (track === undefined) return undefined;
  if (!Array.isArray(track)) {
    const slots = { option: 'track', expected: 'a list of trackers', found: found(track), advice: 'Write `[…]`.' };
    problems.add(fail('OPTION_VALUE', slots), ['track']);
    return undefined;
  }
  return track.flatMap((value: unknown, i) => {
    if (typeof value !== 'object' || value === null || !('tracker' in value)) {
      const advice = 'Call its factory: `prometheus(…)`.';
      const slots = { option: `track.${i}`, expected: 'a tracker', found: found(value), advice };
      problems.add(fail('OPTION_VALUE', slots), ['track', i]);
      return [];
    }
    const { name, options, definition } = value.tracker as ResolvedTracker;
    const who = `tracker ${name}`;
    const named = { at: ['track', i, name], owner: who, who };
    const parsed = parseNamed(definition.options, options, named, problems);
    if (parsed === undefined) return [];
    addIssues(() => definition.check?.(parsed), named, problems);
    return [{ name, options: parsed, definition }];
  });
}
