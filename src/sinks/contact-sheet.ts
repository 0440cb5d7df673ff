import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { fail, type ValidationIssue } from '../errors.ts';
import type { Fields } from '../sources/source.ts';
import type { Sample } from '../streams/sample.ts';
import { drawSheet, encodePng, type SheetRow } from '../vision/draw/sheet.ts';
import { Picture, type Pixels } from '../vision/picture.ts';
import { renderAll } from '../vision/render/render.ts';
import type { Spec } from '../vision/spec.ts';
import { unlessGone, writeWhole } from '../whole-file.ts';
import { type Column, columns, headings, tilesOf } from './sheet-columns.ts';

/** What sinks that make a contact sheet are told of it. */
export const sheetOption = z.union([
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
]);

export type SheetOptions = z.output<typeof sheetOption>;

/** What a column shows, and the stage that makes it. */
const needs: Readonly<Record<Column, { readonly field: string; readonly stage: string }>> = {
  crop: { field: 'picture', stage: 'decode' },
  lr: { field: 'lr', stage: 'downsample' },
  windows: { field: 'windows', stage: 'windows' },
  masked: { field: 'masks', stage: 'mask' },
};

/** Columns that the chain has nothing for. */
export function* checkSheet(sheet: SheetOptions, spec: Spec): Iterable<ValidationIssue> {
  if (sheet === false || spec.open) return;
  for (const [i, column] of (sheet.columns ?? []).entries()) {
    const { field, stage } = needs[column];
    if (spec.fields[field] === undefined)
      yield { option: `sheet.columns.${i}`, error: fail('SHEET_COLUMN', { column, field, stage }) };
  }
}

/** `sheet.png`: what a model would see of the first samples. */
export class ContactSheet {
  readonly #options: Exclude<SheetOptions, false>;
  readonly #spec: Spec;
  readonly #shown: readonly Column[];
  readonly #rows: SheetRow[] = [];
  #isOver = false;

  private constructor(options: Exclude<SheetOptions, false>, spec: Spec) {
    this.#options = options;
    this.#spec = spec;
    this.#shown = options.columns ?? columns.filter((column) => spec.fields[needs[column].field] !== undefined);
  }

  /** The sheet that is wanted, if one is. */
  static of(options: SheetOptions, spec: Spec): ContactSheet | undefined {
    return options === false ? undefined : new ContactSheet(options, spec);
  }

  /** Nothing is shown any more where the sheet of an earlier run, behind which this one goes on, lies in the folder. */
  async keep(folder: string): Promise<void> {
    this.#isOver = (await lstat(join(folder, 'sheet.png')).catch(unlessGone)) !== undefined;
  }

  /** The row of a sample, from its rendered fields, or nothing where there are enough. @throws PICTURE_BROKEN, SHEET_COLUMN */
  async row(sample: Sample & Fields, rendered?: RenderedFields): Promise<SheetRow | undefined> {
    if (this.#isOver || this.#rows.length >= this.#options.rows) return undefined;
    const pixels = rendered ?? (await renderFields(sample));
    const scale = this.#options.scale ?? Math.max(1, Math.round(192 / pixels.picture.width));
    return { tiles: tilesOf(this.#shown, { ...pixels, sample, spec: this.#spec, scale }), caption: sample.key };
  }

  /** Takes the next row, in the order of samples. */
  add(row: SheetRow | undefined): void {
    if (row !== undefined && this.#rows.length < this.#options.rows) this.#rows.push(row);
  }

  /** The sheet as a PNG; nothing where no sample was shown. */
  async draw(): Promise<Uint8Array | undefined> {
    if (this.#rows.length === 0) return undefined;
    const headed = this.#shown.map((column) => headings[column]);
    return encodePng(drawSheet(headed, this.#rows));
  }

  /** Writes the sheet into the folder; answers its path, or nothing where no sample was shown. @throws FILE_WRITE */
  async write(folder: string): Promise<string | undefined> {
    const png = await this.draw();
    if (png === undefined) return undefined;
    const path = join(folder, 'sheet.png');
    await writeWhole(path, png);
    return path;
  }
}

/** A sample's pictures as pixels. */
export interface RenderedFields {
  readonly picture: Pixels;
  readonly lr: Pixels | undefined;
}

/** The picture of a sample. @throws SHEET_COLUMN where it has none. */
export function pictureOf({ picture }: Sample & Fields): Picture {
  if (picture instanceof Picture) return picture;
  throw fail('SHEET_COLUMN', { column: 'crop', field: 'picture', stage: 'decode' });
}

/** Renders the picture and, from the same pixels, its low-resolution copy. @throws PICTURE_BROKEN, SHEET_COLUMN */
export async function renderFields(sample: Sample & Fields): Promise<RenderedFields> {
  const { lr } = sample;
  const picture = pictureOf(sample);
  const room = (of: Picture) => ({ picture: of, out: new Uint8Array(of.width * of.height * 3) });
  const [first, second] = [room(picture), lr instanceof Picture ? room(lr) : undefined];
  await renderAll(second === undefined ? [first] : [first, second]);
  const pixels = ({ picture: of, out }: ReturnType<typeof room>): Pixels => ({
    width: of.width,
    height: of.height,
    data: out,
  });
  return { picture: pixels(first), lr: second && pixels(second) };
}
