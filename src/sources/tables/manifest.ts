import { basename, dirname, extname, resolve } from 'node:path';
import { z } from 'zod';
import { fail } from '../../errors.ts';
import { readWhole } from '../../files/files.ts';
import { PassedOver } from '../../files/passed-over.ts';
import { pathOption } from '../../files/path-option.ts';
import { readCsv } from '../../formats/table/csv.ts';
import { readJsonLines } from '../../formats/table/json-lines.ts';
import { defineSource } from '../source.ts';
import { boxColumns } from './boxes.ts';
import { countsOf } from './labels.ts';
import { ManifestRows } from './manifest-rows.ts';
import { classesFor, pictureOptions, pictureSpec } from './pictures.ts';

/** What a row of a list has: the picture's file, and what was asked for. */
export type ManifestFields = { readonly bytes: Uint8Array; readonly label?: number; readonly box?: Int32Array };

/** Of the list: it is in memory while it is read. */
const mostBytes = 2 ** 28;

const forms = ['csv', 'tsv', 'jsonl'] as const;

const column = (of: string) => z.string().min(1).default(of);

/**
 * A list of pictures: one sample for each row of a file of comma-separated values or JSON Lines, in its order. A key is the path from `root` on, with forward slashes (`../b.jpg` beside it); further
 * rows of one file have `#2`, `#3` … behind it, counted over all splits, and all rows of a file are in one fold. Labels are numbers or names; a name's number is that in
 * `classes`, or its rank by code unit among the names of all rows, of whatever split, so that it is the same in each.
 * Opening throws FILE_UNREADABLE, FILE_LARGE, MANIFEST_FORM, MANIFEST_BROKEN, TABLE_COLUMN, TABLE_COLUMNS, TABLE_ROW, TABLE_LABELS, TABLE_CLASSES, TABLE_EMPTY; a sample fails with
 * FILE_UNREADABLE, FILE_LARGE.
 */
export const manifest = defineSource({
  name: 'manifest',
  summary: 'The pictures that a list names, CSV or JSON Lines, with labels, boxes and further columns.',
  policies: ['maxBytes'],
  options: z.strictObject({
    file: pathOption().describe('The list; a relative path starts at the pipeline file.'),
    root: pathOption()
      .optional()
      .describe('The folder that relative paths in the list start at; by default that of the list.'),
    format: z.enum(forms).optional().describe('The form of the list, where its ending does not say it.'),
    delimiter: z
      .string()
      .regex(/^[^"\r\n]$/, 'one character, no quote and no line end')
      .optional()
      .describe('What stands between the fields of a line; by default a comma, in .tsv a tab.'),
    header: z
      .array(z.string().min(1))
      .min(1)
      .optional()
      .describe('The names of the columns, for a list whose first line is a row already.'),
    columns: z
      .strictObject({
        path: column('path').describe('The column of paths.'),
        label: column('label').describe('The column of labels.'),
        box: boxColumns,
        split: column('split').describe('The column of splits.'),
        subject: z
          .string()
          .min(1)
          .optional()
          .describe('The column of persons, or whatever else is to stay in one fold; by default rows of one file do.'),
      })
      .prefault({})
      .describe('The names of the columns; JSON Lines have them as keys.'),
    split: z.string().min(1).optional().describe('Only the rows with this in the column of splits.'),
    ...pictureOptions,
  }),
  shorthand: 'file',
  reads: ({ file, root, classes }) => [
    file,
    ...(root === undefined ? [] : [root]),
    ...(typeof classes === 'string' ? [classes] : []),
  ],
  *check({ file, format }) {
    if (formOf(file, format) === undefined)
      yield { option: 'file', error: fail('MANIFEST_FORM', { found: basename(file) }) };
  },
  spec: pictureSpec,
  async open(options, { base, signal }) {
    const { file, format, delimiter, header, columns, labels, boxes, boxForm, split, fields, maxBytes } = options;
    const path = resolve(base, file);
    const root = options.root === undefined ? dirname(path) : resolve(base, options.root);
    const name = basename(file);
    const form = formOf(file, format);
    if (form === undefined) throw fail('MANIFEST_FORM', { found: name });
    const classes = await classesFor(options, base, signal);
    const read = Buffer.from(await readWhole(path, name, { maxBytes: mostBytes, signal }));
    const list = new ManifestRows({ columns, labels, boxes, boxForm, split, fields, root, file: name });
    if (form === 'jsonl') readJsonLines(read, name, list);
    else readCsv(read, { delimiter: delimiter ?? (form === 'tsv' ? '\t' : ','), header }, name, list);
    if (list.count === 0) {
      const option = split === undefined ? 'file' : 'split';
      const expected = split === undefined ? 'of a picture' : `of the split ${split}`;
      const found = [...list.splits].map(([name, count]) => `${name} (${count})`).join(', ') || 'none';
      throw fail('TABLE_EMPTY', { path: name, expected, found: found.slice(0, 200), option });
    }
    const passedOver = new PassedOver();
    for (const key of list.others) passedOver.add('split', key);
    const known = labels ? list.labels.settle(classes, name) : undefined;
    const further = list.settle();
    return {
      count: list.count,
      passedOver: passedOver.rows,
      ...(known && { classNames: known.names, classCounts: countsOf(known.ranks, known.names.length) }),
      ...(known && { label: (index) => known.ranks[index]! }),
      key: list.key,
      subject: list.subject,
      file: (index) => resolve(root, list.path(index)),
      async read(index, signal, memory): Promise<ManifestFields> {
        const bytes = await readWhole(resolve(root, list.path(index)), list.path(index), { maxBytes, signal, memory });
        return {
          bytes,
          ...(known && { label: known.ranks[index]! }),
          ...(boxes && { box: list.box(index) }),
          ...further(index),
        };
      },
    };
  },
});

/** The form of a list, by its ending where nothing says it. */
export function formOf(file: string, format?: (typeof forms)[number]) {
  const endings: Readonly<Record<string, (typeof forms)[number]>> = {
    '.csv': 'csv',
    '.tsv': 'tsv',
    '.jsonl': 'jsonl',
    '.ndjson': 'jsonl',
  };
  return format ?? endings[extname(file).toLowerCase()];
}
