import { join, resolve } from 'node:path';
import { z } from 'zod';
import { fail } from '../errors.ts';
import { readWhole } from '../files/files.ts';
import { nameText } from '../files/name-text.ts';
import { PassedOver } from '../files/passed-over.ts';
import { pathOption } from '../files/path-option.ts';
import { murmur3 } from '../random.ts';
import { defineSource } from './source.ts';

/** What a face of ExpW has: the photo's file, where the face is, [left, top, width, height] in pixels, and its expression. */
export type ExpwFields = { readonly bytes: Uint8Array; readonly box: Int32Array; readonly label: number };

/** The expressions in the order of their labels. */
const expressions = ['angry', 'disgust', 'fear', 'happy', 'sad', 'surprise', 'neutral'] as const;

/** Folders below the data set's own. */
const [photos, list] = ['image/origin', 'label/label.lst'];

/** Bytes that the list may have; the published one has 5 million. */
const mostBytes = 2 ** 28;

/** One in this many photos is for testing. */
const testShare = 5;

/**
 * Faces of ExpW (Expression in the Wild): one sample for each line of `label/label.lst` (`name face top left right bottom confidence label`),
 * whose photo lies in `image/origin`. A key is the photo's name, a slash and the number of the face. A split is not published; here a
 * photo with all its faces is a test photo by the MurmurHash3 of its name, one in five.
 * Opening throws FILE_UNREADABLE, FILE_LARGE, EXPW_LINE, EXPW_EMPTY; a sample fails with FILE_UNREADABLE, FILE_LARGE.
 */
export const expw = defineSource({
  name: 'expw',
  summary: 'Faces of ExpW: photos, boxes and expressions by its list of labels.',
  policies: ['maxBytes'],
  options: z.strictObject({
    path: pathOption().describe('The folder with image/origin and label/label.lst.'),
    part: z
      .enum(['all', 'train', 'test'])
      .default('all')
      .describe('All faces, or those of four fifths of the photos, or of the last fifth.'),
    minSide: z.int().min(1).default(80).describe('Faces whose box is narrower or lower are left out, in pixels.'),
    maxBytes: z
      .int()
      .min(1)
      .default(2 ** 28)
      .describe('The most bytes a photo may have; a larger one fails before it is read.'),
  }),
  shorthand: 'path',
  folder: ({ path }) => path,
  spec: () => ({
    fields: { bytes: 'bytes', box: { dtype: 'int32', shape: [4] }, label: { dtype: 'int32', shape: [] } },
  }),
  async open({ path, part, minSide, maxBytes }, { base, signal }) {
    const root = resolve(base, path);
    // Each byte as a character: a name is the bytes of a file's name, whatever they are.
    const text = Buffer.from(await readWhole(join(root, list), list, { maxBytes: mostBytes, signal })).toString(
      'latin1',
    );
    const lines = text.split(/\r?\n/).flatMap((line, i) => (line.trim() === '' ? [] : [faceOf(line, i + 1)]));
    const passedOver = new PassedOver();
    const faces = lines.filter(({ name, face, box }) => {
      const isLarge = Math.min(box[2]!, box[3]!) >= minSide;
      const isIn = isLarge && (part === 'all' || partOf(name) === part);
      if (!isIn) passedOver.add(isLarge ? 'part' : 'small', `${name}/${face}`);
      return isIn;
    });
    if (faces.length === 0) throw fail('EXPW_EMPTY', { minSide, found: lines.length }, { where: list });
    return {
      count: faces.length,
      classNames: expressions,
      passedOver: passedOver.rows,
      key: (index) => `${faces[index]!.name}/${faces[index]!.face}`,
      label: (index) => faces[index]!.label,
      subject: (index) => faces[index]!.name,
      async read(index, signal, memory): Promise<ExpwFields> {
        const { name, path, box, label } = faces[index]!;
        const file = Buffer.isBuffer(path)
          ? Buffer.concat([Buffer.from(`${root}/${photos}/`), path])
          : `${root}/${photos}/${path}`;
        return { bytes: await readWhole(file, name, { maxBytes, signal, memory }), box, label };
      },
    };
  },
});

interface Face {
  readonly name: string;
  /** Of the file: bytes where the name is not UTF-8. */
  readonly path: string | Buffer;
  readonly face: number;
  readonly box: Int32Array;
  readonly label: number;
}

/** A line's face; its numbers are taken from the end, so that a name may have spaces. */
function faceOf(line: string, number: number): Face {
  const words = line.trim().split(' ');
  const name = words.slice(0, -7).join(' ');
  const numbers = words.slice(-7).map((word) => (word === '' ? Number.NaN : Number(word)));
  const [face, top, left, right, bottom, , label] = numbers as [number, number, number, number, number, number, number];
  const whole = [face, top, left, right, bottom, label].every(Number.isInteger) && numbers.every(Number.isFinite);
  // A box is int32: larger numbers would come out as others.
  const small = [top, left, right, bottom].every((side) => Math.abs(side) < 2 ** 30);
  // A name leads to a file of the folder, never out of it.
  const plain = name !== '' && name !== '.' && name !== '..' && !/[\\/\0]/.test(name);
  if (!whole || !small || !plain || right <= left || bottom <= top || label < 0 || label >= expressions.length) {
    throw fail(
      'EXPW_LINE',
      { line: number, found: nameText(Buffer.from(line, 'latin1')).slice(0, 100) },
      { where: list },
    );
  }
  const bytes = Buffer.from(name, 'latin1');
  const shown = nameText(bytes);
  const path = bytes.equals(Buffer.from(shown)) ? shown : bytes;
  return { name: shown, path, face, box: Int32Array.of(left, top, right - left, bottom - top), label };
}

function partOf(name: string): 'train' | 'test' {
  return murmur3(name, 0) % testShare === 0 ? 'test' : 'train';
}
