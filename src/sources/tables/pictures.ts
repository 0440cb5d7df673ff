import { resolve } from 'node:path';
import { z } from 'zod';
import { pictureFormats } from '../../vision/headers/formats.ts';
import { commonFormats } from '../../vision/open.ts';
import type { Spec } from '../../vision/spec.ts';
import { boxOptions } from './boxes.ts';
import { specOf, tableFields } from './fields.ts';
import { classesOption, namedClasses } from './labels.ts';

/** The options of every source that takes its pictures from the rows of a table, beside those that say where it lies. */
export const pictureOptions = {
  labels: z.boolean().default(false).describe('Whether the samples have a `label`, the number of their class.'),
  classes: classesOption,
  ...boxOptions,
  fields: tableFields,
  formats: z
    .array(z.enum(pictureFormats))
    .min(1)
    .default([...commonFormats])
    .describe('The formats that are let through by decode, by the first bytes.'),
  maxBytes: z
    .int()
    .min(1)
    .default(2 ** 28)
    .describe('The most bytes a picture may have; a larger one fails.'),
};

const options = z.object(pictureOptions);

export type PictureOptions = z.output<typeof options>;

/** The fields of such a row. */
export function pictureSpec({ labels, boxes, fields, formats }: PictureOptions): Spec {
  return {
    fields: {
      bytes: 'bytes',
      ...(labels && { label: { dtype: 'int32', shape: [] } }),
      ...(boxes && { box: { dtype: 'int32', shape: [4] } }),
      ...specOf(fields),
    },
    formats,
  };
}

/** The names of the classes, where an option says them. @throws TABLE_CLASSES, FILE_UNREADABLE, FILE_LARGE */
export async function classesFor({ classes }: PictureOptions, base: string, signal: AbortSignal) {
  return classes === undefined ? undefined : namedClasses(classes, resolve(base, String(classes)), signal);
}
