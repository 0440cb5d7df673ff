import { join, resolve } from 'node:path';
import { z } from 'zod';
import { counted } from '../counts.ts';
import { pathOption } from '../files/path-option.ts';
import type { SheetRow } from '../vision/draw/sheet.ts';
import { encoderOf } from '../vision/encode/encoder.ts';
import { ContactSheet, checkSheet, pictureOf, renderFields, sheetOption } from './contact-sheet.ts';
import { PictureFiles } from './picture-files.ts';
import { plainJson } from './plain-fields.ts';
import { defineSink, type OpenSink, type SinkContext } from './sink.ts';
import { checkJpeg, jpegOptions } from './stored-picture.ts';

/** What a written picture leaves for its turn. */
interface Written {
  /** Of `manifest.jsonl`. */
  readonly line: string;
  readonly shown?: SheetRow;
}

/**
 * A folder of pictures: `images/000007-<name>.png`, `manifest.jsonl` with one row for each in the order of positions (position, key,
 * file, width, height, and every other field of the sample that is no picture), and a contact sheet `sheet.png` that shows what a model would see of the first samples.
 * File names are made from keys and can neither leave the folder nor collide. The folder is one run's at a time; what an earlier run has written there,
 * as its record says, is replaced when the first sample has come through. A sample fails with PICTURE_BROKEN and RECORD_FIELD; RUN_BUSY, SHARDS_OTHER
 * and SINK_WRITE, with the system's error as its cause, end the run.
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
    ...jpegOptions,
    sheet: sheetOption.default({ rows: 8 }).describe('The contact sheet, or false for none.'),
  }),
  *check({ sheet, format, ...options }, spec) {
    yield* checkSheet(sheet, spec);
    yield* checkJpeg(format, options);
  },
  writes: ({ path, pictures }, place) => {
    const folder = folderOf(path, place);
    return pictures ? [folder, join(folder, 'images')] : [folder];
  },
  async open({ path, pictures, format, quality, chroma, optimize, sheet }, context) {
    const folder = folderOf(path, context);
    const contact = ContactSheet.of(sheet, context.spec);
    const files = await PictureFiles.open({ folder, record: context.own, job: context.job, pictures });
    const encoder = encoderOf(format);
    let committed = 0;

    const sink: OpenSink<Written> = {
      perThread: 2 * encoder.perThread,
      letsGo: true,
      async write(sample) {
        const { key, position } = sample;
        if (!pictures) {
          const shown = await contact?.row(sample, await renderFields(sample));
          return { line: '', ...(shown && { shown }) };
        }
        const picture = pictureOf(sample);
        const { width, height } = picture;
        const file = `images/${fileName(key, position)}.${format === 'png' ? 'png' : 'jpg'}`;
        const line = plainJson(sample, { position, key, file, width, height });
        const encoding = { format, quality, chroma, optimize };
        await files.write(file, (path) =>
          path === undefined || encoder.encodeTo === undefined
            ? encoder.encode(picture, encoding)
            : encoder.encodeTo(picture, encoding, path),
        );
        const shown = await contact?.row(sample);
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
          if (pictures && committed > 0) {
            made.push(join(folder, 'manifest.jsonl'));
            lines.push(`${counted(committed, 'picture')} in ${join(folder, 'images')}, listed in manifest.jsonl`);
          }
          const drawn = await contact?.draw();
          if (drawn !== undefined) {
            const sheetPath = await files.sheet(drawn);
            made.push(sheetPath);
            lines.push(`contact sheet: ${sheetPath}`);
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

function folderOf(path: string | undefined, { base, output }: Pick<SinkContext, 'base' | 'output'>): string {
  return path === undefined ? output : resolve(base, path);
}

/** File systems take names of 255 bytes; position, parts and ending have their share of them. */
const mostNameBytes = 180;

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
  let name = [...slug].slice(0, 60).join('') || 'sample';
  while (Buffer.byteLength(name) > mostNameBytes) name = [...name].slice(0, -1).join('');
  return `${String(position).padStart(6, '0')}-${name}${parts.replaceAll('/', '-')}`;
}
