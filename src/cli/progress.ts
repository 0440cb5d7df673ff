import { readingWords } from '../balance/reading.ts';
import { counted, percentOf } from '../counts.ts';
import { printable } from '../errors.ts';
import type { Progress, RunEvent, RunSummary } from '../events/events.ts';
import { flopsText, mfuText } from '../train/flops.ts';
import type { Output } from './command.ts';
import { cutTo, widthOf } from './figures/width.ts';
import { sentencesOf } from './sentences.ts';

/** Shows a run while it goes, and its end: a listener of its events. */
export type View = (event: RunEvent) => void;

/** A bar on a terminal, plain lines every few seconds elsewhere, or JSON lines for programs. */
export function viewOf({
  out,
  log,
  json,
  now = Date.now,
}: {
  out: Output;
  log: Output;
  json: boolean;
  now?: () => number;
}): View {
  if (json) return jsonView(out);
  return log.isTTY ? barView(out, log, now) : plainView(out, log, now);
}

function jsonView(out: Output): View {
  return (event) => void out.write(`${JSON.stringify(event)}\n`);
}

const barEvery = 100;
const lineEvery = 5000;
/** Failures beyond these are counted, not shown: a broken data set would bury everything else. */
const shownFailures = 10;

function barView(out: Output, log: Output, now: () => number): View {
  let last = Number.NEGATIVE_INFINITY;
  let latest: Progress | undefined;
  let failures = 0;
  const clear = () => log.write('\r\u001b[K');
  const draw = () => {
    if (latest) log.write(`\r\u001b[K${barText(latest, log.columns ?? 80)}`);
  };
  return (event) => {
    if (event.type === 'progress') {
      latest = event;
      const finished = event.total !== undefined && (event.ended ?? event.done) >= event.total;
      if (now() - last < barEvery && !finished) return;
      last = now();
      draw();
    } else if (event.type === 'finished') {
      clear();
      if (event.summary) endLines(event.summary, out);
    } else if (event.type !== 'failure' || ++failures <= shownFailures) {
      const lines = sentencesOf(event);
      if (lines.length === 0) return;
      clear();
      for (const line of lines) log.write(`${line}\n`);
      draw();
    }
  };
}

function plainView(out: Output, log: Output, now: () => number): View {
  let last = now();
  let failures = 0;
  return (event) => {
    if (event.type === 'progress') {
      if (now() - last < lineEvery) return;
      last = now();
      log.write(`${progressText(event)}\n`);
    } else if (event.type === 'finished') {
      if (event.summary) endLines(event.summary, out);
    } else if (event.type !== 'failure' || ++failures <= shownFailures) {
      for (const line of sentencesOf(event)) log.write(`${line}\n`);
    }
  };
}

function endLines({ lines, done, failures, drops, seconds, earlier }: RunSummary, out: Output): void {
  if (earlier) {
    out.write('This run was finished earlier; --fresh runs it again.\n');
    for (const line of lines) out.write(`${printable(line)}\n`);
    return;
  }
  const parts = [
    `${done} done`,
    ...(failures > 0 ? [`${failures} failed`] : []),
    ...(drops > 0 ? [`${drops} dropped`] : []),
  ];
  out.write(`${parts.join(', ')} in ${durationText(seconds)}\n`);
  for (const line of lines) out.write(`${printable(line)}\n`);
}

/** `████░░░░  45%  920/2048  812 images/s  1 s left  12 wait for resize`, no wider than the terminal. */
export function barText(progress: Progress, columns: number): string {
  const { done, ended = done, total } = progress;
  const rest = progressText(progress);
  const width = Math.min(30, columns - widthOf(rest) - 3);
  if (total === undefined || total === 0 || width < 5) return cutTo(rest, columns - 1, 'end');
  const full = Math.round(width * Math.min(1, ended / total));
  return `${'█'.repeat(full)}${'░'.repeat(width - full)}  ${rest}`;
}

/** One line of progress. */
export function progressText({
  done,
  ended = done,
  records,
  total,
  imagesPerSecond,
  secondsLeft,
  waiting,
  balance,
  reading,
  failures,
  values,
  flops,
  mfu,
}: Progress): string {
  const disk = reading && readingWords(reading);
  const share = total ? `${Math.floor(percentOf(ended, total))}%  ` : '';
  const parts = [
    `${share}${done}${total === undefined ? '' : `/${total}`}`,
    ...(records === undefined ? [] : [counted(records, 'record')]),
    ...Object.entries(values ?? {}).map(([name, value]) => `${printable(name)} ${Number(value.toPrecision(4))}`),
    `${imagesPerSecond < 10 ? imagesPerSecond.toFixed(1) : Math.round(imagesPerSecond)} images/s`,
    ...(flops === undefined ? [] : [`${flopsText(flops)}${mfu === undefined ? '' : ` (${mfuText(mfu)})`}`]),
    ...(secondsLeft === undefined ? [] : [`${durationText(secondsLeft)} left`]),
    ...(waiting === undefined ? [] : [`${waiting.permits} wait for ${printable(waiting.stage.replace(/^\d+:/, ''))}`]),
    ...(balance === undefined ? [] : [balanceText(balance)]),
    ...(disk === undefined ? [] : [disk]),
    ...(failures > 0 ? [`${failures} failed`] : []),
  ];
  return parts.join('  ');
}

/** Which side is the bottleneck, in a few words. */
function balanceText({ bottleneck, busy }: NonNullable<Progress['balance']>): string {
  const share = `${Math.round(percentOf(busy, 1))} % busy`;
  return bottleneck === 'loader' ? `loader is the bottleneck, trainer ${share}` : `trainer is the bottleneck, ${share}`;
}

/** `4.2 s`, `3 min 20 s`, `2 h 5 min` */
export function durationText(seconds: number): string {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}
