import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, extname, join, resolve } from 'node:path';
import { fail, type PatchstreamError } from '../errors.ts';
import { byCodeUnit, type ListOptions, listFiles } from './listing.ts';
import { nameText } from './name-text.ts';
import { type PassedOver, passedOverText } from './passed-over.ts';
import { nothingThere, only } from './system.ts';
import { addressName, isAddress } from './web.ts';

/** A file that is to be read: a path or an address, and its name in keys. */
export interface Place {
  readonly at: string;
  readonly name: string;
  /** It was found in a folder, and not named by itself. */
  readonly isListed?: true;
  /** Its path, where its name is not UTF-8. */
  readonly path?: Buffer;
}

export interface PlaceOptions extends ListOptions {
  readonly base: string;
  readonly passedOver: PassedOver;
  /** How files of a folder end, `.tar`, in capitals or not. */
  readonly ending: string;
  /** What is thrown where a path stands for no file. */
  none(path: string, found: string): PatchstreamError;
}

/**
 * The files that paths, folders and addresses stand for, each with a name of its own, in the order of `paths`; those of a folder by their relative paths. `{000..146}` stands for so
 * many numbers, `*` and `?` in the last part of a path for any characters and any one character of a name.
 *
 * @throws what `none` makes, WEB_ADDRESS; what listing throws
 */
export async function listPlaces(paths: readonly string[], options: PlaceOptions): Promise<Place[]> {
  const places: Place[] = [];
  for (const path of paths) {
    const names = expandRanges(path);
    if (names === undefined) throw options.none(path, 'a range of none, or of more than 100,000');
    for (const name of names) {
      if (isAddress(name)) places.push({ at: name, name: basename(addressName(name)) });
      else if (/^\w+:\/\//.test(name)) throw fail('WEB_ADDRESS', { found: name });
      else places.push(...(await placesAt(resolve(options.base, name), options)));
    }
  }
  return distinct(places);
}

/** What must be there for a path to be read: the path without its pattern, once for each of its ranges; nothing of an address. */
export function readPaths(path: string): string[] {
  if (isAddress(path)) return [];
  return (expandRanges(path) ?? []).map((one) => (isPattern(one) ? dirname(one) : one));
}

function isPattern(path: string): boolean {
  return /[*?]/.test(basename(path));
}

/** A file, whatever its name, those in a folder, or those of a pattern. */
async function placesAt(root: string, { passedOver, ending, none, ...options }: PlaceOptions): Promise<Place[]> {
  const about = await stat(root, { bigint: true }).catch(only([...nothingThere, 'EACCES', 'EPERM', 'EIO'], undefined));
  if (about === undefined && isPattern(root)) return matching(root, none);
  const isWanted = (name: string) => extname(name).toLowerCase() === ending;
  const isFile = about === undefined ? isWanted(root) : !about.isDirectory();
  if (isFile) return [{ at: root, name: basename(root) }];
  const listing = await listFiles(root, isWanted, options);
  const { files } = listing;
  passedOver.join(listing.passedOver);
  if (files.length === 0) throw none(root, passedOverText(listing.passedOver) || 'an empty folder');
  return files.map((file) => {
    const path = listing.path(file);
    return { at: join(root, file), name: file, isListed: true as const, ...(typeof path !== 'string' && { path }) };
  });
}

/** The files of a folder whose names are as the last part of the pattern says, by code unit. */
async function matching(pattern: string, none: PlaceOptions['none']): Promise<Place[]> {
  const [folder, wanted] = [dirname(pattern), basename(pattern)];
  const literal = wanted.replace(/[.+^${}()|[\]\\]/g, '\\$&');
  const like = new RegExp(`^${literal.replace(/\*+/g, '.*').replaceAll('?', '.')}$`, 'su');
  const entries = await readdir(folder, { encoding: 'buffer' }).catch(only([...nothingThere], []));
  const names = entries.map((name) => ({ name, shown: nameText(name) })).filter(({ shown }) => like.test(shown));
  if (names.length === 0) throw none(pattern, 'no file of such a name');
  return names
    .sort((a, b) => byCodeUnit(a.shown, b.shown))
    .map(({ name, shown }) => {
      const isText = name.equals(Buffer.from(shown));
      const path = Buffer.concat([Buffer.from(`${folder}/`), name]);
      return { at: join(folder, shown), name: shown, ...(!isText && { path }) };
    });
}

/**
 * Files of one name get as much of their folders before it as tells them apart, and one that is named again a number: keys are made of these names, and no
 * two samples have one.
 */
function distinct(places: readonly Place[]): Place[] {
  const named = new Map<string, string>();
  for (const { at, name } of places) if (!named.has(at)) named.set(at, name);
  for (let depth = 2, isAlike = true; isAlike; depth++) {
    const counts = new Map<string, number>();
    for (const name of named.values()) counts.set(name, (counts.get(name) ?? 0) + 1);
    isAlike = false;
    for (const [at, name] of named) {
      const parts = (isAddress(at) ? addressName(at) : at).split(/[/\\]/);
      if (counts.get(name) === 1 || depth > parts.length) continue;
      named.set(at, parts.slice(-Math.max(depth, name.split('/').length)).join('/'));
      isAlike = true;
    }
  }
  const seen = new Map<string, number>();
  return places.map((place) => {
    const name = named.get(place.at)!;
    const times = (seen.get(name) ?? 0) + 1;
    seen.set(name, times);
    return { ...place, name: times === 1 ? name : `${name}#${times}` };
  });
}

/** The most addresses that one pattern may stand for. */
const mostNames = 100_000;

/** `x-{000..146}.tar` as 147 names; ranges of whole numbers, with as many digits as the first has. Nothing where there would be too many. */
export function expandRanges(pattern: string): string[] | undefined {
  let names = [''];
  let at = 0;
  for (const { 0: found, 1: first, 2: last, index } of pattern.matchAll(/\{(\d{1,15})\.\.(\d{1,15})\}/g)) {
    const [from, to] = [Number(first), Number(last)];
    const count = to - from + 1;
    if (count < 1 || count * names.length > mostNames) return undefined;
    const before = pattern.slice(at, index);
    const numbers = Array.from({ length: count }, (_, i) => String(from + i).padStart(first!.length, '0'));
    names = names.flatMap((name) => numbers.map((number) => `${name}${before}${number}`));
    at = index + found.length;
  }
  return names.map((name) => name + pattern.slice(at));
}
