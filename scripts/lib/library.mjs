import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { triples } from './libtorch.mjs';
import { digest } from './stamp.mjs';

/**
 * A C library of the linker's name `name` below `prefix`: the folder it lies in, what tells it from another build of it, and what the compiler and the linker must
 * be told; or the one line that says where it was looked for.
 *
 * @param {string} name
 * @param {string} prefix
 * @param {string} version
 * @param {import('./libtorch.mjs').Machine} machine
 */
export function libraryIn(name, prefix, version, { platform, arch, system = '/' }) {
  const file = `lib${name}.${platform === 'darwin' ? 'dylib' : 'so'}`;
  const folders = libraryFolders(prefix, arch);
  const lib = folders.find((folder) => existsSync(join(folder, file)));
  if (lib === undefined) return `no ${file} in ${folders.join(', ')}`;
  const { size, mtimeMs } = statSync(join(lib, file));
  const own = prefix === join(system, 'usr');
  return {
    place: own ? lib : prefix,
    identity: digest(version, prefix, lib, String(size), String(mtimeMs)),
    compile: own ? [] : ['-isystem', join(prefix, 'include')],
    link: [`-L${lib}`, `-l${name}`, ...(own || platform === 'darwin' ? [] : [`-Wl,-rpath,${lib}`])],
  };
}

/**
 * Where libraries lie below a prefix. Debian keeps what differs between processors in a folder of the processor's name.
 *
 * @param {string} prefix
 * @param {string} arch
 */
export const libraryFolders = (prefix, arch) =>
  [join('lib', triples[arch] ?? ''), 'lib64', 'lib'].map((folder) => join(prefix, folder));

/**
 * The folders below which the system has libraries; Homebrew gives each formula one of its own.
 *
 * @param {string} formula
 * @param {import('./libtorch.mjs').Machine} machine
 */
export const prefixesOf = (formula, { platform, system = '/' }) =>
  (platform === 'darwin' ? [`opt/homebrew/opt/${formula}`, `usr/local/opt/${formula}`] : ['usr', 'usr/local']).map(
    (name) => join(system, name),
  );

/**
 * @param {string} version
 * @param {readonly number[]} least
 */
export function isOlder(version, least) {
  const numbers = version.split('.').map(Number);
  const at = least.findIndex((number, i) => number !== (numbers[i] ?? 0));
  return at >= 0 && (numbers[at] ?? 0) < (least[at] ?? 0);
}
