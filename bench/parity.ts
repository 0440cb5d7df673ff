/**
 * Do our models compute what the same models written plainly in PyTorch compute? Each is built with random parameters on every backend
 * that this machine has, its weights go to Python as safetensors, and prediction, loss and the gradient of every parameter come back in
 * float64 from `bench/parity/`? BEiT is also compared with the package transformers. And do optimizers, clipping and averages give after twenty steps what timm's give? Arguments choose: `npm run bench -- parity torch lomar nano`,
 * `npm run bench -- parity optimizers`.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chooseBackend } from '../src/backends/choose.ts';
import * as tf from '../src/backends/tf.ts';
import { PatchstreamError } from '../src/errors.ts';
import {
  decodeSafetensors,
  encodeSafetensors,
  type FloatTensor,
  floatsOf,
  safetensorsParts,
} from '../src/formats/safetensors.ts';
import { buildModel } from '../src/models/index.ts';
import type { HostBatch } from '../src/models/model.ts';
import { modelTensors } from '../src/train/weights/weights.ts';
import { answerOf, noisyParameters, relativeError } from './parity/answers.ts';
import { type ParityCase, parityCases } from './parity/cases.ts';
import { type TimmCases, trainWaves, valuesError } from './parity/optimizers.ts';
import { pythonOf } from './peers/installed.ts';
import { type PythonPeer, startPython } from './peers/python.ts';
import { isWanted, refuseUnknown } from './peers/wanted.ts';

interface Row {
  readonly what: string;
  readonly error: number;
  readonly tolerance: number;
  /** The parameter whose gradient is furthest off. */
  readonly where?: string;
}

/** Of SRMAE tiny, whose block of many convolutions makes rounding large, a gradient is up to 2e-4 off. */
const tolerances = { nano: { forward: 1e-5, gradient: 1e-4 }, tiny: { forward: 1e-5, gradient: 1e-3 } } as const;
const stepTolerance = 1e-5;
const backends = ['wasm', 'torch', 'tensorflow'] as const;
/** What is compared: models, and what moves them. */
const subjects = new Set([...parityCases.map(({ model }) => model), 'optimizers']);
const sizes = new Set(parityCases.map(({ size }) => size));

export async function run(wanted: readonly string[] = []): Promise<{ rows: Row[]; notes: string[] }> {
  refuseUnknown(wanted, backends, subjects, sizes);
  const cases = parityCases.filter(
    ({ model, size }) => isWanted(model, subjects, wanted) && isWanted(size, sizes, wanted),
  );
  const notes: string[] = [];
  const timm = isWanted('optimizers', subjects, wanted) ? timmCases(notes) : undefined;
  const python = cases.length === 0 ? undefined : await startPython('parity/answer.py');
  const transformers = await transformersFor(cases, notes);
  if (python !== undefined) notes.push(`Models against PyTorch ${python.hello.torch} in float64 (${python.command}).`);
  const rows: Row[] = [];
  try {
    for (const backend of backends.filter((name) => isWanted(name, backends, wanted))) {
      try {
        await chooseBackend({ backend, device: 'cpu' });
      } catch (error) {
        const missing = error instanceof PatchstreamError && error.code === 'BACKEND_MISSING';
        if (!missing || wanted.includes(backend)) throw error;
        notes.push(`Without ${backend}, which this machine has not.`);
        continue;
      }
      for (const each of cases) {
        const answers = each.peer === undefined ? python : transformers;
        if (answers !== undefined) rows.push(...(await compare(each, backend, answers)));
      }
      for (const [name, { settings, ...expected }] of Object.entries(timm?.cases ?? {})) {
        const found = await trainWaves(settings);
        const error = Math.max(...(['after 1', 'after 20'] as const).map((at) => valuesError(found[at], expected[at])));
        rows.push({ what: `${backend} optimizer, ${name}: weights`, error, tolerance: stepTolerance });
      }
    }
  } finally {
    python?.close();
    transformers?.close();
  }
  return { rows, notes };
}

