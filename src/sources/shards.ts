import { basename, join, resolve } from 'node:path';
import { z } from 'zod';
import { fail } from '../errors.ts';
import { type ListOptions, listFiles } from '../files/listing.ts';
import { inTurns, joined } from '../files/many-files.ts';
import { type PassedOverRow, passedOverText } from '../files/passed-over.ts';
import { pathOption } from '../files/path-option.ts';
import { FilePool } from '../files/positioned.ts';
import { ReadAhead } from '../formats/shard/ahead.ts';
import type { ShardInfo } from '../formats/shard/info.ts';
import { Layouts } from '../formats/shard/layout.ts';
import { partTroubles } from '../formats/shard/parts.ts';
import { damages, type OpenShard, openShard } from '../formats/shard/reader.ts';
import { openRaw, type ShardRecord } from '../formats/shard/record.ts';
import { backgroundOption } from '../vision/colour.ts';
import { pictureFormats } from '../vision/headers/formats.ts';
import { commonFormats, defaultMaxPixels, openPicture } from '../vision/open.ts';
import type { Picture } from '../vision/picture.ts';
import type { Numbers } from '../vision/spec.ts';
import { classDifference } from './classes.ts';
import { declaredFields, fieldOptions, readDeclared } from './declared.ts';
import { defineSource } from './source.ts';

/** What a sample of a shard has: its picture, and the fields that were asked for. */
export type ShardFields = { readonly picture: Picture; readonly label?: number };

/** How files of this format end. */
export const shardEnding = '.shard';

/** Shards that are opened at a time. */
const opening = 16;

/**
 * Records of shards, in the order of the shards' relative paths and then as they were written. Keys are those of the samples that were written, so
 * that random stages draw for a record what they would draw for the picture it was made of. Every record is a picture, raw or encoded, so the chain
 * needs no `decode`; a record is read in one piece when its turn comes, from any place.
 * Opening throws FOLDER_MISSING, FOLDER_UNREADABLE, FILE_UNREADABLE, SHARDS_NONE, SHARDS_FIELD, SHARD_FORMAT, SHARD_VERSION, SHARD_DAMAGED; a sample
 * fails with SHARD_DAMAGED (which ends the run unless `damage` is `skip`), FILE_UNREADABLE, FILE_LARGE, FIELD_SHAPE, and those of `decode`.
 */
export const shards = defineSource({
  name: 'shards',
  summary: 'Records of shards that a job has written: pictures, raw or encoded, with their fields.',
  policies: ['damage', 'maxBytes', 'maxPixels'],
  options: z.strictObject({
    path: pathOption().describe(
      'A shard, or a folder with shards in it (*.shard); a relative path starts at the pipeline file.',
    ),
    ...fieldOptions,
    damage: z
      .enum(damages)
      .default('fail')
      .describe(
        '`fail` ends the run at the first damage; `skip` counts a damaged record as a failed sample, and takes of a shard that was cut what lies before the cut.',
      ),
    formats: z
      .array(z.enum(pictureFormats))
      .min(1)
      .default([...commonFormats])
      .describe('The formats that are let through where records are encoded.'),
    maxPixels: z
      .int()
      .min(1)
      .default(defaultMaxPixels)
      .describe('The most pixels an encoded picture may have, judged by its header before any memory is taken.'),
    background: backgroundOption,
    maxBytes: z
      .int()
      .min(1)
      .default(2 ** 28)
      .describe('The most bytes a record may have; a larger one fails before it is read.'),
  }),
  shorthand: 'path',
  folder: ({ path }) => path,
  spec: (options) => ({ fields: { picture: 'picture', ...declaredFields(options) } }),
  async open(options, { base, signal, progress, written }) {
    const { path, damage, maxBytes, formats, maxPixels, background } = options;
    const root = resolve(base, path);
    const { names: files, passedOver } = await listShards(root, { signal, progress, written });
    const pool = new FilePool();
    try {
      const layouts = new Layouts();
      const open = (name: string) =>
        openShard(pool, name === '' ? root : join(root, name), {
          name: name || basename(root),
          damage,
          maxBytes,
          signal,
          layouts,
        });
      const opened = await inTurns(files, opening, open);
      for (const { name, damaged } of opened) if (damaged !== undefined) progress(`${name} is damaged, ${damaged}`);
      for (const line of files[0] === '' ? [] : partTroubles(opened)) progress(line);
      const declared = declaredFields(options);
      for (const shard of opened) checkShard(shard, declared);
      if (options.labels) checkClasses(opened);
      const { count, place } = joined(opened, ({ index }) => index.count);
      if (count === 0) throw fail('SHARDS_NONE', { path: root, found: 'shards without records' });
      const classNames = withClasses(opened)[0]?.classes;
      const ahead = new ReadAhead<ShardFields>({
        count,
        bytes(index) {
          const { file, within } = place(index);
          return file.index.place(within).bytes;
        },
        read(index, signal, memory) {
          const { file, within } = place(index);
          return file.read(within, signal, memory).then((read) => {
            // First: what it throws would leave a picture that fails later with nobody to hear it.
            const fields = readDeclared(declared, fieldsOf(read));
            const picture = pictureOf(read, { formats, maxPixels, background });
            if (picture instanceof Promise) return picture.then((picture) => Object.assign({ picture }, fields));
            return Object.assign({ picture }, fields);
          });
        },
        drop: ({ picture: { origin } }, memory) => memory.giveBack(origin.kind === 'raw' ? origin.data : origin.bytes),
      });
      return {
        count,
        passedOver,
        ...(classNames && { classNames }),
        key(index) {
          const { file, within } = place(index);
          return file.index.key(within);
        },
        read: (index, signal, memory) => ahead.read(index, signal, memory),
        async close() {
          pool.close();
        },
      };
    } catch (error) {
      pool.close();
      throw error;
    }
  },
});

