import { statSync } from 'node:fs';
import { basename, extname, resolve } from 'node:path';
import { checkFolder } from '../../files/listing.ts';
import { isAddress } from '../../files/web.ts';
import { imageFolder, manifest, parquet } from '../../sources/index.ts';
import type { Source } from '../../sources/source.ts';
import { formOf } from '../../sources/tables/manifest.ts';

/** Whether a word names a list of pictures or tables of Parquet, by its ending. A folder is none, whatever its name. */
export function isTable(word: string): boolean {
  if (statSync(word, { throwIfNoEntry: false })?.isDirectory()) return false;
  return isParquet(word) || formOf(word) !== undefined;
}

function isParquet(word: string): boolean {
  return extname(word).toLowerCase() === '.parquet';
}

/**
 * The source of the pictures that a word of the command line names: a folder, a list (`.csv`, `.tsv`, `.jsonl`, `.ndjson`), or tables of Parquet (a file, a pattern, an
 * address). Its options are those that it has by default.
 *
 * @throws FOLDER_MISSING, FOLDER_FILE, FOLDER_UNREADABLE for what is no folder and ends otherwise
 */
export async function picturesAt(word: string): Promise<Source> {
  const path = isAddress(word) ? word : resolve(word);
  if (isTable(word)) return isParquet(word) ? parquet({ path }) : manifest({ file: path });
  await checkFolder(path);
  return imageFolder({ path });
}

/** What a folder with results of such a word is called. */
export function nameOf(word: string): string {
  return basename(resolve(word)).replace(/[*?{}]+/g, '_');
}
