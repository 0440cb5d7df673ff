import { closeSync, existsSync, openSync, readdirSync, readSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { isOlder, libraryFolders } from './library.mjs';
import { digest, readIfThere } from './stamp.mjs';

/** The release that tfjs-node's own download has. Its sources are written for that one and what follows. */
const least = /** @type {const} */ ([2, 9]);

/** Prints the folder of TensorFlow without importing it, which would take seconds. */
const askPython = [
  'import importlib.util as find',
  "spec = find.find_spec('tensorflow')",
  "print(next(iter((spec and spec.submodule_search_locations) or []), ''))",
].join('\n');

/**
 * TensorFlow's C library, found by its files. The version is what stands beside it, or '' where nothing says it: only the library itself knows, once it is loaded.
 *
 * @typedef {import('./libtorch.mjs').Library} Library
 */

/**
 * Finds TensorFlow's C library and headers: `wish` is a python whose TensorFlow is taken, the folder of that (site-packages/tensorflow, or the one above it), or a folder of
 * libtensorflow with include/ and lib/; or nothing for the system's own. Answers the library, or one line why there is none.
 *
 * @param {string} wish
 * @param {import('./libtorch.mjs').Machine} machine
 * @returns {Library | string}
 */
export function findLibtensorflow(wish, machine) {
  if (wish === '') {
    const places = ['usr/local', 'usr'].map((name) => join(machine.system ?? '/', name));
    const found = places.map((place) => libraryAt(place, machine)).find((each) => typeof each !== 'string');
    return found ?? 'no libtensorflow in the paths of the system';
  }
  const folder = existsSync(wish) && statSync(wish).isDirectory() ? wish : tensorflowOfPython(wish, machine);
  if (!existsSync(folder)) return `LIBTENSORFLOW=${wish}: ${folder}`;
  const inner = join(folder, 'tensorflow');
  const found = libraryAt(existsSync(join(inner, 'include')) ? inner : folder, machine);
  return typeof found === 'string' ? `LIBTENSORFLOW=${wish}: ${found}` : found;
}

/**
 * The folder of the TensorFlow that `python` would import, or a sentence why there is none.
 *
 * @param {string} python
 * @param {import('./libtorch.mjs').Machine} machine
 */
function tensorflowOfPython(python, { runner }) {
  const answer = runner(python, ['-c', askPython]);
  if (answer.status === 127) return 'neither a folder nor a program';
  if (answer.status !== 0) return `it did not say where its TensorFlow is (exit code ${answer.status})`;
  return answer.stdout.trim() || 'this python has no TensorFlow';
}

/**
 * @param {string} folder
 * @param {import('./libtorch.mjs').Machine} machine
 * @returns {Library | string}
 */
function libraryAt(folder, { platform, arch, system = '/' }) {
  const include = join(folder, 'include');
  const needed = ['tensorflow/c/c_api.h', 'tensorflow/c/eager/c_api.h'];
  const files = librariesIn([folder, ...libraryFolders(folder, arch)], platform);
  if (files === undefined) return `no libtensorflow in ${folder}`;
  const lacking = needed.find((name) => !existsSync(join(include, name)));
  if (lacking !== undefined) return `TensorFlow has no headers there (${join(include, lacking)} is missing)`;
  const version = versionOf(folder, include, files);
  if (version !== '' && isOlder(version, least)) return tooOld(version);
  for (const file of platform === 'darwin' ? [] : files) {
    const wrong = strangeElf(file, arch);
    if (wrong !== undefined) return `${file} ${wrong}`;
  }
  const [first = folder] = files;
  const lib = dirname(first);
  const own = folder === join(system, 'usr');
  return {
    name: 'TensorFlow',
    version,
    place: folder,
    identity: digest(version, ...files, ...files.map((file) => statSync(file)).map((at) => `${at.size} ${at.mtimeMs}`)),
    compile: ['-std=c++17', ...(own ? [] : ['-isystem', include])],
    link: [`-L${lib}`, ...linkNames(files, platform), ...(own ? [] : [`-Wl,-rpath,${lib}`])],
  };
}

/** @param {string} version */
export const tooOld = (version) =>
  `TensorFlow ${version} is too old: ${least.join('.')} or newer is needed, which is what tfjs-node is written for`;

/** @param {string} version */
export const isTooOld = (version) => isOlder(version, least);

/**
 * The files to link with, of the first folder that has both: the operations, under the name of pip's package or of the C library, and the framework below them. Packages of pip
 * have the names with a number only.
 *
 * @param {readonly string[]} folders
 * @param {NodeJS.Platform} platform
 * @returns {readonly string[] | undefined}
 */
function librariesIn(folders, platform) {
  const endings = platform === 'darwin' ? ['.2.dylib', '.dylib'] : ['.so.2', '.so'];
  const find = (/** @type {string} */ folder, /** @type {string} */ name) =>
    endings.map((ending) => join(folder, `lib${name}${ending}`)).find((path) => existsSync(path));
  for (const folder of folders) {
    const operations = find(folder, 'tensorflow') ?? find(folder, 'tensorflow_cc');
    const framework = find(folder, 'tensorflow_framework');
    if (operations !== undefined && framework !== undefined) return [operations, framework];
  }
  return undefined;
}

/** @param {readonly string[]} files @param {NodeJS.Platform} platform */
const linkNames = (files, platform) => (platform === 'darwin' ? files : files.map((file) => `-l:${basename(file)}`));

/**
 * What the files say of the version: headers of some releases, the record of pip beside the package, or the number at the end of the library's name. '' where none does, or pip has
 * records of two.
 *
 * @param {string} folder
 * @param {string} include
 * @param {readonly string[]} files
 */
function versionOf(folder, include, [operations = '']) {
  const headers = ['version.h', 'release_version.h'].map((name) => join(include, 'tensorflow/core/public', name));
  const text = headers.map(readIfThere).join('\n');
  const parts = ['MAJOR', 'MINOR', 'PATCH'].map(
    (part) => new RegExp(`define TF_${part}_VERSION (\\d+)`).exec(text)?.[1],
  );
  if (parts.every((part) => part !== undefined)) return parts.join('.');
  const beside = basename(folder) === 'tensorflow' ? readdirSync(dirname(folder)) : [];
  const recorded = beside.flatMap((name) => pipRecord.exec(name)?.[1] ?? []);
  if (recorded.length > 0) return recorded.length === 1 ? String(recorded[0]) : '';
  return /\.(\d+\.\d+\.\d+)(?:\.dylib)?$/.exec(basename(realpathSync(operations)))?.[1] ?? '';
}

/** pip's record of a package that has the whole of TensorFlow in it. */
const pipRecord =
  /^(?:tensorflow(?:_cpu|_intel|_cpu_aws|_macos|_rocm)?|tf_nightly(?:_cpu)?)-(\d+\.\d+\.\d+)[^-]*\.dist-info$/;

/** ELF's number of a processor (e_machine). */
const machines = /** @type {Record<string, number>} */ ({ x64: 62, arm64: 183 });
const processors = /** @type {Record<number, string>} */ ({
  3: 'x86',
  40: 'arm',
  62: 'x64',
  183: 'arm64',
  243: 'riscv64',
});

/**
 * What is wrong with a library, by the first bytes of its file; nothing for one of this processor, and for processors whose number is not known here.
 *
 * @param {string} path
 * @param {string} arch Node's word for the processor
 */
export function strangeElf(path, arch) {
  const header = Buffer.alloc(20);
  const file = openSync(path, 'r');
  try {
    if (readSync(file, header) < header.length || header.toString('latin1', 0, 4) !== '\x7fELF')
      return 'is not a library (it has no ELF header)';
  } finally {
    closeSync(file);
  }
  const found = header[5] === 2 ? header.readUInt16BE(18) : header.readUInt16LE(18);
  if (machines[arch] === undefined || found === machines[arch]) return undefined;
  return `is for ${processors[found] ?? `processor ${found} of ELF's list`}, and this machine is ${arch}`;
}
