import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Decision } from '../../src/balance/tuner.ts';
import type { Profile } from '../../src/runs/profile.ts';
import type { Measures } from '../../src/train/metrics.ts';
import type { models } from '../train-step/plans.ts';

export type ModelName = (typeof models)[number];

/** Samples per step in the quickstarts. */
export const batches = { lomar: 48, mae: 32, srmae: 64 } as const;

/** What a training has left of itself. */
export interface Trained {
  readonly rows: readonly Measures[];
  readonly decisions: readonly Decision[];
}

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const patchstream = join(root, 'bin', 'patchstream.mjs');

/** A quickstart without its evaluation, in a folder of its own. */
async function inFolder<T>(model: ModelName, f: (file: string, folder: string) => T | Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'balance-'));
  try {
    const text = readFileSync(join(root, 'pipelines', `${model}-quickstart.yaml`), 'utf8');
    const file = join(folder, 'pipeline.yaml');
    const placed = text.replaceAll(' ../', ` ${root}/`).replace(/^output: .*$/m, `output: ${join(folder, 'run')}`);
    writeFileSync(file, placed);
    return await f(file, join(folder, 'run'));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The built command line, for a process of its own. */
function wordsOf(words: readonly string[], set: readonly string[]): string[] {
  const all = ['evaluate=null', 'train.schedule.cosine.warmupSteps=1', ...set];
  return [patchstream, ...words, ...all.flatMap((each) => ['--set', each])];
}

const options = {
  env: { ...process.env, PATCHSTREAM_CACHE: 'off' },
  stdio: ['ignore', 'pipe', 'ignore'] as ['ignore', 'pipe', 'ignore'],
};

function trainedIn(folder: string): Trained {
  const lines = <T>(name: string) => {
    const path = join(folder, name);
    // The last line of a training that goes on may be half there.
    const whole = existsSync(path) ? readFileSync(path, 'utf8').split('\n').slice(0, -1) : [];
    return whole.map((line) => JSON.parse(line) as T);
  };
  const events = lines<Decision & { event: string }>('events.jsonl');
  return { rows: lines('metrics.jsonl'), decisions: events.filter(({ event }) => event === 'balance') };
}

/** A whole training. */
export function train(model: ModelName, set: readonly string[]): Promise<Trained> {
  return inFolder(model, (file, folder) => {
    execFileSync(process.execPath, wordsOf(['run', file], set), options);
    return trainedIn(folder);
  });
}

/** A training that is stopped as soon as the tuner has settled, or after `steps`. */
export function trainUntilSettled(model: ModelName, steps: number): Promise<Trained> {
  return inFolder(model, async (file, folder) => {
    const child = spawn(process.execPath, wordsOf(['run', file, '--json'], [`train.steps=${steps}`]), options);
    child.stdout.on('data', () => {
      if (trainedIn(folder).decisions.some(({ kind }) => kind === 'settled')) child.kill('SIGTERM');
    });
    const [code] = await once(child, 'close');
    if (code !== 0 && code !== 143) throw new Error(`the training of ${model} ended with ${code}`);
    return trainedIn(folder);
  });
}

/** Loader and trainer, each on its own. */
export function profile(model: ModelName, set: readonly string[]): Promise<Profile> {
  return inFolder(model, (file) => {
    const text = execFileSync(process.execPath, wordsOf(['profile', file, '--json'], set), {
      ...options,
      encoding: 'utf8',
    });
    return JSON.parse(text) as Profile;
  });
}

/** Images per second of the steps behind the first `after`, over their wall time. All steps have as many samples. */
export function rateOf({ rows }: Trained, after: number): number {
  const counted = rows.slice(after);
  return counted.length / counted.reduce((sum, row) => sum + 1 / row.imagesPerSecond, 0);
}
