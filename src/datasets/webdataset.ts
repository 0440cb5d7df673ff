import { basename, extname, join, resolve } from 'node:path';
import { z } from 'zod';
import { fail, messageOf } from '../errors.ts';
import { type Format, formatEndings, pictureFormats } from '../vision/formats.ts';
import { commonFormats } from '../vision/open.ts';
import type { Numbers } from '../vision/spec.ts';
import { declaredFields, fieldOptions, readDeclared } from './declared.ts';
import { listFiles } from './files.ts';
import { inTurns, joined } from './many-files.ts';
import { partsOf } from './part-origin.ts';
import { pathOption } from './path-option.ts';
import { FilePool, type Positioned } from './positioned.ts';
import type { Recycler } from './recycler.ts';
import { partTroubles } from './shard/parts.ts';
import { damages } from './shard/reader.ts';
import { defineSource } from './source.ts';
import { expandRanges } from './tar/names.ts';
import { indexTar, type TarIndex, type Which } from './tar/samples.ts';
import { addressName, isAddress, openWeb } from './web.ts';

/** What a sample of a tar has: its picture's file, and the fields that were asked for. */
export type WebdatasetFields = { readonly bytes: Uint8Array; readonly label?: number };

/** Tars whose headers are read at a time. */
const indexing = 8;
/** What is read at a time where headers are looked for: of files a page, over http as much as is worth a request. */
const [fileWindow, webWindow] = [4096, 2 ** 18];
const tellEveryMs = 5000;

/**
 * Samples of tars in the form of the Python package `webdataset`: neighbouring files of one name up to the first dot are a sample, `.jpg` and the like
 * its picture, `.cls` its label, `.json` its fields. Tars are local files, or lie behind http and https; nothing is unpacked. Opening passes over their
 * headers and keeps in memory where each sample is, so that samples are read in any order. A key is the tar's name, a slash and the sample's own.
 * Opening throws FOLDER_MISSING, FOLDER_UNREADABLE, FILE_UNREADABLE, TARS_NONE, TARS_EMPTY, TAR_DAMAGED, TAR_SAMPLES, WEB_ADDRESS, WEB_READ, WEB_RANGE; a sample
 * fails with FILE_UNREADABLE, FILE_LARGE, WEB_READ, WEB_RANGE, WEB_CHANGED, TAR_LABEL, TAR_JSON, FIELD_SHAPE.
 */
