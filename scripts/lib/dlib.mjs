import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { triples } from './libtorch.mjs';
import { digest, readIfThere } from './stamp.mjs';

/** The first whose detector of faces is as it is today. */
const least = [19, 4];

/**
 * Finds dlib: `wish` is a folder with include/ and lib/, or nothing for the system's own. Answers the library, or why there is none.
 *
 * @param {string} wish
 * @param {import('./libtorch.mjs').Machine} machine
 * @returns {import('./libtorch.mjs').Library | string}
 */
export function findDlib(wish, machine) {
  if (wish !== '') {
    const found = dlibAt(wish, machine);
    return typeof found === 'string' ? `DLIB=${wish}: ${found}` : found;
  }
  const { platform, system = '/' } = machine;
  const prefixes = platform === 'darwin' ? ['opt/homebrew/opt/dlib', 'usr/local/opt/dlib'] : ['usr', 'usr/local'];
  const prefix = prefixes
    .map((name) => join(system, name))
    .find((prefix) => existsSync(join(prefix, 'include', 'dlib')));
  return prefix === undefined ? 'no dlib in the paths of the system' : dlibAt(prefix, machine);
}

/**
 * @param {string} prefix
 * @param {import('./libtorch.mjs').Machine} machine
 * @returns {import('./libtorch.mjs').Library | string}
 */
function dlibAt(prefix, { platform, arch, system = '/' }) {
  const include = join(prefix, 'include');
  const revision = readIfThere(join(include, 'dlib', 'revision.h'));
  if (revision === '') return `no dlib/revision.h in ${include}`;
  const part = (/** @type {string} */ name) =>
    Number(new RegExp(`define\\s+DLIB_${name}_VERSION\\s+(\\d+)`).exec(revision)?.[1]);
  const [major, minor] = [part('MAJOR'), part('MINOR')];
  const version = `${major}.${minor}`;
  if (!(major > least[0] || (major === least[0] && minor >= least[1]))) {
    return `the dlib in ${prefix} is ${version}; ${least.join('.')} or newer is needed`;
  }
  const file = `libdlib.${platform === 'darwin' ? 'dylib' : 'so'}`;
  const folders = [join('lib', triples[arch] ?? ''), 'lib64', 'lib'].map((folder) => join(prefix, folder));
  const lib = folders.find((folder) => existsSync(join(folder, file)));
  if (lib === undefined) return `no ${file} in ${folders.join(', ')}`;
  const { size, mtimeMs } = statSync(join(lib, file));
  const own = prefix === join(system, 'usr');
  return {
    name: 'dlib',
    version,
    place: own ? lib : prefix,
    identity: digest(version, prefix, lib, String(size), String(mtimeMs)),
    compile: ['-std=c++17', ...(own ? [] : ['-isystem', include])],
    link: [`-L${lib}`, '-ldlib', ...(own || platform === 'darwin' ? [] : [`-Wl,-rpath,${lib}`])],
  };
}
