import { extname, resolve } from 'node:path';
import { z } from 'zod';
import { fail } from '../errors.ts';
import { readWhole, unreadable } from '../files/files.ts';
import { byCodeUnit, type Listing, listFiles } from '../files/listing.ts';
import { codePoints } from '../files/name-text.ts';
import { passedOverText } from '../files/passed-over.ts';
import { pathOption } from '../files/path-option.ts';
import { type Format, formatEndings, pictureFormats } from '../vision/headers/formats.ts';
import { commonFormats } from '../vision/open.ts';
import { defineSource } from './source.ts';
import { watchFolder } from './watching/watch-folder.ts';

/** What a sample of a folder has: the file, and the rank of its class where `labels` is said. */
export type FolderFields = { readonly bytes: Uint8Array; readonly label?: number };

/**
 * The pictures of a folder and of the folders in it, in the order of their relative paths by UTF-16 code unit. A key is that path with
 * forward slashes, `dir/a.jpg`, in pass r of `repeat` `dir/a.jpg#r`. Names choose which files are listed; what a file is, `decode` says by
 * its first bytes. With `labels: true` every first-level folder is a class, empty or not, numbered from 0 in the order of their names in
 * NFC. What is listed and cannot be read (a link that leads nowhere, a pipe) is a failed sample; what else lies there is passed over, and counted.
 * Opening throws FOLDER_MISSING, FOLDER_FILE, FOLDER_UNREADABLE, FOLDER_EMPTY, FOLDER_CLASSES, FOLDER_ALIKE; a sample fails with FILE_UNREADABLE, FILE_LARGE.
 */
export const imageFolder = defineSource({
  name: 'image-folder',
  summary: 'The pictures of a folder and of the folders in it.',
  policies: ['maxBytes'],
  options: z.strictObject({
    path: pathOption().describe('The folder; a relative path starts at the pipeline file.'),
    repeat: z
      .int()
      .min(1)
      .max(1_000_000)
      .default(1)
      .describe(
        'How many times an epoch passes over the files; in each pass random stages draw anew. Evaluation passes once.',
      ),
    labels: z
      .boolean()
      .default(false)
      .describe('Whether the first-level folders are classes; every picture must then lie in one.'),
    formats: z
      .array(z.enum(pictureFormats))
      .min(1)
      .default([...commonFormats])
      .describe(
        'The formats that are listed, by the endings of the names, and let through by decode, by the first bytes.',
      ),
    maxBytes: z
      .int()
      .min(1)
      .default(2 ** 28)
      .describe('The most bytes a file may have; a larger one fails before it is read.'),
  }),
  shorthand: 'path',
  folder: ({ path }) => path,
  once: (options) => ({ ...options, repeat: 1 }),
  spec: ({ labels, formats }) => ({
    fields: labels ? { bytes: 'bytes', label: { dtype: 'int32', shape: [] } } : { bytes: 'bytes' },
    formats,
  }),
  async open({ path, repeat, labels, formats, maxBytes }, { base, ...context }) {
    const root = resolve(base, path);
    const endings = endingsOf(formats);
    const listing = await listFiles(root, (name) => endings.has(extname(name).toLowerCase()), context);
    const { files, passedOver } = listing;
    if (files.length === 0) {
      const found = passedOverText(passedOver) || 'an empty folder';
      throw fail('FOLDER_EMPTY', { path: root, endings: [...endings].join(', '), found });
    }
    const classes = labels ? classesOf(listing, root) : undefined;
    return {
      count: files.length * repeat,
      passedOver,
      ...(classes && { classNames: classes.names, classCounts: countsOf(classes, files, repeat) }),
      ...(classes && { label: (index) => classes.rank(files[index % files.length]!) }),
      key(index) {
        const file = files[index % files.length]!;
        return repeat === 1 ? file : `${file}#${Math.floor(index / files.length)}`;
      },
      file(index) {
        const path = listing.path(files[index % files.length]!);
        return typeof path === 'string' ? path : undefined;
      },
      async read(index, signal, memory): Promise<FolderFields> {
        const file = files[index % files.length]!;
        const strange = listing.strange.get(file);
        if (strange !== undefined) throw unreadable(file, strange);
        const bytes = await readWhole(listing.path(file), file, { maxBytes, signal, memory });
        return classes === undefined ? { bytes } : { bytes, label: classes.rank(file) };
      },
    };
  },
  watch({ path, repeat, labels, formats, maxBytes }, { base, ...context }) {
    // Classes are numbered in the order of all their names, which are not known yet.
    if (labels || repeat > 1)
      throw fail('WATCH_SOURCE', { found: `image-folder with ${labels ? 'labels' : 'repeat'}` });
    return watchFolder(resolve(base, path), endingsOf(formats), { maxBytes, ...context });
  },
});

function endingsOf(formats: readonly Format[]): ReadonlySet<string> {
  return new Set(formats.flatMap((format) => formatEndings[format]));
}

interface Classes {
  readonly names: readonly string[];
  /** The rank of a file's class. */
  rank(file: string): number;
}

function countsOf({ names, rank }: Classes, files: readonly string[], repeat: number): number[] {
  const counts = names.map(() => 0);
  for (const file of files) counts[rank(file)]! += repeat;
  return counts;
}

/**
 * The first-level folders as classes, empty or not, numbered in the order of their names in NFC: however a system writes a name, its number is the same.
 *
 * @throws FOLDER_CLASSES for a picture that lies in none; FOLDER_UNREADABLE for a class that leads nowhere; FOLDER_ALIKE for two of one name.
 */
function classesOf({ files, folders, lost }: Listing, root: string): Classes {
  const stray = files.find((file) => !file.includes('/'));
  if (stray !== undefined) throw fail('FOLDER_CLASSES', { file: stray });
  if (lost[0] !== undefined) {
    const reason = 'a link that leads nowhere, where every folder is a class';
    throw fail('FOLDER_UNREADABLE', { path: `${root}/${lost[0]}`, reason });
  }
  const named = folders.map((folder) => ({ folder, name: folder.normalize('NFC') }));
  named.sort((a, b) => byCodeUnit(a.name, b.name));
  for (const [i, { name, folder }] of named.entries()) {
    const before = named[i - 1];
    if (before?.name === name)
      throw fail('FOLDER_ALIKE', { name, first: codePoints(before.folder), second: codePoints(folder) });
  }
  const ranks = new Map(named.map(({ folder }, i) => [folder, i]));
  return { names: named.map(({ name }) => name), rank: (file) => ranks.get(file.slice(0, file.indexOf('/')))! };
}
