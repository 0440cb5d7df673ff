import { fail } from '../../errors.ts';
import { listPlaces, type Place, type PlaceOptions } from '../../files/places.ts';

/** The tars that paths, folders and addresses stand for, each with a name of its own. @throws TARS_NONE, WEB_ADDRESS; what listing throws */
export function listTars(paths: readonly string[], options: Omit<PlaceOptions, 'ending' | 'none'>): Promise<Place[]> {
  return listPlaces(paths, {
    ...options,
    ending: '.tar',
    none: (path, found) => fail('TARS_NONE', { path, found }),
  });
}
