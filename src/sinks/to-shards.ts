import { z } from 'zod';
import { counted } from '../counts.ts';
import { fail, PatchstreamError } from '../errors.ts';
import { FilePool } from '../files/positioned.ts';
import { nothingThere, systemCode } from '../files/system.ts';
import type { Origin } from '../formats/part-origin.ts';
import { encodeFrame, encodeTail, magic, TooLarge } from '../formats/shard/frame.ts';
import { IndexWriter } from '../formats/shard/index-frame.ts';
import { openShard } from '../formats/shard/reader.ts';
import { dtypeOf, encodeRecord, type NumberArray, type ShardRecord, type Stored } from '../formats/shard/record.ts';
import { shardEnding } from '../sources/shards.ts';
import type { Fields } from '../sources/source.ts';
import type { Sample } from '../streams/sample.ts';
import type { SheetRow } from '../vision/draw/sheet.ts';
import { Picture } from '../vision/picture.ts';
import type { FieldSpec, Spec } from '../vision/spec.ts';
import { ContactSheet, checkSheet, sheetOption } from './contact-sheet.ts';
import { type Entry, type FileStart, type Form, RollingFiles } from './durable/rotating-files.ts';
import { rollingFolder, rollingOptions } from './durable/rotating-options.ts';
import { defineSink, type OpenSink, type SinkContext } from './sink.ts';
import {
  checkPictures,
  defaultPictures,
  formatOf,
  type Keep,
  keepOf,
  makesFiles,
  pictureOptions,
  storedPerThread,
  storePicture,
} from './stored-picture.ts';

interface Written extends Entry {
  readonly key: string;
  readonly frame: readonly Uint8Array[];
  readonly shown?: SheetRow;
}

/**
 * Shards: files of records with an index and checksums, `shards/<name>-00000.shard` (docs/shards.md). A record has the sample's key and position,
 * its picture, and every other field of it: arrays of numbers with dtype and shape, numbers, text, true and false, lists and maps of these. A job that
 * was killed resumes after its last finished shard, and ends with the same files, byte for byte.
 * A sample fails with RECORD_FIELD, RECORD_FILE, RECORD_LARGE, PICTURE_BROKEN; SINK_WRITE, SINK_SAMPLE, SHARD_INFO, SHARDS_OTHER and SHARDS_CHANGED end the run.
 */
export const toShards = defineSink({
  name: 'shards',
  summary: 'Shards: records with an index and checksums, to be read again in any order; a killed job can be resumed.',
  parts: true,
  options: z.strictObject({
    ...rollingOptions('shards', 'a shard'),
    ...pictureOptions,
    sheet: sheetOption
      .default(false)
      .describe("A contact sheet in the run's own folder, as of `images`, or false for none."),
  }),
  *check({ pictures, sheet, ...options }, spec) {
    yield* checkPictures(pictures ?? defaultPictures(spec, 'raw'), spec, options);
    yield* checkSheet(sheet, spec);
  },
  writes: ({ path }, place) => [rollingFolder('shards', path, place)],
  async open({ path, pictures, quality, chroma, optimize, shardBytes, sheet }, context) {
    const { spec, name, job } = context;
    const folder = rollingFolder('shards', path, context);
    // Before anything is read or written for it.
    encodeInfo(infoOf(context, { number: 0, from: 0 }));
    const kept = pictures ?? defaultPictures(spec, 'raw');
    const files = await RollingFiles.open<Written>({
      folder,
      encodes: formatOf(kept),
      output: context.own,
      stem: name,
      ending: shardEnding,
      limit: shardBytes,
      job,
      form: (start) => new ShardForm(infoOf(context, start)),
      origin: originOf,
    });
    const contact = ContactSheet.of(sheet, spec);
    if (files.resumed.samples > 0) await contact?.keep(context.own);
    const keep = keepOf(kept, { quality, chroma, optimize }, files.encoder);
    const sink: OpenSink<Written> = {
      resumed: files.resumed,
      perThread: storedPerThread(keep),
      letsGo: makesFiles(keep) && keepsNoOther(spec),
      async write(sample) {
        const { key, position } = sample;
        const frame = framed({ key, position, fields: await storedFields(sample, spec, keep) });
        const shown = await contact?.row(sample);
        return { key, position, frame, bytes: bytesOf(frame), ...(shown && { shown }) };
      },
      async commit(written) {
        await files.add(written);
        contact?.add(written.shown);
      },
      flush: (to) => files.flush(to),
      async close(complete) {
        const { files: made, samples } = await files.close(complete);
        const lines = [`${counted(samples, 'sample')} in ${counted(made.length, 'shard')} in ${folder}`];
        const drawn = await contact?.write(context.own);
        if (drawn === undefined) return { lines, files: made };
        return { lines: [...lines, `contact sheet: ${drawn}`], files: [...made, drawn] };
      },
    };
    return sink;
  },
});