/** The shards in a folder, in order; one without a name where the path is a shard itself. */
export async function listShards(
  root: string,
  options: ListOptions = {},
): Promise<{ readonly names: readonly string[]; readonly passedOver: readonly PassedOverRow[] }> {
  if (root.endsWith(shardEnding)) return { names: [''], passedOver: [] };
  const { files, passedOver } = await listFiles(root, (name) => name.endsWith(shardEnding), options);
  if (files.length > 0) return { names: files, passedOver };
  throw fail('SHARDS_NONE', { path: root, found: passedOverText(passedOver) || 'an empty folder' });
}

/** A label is a rank among the classes of the job that wrote it. @throws SHARDS_CLASSES */
function checkClasses(opened: readonly OpenShard[]): void {
  const named = withClasses(opened);
  for (const { name, classes } of named) {
    const found = classDifference(named[0]!.classes, classes);
    if (found !== undefined) throw fail('SHARDS_CLASSES', { shard: name, first: named[0]!.name, found });
  }
}

/** The shards that say what their classes are, one with the most first. */
function withClasses(opened: readonly OpenShard[]) {
  const named = opened.flatMap(({ name, info }) =>
    info?.classes === undefined ? [] : [{ name, classes: info.classes }],
  );
  return named.sort((a, b) => b.classes.length - a.classes.length);
}

/** Says at once, and not with every sample, that shards have not what is asked of them. */
function checkShard({ name, info }: OpenShard, declared: Readonly<Record<string, Numbers>>): void {
  if (info?.fields === undefined) return;
  for (const [field, numbers] of Object.entries(declared)) {
    const known = Object.hasOwn(info.fields, field) ? info.fields[field] : undefined;
    const expected = numbersText(numbers);
    const found = known === undefined ? `${Object.keys(info.fields).join(', ')} in ${name}` : fieldText(known);
    if (found !== expected) throw fail('SHARDS_FIELD', { field, expected, found });
  }
}

function numbersText({ dtype, shape }: { readonly dtype: string; readonly shape: readonly number[] }): string {
  return `${dtype} [${shape.join(', ')}]`;
}

function fieldText(field: NonNullable<ShardInfo['fields']>[string]): string {
  if (typeof field === 'string') return field;
  return isNumbers(field) ? numbersText(field) : 'a picture';
}

function isNumbers(field: object): field is { readonly dtype: string; readonly shape: readonly number[] } {
  return 'dtype' in field;
}

function pictureOf({ fields }: ShardRecord, options: Parameters<typeof openPicture>[1]): Picture | Promise<Picture> {
  const stored = fields.picture;
  if (stored?.type === 'raw') return openRaw(stored);
  if (stored?.type === 'encoded') return openPicture(stored.data, options);
  throw fail('SHARDS_FIELD', {
    field: 'picture',
    expected: 'raw or encoded',
    found: Object.keys(fields).join(', ') || 'nothing',
  });
}

const fieldsOf =
  ({ fields }: ShardRecord) =>
  (name: string): unknown => {
    const stored = fields[name];
    if (stored === undefined || stored.type === 'raw' || stored.type === 'encoded') return undefined;
    return stored.type === 'value' ? stored.value : stored.data;
  };
