import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fail, reasonOf } from '../../errors.ts';
import { byCodeUnit } from '../../files/listing.ts';
import { FilePool } from '../../files/positioned.ts';
import type { Origin } from '../../vision/spec.ts';
import { unlessGone } from '../../whole-file.ts';
import { ParquetTable } from '../parquet/table.ts';
import { openJsonl } from './jsonl.ts';
import { jsonLines } from './lines.ts';
import { openNpy } from './npy.ts';
import { openParquet } from './parquet.ts';
import { openShardVectors } from './shards.ts';
import { broken, type VectorFile, type VectorSet } from './vector-set.ts';

/** The formats of vectors: the ending of their files, and the folder of a job's output that the sink of that name writes to. */
const formats = [
  { folder: 'parquet', ending: '.parquet', open: openParquet },
  { folder: 'npy', ending: '.npy', open: openNpy },
  { folder: 'shards', ending: '.shard', open: openShardVectors },
  { folder: 'jsonl', ending: '.jsonl', open: (_: FilePool, path: string, field: string) => openJsonl(path, field) },
] as const;

type VectorFormat = (typeof formats)[number];

/** What a run writes into its own folder, which is no vectors. */
const ofRuns = [
  'events.jsonl',
  'written.jsonl',
  'quarantine.jsonl',
  'metrics.jsonl',
  'evaluations.jsonl',
  'arrivals.jsonl',
  'manifest.jsonl',
];

/**
 * Opens vectors that a job has written: its output folder, or a folder or file of parquet, npy, jsonl or shards. The files of a folder are read in the
 * order of their names. Nothing is held of them but what `batches` gives.
 *
 * @throws VECTORS_NONE, VECTORS_MIXED, VECTORS_BROKEN, PARQUET_BROKEN, FILE_UNREADABLE, and those of shards.
 */
export async function openVectors(
  path: string,
  { field = 'embedding' }: { readonly field?: string } = {},
): Promise<VectorSet> {
  const { format, files } = await findFiles(path, field);
  let width: number | undefined;
  let origin: Origin | undefined;
  const open = async <T>(file: string, use: (opened: VectorFile) => T | Promise<T>) => {
    const pool = new FilePool();
    try {
      return await use(await format.open(pool, file, field));
    } finally {
      pool.close();
    }
  };
  let first: string | undefined;
  for (const file of files) {
    await open(file, (opened) => {
      if (opened.width === undefined) return;
      if (first !== undefined && opened.width !== width)
        throw fail(
          'VECTORS_MIXED',
          { what: `${width} numbers, as in ${first}`, found: `${opened.width}` },
          { where: file },
        );
      const [one, other] = [origin?.fingerprint, opened.origin?.fingerprint];
      if (one !== undefined && other !== undefined && one !== other)
        throw fail('VECTORS_MIXED', { what: `model ${one}, as in ${first}`, found: other }, { where: file });
      first ??= file;
      width = opened.width;
      origin ??= opened.origin;
    });
  }
  if (width === undefined) throw none(path, field, 'files without rows');
  const expected = width;
  async function* batches(signal?: AbortSignal) {
    for (const file of files) {
      const pool = new FilePool();
      try {
        const opened = await format.open(pool, file, field);
        if (opened.width !== undefined && opened.width !== expected)
          throw broken(file, 'at its beginning', `vectors of ${opened.width} numbers; there were ${expected} before`);
        yield* opened.batches(signal);
      } finally {
        pool.close();
      }
    }
  }
  return { path, width, ...(origin && { origin }), batches };
}

/** Whether a file of lines of JSON or of Parquet has the field of vectors: others of these endings are lists and tables of pictures. @throws VECTORS_BROKEN, PARQUET_BROKEN, FILE_UNREADABLE */
export async function hasVectors(path: string, field = 'embedding'): Promise<boolean> {
  if (path.endsWith('.jsonl')) {
    for await (const { json } of jsonLines(path)) return field in json;
    return false;
  }
  if (!path.endsWith('.parquet')) return false;
  const pool = new FilePool();
  try {
    return (await ParquetTable.open(await pool.file(path, path))).names.includes(field);
  } finally {
    pool.close();
  }
}

/** The format and the files that a path means. @throws VECTORS_NONE */
async function findFiles(path: string, field: string): Promise<{ format: VectorFormat; files: readonly string[] }> {
  const found = await stat(path).catch((cause: unknown) => {
    throw none(path, field, reasonOf(cause), cause);
  });
  if (!found.isDirectory()) {
    const format = formats.find(({ ending }) => path.endsWith(ending));
    if (format === undefined) throw none(path, field, 'a file of another ending');
    return { format, files: [path] };
  }
  for (const folder of [...formats.map(({ folder }) => join(path, folder)), path]) {
    const entries = await readdir(folder).catch(unlessGone);
    const names = (entries ?? []).filter((name) => folder !== path || !ofRuns.includes(name)).sort(byCodeUnit);
    // Beside arrays lie their files of keys.
    const format = formats.find(({ ending }) => names.some((name) => name.endsWith(ending)));
    if (format === undefined) continue;
    return { format, files: names.filter((name) => name.endsWith(format.ending)).map((name) => join(folder, name)) };
  }
  throw none(path, field, 'a folder without such files');
}

function none(path: string, field: string, found: string, cause?: unknown) {
  return fail('VECTORS_NONE', { path, field, found }, { ...(cause !== undefined && { cause }) });
}
