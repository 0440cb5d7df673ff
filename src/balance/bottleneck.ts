import { counted } from '../counts.ts';
import type { StageStats } from '../streams/meter.ts';
import { type Reading, readingText, readRemedyText } from './reading.ts';
import { type BalanceFacts, over, percent, type Shares, sharesOf, unnoticed } from './shares.ts';

/** The part that sets the pace. */
export type Cause =
  | 'source'
  | 'stage'
  | 'render'
  | 'failures'
  | 'permits'
  | 'ring'
  | 'trainer'
  | 'micro-batch'
  | 'upload'
  | 'optimizer'
  | 'cores'
  | 'thread';

/** Why a training is as fast as it is. */
export interface Explanation {
  readonly cause: Cause;
  /** The stage, where the cause is one. */
  readonly stage?: string;
  /** The share of the time in which the trainer works. */
  readonly utilisation: number;
  readonly imagesPerSecond: number;
  /** The option to turn. */
  readonly knob: string;
  /** The throughput that turning it may give, over that of now. 1: nothing is to be gained by options. */
  readonly gain: number;
  /** Which side is the bottleneck, at what utilisation, and what would help: one sentence. */
  readonly sentence: string;
  /** The evidence, in further sentences. */
  readonly evidence: string;
}

/** A stage whose places are taken for this share of the time can do no more. */
const saturated = 0.85;

/** Names the bottleneck of a training, the knob, and the gain to be expected; undefined before there are steps enough to judge. */
export function explainBalance(facts: BalanceFacts): Explanation | undefined {
  const shares = sharesOf(facts);
  if (shares === undefined) return undefined;
  const found =
    shares.wait <= unnoticed
      ? trainerBound(facts, shares)
      : facts.onLoaderThread
        ? takingTurns(shares)
        : loaderBound(facts, shares);
  const { cause, stage, knob, helps, evidence } = found;
  const gain = Math.max(1, found.gain);
  const utilisation = 1 - shares.wait;
  const side = shares.wait > unnoticed ? 'The loader' : 'The trainer';
  const busy = `the trainer works ${percent(utilisation)} of the time, at ${rate(shares.imagesPerSecond)}`;
  const worth =
    gain > 1.02 ? `, up to ${rate(gain * shares.imagesPerSecond)} (${gain.toFixed(gain < 2 ? 2 : 1)}×)` : '';
  const sentence = `${side} is the bottleneck (${found.what}): ${busy}. ${helps}${worth}.`;
  const { imagesPerSecond } = shares;
  return { cause, ...(stage && { stage }), utilisation, imagesPerSecond, knob, gain, sentence, evidence };
}

/** Which side is the bottleneck, by the last steps, and the share of the time in which the trainer works; undefined before there are three. */
export function balanceOf(
  facts: Pick<BalanceFacts, 'rows' | 'batch'>,
): { readonly bottleneck: 'loader' | 'trainer'; readonly busy: number } | undefined {
  const shares = sharesOf(facts);
  return shares && { bottleneck: shares.wait > unnoticed ? 'loader' : 'trainer', busy: 1 - shares.wait };
}

interface Finding {
  readonly cause: Cause;
  readonly stage?: string;
  readonly knob: string;
  readonly gain: number;
  /** The part, in a few words. */
  readonly what: string;
  /** What would help; the gain is said behind it. */
  readonly helps: string;
  readonly evidence: string;
}

/** The trainer waits, and has the loader wait while it computes: what the stages say of themselves then tells of the trainer too. */
function takingTurns({ wait }: Shares): Finding {
  return {
    cause: 'thread',
    knob: 'train.thread',
    gain: 1 / Math.max(wait, 1 - wait),
    what: 'it takes turns with the trainer on one thread',
    helps: '`thread: worker` would help: the trainer then has a thread of its own',
    evidence: `Reads and stages run only in the ${percent(wait)} of the time in which the trainer waits.`,
  };
}

