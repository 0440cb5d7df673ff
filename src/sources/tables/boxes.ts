import { z } from 'zod';
import { fail } from '../../errors.ts';
import { numbersIn } from './fields.ts';

const boxForms = ['size', 'corners'] as const;

/** Options of a table that has places in its pictures. */
export const boxOptions = {
  boxes: z
    .boolean()
    .default(false)
    .describe('Whether the samples have a `box`, int32 [left, top, width, height] in pixels of the upright picture.'),
  boxForm: z
    .enum(boxForms)
    .default('size')
    .describe('How boxes are written: `size` as left, top, width, height, `corners` as left, top, right, bottom.'),
};

/** The columns of a box: one with four numbers, or four. */
export const boxColumns = z
  .union([z.string().min(1), z.array(z.string().min(1)).length(4)])
  .default('box')
  .describe('The column of boxes, four numbers in each; or the four columns of their numbers.');

/**
 * A box as samples have it, [left, top, width, height]. Its edges are rounded to whole pixels; it may jut out of the picture, which is not known here.
 *
 * @param place of the row, for messages
 * @throws TABLE_ROW for what are not four numbers, and for a box without a whole pixel
 */
export function boxOf(value: unknown, form: (typeof boxForms)[number], place: string, where: string): Int32Array {
  const read = numbersIn(value, true);
  const numbers = Array.isArray(read) && read.every((one): one is number => typeof one === 'number') ? read : [];
  const [left, top, third, fourth] = numbers as [number, number, number, number];
  const edges = [left, top, ...(form === 'corners' ? [third, fourth] : [left + third, top + fourth])];
  const [x, y, right, bottom] = edges.map(Math.round) as [number, number, number, number];
  // A box is int32: larger numbers would come out as others.
  const isSmall = numbers.length === 4 && edges.every((edge) => Math.abs(edge) < 2 ** 30);
  if (isSmall && right > x && bottom > y) return Int32Array.of(x, y, right - x, bottom - y);
  const names = form === 'corners' ? 'left, top, right, bottom' : 'left, top, width, height';
  const expected = `a box of at least one pixel, ${names} in pixels`;
  const found = value === undefined || value === '' ? 'nothing' : String(value).slice(0, 60);
  throw fail('TABLE_ROW', { expected, place, found, advice: ', or say `boxForm`' }, { where });
}
