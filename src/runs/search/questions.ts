import { dirname, join } from 'node:path';
import { fail, printable } from '../../errors.ts';
import type { VectorSet } from '../../formats/vectors/vector-set.ts';
import { jsonOf, textOf } from '../../whole-file.ts';
import { embedPictures } from '../embed-pictures.ts';
import { sourceIn, type WrittenSource } from '../loader/written-source.ts';
import type { Questions } from './nearest.ts';
import { otherWidth } from './search.ts';

/** What a question that is a vector of the set begins with. */
const keyPrefix = 'key:';

/** The job that has written a set, as far as its folder says. */
export interface VectorJob {
  /** Where its pictures came from. */
  readonly source?: WrittenSource;
  /** The model, where `embed` made the vectors. */
  readonly model?: { readonly from: string; readonly pool: string };
}

interface Pipeline {
  readonly stages?: readonly { readonly embed?: { readonly from?: unknown; readonly pool?: unknown } }[];
}

/** What the `pipeline.json` at a set, or one or two folders above it, says of its job. */
export function jobOf(path: string): VectorJob {
  const text = [path, dirname(path), dirname(dirname(path))]
    .map((folder) => textOf(join(folder, 'pipeline.json')))
    .find((text) => text !== undefined);
  const pipeline = (jsonOf(text ?? '') ?? {}) as Pipeline;
  const source = sourceIn(text);
  const embed = Array.isArray(pipeline.stages) ? pipeline.stages.find((stage) => stage?.embed)?.embed : undefined;
  const { from, pool = 'mean' } = embed ?? {};
  return {
    ...(source && { source }),
    ...(typeof from === 'string' && typeof pool === 'string' && { model: { from, pool } }),
  };
}

export interface Asking {
  readonly set: VectorSet;
  /** Files of pictures, and `key:KEY` for vectors of the set. */
  readonly words: readonly string[];
  /** Embeds the pictures in place of the model that the set names. */
  readonly from?: string | undefined;
  readonly signal?: AbortSignal;
}

/**
 * The vectors of questions: of pictures by the model of the set, of keys from the set itself.
 *
 * @throws VECTORS_KEY, VECTORS_MODEL, VECTORS_OTHER; EMBED_PICTURE and what `embedPictures` throws; what reading the set throws.
 */
export async function questionsOf({ set, words, from, signal }: Asking): Promise<Questions> {
  const { width } = set;
  const values = new Float32Array(words.length * width);
  const without: number[] = words.map(() => -1);
  const keys = words.flatMap((word, at) =>
    word.startsWith(keyPrefix) ? [{ key: word.slice(keyPrefix.length), at }] : [],
  );
  if (keys.length > 0) {
    for (const { at, row, vector } of await vectorsOfKeys(set, keys, signal)) {
      values.set(vector, at * width);
      without[at] = row;
    }
  }
  const pictures = words.flatMap((word, at) => (word.startsWith(keyPrefix) ? [] : [{ path: word, at }]));
  if (pictures.length > 0) {
    const paths = pictures.map(({ path }) => path);
    const embedded = await embeddedBy(set, paths, from, signal);
    for (const [i, { at }] of pictures.entries()) values.set(embedded.subarray(i * width, (i + 1) * width), at * width);
  }
  return { width, values, without };
}

async function embeddedBy(set: VectorSet, paths: readonly string[], from: string | undefined, signal?: AbortSignal) {
  const said = set.origin ?? jobOf(set.path).model;
  const model = from ?? said?.from;
  if (model === undefined) throw fail('VECTORS_MODEL', {}, { where: set.path });
  const pool = said?.pool === 'cls' ? 'cls' : 'mean';
  const { width, values, fingerprint } = await embedPictures({ from: model, pool, paths, ...(signal && { signal }) });
  if (width !== set.width) throw otherWidth(set, width);
  if (set.origin !== undefined && set.origin.fingerprint !== fingerprint) {
    const expected = `${set.origin.fingerprint} (${set.origin.from})`;
    throw fail('VECTORS_OTHER', { expected, found: `${fingerprint} (${model})` }, { where: set.path });
  }
  return values;
}

interface Wanted {
  readonly key: string;
  readonly at: number;
}

/** The first vector of each key. @throws VECTORS_KEY */
async function vectorsOfKeys(set: VectorSet, wanted: readonly Wanted[], signal?: AbortSignal) {
  const open = new Map<string, { row: number; vector: Float32Array } | undefined>();
  for (const { key } of wanted) open.set(key, undefined);
  let missing = open.size;
  let row = 0;
  for await (const { keys, values } of set.batches(signal)) {
    for (const [i, key] of keys.entries()) {
      if (!open.has(key) || open.get(key) !== undefined) continue;
      open.set(key, { row: row + i, vector: values.slice(i * set.width, (i + 1) * set.width) });
      missing--;
    }
    row += keys.length;
    if (missing === 0) break;
  }
  return wanted.map(({ key, at }) => {
    const found = open.get(key);
    if (found === undefined) throw fail('VECTORS_KEY', { key: printable(key) }, { where: set.path });
    return { at, ...found };
  });
}
