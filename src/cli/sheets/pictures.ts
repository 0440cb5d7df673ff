import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PatchstreamError } from '../../errors.ts';
import { closeBehind, type Ended } from '../../own-code.ts';
import { closeSource } from '../../runs/loader/open.ts';
import { openWritten, type WrittenSource } from '../../runs/loader/written-source.ts';
import type { OpenSource } from '../../sources/source.ts';
import { openPicture } from '../../vision/open.ts';
import { Picture } from '../../vision/picture.ts';
import type { CommandOption } from '../command.ts';

/** The option `--photos`, of verbs that draw what an earlier job has read. */
export const photosOption: CommandOption = {
  type: 'string',
  value: 'folder',
  about: 'The folder of the pictures, for the page. Default: where the job had them from.',
};

/** Opens a picture; nothing where it is gone. What cannot be opened throws. */
export type Find = () => Promise<Picture | undefined>;

/** Where pictures lie: in a folder, where a key is the file's path from there; in the source of a job; or nobody knows. */
export type PicturesFrom = string | WrittenSource | undefined;

/** The picture of a file. */
export function pictureAt(path: string): Find {
  return async () => openPicture(await readFile(path));
}

/**
 * Draws pictures that are known by their keys; of a source, for the key of a part, as of a face, the picture that it is of.
 *
 * @param keys that will be asked for. @param draw is given what finds a picture; what that returns is undefined where nobody knows where the picture lies.
 */
export async function withPictures(
  from: PicturesFrom,
  keys: readonly string[],
  draw: (find: (key: string) => Find | undefined) => Promise<void>,
): Promise<void> {
  if (from === undefined) return draw(() => undefined);
  if (typeof from === 'string') return draw((key) => pictureAt(join(from, key)));
  let source: OpenSource | undefined;
  try {
    source = await openWritten(from);
  } catch (error) {
    // What it has read is no longer there: its pictures are missing in the page, which says so.
    if (!(error instanceof PatchstreamError) || error.code === 'STAGE_BROKEN') throw error;
    return draw(() => async () => undefined);
  }
  if (source === undefined) return draw(() => undefined);
  let ended: Ended | undefined;
  try {
    await draw(finding(source, keys));
  } catch (error) {
    ended = { error };
    throw error;
  } finally {
    await closeBehind(ended, () => closeSource(source, Object.keys(from)[0]!));
  }
}

function finding(source: OpenSource, keys: readonly string[]): (key: string) => Find {
  const indices = indicesOf(source, keys);
  const { signal } = new AbortController();
  return (key) => async () => {
    const index = indices.get(key) ?? indices.get(wholeOf(key));
    if (index === undefined) return undefined;
    const { bytes, picture } = await source.read(index, signal);
    if (bytes instanceof Uint8Array) return openPicture(bytes);
    return picture instanceof Picture ? picture : undefined;
  };
}

function indicesOf(source: OpenSource, keys: readonly string[]): ReadonlyMap<string, number> {
  const wanted = new Set(keys.flatMap((key) => [key, wholeOf(key)]));
  const indices = new Map<string, number>();
  for (let index = 0; index < source.count; index++) {
    const key = source.key(index);
    if (wanted.has(key)) indices.set(key, index);
  }
  return indices;
}

/** The picture that a part is of: `dir/a.jpg` of `dir/a.jpg/2`. */
function wholeOf(key: string): string {
  return key.replace(/\/\d+$/, '');
}
