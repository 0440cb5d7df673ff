import { join, resolve } from 'node:path';
import { z } from 'zod';
import { fail } from '../../errors.ts';
import { readWhole } from '../../files/files.ts';
import { nameText } from '../../files/name-text.ts';
import { PassedOver } from '../../files/passed-over.ts';
import { pathOption } from '../../files/path-option.ts';
import { defineSource } from '../source.ts';

/** What a sample of RAF-DB has: the file of a face, and its expression. */
export type RafDbFields = { readonly bytes: Uint8Array; readonly label: number };

/** The expressions in the order of their labels; the list counts them from 1. */
const expressions = ['surprise', 'fear', 'disgust', 'happiness', 'sadness', 'anger', 'neutral'] as const;

/** Places below the data set's own folder, spelled as they are published. */
const [photos, list] = ['Image/aligned', 'EmoLabel/list_patition_label.txt'];

/** Bytes that the list may have; the published one has 270 thousand. */
const mostBytes = 2 ** 26;

/**
 * RAF-DB's basic expressions: one sample for each line of `EmoLabel/list_patition_label.txt` (`train_00001.jpg 5`), whose aligned face of
 * 100 × 100 px lies in `Image/aligned/train_00001_aligned.jpg`. A key is the name in the list; its beginning says the part. The published set has
 * 12,271 faces for training and 3,068 for testing. Opening throws FILE_UNREADABLE, FILE_LARGE, RAF_LINE, RAF_EMPTY; a sample fails with FILE_UNREADABLE, FILE_LARGE.
 */
export const rafDb = defineSource({
  name: 'raf-db',
  summary: 'RAF-DB, faces with one of seven basic expressions, aligned: by its list of labels.',
  policies: ['maxBytes'],
  options: z.strictObject({
    path: pathOption().describe('The folder with EmoLabel/list_patition_label.txt and Image/aligned.'),
    part: z
      .enum(['all', 'train', 'test'])
      .default('all')
      .describe('All faces, or those for training, or those for testing, as published.'),
    maxBytes: z
      .int()
      .min(1)
      .default(2 ** 28)
      .describe('The most bytes a face may have; a larger one fails before it is read.'),
  }),
  shorthand: 'path',
  folder: ({ path }) => path,
  spec: () => ({ fields: { bytes: 'bytes', label: { dtype: 'int32', shape: [] } } }),
  async open({ path, part, maxBytes }, { base, signal }) {
    const root = resolve(base, path);
    const bytes = await readWhole(join(root, list), list, { maxBytes: mostBytes, signal });
    const all = facesOf(Buffer.from(bytes).toString('latin1'));
    const passedOver = new PassedOver();
    const faces = all.filter(({ name }) => {
      const isIn = part === 'all' || name.startsWith(`${part}_`);
      if (!isIn) passedOver.add('part', name);
      return isIn;
    });
    if (faces.length === 0) throw fail('RAF_EMPTY', { part, found: all.length }, { where: list });
    const file = (index: number) => `${root}/${photos}/${faces[index]!.name.replace(/\.jpg$/, '_aligned.jpg')}`;
    return {
      count: faces.length,
      classNames: expressions,
      classCounts: expressions.map((_, label) => faces.filter((face) => face.label === label).length),
      passedOver: passedOver.rows,
      key: (index) => faces[index]!.name,
      label: (index) => faces[index]!.label,
      file,
      async read(index, signal, memory): Promise<RafDbFields> {
        const { name, label } = faces[index]!;
        return { bytes: await readWhole(file(index), name, { maxBytes, signal, memory }), label };
      },
    };
  },
});

interface Face {
  readonly name: string;
  readonly label: number;
}

/** The faces of the list, in its order. @throws RAF_LINE for a line that is none, or whose name stands in another line. */
function facesOf(text: string): Face[] {
  const lineOf = new Map<string, number>();
  return text.split(/\r?\n/).flatMap((line, i) => {
    if (line.trim() === '') return [];
    const refuse = (found: string) => fail('RAF_LINE', { line: i + 1, found }, { where: list });
    const [, name, label] = /^((?:train_\d{5}|test_\d{4})\.jpg) ([1-7])\s*$/.exec(line) ?? [];
    if (name === undefined) throw refuse(nameText(Buffer.from(line, 'latin1')).slice(0, 100));
    const before = lineOf.get(name);
    if (before !== undefined) throw refuse(`${name}, which is line ${before} already`);
    lineOf.set(name, i + 1);
    return [{ name, label: Number(label) - 1 }];
  });
}
