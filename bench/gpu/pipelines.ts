import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Precision } from '../../src/backends/torch/precision.ts';
import { errorLine, kit, photos, shards } from './child.ts';

/** What a pipeline of the kit says. */
export interface Wish {
  readonly name: string;
  readonly from: 'jpeg' | 'raw';
  readonly model: 'lomar' | 'mae';
  readonly size: string;
  readonly batch: number;
  readonly microBatch: number | 'auto';
  readonly precision?: Precision;
  readonly steps: number;
  readonly everySteps?: number;
  /** Passes over the photographs in an epoch. */
  readonly repeat?: number;
}

/** The folder of a run. */
export const outputOf = (name: string) => join(kit.work, name);

/**
 * Runs a pipeline by the program that users run, or until `killed` says that it is to be killed. Its settings are found anew.
 * @throws Error with what it said when it failed, or ended before it could be killed.
 */
export async function runPipeline(wish: Wish, killed?: () => boolean): Promise<void> {
  const file = `${outputOf(wish.name)}.yaml`;
  writeFileSync(file, pipelineText(wish, outputOf(wish.name)));
  const child = spawn(process.execPath, [`${kit.app}bin/patchstream.mjs`, 'run', file], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, PATCHSTREAM_CACHE: 'off' },
  });
  let said = '';
  child.stderr.on('data', (chunk) => {
    said = (said + chunk).slice(-4000);
  });
  const watch = killed && setInterval(() => killed() && child.kill('SIGKILL'), 5);
  const code = await new Promise((resolve) => child.on('close', resolve));
  clearInterval(watch);
  if (killed !== undefined && child.signalCode !== 'SIGKILL') {
    throw new Error(code === 0 ? 'The run ended before it could be killed.' : errorLine(said));
  }
  if (killed === undefined && code !== 0) throw new Error(errorLine(said));
}

/** A pipeline file in JSON, which is YAML: the papers' chain over the photographs of the archive. */
function pipelineText(wish: Wish, output: string): string {
  const { name, from, model, size, batch, microBatch, precision, steps, everySteps = steps, repeat = 64 } = wish;
  const [side, patch] = kit.tiny ? [32, 8] : [224, 16];
  const mask =
    model === 'lomar'
      ? [{ windows: { patch, size: kit.tiny ? 3 : 7, views: kit.tiny ? 2 : 4 } }, { mask: { ratio: 0.8 } }]
      : [{ mask: { ratio: 0.75, patch } }];
  const decoder = kit.tiny && model === 'mae' ? { decoderWidth: 32, decoderDepth: 1, decoderHeads: 2 } : {};
  return JSON.stringify({
    name,
    seed: 7,
    source: from === 'raw' ? { shards: { path: shards } } : { 'image-folder': { path: photos, repeat } },
    stages: [
      ...(from === 'raw' ? [] : ['decode']),
      { 'random-resized-crop': { size: side, scale: [0.2, 1] } },
      { 'random-flip': { probability: 0.5 } },
      ...mask,
    ],
    train: {
      model: { [model]: { size, target: 'patchNorm', ...decoder } },
      ...{ batch, microBatch, steps, precision, backend: 'torch', device: kit.device },
      optimizer: { adamw: { lr: 1e-4 } },
      checkpoint: { everySteps, keep: 1 },
    },
    output,
  });
}

/** What a step of a run said, by `metrics.jsonl`. */
export interface StepLine {
  readonly step: number;
  readonly loss: number;
  readonly imagesPerSecond: number;
  readonly dataWaitMs: number;
  readonly microBatch: number;
  /** A digest of the samples. */
  readonly keys: string;
}

export function stepLines(name: string): StepLine[] {
  const text = readFileSync(join(outputOf(name), 'metrics.jsonl'), 'utf8');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as StepLine);
}
