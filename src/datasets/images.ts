import { type FileHandle, mkdir, open, readdir, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import sharp from 'sharp';
import { z } from 'zod';
import { fail, type Refusal } from '../errors.ts';
import type { Sample } from '../streams/sample.ts';
import { Picture, type Pixels } from '../vision/picture.ts';
import { renderAll } from '../vision/render.ts';
import { drawSheet, encodePng, type SheetRow } from '../vision/sheet.ts';
import { cannotWrite } from './rolling.ts';
import { type Column, columns, headings, tilesOf } from './sheet-columns.ts';
import { defineSink, type OpenSink } from './sink.ts';
import type { Fields } from './source.ts';

/** What a written picture leaves for its turn. */
interface Written {
  readonly row: ManifestRow;
  readonly tiles?: SheetRow;
}

/** One line of `manifest.jsonl`. */
interface ManifestRow {
  readonly position: number;
  readonly key: string;
  readonly file: string;
  readonly width: number;
  readonly height: number;
  readonly label?: number;
  /** Where a face was found, [left, top, width, height] in pixels of the photo, and how sure that is. */
  readonly box?: readonly number[];
  readonly confidence?: number;
}

/**
 * A folder of pictures: `images/000007-<name>.png`, `manifest.jsonl` with one row for each in the order of positions (position, key,
 * file, width, height, label, box, confidence), and a contact sheet `sheet.png` that shows what a model would see of the first samples.
 * File names are made from keys and can neither leave the folder nor collide. A sample fails with PICTURE_BROKEN; SINK_WRITE, with the
 * system's error as its cause, ends the run when the disk is full.
 */
export const images = defineSink({
  name: 'images',
  summary: 'A folder of pictures with a manifest, and a contact sheet.',
  options: z.strictObject({
    path: z
      .string()
      .min(1)
      .optional()
      .describe("The folder to write; a relative path starts at the pipeline file. Default: the run's own folder."),
    pictures: z.boolean().default(true).describe('Whether to write every picture; without, only the sheet.'),
    format: z.enum(['png', 'jpeg']).default('png').describe('The format of the pictures; png keeps every pixel.'),
    quality: z.int().min(1).max(100).default(90).describe('The quality of JPEG pictures, 1 to 100.'),
    sheet: z
      .union([
        z.literal(false),
        z.strictObject({
          columns: z
            .array(z.enum(columns))
            .min(1)
            .optional()
            .describe('What to show of each sample: crop, lr, windows, masked. Default: all that the chain makes.'),
          rows: z.int().min(1).max(200).default(8).describe('How many samples to show, from the first.'),
          scale: z
            .int()
            .min(1)
            .max(32)
            .optional()
            .describe('How many times larger to show each pixel. Default: so that a picture is about 192 pixels wide.'),
        }),
      ])
      .default({ rows: 8 })
      .describe('The contact sheet, or false for none.'),
  }),
  *check({ sheet }, spec): Iterable<Refusal> {
    if (sheet === false || spec.open) return;
    for (const [i, column] of (sheet.columns ?? []).entries()) {
      const { field, stage } = needs[column];
      if (spec.fields[field] === undefined)
        yield { option: `sheet.columns.${i}`, error: fail('SHEET_COLUMN', { column, field, stage }) };
    }
  },
  async open({ path, pictures, format, quality, sheet }, { base, output, spec }) {
    const folder = path === undefined ? output : resolve(base, path);
    const shown =
      sheet === false
        ? []
        : (sheet.columns ?? columns.filter((column) => spec.fields[needs[column].field] !== undefined));
    const files = await Files.open(folder, pictures);
    const rows: SheetRow[] = [];
    const most = sheet === false ? 0 : sheet.rows;
    let committed = 0;

    const sink: OpenSink<Written> = {
      async write(sample) {
        const { key, position } = sample;
        const { picture, lr } = picturesOf(sample);
        const pixels = await renderFields(picture, lr);
        const file = `images/${fileName(key, position)}.${format === 'png' ? 'png' : 'jpg'}`;
        if (pictures) await files.write(file, await encode(pixels.picture, format, quality));
        const row = {
          position,
          key,
          file: pictures ? file : '',
          width: picture.width,
          height: picture.height,
          ...numbersOf(sample),
        };
        if (rows.length >= most) return { row };
        const scale = sheet === false ? 1 : (sheet.scale ?? Math.max(1, Math.round(192 / picture.width)));
        return { row, tiles: { tiles: tilesOf(shown, { ...pixels, sample, spec, scale }), caption: key } };
      },
      async commit({ row, tiles }) {
        committed++;
        if (pictures) await files.manifest(row);
        if (tiles !== undefined && rows.length < most) rows.push(tiles);
      },
      async close() {
        const made: string[] = [];
        const lines: string[] = [];
        try {
          if (pictures) {
            made.push(join(folder, 'manifest.jsonl'));
            lines.push(`${committed} pictures in ${join(folder, 'images')}, listed in manifest.jsonl`);
          }
          if (rows.length > 0) {
            await files.write(
              'sheet.png',
              await encodePng(
                drawSheet(
                  shown.map((column) => headings[column]),
                  rows,
                ),
              ),
            );
            made.push(join(folder, 'sheet.png'));
            lines.push(`contact sheet: ${join(folder, 'sheet.png')}`);
          }
        } finally {
          await files.close();
        }
        return { lines, files: made };
      },
    };
    return sink;
  },
});

/** What a column shows, and the stage that makes it. */
const needs: Readonly<Record<Column, { readonly field: string; readonly stage: string }>> = {
  crop: { field: 'picture', stage: 'decode' },
  lr: { field: 'lr', stage: 'downsample' },
  windows: { field: 'windows', stage: 'windows' },
  masked: { field: 'masks', stage: 'mask' },
};

/** What a row of the manifest says of a sample beside its picture. */
function numbersOf({ label, box, confidence }: Sample & Fields): Pick<ManifestRow, 'label' | 'box' | 'confidence'> {
  return {
    ...(typeof label === 'number' && { label }),
    ...(box instanceof Int32Array && { box: [...box] }),
    ...(typeof confidence === 'number' && { confidence }),
  };
}

function picturesOf(sample: Sample & Fields): { picture: Picture; lr: Picture | undefined } {
  const { picture, lr } = sample;
  if (!(picture instanceof Picture)) throw fail('SHEET_COLUMN', { column: 'crop', field: 'picture', stage: 'decode' });
  return { picture, lr: lr instanceof Picture ? lr : undefined };
}

/** Renders the picture and, from the same pixels, its low-resolution twin. */
async function renderFields(
  picture: Picture,
  lr: Picture | undefined,
): Promise<{ picture: Pixels; lr: Pixels | undefined }> {
  const room = (of: Picture) => ({ picture: of, out: new Uint8Array(of.width * of.height * 3) });
  const [first, second] = [room(picture), lr && room(lr)];
  await renderAll(second === undefined ? [first] : [first, second]);
  const pixels = ({ picture: of, out }: ReturnType<typeof room>): Pixels => ({
    width: of.width,
    height: of.height,
    data: out,
  });
  return { picture: pixels(first), lr: second && pixels(second) };
}

function encode({ width, height, data }: Pixels, format: 'png' | 'jpeg', quality: number): Promise<Uint8Array> {
  const pipeline = sharp(data, { raw: { width, height, channels: 3 }, limitInputPixels: false });
  return (format === 'png' ? pipeline.png({ compressionLevel: 6 }) : pipeline.jpeg({ quality })).toBuffer();
}

/**
 * A name that is safe on every system and says which sample it is: the position, then letters, digits and dashes of the key, then the numbers of its parts
 * where a stage made many of one.
 */
export function fileName(key: string, position: number): string {
  const [stem = '', parts = ''] = /^(.*?)((?:\/\d+)*)$/s.exec(key)?.slice(1) ?? [];
  const slug = stem
    .normalize('NFC')
    .replace(/\.\w{1,5}(?=#|$)/, '')
    .replace(/[^\p{L}\p{N}]+/gu, '-')
    .replace(/^-+|-+$/g, '');
  const name = [...slug].slice(0, 60).join('') || 'sample';
  return `${String(position).padStart(6, '0')}-${name}${parts.replaceAll('/', '-')}`;
}

/** The files of one sink. Every failure becomes SINK_WRITE; a file that could not be finished is removed. */
class Files {
  readonly #folder: string;
  readonly #manifest: FileHandle | undefined;

  private constructor(folder: string, manifest: FileHandle | undefined) {
    this.#folder = folder;
    this.#manifest = manifest;
  }

  static async open(folder: string, pictures: boolean): Promise<Files> {
    try {
      await mkdir(join(folder, pictures ? 'images' : '.'), { recursive: true });
      if (pictures) await clearOwn(join(folder, 'images'));
      return new Files(folder, pictures ? await open(join(folder, 'manifest.jsonl'), 'w') : undefined);
    } catch (error) {
      throw cannotWrite(folder, error);
    }
  }

  async write(file: string, bytes: Uint8Array): Promise<void> {
    const path = join(this.#folder, file);
    try {
      await writeFile(path, bytes);
    } catch (error) {
      await rm(path, { force: true }).catch(() => undefined);
      throw cannotWrite(path, error);
    }
  }

  async manifest(row: ManifestRow): Promise<void> {
    try {
      await this.#manifest?.write(`${JSON.stringify(row)}\n`);
    } catch (error) {
      throw cannotWrite(join(this.#folder, 'manifest.jsonl'), error);
    }
  }

  async close(): Promise<void> {
    await this.#manifest?.close();
  }
}

/** Deletes the pictures of an earlier run, known by the names that this sink gives; anything else in the folder stays. */
async function clearOwn(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (/^\d{6,}(-[\w.-]+)?\.(png|jpg)$/.test(name)) await rm(join(folder, name), { force: true });
  }
}
