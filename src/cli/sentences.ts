import { counted } from '../counts.ts';
import { printable } from '../errors.ts';
import type { RunEvent, Started } from '../events/events.ts';
import { noticeText } from '../events/notices.ts';
import { passedOverLine } from '../runs/sum.ts';

/** What an event says to its user, in lines that are safe to show; none for those that are numbers alone. */
export function sentencesOf(event: RunEvent): string[] {
  switch (event.type) {
    case 'started':
      return startedLines(event).map(printable);
    case 'notice':
      return [noticeText(event)];
    case 'tuning':
      return event.kind === 'try' ? [] : [printable(event.why)];
    case 'evaluation': {
      const when = event.step === 0 ? 'before the training' : `after step ${event.step}`;
      return event.last ? [] : event.lines.map((line) => printable(`${when}: ${line}`));
    }
    case 'passedOver': {
      const line = passedOverLine(event.rows);
      return [printable(event.of === undefined ? line : `${event.of.join(', ')}: ${line}`)];
    }
    case 'failure':
      return [`failed in ${printable(event.stage)}: ${printable(event.key)}: ${printable(event.error)}`];
    default:
      return [];
  }
}

function startedLines({ written, training }: Started): string[] {
  if (written !== undefined) return [`Resuming after ${counted(written, 'sample')} that an earlier run has written.`];
  if (training === undefined) return [];
  const { parameters, why, step, resumed } = training;
  return [
    `Training ${counted(parameters, 'parameter')} with ${why}`,
    ...(resumed === undefined ? [] : [`Resuming after step ${step}, from ${resumed}.`]),
  ];
}
