import sharp from 'sharp';
import { gradient, jpeg } from '../pictures/pictures.ts';
import { type Characters, deflated, matFile, structs } from './mat.ts';

/** A small data set as it is published: its files by path, and the label of each sample by key, in listing order. */
export interface Example {
  readonly files: Readonly<Record<string, Uint8Array | string>>;
  readonly labels: ReadonlyMap<string, number>;
}

export interface CkSequence {
  /** `S005/001`. */
  readonly name: string;
  readonly frames: number;
  /** CK+'s number, 0 to 7; nothing for a sequence without an emotion. */
  readonly emotion?: number;
}

/** One sequence of each emotion, of five persons, and one without an emotion. */
export const ckSequences: readonly CkSequence[] = [
  { name: 'S005/001', frames: 11, emotion: 3 },
  { name: 'S010/001', frames: 14 },
  { name: 'S010/002', frames: 4, emotion: 7 },
  { name: 'S010/004', frames: 6, emotion: 1 },
  { name: 'S011/001', frames: 5, emotion: 5 },
  { name: 'S137/002', frames: 12, emotion: 6 },
  { name: 'S137/004', frames: 4, emotion: 2 },
  { name: 'S999/001', frames: 9, emotion: 4 },
];

/** Labels of CK+'s numbers in seven classes, written out from the paper: neutral, anger, (contempt), disgust, fear, happiness, sadness, surprise. */
const ckLabels: Readonly<Record<number, number>> = { 1: 1, 3: 2, 4: 3, 5: 4, 6: 5, 7: 6 };

const frameName = (name: string, frame: number) => `${name.replace('/', '_')}_${String(frame).padStart(8, '0')}`;

/** A grey PNG of one channel whose values count up in threes. */
function greyPng(width: number, height: number, first: number): Promise<Buffer> {
  const data = Buffer.from(Array.from({ length: width * height }, (_, at) => (first + at * 3) % 256));
  const raw = sharp(data, { raw: { width, height, channels: 1 } });
  return raw.toColourspace('b-w').png().toBuffer();
}

/** CK+: grey frames, an emotion per labelled sequence, landmarks, and what a Mac lays beside them. */
export async function ckPlusExample(sequences = ckSequences, { width = 16, height = 12 } = {}): Promise<Example> {
  const files: Record<string, Uint8Array | string> = {
    'cohn-kanade-images/S005/.DS_Store': 'x',
    'Emotion/.DS_Store': 'x',
  };
  const labels = new Map<string, number>();
  const made = new Map<number, Promise<Buffer>>();
  const picture = (first: number) => {
    const known = made.get(first) ?? greyPng(width, height, first);
    made.set(first, known);
    return known;
  };
  for (const [i, { name, frames, emotion }] of sequences.entries()) {
    for (let frame = 1; frame <= frames; frame++) {
      const key = `${name}/${frameName(name, frame)}.png`;
      files[`cohn-kanade-images/${key}`] = await picture((7 * frame + 20 * i) % 256);
      if (frame === 1)
        files[`Landmarks/${name}/${frameName(name, frame)}_landmarks.txt`] = '   1.0000000e+00   2.0000000e+00\n';
      if (emotion !== undefined && frame === 1) labels.set(key, 0);
      const label = emotion === undefined ? undefined : ckLabels[emotion];
      if (label !== undefined && frame > frames - 3) labels.set(key, label);
    }
    if (emotion !== undefined)
      files[`Emotion/${name}/${frameName(name, frames)}_emotion.txt`] = `   ${emotion}.0000000e+00\n`;
  }
  return { files, labels };
}

