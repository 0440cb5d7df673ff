import { counted } from '../counts.ts';
import type { StageStats } from '../streams/meter.ts';
import { type Reading, readingText, readRemedyText } from './reading.ts';
import { over, percent } from './shares.ts';

/** Why a job is as fast as it is. */
export interface JobExplanation {
  /** The stage that sets the pace; `source` where that is reading. */
  readonly stage: string;
  /** What sets the pace, and what would help: in sentences. */
  readonly sentence: string;
  /** The evidence, in further sentences. */
  readonly evidence: string;
}

/** Names what sets the pace of a job: the disk, a stage, or the sink, in which pictures are rendered too; undefined before anything was done. */
export function explainJob(stats: readonly StageStats[], reading: Reading | undefined): JobExplanation | undefined {
  if (reading !== undefined && reading.slowShare > 0.5) return slowReading(reading);
  const [source, ...others] = stats.map((each) => ({
    ...each,
    name: each.stage.replace(/^\d+:/, ''),
    load: over(over(each.busyMs, each.elapsedMs), each.concurrency),
  }));
  // Without a measure of its reads the source is a stage like the others; with one it is known not to be what the others wait for.
  const judged = reading === undefined && source !== undefined ? [source, ...others] : others;
  const slowest = judged.reduce<(typeof judged)[number] | undefined>(
    (most, each) => (most === undefined || each.load > most.load ? each : most),
    undefined,
  );
  if (slowest === undefined || slowest.in === 0) return undefined;
  const { name, load, mean, concurrency, meanWaiting } = slowest;
  const isSink = slowest.stage === stats.at(-1)?.stage;
  const what = isSink ? `The sink ${name}, in which pictures are rendered too,` : `The stage ${name}`;
  return {
    stage: name,
    sentence: `${what} sets the pace.`,
    evidence: `${name} takes ${Number(mean.toPrecision(2))} ms a sample, has ${percent(load)} of its ${counted(concurrency, 'place')} taken, and ${meanWaiting.toFixed(1)} samples wait in front of it on the average.${reading === undefined ? '' : ` ${readingText(reading)}`}`,
  };
}

function slowReading(reading: Reading): JobExplanation {
  const { slowShare, slowState = reading.state, helps } = reading;
  const help = helps === undefined ? '' : ` ${readRemedyText(reading)}.`;
  return {
    stage: 'source',
    sentence: `Reading from the disk or network sets the pace: for ${percent(slowShare)} of the time samples have waited for reads.${help}`,
    evidence: readingText({ ...reading, state: slowState }),
  };
}
