import { z } from 'zod';
import { fail } from '../../errors.ts';
import { inTurns, joined } from '../../files/many-files.ts';
import { PassedOver } from '../../files/passed-over.ts';
import { pathOption } from '../../files/path-option.ts';
import { listPlaces, type Place, readPaths } from '../../files/places.ts';
import { FilePool } from '../../files/positioned.ts';
import { isAddress, openWeb, webOptions } from '../../files/web.ts';
import { readChunk } from '../../formats/parquet/pages.ts';
import { ParquetTable } from '../../formats/parquet/table.ts';
import { defineSource } from '../source.ts';
import { boxColumns } from './boxes.ts';
import { Labels } from './labels.ts';
import { classesOf, type RankOf } from './parquet-classes.ts';
import { HeldValues, mostPage, OpenTable } from './parquet-rows.ts';
import { classesFor, pictureOptions, pictureSpec } from './pictures.ts';

/** What a row has: the picture's file, and what was asked for. */
export type ParquetFields = { readonly bytes: Uint8Array; readonly label?: number; readonly box?: Int32Array };

/** Files whose metadata is read at a time. */
const opening = 8;
/**
 * Rows of tables of Apache Parquet whose column of pictures has files in it, as public hubs of data keep them: `image: { bytes, path }`, or bytes alone; `label` a number whose name the
 * file says under the key `huggingface`, or a name. Files are local or behind http; their metadata is read when they are opened, then of a picture the page that it is in. Keys are the
 * name of the file, a slash and the number of the row.
 * Opening throws PARQUET_NONE, PARQUET_BROKEN, TABLE_COLUMN, TABLE_EMPTY, TABLE_CLASSES, TABLE_CLASSES_OTHER, TABLE_LABELS, TABLE_ROW, FOLDER_MISSING, FOLDER_UNREADABLE, FILE_UNREADABLE, WEB_ADDRESS, WEB_READ, WEB_RANGE; a
 * sample fails with PARQUET_BROKEN, TABLE_ROW, FILE_LARGE, FILE_UNREADABLE, WEB_READ, WEB_RANGE, WEB_CHANGED.
 */
export const parquet = defineSource({
  name: 'parquet',
  summary: 'Rows of tables of Apache Parquet that hold pictures, local or over http, as public hubs keep them.',
  policies: ['maxBytes', 'timeout', 'deadline', 'retries'],
  options: z.strictObject({
    path: z
      .union([pathOption(), z.array(pathOption()).min(1)])
      .describe(
        'A file of Parquet, a folder with such files (*.parquet), a pattern (`data/train-*.parquet`), an address of http or https, or a list of these; `train-{0..3}.parquet` means 4 files. A relative path starts at the pipeline file.',
      ),
    columns: z
      .strictObject({
        image: z.string().min(1).default('image').describe('The column of pictures.'),
        label: z.string().min(1).default('label').describe('The column of labels.'),
        box: boxColumns,
      })
      .prefault({})
      .describe('The names of the columns.'),
    ...pictureOptions,
    ...webOptions,
  }),
  shorthand: 'path',
  folder: ({ path }) => (typeof path === 'string' ? path : path[0]!),
  reads: ({ path, classes }) => [
    ...[path].flat().flatMap(readPaths),
    ...(typeof classes === 'string' ? [classes] : []),
  ],
  spec: pictureSpec,
  async open(options, { base, signal, progress, written }) {
    const { path, columns, labels, timeout, deadline, retries } = options;
    const pool = new FilePool();
    try {
      const passedOver = new PassedOver();
      const places = await listPlaces([path].flat(), {
        ...{ base, passedOver, signal, progress, written },
        ending: '.parquet',
        none: (path, found) => fail('PARQUET_NONE', { path, found }),
      });
      const classes = await classesFor(options, base, signal);
      const tables = await inTurns(places, opening, async ({ at, name, path }: Place) => {
        const file = isAddress(at)
          ? await openWeb(at, { timeout, deadline, retries }, signal)
          : await pool.file(path ?? at, name);
        return ParquetTable.open({ ...file, name }, signal);
      });
      const opened = tables.map((table) => new OpenTable(table, options));
      const { count, place } = joined(opened, ({ table }) => table.rows);
      if (count === 0) {
        const path = places
          .map(({ name }) => name)
          .join(', ')
          .slice(0, 200);
        throw fail('TABLE_EMPTY', { path, expected: 'of a picture', found: 'none', option: 'path' });
      }
      const known = labels ? await labelsOf(opened, columns.label, classes, signal) : undefined;
      const held = new HeldValues();
      return {
        count,
        passedOver: passedOver.rows,
        ...(known?.names && { classNames: known.names }),
        key(index) {
          const { file, within } = place(index);
          return `${file.table.file.name}/${within}`;
        },
        async read(index, signal, memory): Promise<ParquetFields> {
          const { file, within } = place(index);
          const row = file.row(within, held, signal);
          // One after the other: nobody would hear of the second that fails.
          const further = await row.fields();
          const label = known && { label: known.rank(file, await row.label(), within) };
          return { bytes: await row.picture(memory), ...label, ...further };
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

interface KnownLabels {
  readonly names?: readonly string[];
  rank(table: OpenTable, label: unknown, row: number): number;
}

/** The classes of the files, and what their labels become. Labels that are names are all read, to know what names there are. */
async function labelsOf(
  opened: readonly OpenTable[],
  column: string,
  classes: readonly string[] | undefined,
  signal: AbortSignal,
): Promise<KnownLabels> {
  const texts = opened.filter(({ label }) => label!.type === 'BYTE_ARRAY');
  if (texts.length === 0) return numbered(opened, column, classes);
  if (texts.length < opened.length) {
    const [one, other] = [texts[0]!, opened.find(({ label }) => label!.type !== 'BYTE_ARRAY')!].map(
      ({ table }) => table.file.name,
    );
    throw fail('TABLE_CLASSES_OTHER', { file: one!, first: other!, found: 'names in place of numbers' });
  }
  const labels = new Labels();
  const starts = new Map<OpenTable, number>();
  let count = 0;
  for (const file of opened) {
    const { table, label } = file;
    starts.set(file, count);
    for (const group of table.groups) {
      const values = await readChunk(table, label!, group, { mostBytes: mostPage, signal });
      for (const [i, value] of values.entries()) labels.add(value, `row ${group.from + i}`, table.file.name);
    }
    count += table.rows;
  }
  const { ranks, names } = labels.settle(classes, opened[0]!.table.file.name);
  return { names, rank: (table, _, row) => ranks[starts.get(table)! + row]! };
}

function numbered(opened: readonly OpenTable[], column: string, classes: readonly string[] | undefined): KnownLabels {
  const { names, ranks } = classesOf(
    opened.map(({ table }) => table),
    column,
    classes,
  );
  const rankOf = new Map<OpenTable, RankOf>(opened.map((table, i) => [table, ranks[i]!]));
  return {
    ...(names && { names }),
    rank(table, label, row) {
      const number = typeof label === 'bigint' ? Number(label) : label;
      const isNumber = typeof number === 'number' && Number.isInteger(number) && number >= 0 && number < 2 ** 31;
      const rank = isNumber ? rankOf.get(table)!(number) : undefined;
      if (rank !== undefined) return rank;
      const slots = {
        expected: 'the number of a class as label',
        place: `row ${row}`,
        found: String(label).slice(0, 40),
      };
      throw fail('TABLE_ROW', { ...slots, advice: ', or leave `labels` out' }, { where: table.table.file.name });
    },
  };
}
