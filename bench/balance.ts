/**
 * How well are loader and trainer balanced? Rows `coupled …`: a whole training with real photographs, over the slower of its loader alone and its trainer
 * alone, measured in turns. Rows `tuner against sweep …`: the steady state that the tuner settles at, over the best of a sweep of fixed micro-batches, and
 * `settles …`: the steps that takes, of 200. Row `measures`: what the measures of a step cost, as a share of a small step, of 1 %. And the papers' procedure
 * at a fixed batch, images/s against ghost batch of LoMaR, MAE and SRMAE, as `bench/results/ghost-batch.svg` and in the notes. Arguments choose:
 * `npm run bench -- balance coupled`.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chooseBackend } from '../src/backends/choose.ts';
import * as tf from '../src/backends/tf.ts';
import type { Profile } from '../src/pipeline/profile.ts';
import { Random } from '../src/random.ts';
import type { Measures } from '../src/train/metrics.ts';
import { buildModel } from '../src/train/models.ts';
import { adamw, disposeState } from '../src/train/optimizer.ts';
import { Step } from '../src/train/step.ts';
import { median } from '../src/train/tune-micro-batch.ts';
import type { Decision } from '../src/train/tuner.ts';
import { type Curve, ghostChart } from './balance/ghost-chart.ts';
import { noiseBatch } from './peers/noise.ts';
import { isWanted, refuseUnknown } from './peers/wanted.ts';
import { models, planOf } from './train-step/plans.ts';

interface Row {
  readonly what: string;
  readonly ours: number;
  readonly theirs: number;
  readonly unit: string;
  readonly ratio: number;
  readonly more?: string;
}

const parts = ['coupled', 'tuner', 'measures', 'ghost'] as const;
const here = dirname(fileURLToPath(import.meta.url));
const rounds = 3;

export async function run(args: readonly string[] = []): Promise<{ rows: Row[]; notes: string[] }> {
  refuseUnknown(args, parts, models);
  const rows: Row[] = [];
  const notes: string[] = [];
  const wanted = models.filter((model) => isWanted(model, models, args));
  if (isWanted('coupled', parts, args)) for (const model of wanted) rows.push(coupledRow(model));
  if (isWanted('tuner', parts, args)) for (const model of wanted) rows.push(...tunerRows(model));
  if (isWanted('measures', parts, args)) rows.push(measuresRow());
  if (isWanted('ghost', parts, args)) {
    const curves: Curve[] = [];
    for (const model of wanted) curves.push(await ghostCurve(model));
    writeFileSync(join(here, 'results', 'ghost-batch.svg'), ghostChart(curves));
    for (const { name, points } of curves) {
      const cells = points.map(({ microBatch, rate }) => `${microBatch}: ${rate.toPrecision(3)}`);
      notes.push(`Images/s against ghost batch, ${name}, tiny, 224 px, batch ${ghostBatchTotal}: ${cells.join(', ')}.`);
    }
  }
  return { rows, notes };
}

const patchstream = join(here, '..', 'bin', 'patchstream.mjs');

/** A quickstart without its evaluation, in a folder of its own. */
function inFolder<T>(model: string, f: (file: string, folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'balance-'));
  try {
    const text = readFileSync(join(here, '..', 'pipelines', `${model}-quickstart.yaml`), 'utf8');
    const whole = text.replace(/^evaluate:\n(?: .*\n)+/m, '').replaceAll(' ../', ` ${join(here, '..')}/`);
    const file = join(folder, 'pipeline.yaml');
    writeFileSync(file, whole.replace(/^output: .*$/m, `output: ${join(folder, 'run')}`));
    return f(file, join(folder, 'run'));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Runs the built command line in a process of its own. */
function command(words: readonly string[], set: readonly string[]): string {
  const env = { ...process.env, PATCHSTREAM_CACHE: 'off' };
  const all = ['train.schedule.cosine.warmupSteps=1', ...set].flatMap((each) => ['--set', each]);
  return execFileSync(process.execPath, [patchstream, ...words, ...all], {
    env,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
}

/** Trains and gives the rows of the metrics, and the tuner's decisions. */
function train(model: string, set: readonly string[]) {
  return inFolder(model, (file, folder) => {
    command(['run', file], set);
    const lines = <T>(name: string) =>
      readFileSync(join(folder, name), 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as T);
    const decisions = lines<Decision & { event: string }>('events.jsonl').filter(({ event }) => event === 'balance');
    return { rows: lines<Measures>('metrics.jsonl'), decisions, batch: batches[model as keyof typeof batches] };
  });
}

/** Samples per step in the quickstarts. */
const batches = { lomar: 48, mae: 32, srmae: 64 } as const;

/** Images per second of steps, over their wall time. */
function rateOf(rows: readonly Measures[], batch: number): number {
  return (batch * rows.length) / rows.reduce((sum, row) => sum + batch / row.imagesPerSecond, 0);
}

const fixedMicro = { lomar: 16, mae: 16, srmae: 16 } as const;

function coupledRow(model: (typeof models)[number]): Row {
  const set = [`train.microBatch=${fixedMicro[model]}`, 'train.steps=40'];
  const pairs: { ours: number; theirs: number; side: string }[] = [];
  for (let round = 0; round < rounds; round++) {
    const alone = inFolder(model, (file) => JSON.parse(command(['profile', file, '--json'], set)) as Profile);
    const { rows, batch } = train(model, set);
    const [loader, trainer] = [alone.loader.imagesPerSecond, alone.trainer!.imagesPerSecond];
    pairs.push({
      ours: rateOf(rows.slice(16), batch),
      theirs: Math.min(loader, trainer),
      side: loader < trainer ? 'loader' : 'trainer',
    });
  }
  const { ours, theirs, side } = pairs.sort((a, b) => a.ours / a.theirs - b.ours / b.theirs)[rounds >> 1]!;
  const more = `the ${side} alone is the slower; they share the cores`;
  return { what: `coupled ${model} nano`, ours, theirs, unit: 'images/s', ratio: ours / theirs, more };
}

function tunerRows(model: (typeof models)[number]): Row[] {
  const { decisions, batch } = train(model, ['train.steps=200']);
  const settled = decisions.find(({ kind }) => kind === 'settled');
  if (settled === undefined) throw new Error(`${model} has not settled in 200 steps`);
  const rates = new Map<string, number[]>();
  const threads = settled.threads;
  const measure = (microBatch: number, own: string) => {
    const { rows } = train(model, [`train.microBatch=${microBatch}`, `threads=${own}`, 'train.steps=28']);
    const key = `${microBatch} ${own}`;
    rates.set(key, [...(rates.get(key) ?? []), rateOf(rows.slice(12), batch)]);
  };
  const sizes = Array.from({ length: batch }, (_, i) => i + 1).filter((n) => batch % n === 0 && n >= batch / 12);
  for (let round = 0; round < rounds; round++) {
    measure(settled.microBatch, String(threads));
    for (const microBatch of sizes) measure(microBatch, '2');
  }
  const ours = median(rates.get(`${settled.microBatch} ${threads}`)!);
  const [best, theirs] = [...rates]
    .map(([key, values]) => [key, median(values)] as const)
    .reduce((a, b) => (b[1] > a[1] ? b : a));
  const setting = `${settled.microBatch} with ${threads} threads; the sweep's best: ${best.replace(' ', ' with ')}`;
  return [
    { what: `tuner against sweep ${model} nano`, ours, theirs, unit: 'images/s', ratio: ours / theirs, more: setting },
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

const ghostBatchTotal = 32;

/** Images per second of steps of one batch, by ghost batch: warm-up passes and the median of 3 steps, the papers' procedure made short. */
async function ghostCurve(name: (typeof models)[number]): Promise<Curve> {
  await chooseBackend({ backend: 'auto', device: 'auto' });
  const points: { microBatch: number; rate: number }[] = [];
  for (const microBatch of [1, 2, 4, 8, 16, 32]) {
    const plan = planOf(name, 'tiny', microBatch);
    const model = buildModel({ name, options: plan.options, spec: plan.spec });
    const params = model.init((parameter) => new Random(2, 'init', parameter));
    const optimizer = adamw(model.decays);
    const state = optimizer.init(params);
    const step = new Step({ model, params, optimizer, state });
    const samples = noiseBatch(plan.noise);
    const once = async () => {
      const began = performance.now();
      for (let done = 0; done < ghostBatchTotal; done += microBatch) step.add(samples);
      await step.measure();
      step.update(1e-6);
      step.clear();
      return performance.now() - began;
    };
    for (let passes = 0; passes < 6; passes += ghostBatchTotal / microBatch) await once();
    const times = [await once(), await once(), await once()];
    points.push({ microBatch, rate: (1000 * ghostBatchTotal) / median(times) });
    step.dispose();
    tf.dispose(params);
    disposeState(state);
    model.dispose();
  }
  return { name, points };
}
