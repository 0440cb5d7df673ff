import { join, resolve } from 'node:path';
import { z } from 'zod';
import { counted } from '../../counts.ts';
import { fail } from '../../errors.ts';
import { readWhole } from '../../files/files.ts';
import { type Listing, listFiles } from '../../files/listing.ts';
import { inTurns } from '../../files/many-files.ts';
import { PassedOver } from '../../files/passed-over.ts';
import { pathOption } from '../../files/path-option.ts';
import { defineSource } from '../source.ts';

/** What a sample of CK+ has: the file of a frame, and its expression. */
export type CkPlusFields = { readonly bytes: Uint8Array; readonly label: number };

/** The expressions in the order of their labels: that of CK+'s own numbers, without contempt. */
const expressions = ['neutral', 'anger', 'disgust', 'fear', 'happiness', 'sadness', 'surprise'] as const;

/** The label of each of CK+'s numbers, 0 to 7; contempt has none. */
const labelOf = [0, 1, undefined, 2, 3, 4, 5, 6] as const;

/** Folders below the data set's own. */
const [photos, emotions] = ['cohn-kanade-images', 'Emotion'];

/** Frames at the end of a sequence that show its expression. */
const peakFrames = 3;

/** Emotion files that are read at a time, and the bytes that one may have. */
const [reading, mostBytes] = [16, 1024];

/**
 * The extended Cohn-Kanade set (CK+), as SRMAE's paper takes it (section 4.2): of each sequence with an emotion the first frame as neutral and,
 * unless the emotion is contempt, the last three frames as that emotion. The published set has 327 such sequences, 18 of contempt: 1,254 samples.
 * Images lie in `cohn-kanade-images/S005/001/S005_001_00000011.png`; the emotion of a sequence in a file named after its last frame,
 * `Emotion/S005/001/S005_001_00000011_emotion.txt`, one number from 0 (neutral) to 7. A key is the path of the frame in the first of these folders;
 * a fold has all samples of a person or none. Opening throws FOLDER_MISSING, FOLDER_FILE, FOLDER_UNREADABLE, FILE_UNREADABLE, FILE_LARGE, CK_FORMAT; a sample fails with
 * FILE_UNREADABLE, FILE_LARGE.
 */
export const ckPlus = defineSource({
  name: 'ck-plus',
  summary:
    'CK+, posed expressions: the first frame and the last three of each sequence with an emotion, in seven classes.',
  policies: ['maxBytes'],
  options: z.strictObject({
    path: pathOption().describe('The folder with cohn-kanade-images and Emotion.'),
    maxBytes: z
      .int()
      .min(1)
      .default(2 ** 28)
      .describe('The most bytes a frame may have; a larger one fails before it is read.'),
  }),
  shorthand: 'path',
  folder: ({ path }) => path,
  spec: () => ({ fields: { bytes: 'bytes', label: { dtype: 'int32', shape: [] } } }),
  async open({ path, maxBytes }, { base, ...context }) {
    const root = resolve(base, path);
    const written = await listFiles(join(root, emotions), (name) => name.endsWith('_emotion.txt'), context);
    if (written.files.length === 0) throw wrong(`have files of emotions in ${emotions}`, 'none');
    const labelled = await inTurns(written.files, reading, (file) => sequenceOf(written, file, context.signal));
    const images = await listFiles(join(root, photos), (name) => name.endsWith('.png'), context);
    const { frames, passedOver } = framesOf(labelled, images.files);
    passedOver.join(written.passedOver);
    passedOver.join(images.passedOver);
    const file = (index: number) => `${root}/${photos}/${frames[index]!.key}`;
    return {
      count: frames.length,
      classNames: expressions,
      classCounts: expressions.map((_, label) => frames.filter((frame) => frame.label === label).length),
      passedOver: passedOver.rows,
      key: (index) => frames[index]!.key,
      label: (index) => frames[index]!.label,
      subject: (index) => frames[index]!.key.slice(0, 4),
      file,
      async read(index, signal, memory): Promise<CkPlusFields> {
        const { key, label } = frames[index]!;
        return { bytes: await readWhole(file(index), key, { maxBytes, signal, memory }), label };
      },
    };
  },
});

