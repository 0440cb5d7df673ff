import { readdir } from 'node:fs/promises';
import { extname, join, resolve } from 'node:path';
import { z } from 'zod';
import { counted } from '../../counts.ts';
import { fail, reasonOf } from '../../errors.ts';
import { readWhole, unreadable } from '../../files/files.ts';
import { type Listing, listFiles } from '../../files/listing.ts';
import { passedOverText } from '../../files/passed-over.ts';
import { pathOption } from '../../files/path-option.ts';
import { nothingThere, systemCode } from '../../files/system.ts';
import { formatEndings } from '../../vision/headers/formats.ts';
import { commonFormats } from '../../vision/open.ts';
import { classDifference } from '../classes.ts';
import { defineSource } from '../source.ts';
import { type DevkitClasses, devkitClasses, devkitTruth, wnid } from './imagenet-devkit.ts';

/** What a sample of ImageNet has: its file, and its class. */
export type ImagenetFields = { readonly bytes: Uint8Array; readonly label: number };

/** The name that the devkit's folder has when it is unpacked. */
const kitName = 'ILSVRC2012_devkit_t12';

const endings: ReadonlySet<string> = new Set(commonFormats.flatMap((format) => formatEndings[format]));

/**
 * ImageNet-1K, the classification of the 2012 challenge. Classes are named by their synsets (`n01440764`), and a label is the place of its class in their
 * sorted order, as everywhere. `train` holds a folder for each class; `val` does too, or all pictures side by side as they are published
 * (`ILSVRC2012_val_00000001.JPEG`), whose classes are then in the list of the devkit, by numbers of its own that `meta.mat` explains.
 *
 * The classes must be those of the devkit where there is one, and those of the other part where that has folders: a folder that is missing or too many would
 * give the classes behind it other labels. A class without pictures keeps its label. A key is the path in the part's folder. Opening throws FOLDER_MISSING, FOLDER_FILE,
 * FOLDER_UNREADABLE, FILE_UNREADABLE, FILE_LARGE, MAT_FORMAT, IMAGENET_FORMAT, IMAGENET_LINE, IMAGENET_CLASSES; a sample fails with FILE_UNREADABLE, FILE_LARGE.
 */
export const imagenet = defineSource({
  name: 'imagenet',
  summary: 'ImageNet-1K: pictures and classes by their folders, or of the validation part by the list of the devkit.',
  policies: ['maxBytes'],
  options: z.strictObject({
    path: pathOption().describe('The folder with train and val.'),
    part: z.enum(['train', 'val']).default('train').describe('The pictures for training, or those for validation.'),
    devkit: pathOption()
      .optional()
      .describe(`The unpacked development kit. Default: ${kitName} in \`path\`, where it is there.`),
    classes: z
      .int()
      .min(2)
      .max(100_000)
      .default(1000)
      .describe('How many classes there are; fewer in a part of the data set.'),
    maxBytes: z
      .int()
      .min(1)
      .default(2 ** 28)
      .describe('The most bytes a picture may have; a larger one fails before it is read.'),
  }),
  shorthand: 'path',
  folder: ({ path }) => path,
  reads: ({ path, devkit }) => (devkit === undefined ? [path] : [path, devkit]),
  spec: () => ({ fields: { bytes: 'bytes', label: { dtype: 'int32', shape: [] } }, formats: commonFormats }),
  async open({ path, part, devkit, classes, maxBytes }, { base, ...context }) {
    const root = resolve(base, path);
    const kitFolder = devkit === undefined ? join(root, kitName) : resolve(base, devkit);
    const kit = await devkitClasses(kitFolder, context.signal);
    if (kit === undefined && devkit !== undefined)
      throw fail('FILE_UNREADABLE', { file: `${kitFolder}/data/meta.mat`, reason: 'nothing there' });
    const folder = join(root, part);
    const listing = await listFiles(folder, (name) => endings.has(extname(name).toLowerCase()), context);
    const { files, passedOver } = listing;
    if (files.length === 0) {
      const rule = `have pictures (${[...endings].join(', ')}) in ${part}`;
      throw fail('IMAGENET_FORMAT', { rule, found: passedOverText(passedOver) || 'an empty folder' });
    }
    const isFlat = part === 'val' && listing.folders.length === 0;
    const known = kit?.wnids ?? (await foldersIn(join(root, part === 'val' ? 'train' : 'val')));
    const { wnids, labels } = isFlat
      ? await listed(files, kitFolder, kit, context.signal)
      : foldered(listing, { folder, known, what: kit === undefined ? 'the other part' : 'the devkit' });
    if (isFlat) checkKnown(await foldersIn(join(root, 'train')), wnids, join(root, 'train'), 'the devkit');
    if (wnids.length !== classes)
      throw fail(
        'IMAGENET_CLASSES',
        { what: counted(classes, 'class', 'classes'), found: `${wnids.length}` },
        { where: folder },
      );
    const classCounts = wnids.map(() => 0);
    for (const label of labels) classCounts[label]!++;
    return {
      count: files.length,
      classNames: wnids,
      classCounts,
      passedOver,
      key: (index) => files[index]!,
      label: (index) => labels[index]!,
      file(index) {
        const path = listing.path(files[index]!);
        return typeof path === 'string' ? path : undefined;
      },
      async read(index, signal, memory): Promise<ImagenetFields> {
        const file = files[index]!;
        const strange = listing.strange.get(file);
        if (strange !== undefined) throw unreadable(file, strange);
        const bytes = await readWhole(listing.path(file), file, { maxBytes, signal, memory });
        return { bytes, label: labels[index]! };
      },
    };
  },
});

