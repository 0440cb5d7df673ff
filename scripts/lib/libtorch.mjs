import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { digest, readIfThere } from './stamp.mjs';

/**
 * A library that an addon is built with.
 *
 * @typedef {object} Library
 * @property {string} name
 * @property {string} version
 * @property {string} place where it was found, for people
 * @property {string} identity changes when another build of the library lies there
 * @property {string[]} compile flags of the compiler
 * @property {string[]} link flags of the linker
 */

/**
 * @typedef {object} Machine
 * @property {NodeJS.Platform} platform
 * @property {string} arch Node's word for the processor
 * @property {import('./runner.mjs').Runner} runner
 * @property {string} [system] the root that system paths begin with; tests put in their own
 */

/** Where Debian keeps libraries of a processor. */
export const triples = /** @type {Record<string, string>} */ ({ x64: 'x86_64-linux-gnu', arm64: 'aarch64-linux-gnu' });

/** Prints the folder of torch without importing it, which would take seconds. */
const askPython = [
  'import importlib.util as find',
  "spec = find.find_spec('torch')",
  "print(spec.submodule_search_locations[0] if spec else '')",
].join('\n');

/**
 * Finds libtorch: `wish` is a folder with include/ and lib/, or a python whose torch is taken, or nothing for the system's own.
 * Answers the library, or why there is none.
 *
 * @param {string} wish
 * @param {Machine} machine
 * @returns {Library | string}
 */
export function findLibtorch(wish, machine) {
  if (wish === '') {
    for (const place of systemPlaces(machine)) {
      const found = libtorchAt(place, machine);
      if (typeof found !== 'string') return found;
    }
    return 'no libtorch in the paths of the system';
  }
  const folder = existsSync(wish) && statSync(wish).isDirectory() ? wish : torchOfPython(wish, machine);
  if (!existsSync(folder)) return `LIBTORCH=${wish}: ${folder}`;
  const found = libtorchAt({ prefix: folder, folders: [join(folder, 'lib')] }, machine);
  return typeof found === 'string' ? `LIBTORCH=${wish}: ${found}` : found;
}

/**
 * The folder of the torch that `python` would import, or a sentence why there is none.
 *
 * @param {string} python
 * @param {Machine} machine
 */
function torchOfPython(python, { runner }) {
  const answer = runner(python, ['-c', askPython]);
  if (answer.status === 127) return 'neither a folder nor a program';
  if (answer.status !== 0) return `it did not say where its torch is (exit code ${answer.status})`;
  return answer.stdout.trim() || 'this python has no torch';
}

/** @typedef {{ prefix: string, folders: string[] }} Place */

/**
 * @param {Machine} machine
 * @returns {Place[]}
 */
function systemPlaces({ platform, arch, system = '/' }) {
  const prefixes = platform === 'darwin' ? ['opt/homebrew', 'usr/local'] : ['usr', 'usr/local'];
  return prefixes.map((name) => {
    const prefix = join(system, name);
    return {
      prefix,
      folders: [join('lib', triples[arch] ?? ''), 'lib64', 'lib'].map((folder) => join(prefix, folder)),
    };
  });
}

/**
 * @param {Place} place
 * @param {Machine} machine
 * @returns {Library | string}
 */