interface Sequence {
  /** `S005/001`. */
  readonly name: string;
  /** The number of its last frame. */
  readonly peak: number;
  /** As the file has it, 0 to 7. */
  readonly emotion: number;
}

/** The sequence that a file of an emotion is of. @throws CK_FORMAT, FILE_UNREADABLE, FILE_LARGE */
async function sequenceOf(listing: Listing, file: string, signal: AbortSignal): Promise<Sequence> {
  const where = `${emotions}/${file}`;
  const [, subject, number, frame] = /^(S\d{3})\/(\d{3})\/\1_\2_(\d{8})_emotion\.txt$/.exec(file) ?? [];
  if (frame === undefined)
    throw wrong(`name its emotions as ${emotions}/S005/001/S005_001_00000011_emotion.txt`, where);
  const bytes = await readWhole(listing.path(file), where, { maxBytes: mostBytes, signal });
  const text = Buffer.from(bytes).toString('latin1').trim();
  const emotion = /^[\d.e+-]+$/i.test(text) ? Number(text) : Number.NaN;
  if (!Number.isInteger(emotion) || emotion < 0 || emotion >= labelOf.length)
    throw wrong('have one number from 0 to 7 in each file of an emotion', `"${text.slice(0, 40)}"`, where);
  return { name: `${subject}/${number}`, peak: Number(frame), emotion };
}

interface Frame {
  readonly key: string;
  readonly label: number;
}

/** The frames with a label, in the order of their keys; the others are passed over. @throws CK_FORMAT */
function framesOf(labelled: readonly Sequence[], images: readonly string[]) {
  const passedOver = new PassedOver();
  const ofSequence = new Map<string, string[]>();
  for (const image of images) {
    const sequence = image.slice(0, image.lastIndexOf('/'));
    const before = ofSequence.get(sequence);
    if (before === undefined) ofSequence.set(sequence, [image]);
    else before.push(image);
  }
  const frames: Frame[] = [];
  const sequences = [...labelled].sort((a, b) => (a.name < b.name ? -1 : 1));
  const twice = sequences.find(({ name }, i) => name === sequences[i - 1]?.name);
  if (twice !== undefined) throw wrong('have one emotion for each sequence', 'two', `${emotions}/${twice.name}`);
  for (const sequence of sequences) {
    const all = ofSequence.get(sequence.name) ?? [];
    const chosen = labelsOf(sequence, all);
    for (const image of all) {
      const label = chosen.get(image);
      if (label === undefined) passedOver.add('between', image);
      else frames.push({ key: image, label });
    }
    ofSequence.delete(sequence.name);
  }
  for (const image of [...ofSequence.values()].flat()) passedOver.add('unlabelled', image);
  return { frames, passedOver };
}

/** The labels of a sequence's first frame and of its last ones, by key. `images` are in the order of their names. @throws CK_FORMAT */
function labelsOf({ name, peak, emotion }: Sequence, images: readonly string[]): ReadonlyMap<string, number> {
  const where = `${photos}/${name}`;
  const key = (frame: number) => `${name}/${name.replace('/', '_')}_${String(frame).padStart(8, '0')}.png`;
  if (peak <= peakFrames)
    throw wrong(`have more than ${counted(peakFrames, 'frame')} in a sequence with an emotion`, `${peak}`, where);
  const last = images.at(-1) ?? 'no frames';
  if (last !== key(peak)) throw wrong(`end a sequence at the frame that its emotion names, ${key(peak)}`, last, where);
  const peaks = Array.from({ length: peakFrames }, (_, i) => key(peak - i));
  const known = new Set(images);
  const missing = [key(1), ...peaks].find((image) => !known.has(image));
  if (missing !== undefined)
    throw wrong('have the first frame and the last three of each sequence with an emotion', `no ${missing}`, where);
  const label = labelOf[emotion];
  return new Map([[key(1), 0], ...(label === undefined ? [] : peaks.map((image) => [image, label] as const))]);
}

const wrong = (rule: string, found: string, where?: string) =>
  fail('CK_FORMAT', { rule, found }, where === undefined ? {} : { where });
