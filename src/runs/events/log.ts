import type { EventOf, RunEvent } from '../../events/events.ts';
import { noticeText } from '../../events/notices.ts';
import type { RunFolder } from '../folder/folder.ts';

/**
 * Keeps events in the run's folder: failures in `quarantine.jsonl`, the others in `events.jsonl`. Not the steps, checkpoints and evaluations, of which there are
 * files of their own, nor how far the run has come. The rows `start` and `end` are the folder's: the one says whose its files are, the other stands there before
 * the run is marked as finished, and before trackers are waited for.
 */
export function logOf(folder: Pick<RunFolder, 'record' | 'quarantine'>): (event: RunEvent) => void {
  return (event) => {
    switch (event.type) {
      case 'started':
        if (event.training) enterTraining(event.training, event.machine);
        break;
      case 'notice':
        folder.record('notice', { code: event.code, slots: event.slots, text: noticeText(event) });
        break;
      case 'passedOver': {
        const { type: _, ...row } = event;
        folder.record('passedOver', row);
        break;
      }
      case 'tuning': {
        const { type: _, ...decision } = event;
        folder.record('balance', decision);
        break;
      }
      case 'bottleneck':
        enterStats(event);
        break;
      case 'failure':
        folder.quarantine(event);
        break;
    }
  };

  /** With all that `inspect` judges by, so that it says what the report says. */
  function enterStats({ stats, reading, costs, permits, tunesThreads }: EventOf<'bottleneck'>): void {
    folder.record('stats', {
      stats,
      ...(reading && { reading }),
      costs,
      permits,
      ...(tunesThreads && { tunesThreads }),
    });
  }

  function enterTraining(
    { resumed, broken = [], onCores, cells, compute }: NonNullable<StartedEvent['training']>,
    machine: StartedEvent['machine'],
  ): void {
    if (broken.length > 0) folder.record('checkpoint', { taken: resumed ?? null, broken });
    folder.record('machine', { ...machine, onCores, cells, ...(compute && { compute }) } satisfies MachineRow);
  }
}

type StartedEvent = Extract<RunEvent, { readonly type: 'started' }>;

/** What `events.jsonl` keeps of the machine, for those who look at the folder later, or on another machine. */
export type MachineRow = StartedEvent['machine'] &
  Pick<NonNullable<StartedEvent['training']>, 'onCores' | 'cells' | 'compute'>;
