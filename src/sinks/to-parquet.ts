import { z } from 'zod';
import { counted } from '../counts.ts';
import type { Fields } from '../sources/source.ts';
import type { Sample } from '../streams/sample.ts';
import { Picture } from '../vision/picture.ts';
import { RollingFiles } from './durable/rotating-files.ts';
import { rollingFolder, rollingOptions } from './durable/rotating-options.ts';
import { ParquetForm, type ParquetRow } from './parquet/form.ts';
import { kindOf } from './parquet/kinds.ts';
import { jsonOf } from './plain-fields.ts';
import { defineSink, type OpenSink, type SinkContext } from './sink.ts';

/**
 * Tables of Apache Parquet, `parquet/<name>-00000.parquet`: a row for each sample with key, position, and every field but pictures and bytes. Arrays of
 * numbers are lists, of float32 `LIST<FLOAT>`; those of shape [n, D] lists of lists; text that the chain declares is a list of text; fields of other
 * forms are JSON. Row groups have at most 4 MiB of values. The file's metadata has the chain's fields, with dtype, shape and the model that made them,
 * under `patchstream`. A job that was killed resumes after its last finished file, and ends with the same files, byte for byte.
 * A sample fails with RECORD_FIELD; SINK_WRITE, SINK_SAMPLE, SHARDS_OTHER and SHARDS_CHANGED end the run.
 */
export const toParquet = defineSink({
  name: 'parquet',
  summary: 'Tables of Apache Parquet: a row for each sample with its key and its fields, without pictures.',
  parts: true,
  options: z.strictObject({
    ...rollingOptions('parquet', 'a file'),
  }),
  writes: ({ path }, place) => [rollingFolder('parquet', path, place)],
  async open({ path, shardBytes }, context) {
    const { own, name, job, spec } = context;
    const folder = rollingFolder('parquet', path, context);
    const metadata = { patchstream: JSON.stringify(descriptionOf(context)) };
    const files = await RollingFiles.open<ParquetRow>({
      folder,
      output: own,
      stem: name,
      ending: '.parquet',
      limit: shardBytes,
      job,
      form: () => new ParquetForm({ spec, limit: shardBytes, metadata }),
    });
    const sink: OpenSink<ParquetRow> = {
      resumed: files.resumed,
      async write(sample) {
        return rowOf(sample);
      },
      commit: (row) => files.add(row),
      flush: (to) => files.flush(to),
      async close(complete) {
        const { files: made, samples } = await files.close(complete);
        return { lines: [`${counted(samples, 'row')} in ${folder}`], files: made };
      },
    };
    return sink;
  },
});

/** What is the same in all files of a job. */
function descriptionOf({ name, spec, classNames, job }: SinkContext): object {
  const origins = Object.entries(spec.origins ?? {}).map(([field, origin]) => [field, { origin }]);
  return {
    name: (job.recipe.pipeline as { readonly name?: string }).name ?? name,
    fields: { ...spec.fields, ...Object.fromEntries(origins) },
    ...(classNames && { classes: classNames }),
  };
}

/** The fields of a sample, in memory of their own: what it came in may be used again. @throws RECORD_FIELD */
function rowOf({ key, position, epoch: _, ...sample }: Sample & Fields): ParquetRow {
  // Without a prototype: a field may have any name.
  const fields: Record<string, unknown> = Object.create(null);
  let bytes = 16 + key.length;
  for (const [name, value] of Object.entries(sample)) {
    if (name === 'bytes' || value === undefined || value instanceof Picture) continue;
    const isJson = kindOf(value)?.of === 'json';
    const json = isJson ? jsonOf(name, value) : undefined;
    if (isJson && json === undefined) continue;
    fields[name] = json === undefined ? copyOf(value) : JSON.parse(json);
    bytes += json?.length ?? sizeOf(value);
  }
  return { key, position, fields, bytes };
}

function copyOf(value: unknown): unknown {
  return ArrayBuffer.isView(value) || Array.isArray(value) ? (value as Float32Array).slice() : value;
}

function sizeOf(value: unknown): number {
  if (ArrayBuffer.isView(value)) return value.byteLength;
  if (Array.isArray(value)) return value.reduce<number>((sum, one) => sum + sizeOf(one), 0);
  return typeof value === 'string' ? value.length : 8;
}
