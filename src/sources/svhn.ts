import { basename, resolve } from 'node:path';
import { z } from 'zod';
import { counted } from '../counts.ts';
import { fail } from '../errors.ts';
import { pathOption } from '../files/path-option.ts';
import { type MatArray, readMat } from '../formats/mat.ts';
import { type Picture, rawPicture } from '../vision/picture.ts';
import { defineSource } from './source.ts';

/** What a sample of SVHN has: a raw colour picture, and its digit. */
export type SvhnFields = { readonly picture: Picture; readonly label: number };

/**
 * Street View House Numbers, cropped digits (format 2): `train_32x32.mat`, `test_32x32.mat`, `extra_32x32.mat`. Label 10 is the digit 0.
 * Keys are the name of the file, a slash and the picture's number: `train_32x32/7`. The samples have pictures, so the chain needs no `decode`.
 * Opening throws FILE_UNREADABLE, MAT_FORMAT, MAT_LIMIT.
 */
export const svhn = defineSource({
  name: 'svhn',
  summary: 'Street View House Numbers: pictures and digits of its 32 × 32 px MAT-files.',
  policies: ['maxBytes'],
  options: z.strictObject({
    file: pathOption().describe('The file, as train_32x32.mat; a relative path starts at the pipeline file.'),
    maxBytes: z
      .int()
      .min(1)
      .default(2 ** 31)
      .describe('The most bytes that the pictures may take in memory; more fails before it is taken.'),
  }),
  shorthand: 'file',
  reads: ({ file }) => [file],
  spec: () => ({ fields: { picture: 'picture', label: { dtype: 'int32', shape: [] } } }),
  async open({ file, maxBytes }, { base }) {
    const path = resolve(base, file);
    const { X, y } = await readMat(path, ['X', 'y'], { maxBytes });
    const [height, width, count] = sidesOf(X, path);
    const values = bytesOf(X, path);
    const labels = digitsOf(y, count, path);
    const name = basename(file).replace(/\.mat$/i, '');
    const size = height * width * 3;
    return {
      count,
      classNames: Array.from({ length: 10 }, (_, digit) => String(digit)),
      key: (index) => `${name}/${index}`,
      label: (index) => labels[index]!,
      read(index): SvhnFields {
        const columnMajor = values.subarray(index * size, (index + 1) * size);
        const data = new Uint8Array(size);
        // [row + H·(column + W·channel)] -> [(row·W + column)·3 + channel]
        for (let i = 0; i < size; i++) {
          const [row, column, channel] = [i % height, Math.floor(i / height) % width, Math.floor(i / height / width)];
          data[(row * width + column) * 3 + channel] = columnMajor[i]!;
        }
        return { picture: rawPicture({ data, width, height, channels: 3 }), label: labels[index]! };
      },
    };
  },
});

function sidesOf({ shape, data }: MatArray, path: string): readonly [height: number, width: number, count: number] {
  const [height, width, channels, count = 1] = shape;
  if (!(data instanceof Int8Array) && channels === 3 && shape.length <= 4) return [height!, width!, count];
  const found = `${data.constructor.name.replace('Array', '').toLowerCase()} [${shape.join(', ')}]`;
  throw fail('MAT_FORMAT', { rule: 'hold X, uint8 [height, width, 3, count]', found }, { where: path });
}

/** Programs that have no integers of 8 bits write wider ones. @throws MAT_FORMAT for values that are none of pixels */
function bytesOf({ data }: MatArray, path: string): Uint8Array {
  if (data instanceof Uint8Array) return data;
  const strange = data.find((value) => !(Number.isInteger(value) && value >= 0 && value <= 255));
  if (strange === undefined) return Uint8Array.from(data);
  throw fail('MAT_FORMAT', { rule: 'have pixels from 0 to 255', found: `${strange}` }, { where: path });
}

function digitsOf({ data }: MatArray, count: number, path: string): Uint8Array {
  const refuse = (rule: string, found: string) => fail('MAT_FORMAT', { rule, found }, { where: path });
  if (data.length !== count) throw refuse(`hold a label for each of ${counted(count, 'picture')}`, `${data.length}`);
  const strange = data.find((label) => !(Number.isInteger(label) && label >= 0 && label <= 10));
  if (strange !== undefined) throw refuse('have labels from 1 to 10, where 10 is the digit 0', `${strange}`);
  return Uint8Array.from(data, (label) => label % 10);
}