/** RAF-DB: `train` and `test` faces, labels going round from 1 to 7. */
export async function rafDbExample(train = 14, test = 7, side = 20): Promise<Example> {
  const files: Record<string, Uint8Array | string> = {};
  const labels = new Map<string, number>();
  const lines: string[] = [];
  const picture = await jpeg(gradient(side, side));
  for (let i = 0; i < train + test; i++) {
    const isTrain = i < train;
    const stem = isTrain ? `train_${String(i + 1).padStart(5, '0')}` : `test_${String(i - train + 1).padStart(4, '0')}`;
    files[`Image/aligned/${stem}_aligned.jpg`] = picture;
    const label = (i * 3) % 7;
    lines.push(`${stem}.jpg ${label + 1}`);
    labels.set(`${stem}.jpg`, label);
  }
  files['EmoLabel/list_patition_label.txt'] = `${lines.join('\n')}\n`;
  return { files, labels };
}

/** Synsets of ImageNet with the numbers that the devkit might give them: in another order than the sorted one. */
export const synsetsOf = (count: number) =>
  Array.from({ length: count }, (_, i) => ({
    wnid: `n${String(1440764 + 977 * i).padStart(8, '0')}`,
    id: ((i * 3 + 2) % count) + 1,
  }));

export interface ImagenetShape {
  /** No multiple of 3, so that numbers and ranks differ. */
  readonly classes?: number;
  readonly perClass?: number;
  readonly validation?: number;
  /** Validation pictures side by side, or in folders. */
  readonly val?: 'flat' | 'folders';
  readonly devkit?: boolean;
  readonly characters?: Characters;
  readonly deflate?: boolean;
  readonly side?: number;
}

/** ImageNet: both parts and the devkit. `labels` are those of both parts. */
export async function imagenetExample(shape: ImagenetShape = {}): Promise<Example> {
  const { classes = 5, perClass = 3, validation = 8, val = 'flat', devkit = true, side = 12 } = shape;
  const synsets = synsetsOf(classes);
  const files: Record<string, Uint8Array | string> = {};
  const labels = new Map<string, number>();
  const picture = await jpeg(gradient(side + 3, side));
  for (const [label, { wnid }] of synsets.entries()) {
    for (let i = 0; i < perClass; i++) {
      const key = `${wnid}/${wnid}_${i * 37 + 2}.JPEG`;
      files[`train/${key}`] = picture;
      labels.set(key, label);
    }
  }
  const truth: number[] = [];
  for (let i = 0; i < validation; i++) {
    const label = (i * 2 + 1) % classes;
    truth.push(synsets[label]!.id);
    const name = `ILSVRC2012_val_${String(i + 1).padStart(8, '0')}.JPEG`;
    const key = val === 'flat' ? name : `${synsets[label]!.wnid}/${name}`;
    files[`val/${key}`] = picture;
    labels.set(key, label);
  }
  if (!devkit) return { files, labels };
  const kit = 'ILSVRC2012_devkit_t12/data';
  files[`${kit}/ILSVRC2012_validation_ground_truth.txt`] = `${truth.join('\n')}\n`;
  files[`${kit}/meta.mat`] = metaMat(synsets, shape);
  return { files, labels };
}

/** `meta.mat`: classes in the order of their numbers, then the groups that they are in. */
export function metaMat(
  synsets: readonly { readonly wnid: string; readonly id: number }[],
  { characters = 'utf8', deflate = true }: ImagenetShape = {},
): Buffer {
  const leaves = [...synsets].sort((a, b) => a.id - b.id);
  const rows = leaves.map(({ wnid, id }) => rowOf(id, wnid, []));
  const group = rowOf(synsets.length + 1, 'n00001740', [1, 2, synsets.length]);
  const array = structs('synsets', [...rows, group], characters);
  return matFile(deflate ? deflated(array) : array);
}

function rowOf(id: number, wnid: string, children: readonly number[]) {
  return {
    ILSVRC2012_ID: id,
    WNID: wnid,
    words: `thing ${id}, something`,
    gloss: 'a thing; "as it were"',
    num_children: children.length,
    children,
    wordnet_height: children.length > 0 ? 1 : 0,
    num_train_images: 1300,
  };
}
