import { z } from 'zod';
import { counted } from '../counts.ts';
import { fail, messageOf } from '../errors.ts';
import type { BufferPool } from '../files/buffer-pool.ts';
import { inTurns, joined } from '../files/many-files.ts';
import { PassedOver, passedOverText } from '../files/passed-over.ts';
import { pathOption } from '../files/path-option.ts';
import { type Place, readPaths } from '../files/places.ts';
import { FilePool, type Positioned } from '../files/positioned.ts';
import { isAddress, openWeb, webOptions } from '../files/web.ts';
import { partsOf } from '../formats/part-origin.ts';
import { partTroubles } from '../formats/shard/parts.ts';
import { damages } from '../formats/shard/reader.ts';
import { listTars } from '../formats/tar/places.ts';
import { indexTar, type TarIndex, type Which } from '../formats/tar/samples.ts';
import { type Format, formatEndings, pictureFormats } from '../vision/headers/formats.ts';
import { commonFormats } from '../vision/open.ts';
import type { Numbers } from '../vision/spec.ts';
import { declaredFields, fieldOptions, numbersOf, readDeclared } from './declared.ts';
import { defineSource } from './source.ts';

/** What a sample of a tar has: its picture's file, and the fields that were asked for. */
export type WebdatasetFields = { readonly bytes: Uint8Array; readonly label?: number };

/** Tars whose headers are read at a time. */
const indexing = 8;
/** What is read at a time where headers are looked for: of files a page, over http as much as is worth a request. */
const [fileWindow, webWindow] = [4096, 2 ** 18];
const tellEveryMs = 5000;

/**
 * Samples of tars in the form of the Python package `webdataset`: neighbouring files of one name up to the first dot are a sample, `.jpg` and the like
 * its picture, `.cls` its label, `.json` its fields; where none of them is a picture by that (`v1.0.jpg`), up to the last dot. Tars are local files, or lie behind http and https; nothing is unpacked. Opening passes over their
 * headers and keeps in memory where each sample is, so that samples are read in any order. A key is the tar's name, a slash and the sample's own.
 * Opening throws FOLDER_MISSING, FOLDER_UNREADABLE, FILE_UNREADABLE, TARS_NONE, TARS_EMPTY, TAR_DAMAGED, TAR_PACKED, TAR_SAMPLES, WEB_ADDRESS, WEB_READ, WEB_RANGE; a sample
 * fails with FILE_UNREADABLE, FILE_LARGE, WEB_READ, WEB_RANGE, WEB_CHANGED, TAR_LABEL, TAR_APART, TAR_PARTED, TAR_JSON, FIELD_SHAPE.
 */
export const webdataset = defineSource({
  name: 'webdataset',
  summary: 'Samples of tars in the form of the Python package webdataset, local or over http.',
  policies: ['damage', 'maxBytes', 'timeout', 'deadline', 'retries'],
  options: z.strictObject({
    path: z
      .union([pathOption(), z.array(pathOption()).min(1)])
      .describe(
        'A tar, a folder with tars (*.tar), a pattern (`data/train-*.tar`), an address of http or https, or a list of these; `train-{000..146}.tar` means 147 tars. A relative path starts at the pipeline file.',
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
    ...webOptions,
  }),
  shorthand: 'path',
  folder: ({ path }) => (typeof path === 'string' ? path : path[0]!),
  reads: ({ path }) => [path].flat().flatMap(readPaths),
  spec: (options) => ({ fields: { bytes: 'bytes', ...declaredFields(options) }, formats: options.formats }),
  async open(options, { base, signal, progress, written }) {
    const { path, formats, labels, fields, maxBytes, damage, timeout, deadline, retries } = options;
    const pool = new FilePool();
    try {
      const passedOver = new PassedOver();
      const places = await listTars(typeof path === 'string' ? [path] : path, {
        base,
        passedOver,
        signal,
        progress,
        written,
      });
      const endings = new Set(
        formats.flatMap((format: Format) => formatEndings[format].map((ending) => ending.slice(1))),
      );
      const wanted = { endings, label: labels, json: Object.keys(fields).length > 0 };
      const open = async ({ at, name, path }: Place): Promise<OpenTar> => {
        const web = isAddress(at);
        const file = web
          ? await openWeb(at, { timeout, deadline, retries }, signal)
          : await pool.file(path ?? at, name);
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
          const whose = counted(index.repeated, 'sample has', 'samples have');
          progress(`${name}: ${whose} the name of another; the keys of the later ones end with #2, #3 …`);
        }
        if (index.links > 0) {
          progress(
            `${name}: ${counted(index.links, 'link is', 'links are')} passed over; make the tar with --hard-dereference and -h`,
          );
        }
        if (index.dotted.count > 0) {
          const { count, example } = index.dotted;
          progress(
            `${name}: ${counted(count, 'sample has', 'samples have')} dots in the name, which is parted at the last one: ${example}`,
          );
        }
        passedOver.join(index.passedOver);
      }
      const listed = places.filter(({ isListed }) => isListed).map(({ at }) => at);
      for (const line of partTroubles(await partsOf(listed, '.tar'), 'tar')) progress(line);
      const { count, place } = joined(tars, ({ index }) => index.count);
      if (count === 0) {
        const found = passedOverText(passedOver.rows) || 'nothing in them';
        throw fail('TARS_EMPTY', { endings: [...endings].join(', '), found });
      }
      const declared = declaredFields(options);
      return {
        count,
        passedOver: passedOver.rows,
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

interface OpenTar {
  readonly file: Positioned;
  readonly name: string;
  readonly index: TarIndex;
}

interface Reading {
  readonly declared: Readonly<Record<string, Numbers>>;
  readonly maxBytes: number;
  readonly signal: AbortSignal;
  readonly memory: BufferPool | undefined;
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
  if (label === undefined && 'label' in declared) refuseApart(index, sample, 'label', 'the label');
  const hasFields = Object.keys(declared).some((name) => name !== 'label');
  if (json === undefined && hasFields) refuseApart(index, sample, 'json', 'the map of fields');
  const values: Record<string, unknown> = { ...(json && parseJson(json, `${key}.json`)) };
  if (label !== undefined) values.label = parseLabel(label, `${key}.cls`);
  return { bytes: bytes!, ...readDeclared(declared, (name) => numbersOf(name, values[name], declared[name]!)) };
}

/** @throws TAR_APART, TAR_PARTED where what a sample lacks is in the tar */
function refuseApart(index: TarIndex, sample: number, which: Which, what: string): void {
  const found = index.apart(sample, which);
  if (found === undefined) return;
  throw fail(found.isShorter ? 'TAR_PARTED' : 'TAR_APART', { what, key: index.key(sample), member: found.name });
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
