import { type FileHandle, mkdir, open, readdir, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import sharp from 'sharp';
import { z } from 'zod';
import type { Pixels } from '../vision/picture.ts';
import type { SheetRow } from '../vision/sheet.ts';
import { ContactSheet, checkSheet, renderFields, sheetOption } from './contact-sheet.ts';
import { pathOption } from './path-option.ts';
import { plainJson } from './plain-fields.ts';
import { defineSink, type OpenSink } from './sink.ts';
import { cannotWrite } from './temporary-file.ts';

/** What a written picture leaves for its turn. */
interface Written {
  /** Of `manifest.jsonl`. */
  readonly line: string;
  readonly shown?: SheetRow;
}

/**
 * A folder of pictures: `images/000007-<name>.png`, `manifest.jsonl` with one row for each in the order of positions (position, key,
 * file, width, height, and every other field of the sample that is no picture), and a contact sheet `sheet.png` that shows what a model would see of the first samples.
 * File names are made from keys and can neither leave the folder nor collide. A sample fails with PICTURE_BROKEN and RECORD_FIELD; SINK_WRITE, with the
 * system's error as its cause, ends the run when the disk is full.
 */
export const images = defineSink({
  name: 'images',
  summary: 'A folder of pictures with a manifest, and a contact sheet.',
  options: z.strictObject({
    path: pathOption()
      .optional()
      .describe("The folder to write; a relative path starts at the pipeline file. Default: the run's own folder."),
    pictures: z.boolean().default(true).describe('Whether to write every picture; without, only the sheet.'),
    format: z.enum(['png', 'jpeg']).default('png').describe('The format of the pictures; png keeps every pixel.'),
    quality: z.int().min(1).max(100).default(90).describe('The quality of JPEG pictures, 1 to 100.'),
    sheet: sheetOption.default({ rows: 8 }).describe('The contact sheet, or false for none.'),
  }),
  check: ({ sheet }, spec) => checkSheet(sheet, spec),
  async open({ path, pictures, format, quality, sheet }, { base, output, spec }) {
    const folder = path === undefined ? output : resolve(base, path);
    const files = await Files.open(folder, pictures);
    const contact = ContactSheet.of(sheet, spec);
    let committed = 0;

    const sink: OpenSink<Written> = {
      async write(sample) {
        const { key, position } = sample;
        const pixels = await renderFields(sample);
        const file = `images/${fileName(key, position)}.${format === 'png' ? 'png' : 'jpg'}`;
        const { width, height } = pixels.picture;
        const line = pictures ? plainJson(sample, { position, key, file, width, height }) : '';
        if (pictures) await files.write(file, await encode(pixels.picture, format, quality));
        const shown = await contact?.row(sample, pixels);
        return { line, ...(shown && { shown }) };
      },
      async commit({ line, shown }) {
        committed++;
        if (pictures) await files.manifest(line);
        contact?.add(shown);
      },
      async close() {
        const made: string[] = [];
        const lines: string[] = [];
        try {
          if (pictures) {
            made.push(join(folder, 'manifest.jsonl'));
            lines.push(`${committed} pictures in ${join(folder, 'images')}, listed in manifest.jsonl`);
          }
          const drawn = await contact?.write(folder);
          if (drawn !== undefined) {
            made.push(drawn);
            lines.push(`contact sheet: ${drawn}`);
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

  async manifest(line: string): Promise<void> {
    try {
      await this.#manifest?.write(`${line}\n`);
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
    if (/^\d{6,}(-[\p{L}\p{M}\p{N}_.-]+)?\.(png|jpg)$/u.test(name)) await rm(join(folder, name), { force: true });
  }
}