export const webdataset = defineSource({
  name: 'webdataset',
  summary: 'Samples of tars in the form of the Python package webdataset, local or behind http.',
  policies: ['damage', 'maxBytes', 'timeout', 'deadline', 'retries'],
  options: z.strictObject({
    path: z
      .union([pathOption(), z.array(pathOption()).min(1)])
      .describe(
        'A tar, a folder with tars (*.tar), an address of http or https, or a list of these; `train-{000..146}.tar` stands for 147. A relative path starts at the pipeline file.',
      ),
    ...fieldOptions,
    formats: z
      .array(z.enum(pictureFormats))
      .min(1)
      .default([...commonFormats])
      .describe(
        'The formats that are taken, by the endings of the names, and let through by decode, by the first bytes.',
      ),
    damage: z
      .enum(damages)
      .default('fail')
      .describe('What to do with a tar that is damaged: `fail`, or `skip`, to take what lies before the damage.'),
    maxBytes: z
      .int()
      .min(1)
      .default(2 ** 28)
      .describe('The most bytes a picture may have; a larger one fails before it is read.'),
    timeout: z
      .number()
      .positive()
      .max(3600)
      .default(30)
      .describe(
        'Seconds after which a request has failed that has brought less than 16 KiB meanwhile, or not the rest of it.',
      ),
    deadline: z
      .number()
      .positive()
      .max(86_400)
      .default(600)
      .describe('Seconds after which reading one piece of a file has failed, with all its tries.'),
    retries: z
      .int()
      .min(0)
      .max(100)
      .default(5)
      .describe('How often a failed request is tried again, from where it stood.'),
  }),
  shorthand: 'path',
  folder: ({ path }) => (typeof path === 'string' ? path : path[0]!),
  reads: ({ path }) =>
    [path]
      .flat()
      .filter((one) => !isAddress(one))
      .flatMap((one) => expandRanges(one) ?? []),
  spec: (options) => ({ fields: { bytes: 'bytes', ...declaredFields(options) }, formats: options.formats }),
  async open(options, { base, signal, progress }) {
    const { path, formats, labels, fields, maxBytes, damage, timeout, deadline, retries } = options;
    const pool = new FilePool();
    try {
      const places = await listTars(typeof path === 'string' ? [path] : path, base, { signal, progress });
      const endings = new Set(
        formats.flatMap((format: Format) => formatEndings[format].map((ending) => ending.slice(1))),
      );
      const wanted = { endings, label: labels, json: Object.keys(fields).length > 0 };
      const open = async ({ at, name }: Place): Promise<OpenTar> => {
        const web = isAddress(at);
        const file = web ? await openWeb(at, { timeout, deadline, retries }, signal) : await pool.file(at, name);
        const windowBytes = web ? webWindow : fileWindow;
        return { file, name, index: await indexTar(file, { wanted, windowBytes, signal, damage }) };
      };
      let done = 0;
      let told = Date.now();
      const tars = await inTurns(places, indexing, async (place) => {
        const tar = await open(place);
        done++;
        if (Date.now() - told > tellEveryMs) {
          told = Date.now();
          progress(`indexing tars: ${done} of ${places.length}`);
        }
        return tar;
      });
      for (const { name, index } of tars) {
        if (index.damaged !== undefined) progress(`${name} is damaged: ${index.damaged}`);
        if (index.repeated > 0) {
          progress(
            `${name}: ${index.repeated} samples have the key of another before them, which is not beside them; theirs end with #2, #3 …`,
          );
        }
        if (index.links > 0) {
          progress(`${name}: ${index.links} links are passed over; make the tar with --hard-dereference and -h`);
        }
      }
      const listed = places.filter(({ isListed }) => isListed).map(({ at }) => at);
      for (const line of partTroubles(await partsOf(listed, '.tar'), 'tar')) progress(line);
      const { count, place } = joined(tars, ({ index }) => index.count);
      if (count === 0) {
        const others = tars.reduce((sum, { index }) => sum + index.others, 0);
        throw fail('TARS_EMPTY', { endings: [...endings].join(', '), found: `${others} other files` });
      }
      const declared = declaredFields(options);
      return {
        count,
        key(index) {
          const { file, within } = place(index);
          return `${file.name}/${file.index.key(within)}`;
        },
        read(index, signal, memory): Promise<WebdatasetFields> {
          const { file, within } = place(index);
          return readSample(file, within, { declared, maxBytes, signal, memory });
        },
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

/** A tar that is to be read: a path or an address, and its name in keys. */
interface Place {
  readonly at: string;
  readonly name: string;
  /** It was found in a folder, and not named by itself. */
  readonly isListed?: true;
}

interface OpenTar {
  readonly file: Positioned;
  readonly name: string;
  readonly index: TarIndex;
}

async function listTars(
  paths: readonly string[],
  base: string,
  options: Parameters<typeof listFiles>[2],
): Promise<Place[]> {
  const places: Place[] = [];
  for (const path of paths) {
    const names = expandRanges(path);
    if (names === undefined) throw fail('TARS_NONE', { path, found: 'a range of none, or of more than 100,000' });
    for (const name of names) {
      if (isAddress(name)) {
        places.push({ at: name, name: basename(addressName(name)) });
        continue;
      }
      if (/^\w+:\/\//.test(name)) throw fail('WEB_ADDRESS', { found: name });
      const root = resolve(base, name);
      if (extname(root) === '.tar') {
        places.push({ at: root, name: basename(root) });
        continue;
      }
      const { files, others } = await listFiles(root, (file) => file.endsWith('.tar'), options);
      if (files.length === 0) throw fail('TARS_NONE', { path: root, found: `${others} other files` });
      places.push(...files.map((file) => ({ at: join(root, file), name: file, isListed: true as const })));
    }
  }
  return distinct(places);
}

/**
 * Tars of one name get as much of their folders before it as tells them apart, and one that is named again a number: keys are made of these names, and no
 * two samples have one.
 */
function distinct(places: readonly Place[]): Place[] {
  const named = new Map<string, string>();
  for (const { at, name } of places) if (!named.has(at)) named.set(at, name);
  for (let depth = 2, isAlike = true; isAlike; depth++) {
    const counts = new Map<string, number>();
    for (const name of named.values()) counts.set(name, (counts.get(name) ?? 0) + 1);
    isAlike = false;
    for (const [at, name] of named) {
      const parts = (isAddress(at) ? addressName(at) : at).split(/[/\\]/);
      if (counts.get(name) === 1 || depth > parts.length) continue;
      named.set(at, parts.slice(-Math.max(depth, name.split('/').length)).join('/'));
      isAlike = true;
    }
  }
  const seen = new Map<string, number>();
  return places.map((place) => {
    const name = named.get(place.at)!;
    const times = (seen.get(name) ?? 0) + 1;
    seen.set(name, times);
    return { ...place, name: times === 1 ? name : `${name}#${times}` };
  });
}

interface Reading {
  readonly declared: Readonly<Record<string, Numbers>>;
  readonly maxBytes: number;
  readonly signal: AbortSignal;
  readonly memory: Recycler | undefined;
}

async function readSample({ file, index }: OpenTar, sample: number, reading: Reading): Promise<WebdatasetFields> {
  const { declared, signal, memory } = reading;
  const read = async (which: Which, limit: number) => {
    const member = index.member(sample, which);
    if (member === undefined) return undefined;
    if (member.size > limit) throw fail('FILE_LARGE', { limit, size: member.size });
    // What is small and not rendered would not be given back.
    return file.read(member.offset, member.size, signal, which === 'picture' ? memory : undefined);
  };
  const [bytes, label, json] = await Promise.all([
    read('picture', reading.maxBytes),
    read('label', mostLabel),
    read('json', mostJson),
  ]);
  const key = index.key(sample);
  const values: Record<string, unknown> = { ...(json && parseJson(json, `${key}.json`)) };
  if (label !== undefined) values.label = parseLabel(label, `${key}.cls`);
  return { bytes: bytes!, ...readDeclared(declared, (name) => toNumbers(name, values[name], declared[name]!)) };
}

/** The most bytes of a label, and of the fields of a sample. */
const [mostLabel, mostJson] = [64, 2 ** 24];

function parseLabel(bytes: Buffer, member: string): number {
  const text = bytes.toString('latin1').trim();
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw fail('TAR_LABEL', { member, found: JSON.stringify(text.slice(0, 20)) });
}

function parseJson(bytes: Buffer, member: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8'));
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch (cause) {
    throw fail('TAR_JSON', { member, found: messageOf(cause) }, { cause });
  }
  throw fail('TAR_JSON', { member, found: 'no map' });
}

const arrays = { uint8: Uint8Array, int32: Int32Array, float32: Float32Array };

/** A list of JSON, nested as the shape or flat, as the array that was asked for; anything else as it is. @throws FIELD_SHAPE for other numbers */
function toNumbers(field: string, value: unknown, { dtype, shape }: Numbers): unknown {
  const refuse = (found: string) => fail('FIELD_SHAPE', { field, expected: `${dtype} [${shape.join(', ')}]`, found });
  const held = (one: number) => {
    const kept = arrays[dtype].of(one)[0]!;
    // Of float32 only the digits may go, not the number.
    if (dtype === 'float32' ? !Number.isFinite(kept) : kept !== one) throw refuse(String(one));
    return kept;
  };
  if (shape.length === 0 && typeof value === 'number') {
    held(value);
    return value;
  }
  if (shape.length === 0 || !Array.isArray(value)) return value;
  if (value.some(Array.isArray) && !isNested(value, shape)) throw refuse('lists of other lengths');
  const flat: unknown[] = value.flat(shape.length - 1);
  return flat.every((one) => typeof one === 'number') ? arrays[dtype].from(flat.map(held)) : value;
}

/** True where the lists of each depth are as long as the shape says. */
function isNested(value: unknown, [side, ...rest]: readonly number[]): boolean {
  if (side === undefined) return !Array.isArray(value);
  return Array.isArray(value) && value.length === side && value.every((inner) => isNested(inner, rest));
}