function libtorchAt({ prefix, folders }, { platform, system = '/' }) {
  const include = join(prefix, 'include');
  const api = join(include, 'torch', 'csrc', 'api', 'include');
  const version = versionBelow(include);
  if (version === undefined) return `no headers of torch in ${include}`;
  const suffix = platform === 'darwin' ? 'dylib' : 'so';
  const lib = folders.find((folder) => existsSync(join(folder, `libtorch_cpu.${suffix}`)));
  if (lib === undefined) return `no libtorch_cpu.${suffix} in ${folders.join(', ')}`;
  const main = statSync(join(lib, `libtorch_cpu.${suffix}`));
  const cuda = ['torch_cuda', 'c10_cuda'].every((name) => existsSync(join(lib, `lib${name}.${suffix}`)));
  // Since 2.11 libtorch's common interface has all that is asked, and CUDA's headers, which pip's packages no longer bring along whole, are not needed.
  const cudaHeaders = cuda && isBefore(version, 2, 11) ? cudaInclude(prefix, system) : undefined;
  // The compiler knows the system's own folder, and naming it again would put it before the C++ library's.
  const includes = [
    ...(prefix === join(system, 'usr') ? [] : [include]),
    api,
    ...(cudaHeaders === undefined ? [] : [cudaHeaders]),
  ];
  const libraries = ['torch', 'torch_cpu', ...(cuda ? ['torch_cuda', 'c10_cuda'] : []), 'c10'].map(
    (name) => `-l${name}`,
  );
  return {
    name: 'libtorch',
    version,
    place: prefix === join(system, 'usr') ? lib : prefix,
    identity: digest(version, prefix, lib, String(main.size), String(main.mtimeMs)),
    compile: [
      `-std=c++${standardOf(version, readIfThere(join(api, 'torch', 'all.h')))}`,
      ...includes.flatMap((folder) => ['-isystem', folder]),
      ...(platform === 'darwin' ? [] : [`-D_GLIBCXX_USE_CXX11_ABI=${oldStrings(join(lib, 'libc10.so')) ? 0 : 1}`]),
      ...(cudaHeaders !== undefined ? ['-DPATCHSTREAM_CUDA=1'] : []),
    ],
    link: [
      `-L${lib}`,
      // Nothing of ours names the cuda libraries, yet their kernels register when they are loaded.
      ...(platform === 'darwin' ? libraries : ['-Wl,--no-as-needed', ...libraries, '-Wl,--as-needed']),
      ...(lib.startsWith(join(system, 'usr')) && platform !== 'darwin' ? [] : [`-Wl,-rpath,${lib}`]),
    ],
  };
}

/**
 * The C++ that the headers are written in: what they ask for themselves, and from 2.13 on at least 20.
 *
 * @param {string} version
 * @param {string} header
 */
function standardOf(version, header) {
  const asked = /C\+\+(\d\d) or later/.exec(header)?.[1] ?? '17';
  return Math.max(isBefore(version, 2, 13) ? 17 : 20, Number(asked));
}

/**
 * @param {string} version
 * @param {number} major
 * @param {number} minor
 */
function isBefore(version, major, minor) {
  const [ofMajor = 0, ofMinor = 0] = version.split('.').map(Number);
  return ofMajor < major || (ofMajor === major && ofMinor < minor);
}

/**
 * The version that the headers say, `1.13.0`; newer releases keep it in another file.
 *
 * @param {string} include
 */
function versionBelow(include) {
  const places = ['torch/csrc/api/include/torch/version.h', 'torch/headeronly/version.h'];
  const text = places.map((name) => readIfThere(join(include, name))).join('\n');
  const [major, minor, patch] = ['MAJOR', 'MINOR', 'PATCH'].map(
    (part) => new RegExp(`define TORCH_VERSION_${part} (\\d+)`).exec(text)?.[1],
  );
  return major === undefined || minor === undefined ? undefined : `${major}.${minor}.${patch ?? 0}`;
}

/**
 * The folder with the headers of CUDA's runtime, the only ones that c10's own need: of the package that pip's torch was built with, else of the toolkit,
 * which may be of another release. Other packages lie beside it, and not all of them are torch's.
 *
 * @param {string} prefix
 * @param {string} system
 * @returns {string | undefined}
 */
function cudaInclude(prefix, system) {
  const beside = join(dirname(prefix), 'nvidia');
  const packages = basename(prefix) === 'torch' && existsSync(beside) ? readdirSync(beside).sort() : [];
  return [...packages.map((name) => join(beside, name)), join(system, 'usr', 'local', 'cuda')]
    .map((folder) => join(folder, 'include'))
    .find((folder) => ['cuda_runtime_api.h', 'crt/host_config.h'].every((name) => existsSync(join(folder, name))));
}

/**
 * True when the library was built with the C++ strings of before 2015, as pip's torch was until 2.6: an addon must be built the same way, and
 * the library's own names tell.
 *
 * @param {string} path
 */
function oldStrings(path) {
  return /_ZN3c105ErrorC[12]ENS_14SourceLocationESs/.test(readFileSync(path, 'latin1'));
}
