import { fail, type PatchstreamError } from '../errors.ts';

/** The error of a run that was aborted. */
export function cancelled(signal: AbortSignal): PatchstreamError {
  const cause = typeof signal.reason === 'string' ? signal.reason : 'its caller';
  return fail('RUN_CANCELLED', { cause });
}
