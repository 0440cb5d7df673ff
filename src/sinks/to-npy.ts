import { z } from 'zod';
import { counted } from '../counts.ts';
import { fail } from '../errors.ts';
import { npyHeader, npyHeaderBytes } from '../formats/vectors/npy-header.ts';
import type { Fields } from '../sources/source.ts';
import type { Sample } from '../streams/sample.ts';
import type { FieldSpec, Numbers, Spec } from '../vision/spec.ts';
import { type Entry, type Form, RollingFiles } from './durable/rotating-files.ts';
import { rollingFolder, rollingOptions } from './durable/rotating-options.ts';
import { plainJson } from './plain-fields.ts';
import { defineSink, type OpenSink } from './sink.ts';

interface Written extends Entry {
  readonly shape: readonly number[];
  /** Its numbers, little-endian. */
  readonly numbers: Uint8Array;
  /** The line of the file of keys. */
  readonly line: Uint8Array;
}

/**
 * Arrays of NumPy: `npy/<name>-00000.npy`, float32 [N, D] of a field of N samples (or [N, n, D] of one of shape [n, D]), and beside each a file of keys,
 * `<name>-00000.jsonl`: a first line with field, shape and the model that made the vectors, then for each row of the array a line with key, position and
 * the other fields, without pictures. A job that was killed resumes after its last finished array, and ends with the same files, byte for byte.
 * A sample fails with NPY_FIELD, RECORD_FIELD; SINK_WRITE, SINK_SAMPLE, SHARDS_OTHER and SHARDS_CHANGED end the run.
 */
export const toNpy = defineSink({
  name: 'npy',
  summary:
    "Arrays of NumPy: a field's vectors, float32, and beside them a line for each with its key and other fields.",
  parts: true,
  options: z.strictObject({
    field: z.string().min(1).default('embedding').describe('The field whose numbers are written, float32.'),
    ...rollingOptions('npy', 'an array'),
  }),
  shorthand: 'field',
  *check({ field }, { open, fields }) {
    const known = Object.hasOwn(fields, field) ? fields[field] : undefined;
    if (open || (known !== undefined && isVector(known))) return;
    const found = Object.keys(fields).join(', ') || 'none';
    const advice = 'Put `embed` before it, or name a field of float32 numbers.';
    const expected = known === undefined ? field : `${field}, float32 [D] or [n, D]`;
    yield { option: 'field', error: fail('FIELD_MISSING', { owner: 'npy', field: expected, fields: found, advice }) };
  },
  writes: ({ path }, place) => [rollingFolder('npy', path, place)],
  async open({ field, path, shardBytes }, context) {
    const { own, name, job, spec } = context;
    const folder = rollingFolder('npy', path, context);
    const files = await RollingFiles.open<Written>({
      folder,
      output: own,
      stem: name,
      ending: '.npy',
      beside: '.jsonl',
      limit: shardBytes,
      job,
      form: () => new NpyForm(field, spec),
    });
    const sink: OpenSink<Written> = {
      resumed: files.resumed,
      async write(sample) {
        return written(sample, field, spec);
      },
      commit: (one) => files.add(one),
      flush: (to) => files.flush(to),
      async close(complete) {
        const { files: made, samples } = await files.close(complete);
        return { lines: [`${counted(samples, 'vector')} in ${folder}`], files: made };
      },
    };
    return sink;
  },
});

function isVector(known: FieldSpec): known is Numbers {
  return typeof known === 'object' && 'dtype' in known && known.dtype === 'float32' && known.shape.length > 0;
}

/** @throws NPY_FIELD, RECORD_FIELD */
function written(sample: Sample & Fields, field: string, spec: Spec): Written {
  const { [field]: value, ...others } = sample as Record<string, unknown>;
  if (!(value instanceof Float32Array))
    throw fail('NPY_FIELD', { field, expected: 'float32 numbers', found: kind(value) });
  const known = spec.fields[field];
  const shape = known !== undefined && isVector(known) && !spec.open ? known.shape : [value.length];
  const count = shape.reduce((product, side) => product * side, 1);
  if (count !== value.length || count === 0) {
    const expected = `float32 [${shape.join(', ')}]`;
    throw fail('NPY_FIELD', { field, expected, found: counted(value.length, 'number') });
  }
  const line = Buffer.from(`${plainJson(others as Sample & Fields)}\n`);
  const numbers = new Uint8Array(value.slice().buffer);
  return { position: sample.position, shape, numbers, line, bytes: numbers.length };
}

function kind(value: unknown): string {
  return value === undefined ? 'nothing' : ((value as object | null)?.constructor?.name ?? 'null');
}

/** An array while it is written: all its rows have the shape of the first. */
class NpyForm implements Form<Written> {
  readonly #field: string;
  readonly #spec: Spec;
  #shape: readonly number[] | undefined;
  #rows = 0;

  constructor(field: string, spec: Spec) {
    this.#field = field;
    this.#spec = spec;
  }

  head(): readonly Uint8Array[] {
    return [new Uint8Array(npyHeaderBytes)];
  }

  isFull({ shape }: Written): boolean {
    return this.#shape !== undefined && shape.join() !== this.#shape.join();
  }

  entry({ shape, numbers }: Written): readonly Uint8Array[] {
    this.#shape = shape;
    this.#rows++;
    return [numbers];
  }

  tail(): readonly Uint8Array[] {
    return [];
  }

  finalHead(): Uint8Array {
    return npyHeader([this.#rows, ...this.#shape!]);
  }

  besideHead(): Uint8Array {
    const known = this.#spec.fields[this.#field];
    const shaped = known !== undefined && isVector(known) ? known.origin : undefined;
    const origin = shaped ?? this.#spec.origins?.[this.#field];
    return Buffer.from(`${JSON.stringify({ vectors: { field: this.#field, ...(origin && { origin }) } })}\n`);
  }

  besideEntry({ line }: Written): Uint8Array {
    return line;
  }
}