/** The trainer waits: some part of the loader is too slow, or is not allowed to be faster. */
function loaderBound(facts: BalanceFacts, shares: Shares): Finding {
  const { stats, permits, cores, reading, tunesThreads = false } = facts;
  const all = 1 / (1 - shares.wait);
  const stages = stats.map((each) => ({ ...each, name: nameOf(each), load: loadOf(each) }));
  const failed = stats.reduce((sum, { failures }) => sum + failures, 0) / Math.max(1, stats[0]?.in ?? 0);
  if (failed > 0.15) {
    const worst = stages.reduce((a, b) => (b.failures > a.failures ? b : a));
    return {
      cause: 'failures',
      stage: worst.name,
      knob: 'source',
      gain: Math.min(all, 1 / (1 - failed)),
      what: `failed samples in ${worst.name}`,
      helps: 'Leaving out what fails would help; quarantine.jsonl lists it',
      evidence: `${percent(failed)} of the samples that were read failed, and the work on them is lost.`,
    };
  }
  const busiest = stages.reduce<(typeof stages)[number] | undefined>(
    (most, each) => (most === undefined || each.load > most.load ? each : most),
    undefined,
  );
  const full = stages.filter(({ load }) => load > saturated).sort((a, b) => b.meanWaiting - a.meanWaiting)[0];
  if (full !== undefined)
    return slowStage(full, { all, cores, shares, reading, tunesThreads, next: nextLimit(stages, full.name, all) });
  const render = stages.find(({ name }) => name === 'render');
  const inside = stages.reduce(
    (sum, { meanWaiting, busyMs, elapsedMs }) => sum + meanWaiting + over(busyMs, elapsedMs),
    0,
  );
  if (render !== undefined && render.meanWaiting > Math.max(1, over(render.busyMs, render.elapsedMs))) {
    return {
      cause: 'ring',
      knob: 'cells',
      gain: Math.min(all, nextLimit(stages, '', all)),
      what: 'too few cells in the ring',
      helps: 'More `cells` would help: at least three times the micro-batch, and one per thread',
      evidence: `Samples wait in front of render, ${render.meanWaiting.toFixed(1)} on the average, though it has places free: there is no cell for them.`,
    };
  }
  if (shares.permitWait > 0.3 && inside > 0.6 * permits) {
    return {
      cause: 'permits',
      knob: 'permits',
      gain: Math.min(all, nextLimit(stages, '', all)),
      what: 'too few permits',
      helps: `More \`permits\` than ${permits} would help`,
      evidence: `All ${counted(permits, 'permit')} are out while no stage has its places full: samples wait for one another, none waits for a stage.`,
    };
  }
  const slow = busiest ?? {
    name: 'the loader',
    load: 0,
    meanWaiting: 0,
    mean: 0,
    p99: 0,
    concurrency: 1,
    busyMs: 0,
    elapsedMs: 1,
  };
  return slowStage(slow, { all, cores, shares, reading, tunesThreads, next: all });
}

interface Slow {
  readonly name: string;
  readonly load: number;
  readonly meanWaiting: number;
  readonly mean: number;
  readonly p99: number;
  readonly concurrency: number;
}

interface SlowContext {
  readonly all: number;
  readonly cores: number;
  readonly shares: Shares;
  readonly reading: Reading | undefined;
  readonly tunesThreads: boolean;
  readonly next: number;
}

function slowStage(
  { name, load, meanWaiting, mean, p99, concurrency }: Slow,
  { all, cores, shares, reading, tunesThreads, next }: SlowContext,
): Finding {
  const evidence = `${name} takes ${milliseconds(mean)} a sample, has ${percent(load)} of its ${counted(concurrency, 'place')} taken, and ${meanWaiting.toFixed(1)} samples wait in front of it on the average.`;
  const gain = Math.min(all, next);
  const idle = shares.cores < 0.85 * cores;
  if (name === 'source') {
    const helps = reading === undefined ? 'A faster disk or a local copy would help' : readRemedyText(reading);
    const reads =
      reading === undefined
        ? `A read takes ${milliseconds(mean)}, 99 of 100 at most ${milliseconds(p99)}; ${(load * concurrency).toFixed(1)} are in flight on the average, of ${concurrency} that may be.`
        : readingText(reading);
    const knob = reading?.helps === 'reads' || reading?.helps === 'permits' ? reading.helps : 'source';
    return { cause: 'source', stage: name, knob, gain, what: 'reading the source', helps, evidence: reads };
  }
  if (name === 'render') {
    const isFew = idle && !tunesThreads;
    const why = idle ? 'the run tries more `threads` by itself' : 'all cores are used';
    const helps = isFew
      ? `More \`threads\` would help: the run uses ${shares.cores.toFixed(1)} of ${counted(cores, 'core')}`
      : `Smaller pictures in the source would help, or raw shards: ${why}`;
    return {
      cause: 'render',
      stage: name,
      knob: isFew ? 'threads' : 'source',
      gain,
      what: 'rendering',
      helps,
      evidence,
    };
  }
  const helps = idle
    ? `A larger \`concurrency\` of ${name} than ${concurrency} would help where it waits for something, or less work in it`
    : `Less work in ${name} would help: all cores are used`;
  const knob = idle ? `${name}.concurrency` : name;
  return { cause: 'stage', stage: name, knob, gain, what: `the stage ${name}`, helps, evidence };
}

