import { stat } from 'node:fs/promises';
import { basename, extname, join, resolve } from 'node:path';
import { fail } from '../../errors.ts';
import { type ListOptions, listFiles } from '../../files/listing.ts';
import { type PassedOver, passedOverText } from '../../files/passed-over.ts';
import { nothingThere, only } from '../../files/system.ts';
import { addressName, isAddress } from '../../files/web.ts';
import { expandRanges } from './names.ts';

/** A tar that is to be read: a path or an address, and its name in keys. */
export interface Place {
  readonly at: string;
  readonly name: string;
  /** It was found in a folder, and not named by itself. */
  readonly isListed?: true;
  /** Its path, where its name is not UTF-8. */
  readonly path?: Buffer;
}

interface ListingTars extends ListOptions {
  readonly base: string;
  readonly passedOver: PassedOver;
}

/** The tars that paths, folders and addresses stand for, each with a name of its own. @throws TARS_NONE, WEB_ADDRESS; what listing throws */
export async function listTars(paths: readonly string[], { base, ...listing }: ListingTars): Promise<Place[]> {
  const places: Place[] = [];
  for (const path of paths) {
    const names = expandRanges(path);
    if (names === undefined) throw fail('TARS_NONE', { path, found: 'a range of none, or of more than 100,000' });
    for (const name of names) {
      if (isAddress(name)) places.push({ at: name, name: basename(addressName(name)) });
      else if (/^\w+:\/\//.test(name)) throw fail('WEB_ADDRESS', { found: name });
      else places.push(...(await tarsAt(resolve(base, name), listing)));
    }
  }
  return distinct(places);
}

/** A tar, whatever its name, or those in a folder. */
async function tarsAt(root: string, { passedOver, ...options }: Omit<ListingTars, 'base'>): Promise<Place[]> {
  const about = await stat(root, { bigint: true }).catch(only([...nothingThere, 'EACCES', 'EPERM', 'EIO'], undefined));
  const isTar = about === undefined ? isTarName(root) : !about.isDirectory();
  if (isTar) return [{ at: root, name: basename(root) }];
  const listing = await listFiles(root, isTarName, options);
  const { files } = listing;
  passedOver.join(listing.passedOver);
  if (files.length === 0) {
    throw fail('TARS_NONE', { path: root, found: passedOverText(listing.passedOver) || 'an empty folder' });
  }
  return files.map((file) => {
    const path = listing.path(file);
    return { at: join(root, file), name: file, isListed: true as const, ...(typeof path !== 'string' && { path }) };
  });
}

function isTarName(name: string): boolean {
  return extname(name).toLowerCase() === '.tar';
}

/**
 * Tars of one name get as much of their folders before it as tells them apart, and one that is named again a number: keys are made of these names, and no
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
