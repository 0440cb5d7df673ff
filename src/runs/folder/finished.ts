import { isDeepStrictEqual } from 'node:util';
import type { RunSummary } from '../../events/events.ts';
import { redactRow, type Secret } from '../../pipeline/file/redact.ts';
import { jsonOf } from '../../whole-file.ts';

/** `finished.json`: what a finished run leaves of itself, so that it is not run again by mistake. */
interface Finished {
  readonly format: 1;
  /** Of the resolved pipeline: another pipeline in the same folder is another run. */
  readonly digest: string;
  readonly summary: RunSummary;
}

/** The text of the file. */
export function finishedText(digest: string, summary: RunSummary, secrets: readonly Secret[]): string {
  const finished: Finished = { format: 1, digest, summary: redactRow(summary, secrets) };
  return `${JSON.stringify(finished, null, 2)}\n`;
}

/** The summary in such a text, where it is of a run of this digest. */
export function finishedSummary(text: string | undefined, digest: string): RunSummary | undefined {
  const { format, digest: own, summary } = parsed<Finished>(text) ?? {};
  return format === 1 && own === digest ? summary : undefined;
}

/** Whether a training that `train.stop` has ended before its length would now go on: `stop`, which is no part of the digest, is another. @param pipelines as `pipeline.json` has them */
export function goesOn({ stoppedEarly }: RunSummary, ...pipelines: readonly (Written | undefined)[]): boolean {
  const [before, now] = pipelines.map((pipeline) => (pipeline?.train as Written | undefined)?.stop);
  return stoppedEarly === true && !isDeepStrictEqual(before, now);
}

type Written = Readonly<Record<string, unknown>>;

/** The map of a file of JSON; nothing where it is none. */
export function parsed<T>(text: string | undefined): Partial<T> | undefined {
  const value = jsonOf(text ?? '');
  return typeof value === 'object' && value !== null ? value : undefined;
}