/** The trainer hardly waits. */
function trainerBound(facts: BalanceFacts, shares: Shares): Finding {
  const { batch, cores, onCores, costs = {}, stats, tunes = false } = facts;
  const { microBatch, upload, update, passMs } = shares;
  if (upload > 0.25) {
    return {
      cause: 'upload',
      knob: 'size',
      gain: 1 / (1 - upload),
      what: 'copying samples to the backend',
      helps: 'Smaller crops would help, or a model that does more with each',
      evidence: `${percent(upload)} of the time goes into uploads.`,
    };
  }
  const least = Math.min(...Object.values(costs));
  const faster = Object.keys(costs).find((n) => costs[Number(n)] === least);
  const timed = costs[microBatch] === undefined ? 1 : costs[microBatch] / least;
  const underused = onCores && shares.cores < 0.75 * cores;
  const short = !onCores && passMs < 5;
  if (timed > 1.05 || (!tunes && microBatch < batch && Object.keys(costs).length === 0 && (underused || short))) {
    const gain = timed > 1.05 ? timed : Math.min(batch / microBatch, underused ? cores / shares.cores : 2);
    const aim = timed > 1.05 ? `\`microBatch: ${faster}\`` : '`microBatch: auto`';
    return {
      cause: 'micro-batch',
      knob: 'microBatch',
      gain,
      what: `passes of only ${counted(microBatch, 'sample')}`,
      helps: `${aim} would help`,
      evidence: `A pass of ${microBatch} of ${counted(batch, 'sample')} takes ${milliseconds(passMs)}${underused ? ` and keeps ${shares.cores.toFixed(1)} of ${counted(cores, 'core')} busy` : ''}.`,
    };
  }
  const loading = stats.slice(1).reduce((sum, each) => sum + each.p10, 0);
  const taken = Math.min(0.6, (shares.imagesPerSecond * loading) / 1000 / cores);
  if (onCores && shares.cores > 0.85 * cores && taken > 0.12) {
    return {
      cause: 'cores',
      knob: 'source',
      gain: 1 / (1 - taken),
      what: 'it shares the cores with the loader',
      helps: 'More cores would help, or pictures that take less to load: smaller ones, or raw shards',
      evidence: `The run uses ${shares.cores.toFixed(1)} of ${counted(cores, 'core')}, and the loader about ${percent(taken)} of that.`,
    };
  }
  if (update > 0.3 && onCores) {
    return {
      cause: 'optimizer',
      knob: 'batch',
      gain: 1 / (1 - update / 2),
      what: 'norms and optimizer',
      helps: 'A larger `batch` would help, which is part of the method',
      evidence: `${percent(update)} of the time goes into what is done once a step.`,
    };
  }
  const headroom = Math.min(20, ...stats.map((each) => 1 / Math.max(0.01, loadOf(each))));
  return {
    cause: 'trainer',
    knob: 'device',
    gain: 1,
    what: 'as it should be',
    helps: 'A faster device or a smaller model would help, options would not',
    evidence: `Micro-batches of ${microBatch} take ${milliseconds(passMs)} a pass; the ring is ${percent(shares.ringFill)} full, and the loader could feed about ${headroom.toFixed(1)} times as much.`,
  };
}

/** The share of a stage's places that are taken, in the mean over its time. */
function loadOf({ busyMs, elapsedMs, concurrency }: StageStats): number {
  return over(busyMs, elapsedMs) / Math.max(1, concurrency);
}

/** By how much the throughput may grow until another stage, or the trainer, sets the pace. */
function nextLimit(
  stages: readonly { readonly name: string; readonly load: number }[],
  but: string,
  all: number,
): number {
  return Math.min(all, ...stages.filter(({ name }) => name !== but).map(({ load }) => 1 / Math.max(0.01, load)));
}

function nameOf({ stage }: StageStats): string {
  return stage.replace(/^\d+:/, '');
}

const milliseconds = (value: number): string => `${Number(value.toPrecision(2))} ms`;

const rate = (value: number): string => `${Number(value.toPrecision(3))} images/s`;
