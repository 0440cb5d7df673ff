/**
 * Do our models compute what the same models written plainly in PyTorch compute? Each is built with random parameters on every backend
 * that this machine has, its weights go to Python as safetensors, and prediction, loss and the gradient of every parameter come back in
 * float64 from `bench/parity/`. Arguments choose: `npm run bench -- parity torch lomar nano`.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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
import { type PythonPeer, startPython } from './peers/python.ts';
import { isWanted, refuseUnknown } from './peers/wanted.ts';

interface Row {
  readonly what: string;
  readonly error: number;
  readonly tolerance: number;
  /** The parameter whose gradient is furthest off. */
  readonly where?: string;
}

const tolerances = { forward: 1e-5, gradient: 1e-4 };
const backends = ['wasm', 'torch', 'tensorflow'] as const;
const models = new Set(parityCases.map(({ model }) => model));
const sizes = new Set(parityCases.map(({ size }) => size));

export async function run(wanted: readonly string[] = []): Promise<{ rows: Row[]; notes: string[] }> {
  refuseUnknown(wanted, backends, models, sizes);
  const python = await startPython('parity/answer.py');
  const notes = [`Against PyTorch ${python.hello.torch} in float64 (${python.command}).`];
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
      for (const each of parityCases) {
        if (!isWanted(each.model, models, wanted) || !isWanted(each.size, sizes, wanted)) continue;
        rows.push(...(await compare(each, backend, python)));
      }
    }
  } finally {
    python.close();
  }
  return { rows, notes };
}

async function compare(each: ParityCase, backend: string, python: PythonPeer): Promise<Row[]> {
  const model = await buildModel({ name: each.model, options: each.options, spec: each.spec });
  const params = noisyParameters(model);
  const folder = mkdtempSync(join(tmpdir(), 'patchstream-parity-'));
  try {
    await writeFile(join(folder, 'model.safetensors'), safetensorsParts(modelTensors(model, params)));
    writeTensors(join(folder, 'inputs.safetensors'), floats(each.batch));
    const ours = await answerOf(model, params, each.batch);
    await python.ask({ model: each.model, config: each.config, folder });
    const path = join(folder, 'answer.safetensors');
    const theirs = new Map(
      Array.from(decodeSafetensors(readFileSync(path), path).tensors, ([name, stored]) => [name, floatsOf(stored)]),
    );
    return rowsOf(`${backend} ${each.what}`, ours, theirs);
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
    { what: `${what}: prediction`, error: error('prediction'), tolerance: tolerances.forward },
    { what: `${what}: loss`, error: error('loss'), tolerance: tolerances.forward },
    { what: `${what}: worst gradient of ${names.length}`, error: error(worst), tolerance: tolerances.gradient, where },
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
