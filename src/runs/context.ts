import type { Finished } from '../events/events.ts';
import type { Part } from '../sinks/sink.ts';
import type { EventHub } from './events/hub.ts';
import type { RunFolder } from './folder/folder.ts';

/** How a source is watched. */
export interface Watching {
  /** Seconds between two looks at what has arrived. A file is taken that was the same in two looks. */
  readonly everySeconds: number;
  /** Seconds without a new sample after which the file that is being written is closed, so that readers find it. */
  readonly idleSeconds: number;
}

/** What a run of either kind is given. */
export interface RunContext {
  readonly folder: RunFolder;
  readonly signal: AbortSignal;
  readonly events: EventHub;
  readonly fresh: boolean;
  readonly part?: Part;
  readonly watch?: Watching;
  /** What is known of the samples when the run ends, however it does: for the last event. */
  account: Pick<Finished, 'stats' | 'sum'>;
}
