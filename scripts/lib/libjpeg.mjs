import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { triples } from './libtorch.mjs';
import { digest, readIfThere } from './stamp.mjs';

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
  const { platform, system = '/' } = machine;
  const prefixes =
    platform === 'darwin' ? ['opt/homebrew/opt/jpeg-turbo', 'usr/local/opt/jpeg-turbo'] : ['usr', 'usr/local'];
  /** @type {string | undefined} */
  let reason;
  for (const name of prefixes) {
    const prefix = join(system, name);
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
function libjpegAt(prefix, { platform, arch, system = '/' }) {
  const include = join(prefix, 'include');
  const triple = triples[arch] ?? '';
  if (!existsSync(join(include, 'jpeglib.h'))) return `no jpeglib.h in ${include}`;
  // Debian keeps what differs between processors in a folder of the processor's name.
  const config = [join(include, triple), include]
    .map((folder) => readIfThere(join(folder, 'jconfig.h')))
    .find((text) => text !== '');
  const version = /define\s+LIBJPEG_TURBO_VERSION\s+([\d.]+)/.exec(config ?? '')?.[1];
  if (version === undefined) return `the libjpeg in ${prefix} is not libjpeg-turbo`;
  if (!isEnough(version.split('.').map(Number))) {
    return `the libjpeg-turbo in ${prefix} is ${version}; ${least.join('.')} or newer is needed`;
  }
  const file = `libjpeg.${platform === 'darwin' ? 'dylib' : 'so'}`;
  const folders = [join('lib', triple), 'lib64', 'lib'].map((folder) => join(prefix, folder));
  const lib = folders.find((folder) => existsSync(join(folder, file)));
  if (lib === undefined) return `no ${file} in ${folders.join(', ')}`;
  const { size, mtimeMs } = statSync(join(lib, file));
  const own = prefix === join(system, 'usr');
  return {
    name: 'libjpeg-turbo',
    version,
    place: own ? lib : prefix,
    identity: digest(version, prefix, lib, String(size), String(mtimeMs)),
    compile: ['-std=c++17', ...(own ? [] : ['-isystem', include])],
    link: [`-L${lib}`, '-ljpeg', ...(own || platform === 'darwin' ? [] : [`-Wl,-rpath,${lib}`])],
  };
}

/** @param {number[]} version */
function isEnough(version) {
  const at = least.findIndex((number, i) => number !== (version[i] ?? 0));
  return at < 0 || (version[at] ?? 0) > (least[at] ?? 0);
}
