import type { Part } from '../datasets/sink.ts';
import { fail, type PatchstreamError } from '../errors.ts';
import type { RunEvent } from './events.ts';
import type { RunFolder } from './folder.ts';

/** What a run of either kind is given. */
export interface RunContext {
  readonly folder: RunFolder;
  readonly signal: AbortSignal;
  readonly onEvent: (event: RunEvent) => void;
  readonly fresh: boolean;
  readonly part?: Part;
}

/** The error of a run that was aborted. */
export function cancelled(signal: AbortSignal): PatchstreamError {
  const cause = typeof signal.reason === 'string' ? signal.reason : 'its caller';
  return fail('RUN_CANCELLED', { cause });
}