interface Labelled {
  readonly wnids: readonly string[];
  /** Of each file. */
  readonly labels: Uint32Array;
}

/** The folders of `path` that are named as classes, in sorted order; none where nothing is there. @throws FOLDER_UNREADABLE */
async function foldersIn(path: string): Promise<string[]> {
  try {
    const entries = await readdir(path, { withFileTypes: true });
    return entries.flatMap((entry) => (wnid.test(entry.name) && !entry.isFile() ? [entry.name] : [])).sort();
  } catch (cause) {
    if (nothingThere.includes(systemCode(cause) ?? '')) return [];
    throw fail('FOLDER_UNREADABLE', { path, reason: reasonOf(cause) }, { cause });
  }
}

interface Place {
  readonly folder: string;
  /** The classes as they stand elsewhere; none where they do not. */
  readonly known: readonly string[];
  readonly what: string;
}

/** Labels by folders. @throws IMAGENET_CLASSES, IMAGENET_FORMAT */
function foldered({ files, folders, lost }: Listing, { folder, known, what }: Place): Labelled {
  const refuse = (rule: string, found: string) => fail('IMAGENET_FORMAT', { rule, found }, { where: folder });
  const stray = [...folders, ...lost].find((name) => !wnid.test(name));
  if (stray !== undefined) throw refuse('have folders named as n01440764, one for each class', stray);
  if (lost[0] !== undefined) throw refuse('have a folder for each class', `${lost[0]}, a link that leads nowhere`);
  checkKnown(folders, known, folder, what);
  const ranks = new Map(folders.map((name, label) => [name, label]));
  const labels = Uint32Array.from(files, (file) => {
    const [name = '', rest] = file.split('/', 2);
    const label = rest === undefined ? undefined : ranks.get(name);
    if (label === undefined) throw refuse('have each picture in the folder of its class', `${file} outside of them`);
    const named = file.slice(file.lastIndexOf('/') + 1).split('_', 1)[0]!;
    if (wnid.test(named) && named !== name) throw refuse('have each picture in the folder of its class', file);
    return label;
  });
  return { wnids: folders, labels };
}

/** @throws IMAGENET_CLASSES where the classes are others than are known */
function checkKnown(found: readonly string[], known: readonly string[], folder: string, what: string): void {
  if (found.length === 0 || known.length === 0) return;
  const difference =
    classDifference(known, found) ??
    (found.length < known.length
      ? `${counted(found.length, 'class', 'classes')}, without ${known[found.length]}`
      : undefined);
  if (difference !== undefined)
    throw fail('IMAGENET_CLASSES', { what: `the classes of ${what}`, found: difference }, { where: folder });
}

/** Labels by the devkit's list, for pictures that lie side by side. @throws IMAGENET_FORMAT, and what reading the list throws */
async function listed(
  files: readonly string[],
  folder: string,
  kit: DevkitClasses | undefined,
  signal: AbortSignal,
): Promise<Labelled> {
  const refuse = (rule: string, found: string) => fail('IMAGENET_FORMAT', { rule, found }, { where: 'val' });
  if (kit === undefined)
    throw refuse(`have a folder for each class, or ${folder}, which names the class of each picture`, 'none of them');
  const truth = await devkitTruth(folder, kit, signal);
  const seen = new Set<number>();
  const labels = Uint32Array.from(files, (file) => {
    const number = Number(/^ILSVRC2012_val_(\d{8})\.\w+$/.exec(file)?.[1] ?? 0);
    if (number < 1 || number > truth.length || seen.has(number))
      throw refuse(`have pictures from ILSVRC2012_val_00000001.JPEG to number ${truth.length}, each once`, file);
    seen.add(number);
    return truth[number - 1]!;
  });
  if (seen.size < truth.length) {
    const missing = truth.findIndex((_, i) => !seen.has(i + 1)) + 1;
    throw refuse(
      `have ${counted(truth.length, 'picture')}, as the list of the devkit has lines`,
      `no number ${missing}`,
    );
  }
  return { wnids: kit.wnids, labels };
}
