import { extname, resolve } from 'node:path';
import { z } from 'zod';
import { fail } from '../errors.ts';
import { type Format, formatEndings, pictureFormats } from '../vision/formats.ts';
import { commonFormats } from '../vision/open.ts';
import { listFiles, readWhole } from './files.ts';
import { pathOption } from './path-option.ts';
import { defineSource } from './source.ts';
import { watchFolder } from './watch-folder.ts';

/** What a sample of a folder has: the file, and the rank of its class where `labels` is said. */
export type FolderFields = { readonly bytes: Uint8Array; readonly label?: number };

/**
 * The pictures of a folder and of the folders in it, in the order of their relative paths by UTF-16 code unit. A key is that path with
 * forward slashes, `dir/a.jpg`, in pass r of `repeat` `dir/a.jpg#r`. Names choose which files are listed; what a file is, `decode` says by
 * its first bytes. With `labels: true` every first-level folder is a class, numbered from 0 in the same order.
 * Opening throws FOLDER_MISSING, FOLDER_FILE, FOLDER_UNREADABLE, FOLDER_EMPTY, FOLDER_CLASSES; a sample fails with FILE_UNREADABLE, FILE_LARGE.
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
  async open({ path, repeat, labels, formats, maxBytes }, { base, signal, progress }) {
    const root = resolve(base, path);
    const endings = endingsOf(formats);
    const { files, others } = await listFiles(root, (name) => endings.has(extname(name).toLowerCase()), {
      signal,
      progress,
    });
    if (files.length === 0) {
      const found = others === 0 ? 'an empty folder' : `${others} files with other endings`;
      throw fail('FOLDER_EMPTY', { path: root, endings: [...endings].join(', '), found });
    }
    const classes = labels ? classesOf(files) : undefined;
    return {
      count: files.length * repeat,
      ...(classes === undefined ? {} : { classNames: [...classes.keys()] }),
      key(index) {
        const file = files[index % files.length]!;
        return repeat === 1 ? file : `${file}#${Math.floor(index / files.length)}`;
      },
      read(index, signal, memory): Promise<FolderFields> {
        const file = files[index % files.length]!;
        const label = classes?.get(classOf(file));
        const read = readWhole(`${root}/${file}`, file, { maxBytes, signal, memory });
        return read.then((bytes) => (label === undefined ? { bytes } : { bytes, label }));
      },
    };
  },
  watch({ path, repeat, labels, formats, maxBytes }, { base, signal, progress }) {
    // Classes are numbered in the order of all their names, which are not known yet.
    if (labels || repeat > 1)
      throw fail('WATCH_SOURCE', { found: `image-folder with ${labels ? 'labels' : 'repeat'}` });
    return watchFolder(resolve(base, path), endingsOf(formats), { maxBytes, signal, progress });
  },
});

function endingsOf(formats: readonly Format[]): ReadonlySet<string> {
  return new Set(formats.flatMap((format) => formatEndings[format]));
}

function classOf(file: string): string {
  return file.slice(0, file.indexOf('/'));
}

/** The first-level folders, numbered in listing order. @throws FOLDER_CLASSES for a picture that lies in none. */
function classesOf(files: readonly string[]): ReadonlyMap<string, number> {
  const stray = files.find((file) => !file.includes('/'));
  if (stray !== undefined) throw fail('FOLDER_CLASSES', { file: stray });
  const names = [...new Set(files.map(classOf))].sort((a, b) => (a < b ? -1 : 1));
  return new Map(names.map((name, i) => [name, i]));
}
