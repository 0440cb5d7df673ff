/**
 * How well are loader and trainer balanced? Rows `coupled …`: a whole training with real photographs, over the slower of its loader alone and its trainer
 * alone, measured in turns. Rows `tuner against sweep …`: the steady state that the tuner settles at, over the best of a sweep of fixed micro-batches, and
 * `settles …`: the steps that takes, of 200. Row `measures`: what the measures of a step cost, as a share of a small step, of 1 %. Rows `ghost batch …`: the
 * papers' procedure at a fixed batch, images/s of the best ghost batch over those of the whole batch in one pass; their curves are drawn in
 * `docs/ghost-batch.svg`. Each row takes less than three minutes on two cores; arguments choose: `npm run bench -- balance ghost lomar`.
 */
import { chooseBackend } from '../src/backends/choose.ts';
import { median } from '../src/balance/tune-micro-batch.ts';
import { prepareThreads } from '../src/library-threads.ts';
import { type Curve, ghostChart } from './balance/ghost-chart.ts';
import { batches, type ModelName, profile, rateOf, train, trainUntilSettled } from './balance/quickstart.ts';
import type { Row } from './peers/row.ts';
import { isWanted, refuseUnknown } from './peers/wanted.ts';
import { models, planOf } from './train-step/plans.ts';
import { openTraining } from './train-step/training.ts';

interface BalanceRow extends Row {
  /** What is drawn. */
  readonly curve?: Curve;
}

const parts = ['coupled', 'tuner', 'measures', 'ghost'] as const;
const rounds = 3;

export async function run(args: readonly string[] = []): Promise<{ rows: BalanceRow[] }> {
  refuseUnknown(args, parts, models);
  const rows: BalanceRow[] = [];
  const wanted = models.filter((model) => isWanted(model, models, args));
  if (isWanted('coupled', parts, args)) for (const model of wanted) rows.push(await coupledRow(model));
  if (isWanted('tuner', parts, args)) for (const model of wanted) rows.push(...(await tunerRows(model)));
  if (isWanted('measures', parts, args)) rows.push(measuresRow());
  if (isWanted('ghost', parts, args)) for (const model of wanted) rows.push(await ghostRow(model));
  return { rows };
}

/** The figures of all rows that there are, by path from the root. */
export function figures(rows: readonly BalanceRow[]): Readonly<Record<string, string>> {
  const curves = rows.flatMap(({ curve }) => curve ?? []);
  return curves.length > 0 ? { 'docs/ghost-batch.svg': ghostChart(curves) } : {};
}

const fixedMicro = { lomar: 16, mae: 16, srmae: 16 } as const;

async function coupledRow(model: ModelName): Promise<Row> {
  const set = [`train.microBatch=${fixedMicro[model]}`, 'train.steps=40'];
  const pairs: { ours: number; theirs: number; side: string }[] = [];
  for (let round = 0; round < rounds; round++) {
    const alone = await profile(model, set);
    const [loader, trainer] = [alone.loader.imagesPerSecond, alone.trainer!.imagesPerSecond];
    pairs.push({
      ours: rateOf(await train(model, set), 16),
      theirs: Math.min(loader, trainer),
      side: loader < trainer ? 'loader' : 'trainer',
    });
  }
  const { ours, theirs, side } = pairs.sort((a, b) => a.ours / a.theirs - b.ours / b.theirs)[rounds >> 1]!;
  const more = `the ${side} alone is the slower; they share the cores`;
  return { what: `coupled ${model} nano`, ours, theirs, unit: 'images/s', ratio: ours / theirs, more };
}

/** A setting whose rate is below this share of the best is not measured again: noise does not make it the best. */
const near = 0.85;
/** A sweep that has taken so long begins no further round. */
const patienceMs = 90_000;

async function tunerRows(model: ModelName): Promise<Row[]> {
  const settled = (await trainUntilSettled(model, 200)).decisions.find(({ kind }) => kind === 'settled');
  if (settled === undefined) throw new Error(`${model} has not settled in 200 steps`);
  const batch = batches[model];
  const sizes = Array.from({ length: batch }, (_, i) => i + 1).filter((n) => batch % n === 0 && n >= batch / 12);
  const own = `${settled.microBatch} with ${settled.threads}`;
  const rates = new Map<string, number[]>([own, ...sizes.map((size) => `${size} with 2`)].map((key) => [key, []]));
  const rateAt = (key: string) => median(rates.get(key)!);
  const began = performance.now();
  let left = [...rates.keys()];
  let round = 0;
  while (round < rounds && (round === 0 || performance.now() - began < patienceMs)) {
    for (const key of left) {
      const [microBatch, threads] = key.split(' with ');
      const trained = await train(model, [`train.microBatch=${microBatch}`, `threads=${threads}`, 'train.steps=28']);
      rates.get(key)!.push(rateOf(trained, 12));
    }
    const most = Math.max(...left.map(rateAt));
    left = left.filter((key) => key === own || rateAt(key) >= near * most);
    round++;
  }
  const best = left.reduce((a, b) => (rateAt(b) > rateAt(a) ? b : a));
  const [ours, theirs] = [rateAt(own), rateAt(best)];
  const more = `micro-batch ${own} threads; the sweep's best: ${best}; ${round} of ${rounds} rounds`;
  return [
    { what: `tuner against sweep ${model} nano`, ours, theirs, unit: 'images/s', ratio: ours / theirs, more },
    { what: `settles ${model} nano`, ours: settled.steps, theirs: 200, unit: 'steps', ratio: 200 / settled.steps },
  ];
}