/** The job of a shard that another part has written, which may just be gone. */
async function originOf(path: string): Promise<Origin | undefined> {
  const pool = new FilePool();
  try {
    const { info } = await openShard(pool, path, { name: path, damage: 'skip', maxBytes: 0 });
    return info && { job: info.recipe.job, source: info.source };
  } catch (error) {
    const cause = error instanceof PatchstreamError ? error.cause : error;
    if (!nothingThere.includes(systemCode(cause) ?? '')) throw error;
    return undefined;
  } finally {
    pool.close();
  }
}

/** A shard while it is written. */
class ShardForm implements Form<Written> {
  readonly #info: object;
  readonly #index = new IndexWriter();

  constructor(info: object) {
    this.#info = info;
  }

  head(): readonly Uint8Array[] {
    return [magic, ...encodeInfo(this.#info)];
  }

  isFull({ key }: Written): boolean {
    return !this.#index.hasRoomFor(key);
  }

  entry({ key, frame, bytes }: Written, at: number): readonly Uint8Array[] {
    this.#index.add(key, at, bytes);
    return frame;
  }

  tail(at: number, to: number): readonly Uint8Array[] {
    const frame = this.#index.encode(to);
    return [...frame, encodeTail(at, bytesOf(frame))];
  }
}

function encodeInfo(info: object): Uint8Array[] {
  try {
    return encodeFrame('INFO', info);
  } catch (cause) {
    if (!(cause instanceof TooLarge)) throw cause;
    throw fail('SHARD_INFO', { limit: cause.limit, found: cause.message }, { cause });
  }
}

/** What the first frame says; `ShardInfo` is how it is read. */
function infoOf({ name, spec, classNames, job }: SinkContext, { number, from }: FileStart): object {
  const { recipe, part, source, versions } = job;
  return {
    // As the recipe has it: without what came from the environment.
    name: (recipe.pipeline as { readonly name?: string }).name ?? name,
    shard: number,
    from,
    ...(part && { part: [part.index, part.of] }),
    recipe,
    source,
    ...(!spec.open && { fields: spec.fields }),
    ...(spec.origins && { origins: spec.origins }),
    ...(spec.size && { size: spec.size }),
    ...(classNames && { classes: classNames }),
    versions,
  };
}

function framed(record: ShardRecord): Uint8Array[] {
  try {
    return encodeRecord(record);
  } catch (cause) {
    if (!(cause instanceof TooLarge)) throw cause;
    const { limit, part, message: found } = cause;
    const advice =
      part === 'payload'
        ? 'Make the picture smaller, or store it as `jpeg`.'
        : 'Make long lists arrays of numbers, or drop them in an `each`.';
    throw fail('RECORD_LARGE', { limit, found, advice }, { cause });
  }
}

function bytesOf(pieces: readonly Uint8Array[]): number {
  return pieces.reduce((sum, { length }) => sum + length, 0);
}

/** What travels with every sample, or is kept as the picture. */
const ownNames = ['key', 'position', 'epoch', 'bytes', 'picture'];

/** The fields of a sample as they are kept: its picture first, then the others in the order in which stages have added them. */
async function storedFields(sample: Sample & Fields, spec: Spec, keep: Keep): Promise<Record<string, Stored>> {
  const fields: Record<string, Stored> = { picture: await storePicture(sample, keep) };
  for (const [name, value] of Object.entries(sample)) {
    if (!ownNames.includes(name) && value !== undefined) fields[name] = await storedField(name, value, spec);
  }
  return fields;
}

/** Whether no field but the picture may lie in the memory that the source has read it into: a record's small pictures and bytes do. */
function keepsNoOther({ fields, open }: Spec): boolean {
  const lies = (field: FieldSpec) =>
    typeof field === 'object' && ('picture' in field || ('dtype' in field && field.dtype === 'uint8'));
  return !open && Object.entries(fields).every(([name, field]) => name === 'picture' || !lies(field));
}

const raw: Keep = { pictures: 'raw', encoding: undefined, encoder: undefined };

async function storedField(name: string, value: unknown, spec: Spec): Promise<Stored> {
  // The low-resolution copy: small, and of no use but with every pixel.
  if (value instanceof Picture) return storePicture({ picture: value }, raw);
  const type = dtypeOf(value);
  if (type !== undefined) {
    const data = value as NumberArray;
    const known = spec.fields[name];
    const shape = typeof known === 'object' && 'dtype' in known && !spec.open ? known.shape : [data.length];
    return { type, shape, data };
  }
  const odd = oddity(value, 0);
  if (odd !== undefined) throw fail('RECORD_FIELD', { field: name, found: odd });
  return { type: 'value', value };
}

/** What in a value could not be read back as it was; nothing where all can. */
function oddity(value: unknown, depth: number): string | undefined {
  if (value === null || ['string', 'number', 'boolean'].includes(typeof value)) return undefined;
  if (depth > 8) return 'lists and maps more than 8 deep';
  if (Array.isArray(value)) return value.map((inner) => oddity(inner, depth + 1)).find((odd) => odd !== undefined);
  if (typeof value !== 'object') return `a ${typeof value}`;
  const prototype = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return `a ${prototype.constructor?.name ?? 'class'}`;
  return Object.values(value)
    .map((inner) => oddity(inner, depth + 1))
    .find((odd) => odd !== undefined);
}