/** The package transformers, where a case wants it; undefined, with a note, where it is not there. */
async function transformersFor(cases: readonly ParityCase[], notes: string[]): Promise<PythonPeer | undefined> {
  if (cases.every(({ peer }) => peer === undefined)) return undefined;
  const found = pythonOf('transformers');
  if (!('missing' in found)) return startPython('parity/answer.py', { python: found.python });
  notes.push(`Without the package transformers: ${found.missing}.`);
  return undefined;
}

/** What timm makes of the cases of `optimizers.py`; undefined, with a note, where it is not there. */
function timmCases(notes: string[]): TimmCases | undefined {
  const found = pythonOf('timm');
  if ('missing' in found) {
    notes.push(`Without timm's optimizers: ${found.missing}.`);
    return undefined;
  }
  const script = fileURLToPath(new URL('parity/optimizers.py', import.meta.url));
  const cases = JSON.parse(execFileSync(found.python, ['-B', script], { encoding: 'utf8' })) as TimmCases;
  notes.push(`Optimizers against timm ${cases.timm} and PyTorch ${cases.torch} in float64.`);
  return cases;
}

async function compare(each: ParityCase, backend: string, python: PythonPeer): Promise<Row[]> {
  const model = await buildModel({ name: each.model, options: each.options, spec: each.spec });
  const params = noisyParameters(model);
  const folder = mkdtempSync(join(tmpdir(), 'patchstream-parity-'));
  try {
    await writeFile(join(folder, 'model.safetensors'), safetensorsParts(modelTensors(model, params)));
    const values = model.inputs(each.batch, each.chance);
    const { noise } = values;
    writeTensors(join(folder, 'inputs.safetensors'), floats({ ...each.batch, ...(noise && { noise }) }));
    const ours = await answerOf(model, params, values);
    await python.ask({ model: each.peer ?? each.model, config: each.config, folder });
    const path = join(folder, 'answer.safetensors');
    const theirs = new Map(
      Array.from(decodeSafetensors(readFileSync(path), path).tensors, ([name, stored]) => [name, floatsOf(stored)]),
    );
    return rowsOf(`${backend} ${each.what}`, ours, theirs, tolerances[each.size]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
    tf.dispose(params);
    model.dispose();
  }
}

function rowsOf(
  what: string,
  ours: ReadonlyMap<string, Float32Array>,
  theirs: ReadonlyMap<string, Float32Array>,
  allowed: { readonly forward: number; readonly gradient: number },
): Row[] {
  const error = (name: string) => {
    const [mine, expected] = [ours.get(name), theirs.get(name)];
    if (mine === undefined || mine.length !== expected?.length) {
      throw new Error(
        `${what}: ${name} has ${mine?.length ?? 'no'} numbers here and ${expected?.length ?? 'none'} there.`,
      );
    }
    return relativeError(mine, expected);
  };
  const names = Array.from(theirs.keys()).filter((name) => name.startsWith('gradient.'));
  const worst = names.reduce((most, name) => (error(name) > error(most) ? name : most));
  const where = worst.slice('gradient.'.length);
  return [
    { what: `${what}: prediction`, error: error('prediction'), tolerance: allowed.forward },
    { what: `${what}: loss`, error: error('loss'), tolerance: allowed.forward },
    { what: `${what}: worst gradient of ${names.length}`, error: error(worst), tolerance: allowed.gradient, where },
  ];
}

function floats(batch: HostBatch): Map<string, FloatTensor> {
  return new Map(
    Object.entries(batch).map(([name, { shape, data }]) => [name, { shape, data: Float32Array.from(data) }]),
  );
}

function writeTensors(path: string, tensors: ReadonlyMap<string, FloatTensor>): void {
  writeFileSync(path, Buffer.concat(encodeSafetensors(tensors)));
}
