/**
 * What does an exact search cost? The ten nearest of 100,000 vectors of 384 numbers for each of 256 questions, all in memory: beside one product on the same backend,
 * whose factors lie there already, with a partial sort of its results; and beside NumPy's product and `argpartition`. Ours takes the rows from JavaScript's memory,
 * block by block, and computes the similarities of those that may be nearest again in float64.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '../src/backends/tf.ts';
import { npyHeader } from '../src/formats/vectors/npy-header.ts';
import { Random } from '../src/random.ts';
import { lengthsOf, Nearest } from '../src/runs/search/nearest.ts';
import { backendProduct } from '../src/runs/search/product.ts';
import { blockBytes } from '../src/runs/search/search.ts';
import { alternate, timed } from './loader/pairs.ts';
import { pythonOf } from './peers/installed.ts';
import { startPython } from './peers/python.ts';
import type { Row } from './peers/row.ts';

const [count, width, asked, top] = [100_000, 384, 256, 10];
/** As `searchVectors` takes them. */
const block = Math.floor(blockBytes / 4 / width);

export async function run(): Promise<{ rows: Row[]; notes: string[] }> {
  const rows = unitVectors('rows', count);
  const questions = unitVectors('questions', asked);
  const nearest = () => new Nearest({ width, values: questions }, top);
  const product = await backendProduct(nearest().columns(), asked);
  const keys = Array.from({ length: count }, (_, i) => `photos/${i}.jpg`);
  let found: ReturnType<Nearest['found']> = [];
  const search = () =>
    timed(async () => {
      const search = nearest();
      for (let at = 0; at < count; at += block) {
        const values = rows.subarray(at * width, (at + block) * width);
        const batch = { keys: keys.slice(at, at + block), values };
        await search.add(batch, product);
      }
      found = search.found();
    });
  const resident = tf.tensor2d(rows, [count, width]);
  const columns = tf.tensor2d(nearest().columns(), [width, asked]);
  const bare = () =>
    timed(async () => {
      const products = tf.matMul(resident, columns);
      const values = (await products.data()) as Float32Array;
      products.dispose();
      partialSort(values);
    });
  const notes = [`Backend: ${product.backend}. The ratio is the time of the other side over ours.`];
  const done: Row[] = [];
  const add = async (what: string, ours: () => Promise<number>, theirs: () => Promise<number>) => {
    const row = await alternate({ ours, theirs, images: asked });
    done.push({ ...row, what, unit: 'questions/s' });
  };
  try {
    await add('beside one product and a partial sort', search, bare);
    const numpy = await numpyPeer(rows, questions).catch(
      (error: Error) => void notes.push(`Without NumPy: ${error.message}`),
    );
    if (numpy) {
      try {
        const { first } = await numpy.turn();
        const same = found.filter(([best], q) => best?.row === first[q]).length;
        notes.push(`NumPy ${numpy.version}: the nearest is the same for ${same} of ${asked} questions.`);
        await add('beside NumPy', search, async () => (await numpy.turn()).ms);
      } finally {
        numpy.close();
      }
    }
  } finally {
    tf.dispose([resident, columns]);
    product.close();
  }
  return { rows: done, notes };
}

/** Vectors of length one, of no direction more than of another. */
function unitVectors(name: string, n: number): Float32Array {
  const random = new Random(1, 'search', name);
  const values = new Float32Array(n * width);
  for (let i = 0; i < values.length; i++) {
    const word = random.word();
    values[i] = (word & 0xffff) + (word >>> 16) - 0xffff;
  }
  for (const [row, length] of lengthsOf(values, width).entries())
    for (let i = row * width; i < (row + 1) * width; i++) values[i] = values[i]! / length;
  return values;
}

/** The `top` largest of each column of [count, asked], found by a plain pass. */
function partialSort(products: Float32Array): Float32Array {
  const best = new Float32Array(asked * top).fill(Number.NEGATIVE_INFINITY);
  for (let row = 0, at = 0; row < count; row++) {
    for (let q = 0, last = top - 1; q < asked; q++, at++, last += top) {
      const value = products[at]!;
      if (value <= best[last]!) continue;
      let place = last;
      for (; place > last - top + 1 && best[place - 1]! < value; place--) best[place] = best[place - 1]!;
      best[place] = value;
    }
  }
  return best;
}

async function numpyPeer(rows: Float32Array, questions: Float32Array) {
  const folder = mkdtempSync(join(tmpdir(), 'patchstream-search-'));
  try {
    const write = (name: string, values: Float32Array) =>
      writeFileSync(
        join(folder, name),
        Buffer.concat([npyHeader([values.length / width, width]), Buffer.from(values.buffer)]),
      );
    write('rows.npy', rows);
    write('questions.npy', questions);
    const found = pythonOf('pictures');
    if ('missing' in found) throw new Error(found.missing);
    process.env.PYTHON = found.python;
    const python = await startPython('search/nearest.py', { modules: ['numpy'], args: [folder, String(top)] });
    return {
      version: String(python.hello.numpy),
      turn: async () => (await python.ask({})) as unknown as { readonly ms: number; readonly first: readonly number[] },
      close: () => python.close(),
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
