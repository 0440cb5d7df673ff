import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { isOlder, libraryIn, prefixesOf } from './library.mjs';
import { triples } from './libtorch.mjs';
import { readIfThere } from './stamp.mjs';

/** Before it, decoding a part of a picture (jpeg_skip_scanlines, jpeg_crop_scanline) can loop for ever on some progressive files. */
const least = [2, 0, 6];

/**
 * Finds libjpeg-turbo: `wish` is a folder with include/ and lib/, or nothing for the system's own. Answers the library, or why there is none.
 *
 * @param {string} wish
 * @param {import('./libtorch.mjs').Machine} machine
 * @returns {import('./libtorch.mjs').Library | string}
 */
export function findLibjpeg(wish, machine) {
  if (wish !== '') {
    const found = libjpegAt(wish, machine);
    return typeof found === 'string' ? `LIBJPEG=${wish}: ${found}` : found;
  }
  /** @type {string | undefined} */
  let reason;
  for (const prefix of prefixesOf('jpeg-turbo', machine)) {
    if (!existsSync(join(prefix, 'include', 'jpeglib.h'))) continue;
    const found = libjpegAt(prefix, machine);
    if (typeof found !== 'string') return found;
    reason ??= found;
  }
  return reason ?? 'no libjpeg-turbo in the paths of the system';
}

/**
 * @param {string} prefix
 * @param {import('./libtorch.mjs').Machine} machine
 * @returns {import('./libtorch.mjs').Library | string}
 */
function libjpegAt(prefix, machine) {
  const include = join(prefix, 'include');
  const triple = triples[machine.arch] ?? '';
  if (!existsSync(join(include, 'jpeglib.h'))) return `no jpeglib.h in ${include}`;
  // Debian keeps what differs between processors in a folder of the processor's name.
  const config = [join(include, triple), include]
    .map((folder) => readIfThere(join(folder, 'jconfig.h')))
    .find((text) => text !== '');
  const version = /define\s+LIBJPEG_TURBO_VERSION\s+([\d.]+)/.exec(config ?? '')?.[1];
  if (version === undefined) return `the libjpeg in ${prefix} is not libjpeg-turbo`;
  if (isOlder(version, least)) {
    return `the libjpeg-turbo in ${prefix} is ${version}; ${least.join('.')} or newer is needed`;
  }
  const library = libraryIn('jpeg', prefix, version, machine);
  if (typeof library === 'string') return library;
  // Products and sums are not joined, so that coefficients are those that JavaScript computes.
  return {
    name: 'libjpeg-turbo',
    version,
    ...library,
    compile: ['-std=c++17', '-ffp-contract=off', ...library.compile],
  };
}
