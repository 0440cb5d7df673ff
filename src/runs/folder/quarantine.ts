import type { Failure } from '../../streams/failures.ts';
import { jsonOf } from '../../whole-file.ts';

/** What a job that goes on at a position takes over of its quarantine. */
export interface FailuresBefore {
  /** The lines that stay; nothing where there are none. */
  readonly kept?: string;
  /** Failures by stage. */
  readonly counts: ReadonlyMap<string, number>;
  /** Positions that they are of. */
  readonly failed: number;
  /** Lines that cannot be read, which stay. */
  readonly unreadable: number;
}

/** The failures in front of a position; a last line that a kill has cut is none. */
export function failuresBefore(text: string, position: number): FailuresBefore {
  const counts = new Map<string, number>();
  const positions = new Set<number>();
  let unreadable = 0;
  if (text === '') return { counts, failed: 0, unreadable };
  const kept = text
    .split('\n')
    .slice(0, -1)
    .filter((line) => {
      const { stage, position: at } = (jsonOf(line) ?? {}) as Partial<Failure>;
      if (stage === undefined || at === undefined) {
        unreadable++;
        return true;
      }
      if (at >= position) return false;
      counts.set(stage, (counts.get(stage) ?? 0) + 1);
      positions.add(at);
      return true;
    });
  return { kept: kept.map((line) => `${line}\n`).join(''), counts, failed: positions.size, unreadable };
}
