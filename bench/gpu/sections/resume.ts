/**
 * Is a run that was killed and started again the run that was never killed? A small LoMaR is trained to its end; again, with SIGKILL after its start event and
 * its first checkpoint; and resumed. The same samples must come in every step, once, and the weights must be the same but for rounding.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { decodeSafetensors, floatsOf } from '../../../src/formats/safetensors.ts';
import { kit, lineOf, row } from '../child.ts';
import { outputOf, runPipeline, stepLines } from '../pipelines.ts';

const [steps, everySteps] = kit.tiny ? [30, 5] : [240, 20];
/** Relative to all weights: on a device sums are made in any order. */
const tolerance = 1e-3;

const wish = {
  from: 'jpeg',
  model: 'lomar',
  size: 'nano',
  batch: 16,
  microBatch: 8,
  steps,
  everySteps,
  repeat: 1,
} as const;

function hasSaved(name: string): boolean {
  const folder = outputOf(name);
  const events = join(folder, 'events.jsonl');
  if (!existsSync(events) || !readFileSync(events, 'utf8').includes('"event":"start"')) return false;
  return checkpoints(name).length > 0;
}

function checkpoints(name: string): string[] {
  const folder = join(outputOf(name), 'checkpoints');
  return existsSync(folder) ? readdirSync(folder).filter((each) => each.startsWith('step-')) : [];
}

function weights(name: string): Map<string, Float32Array> {
  const path = join(outputOf(name), 'checkpoints', checkpoints(name).sort().at(-1)!, 'model.safetensors');
  const { tensors } = decodeSafetensors(readFileSync(path), path);
  return new Map(Array.from(tensors, ([parameter, stored]) => [parameter, floatsOf(stored)]));
}

/** The norm of the difference of all weights over that of the weights. */
function distance(found: ReadonlyMap<string, Float32Array>, expected: ReadonlyMap<string, Float32Array>): number {
  let [difference, norm] = [0, 0];
  for (const [name, values] of expected) {
    for (const [i, value] of values.entries()) {
      difference += (found.get(name)![i]! - value) ** 2;
      norm += value ** 2;
    }
  }
  return Math.sqrt(difference / norm);
}

try {
  await runPipeline({ ...wish, name: 'whole' });
  await runPipeline({ ...wish, name: 'killed' }, () => hasSaved('killed'));
  const from = checkpoints('killed').at(-1);
  await runPipeline({ ...wish, name: 'killed' });
  const [whole, resumed] = [stepLines('whole'), stepLines('killed')];
  const once = resumed.length === steps && resumed.every(({ step }, i) => step === i);
  const same = once && resumed.every(({ keys }, i) => keys === whole[i]!.keys);
  const apart = distance(weights('killed'), weights('whole'));
  row({
    what: 'killed and resumed',
    steps,
    killedAfter: from,
    eachStepOnce: once,
    sameSamples: same,
    weightsApart: Number(apart.toPrecision(2)),
    bitForBit: apart === 0,
    loss: [whole.at(-1)?.loss, resumed.at(-1)?.loss],
    ok: same && apart <= tolerance,
  });
} catch (error) {
  row({ what: 'killed and resumed', ok: false, error: lineOf(error) });
}
process.exit();