/** The clock and usage readings of a step of two passes, as the loop takes them, beside a step of 10 ms. */
function measuresRow(): Row {
  const times = 20_000;
  const cost = () => {
    const began = performance.now();
    let sum = 0;
    for (let i = 0; i < times; i++) {
      for (let reading = 0; reading < 14; reading++) sum += performance.now();
      const used = process.cpuUsage();
      sum += used.user + process.cpuUsage(used).system;
      sum += process.memoryUsage.rss();
    }
    return sum > 0 ? (performance.now() - began) / times : Number.NaN;
  };
  cost();
  const each = median(Array.from({ length: 7 }, cost));
  const share = (100 * each) / 10;
  const more = `${(1000 * each).toFixed(1)} µs a step`;
  return { what: 'measures of a step of 10 ms', ours: share, theirs: 1, unit: '%', ratio: 1 / share, more };
}

/** A pass is recorded, compared with a replay, and replayed. */
const warmPasses = 3;
const mostSteps = 7;
/** What the curve of a model may take: a point that has used its share of what is left is content with the steps it has, but at least with one. */
const ghostMs = 120_000;

/** Ghost batches of a batch: its halves, down to one sample. */
function ghostBatches(batch: number): number[] {
  return batch === 1 ? [1] : [...ghostBatches(batch / 2), batch];
}

/** The largest batch of which every ghost batch can be warmed up and timed at least once in half of the time, judged by passes of one sample. */
async function ghostBatchTotal(name: ModelName): Promise<number> {
  const probe = await openTraining(planOf(name, 'tiny', 1));
  try {
    for (let pass = 0; pass < warmPasses; pass++) await probe.step();
    const each = Math.min(await probe.step(), await probe.step());
    const least = (batch: number) =>
      ghostBatches(batch).reduce((sum, microBatch) => sum + (warmPasses * microBatch + batch) * each, 0);
    return [32, 16, 8].find((batch) => least(batch) < ghostMs / 2) ?? 4;
  } finally {
    probe.dispose();
  }
}

/** Images per second of steps of one batch, by ghost batch: the median of up to seven steps each, behind a warm-up. */
async function ghostRow(name: ModelName): Promise<BalanceRow> {
  // As a training does: before libtorch is loaded.
  prepareThreads();
  await chooseBackend({ backend: 'auto', device: 'auto' });
  const batch = await ghostBatchTotal(name);
  const sizes = ghostBatches(batch);
  const began = performance.now();
  const points: { microBatch: number; rate: number }[] = [];
  const counts: number[] = [];
  for (const [i, microBatch] of sizes.entries()) {
    const begun = performance.now();
    const share = (began + ghostMs - begun) / (sizes.length - i);
    const training = await openTraining(planOf(name, 'tiny', microBatch));
    try {
      for (let pass = 0; pass < warmPasses; pass++) await training.step();
      const times: number[] = [];
      do times.push(await training.step(batch / microBatch));
      while (times.length < mostSteps && performance.now() - begun + times.at(-1)! < share);
      points.push({ microBatch, rate: (1000 * batch) / median(times) });
      counts.push(times.length);
    } finally {
      training.dispose();
    }
  }
  const [best, whole] = [points.reduce((a, b) => (b.rate > a.rate ? b : a)), points.at(-1)!];
  const cells = points.map(({ microBatch, rate }) => `${microBatch}: ${rate.toPrecision(3)}`).join(', ');
  const more = `best at ${best.microBatch} of ${batch}; ${cells}; medians of ${Math.min(...counts)} to ${Math.max(...counts)} steps at 224 px`;
  return {
    what: `ghost batch ${name} tiny`,
    ours: best.rate,
    theirs: whole.rate,
    unit: 'images/s',
    ratio: best.rate / whole.rate,
    more,
    curve: { name, points },
  };
}
