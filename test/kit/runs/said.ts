import { sentencesOf } from '../../../src/cli/sentences.ts';
import type { RunEvent } from '../../../src/events/events.ts';

/** A listener that gathers what a run says in sentences, failed samples apart. */
export function saying(lines: string[]): (event: RunEvent) => void {
  return (event) => {
    if (event.type !== 'failure') lines.push(...sentencesOf(event));
  };
}

/** Whether an event says something that matches. */
export function says(event: RunEvent, pattern: RegExp): boolean {
  return sentencesOf(event).some((line) => pattern.test(line));
}
