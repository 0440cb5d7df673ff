/**
 * Builds the addons in native/ (`common` has what they share): every .cc of a folder with one call of the compiler each, then one link, without node-gyp. All of it is optional: a
 * build that fails says so in a line, and patchstream works without.
 */
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism, totalmem } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { atMost, make, missingObjects, texts } from './compile.mjs';
import { findDlib } from './dlib.mjs';
import { findImage } from './image.mjs';
import { findLibtorch } from './libtorch.mjs';
import { digest, filesBelow } from './stamp.mjs';

/**
 * One addon: the folder `native/<name>`, and what it is built with.
 *
 * @typedef {object} Addon
 * @property {string} name
 * @property {string} [variable] the environment variable that says where the library is
 * @property {string} without what serves instead
 * @property {number} seconds that a source takes to compile
 * @property {string} [heavy] the header that most of that time goes into
 * @property {(wish: string, machine: import('./libtorch.mjs').Machine) => import('./libtorch.mjs').Library | string} find
 * @property {readonly Variant[]} [variants] further forms of the whole addon, `<name>-<variant>.node`, of which src/native.ts takes the best that the machine can run
 */

/**
 * A form of an addon for machines that have more. Templates of a library come from its headers, and the linker would make one of two forms of the same
 * template: so that is an addon of its own.
 *
 * @typedef {object} Variant
 * @property {string} name
 * @property {string} arch
 * @property {readonly string[]} flags
 */

/** @type {readonly Addon[]} */
export const addons = [
  {
    name: 'environment',
    without: 'libraries choose how their threads wait and how many they start',
    seconds: 1,
    find: () => ({ name: '', version: '', place: '', identity: '', compile: ['-std=c++17'], link: [] }),
  },
  {
    name: 'torch',
    variable: 'LIBTORCH',
    without: 'wasm trains instead',
    seconds: 12,
    heavy: 'ATen/ATen.h',
    find: findLibtorch,
  },
  { name: 'image', variable: 'LIBJPEG', without: 'sharp decodes instead', seconds: 1, find: findImage },
  {
    name: 'dlib',
    variable: 'DLIB',
    without: 'face-api finds faces instead',
    seconds: 3,
    find: findDlib,
    // Products and sums are not joined, so that both forms answer alike.
    variants: [{ name: 'avx2', arch: 'x64', flags: ['-mavx2', '-ffp-contract=off'] }],
  },
];

/**
 * What became of a build, kept beside it as `build.json`.
 *
 * @typedef {object} Outcome
 * @property {string} digest of sources, compiler and library
 * @property {boolean} built
 * @property {string} library version and place
 * @property {string} wish what the addon's variable said
 * @property {string} [reason] the first error, when it failed
 */

/**
 * @typedef {object} Surroundings
 * @property {Record<string, string | undefined>} env
 * @property {NodeJS.Platform} platform
 * @property {import('./runner.mjs').Runner} runner
 * @property {import('./runner.mjs').Starter} start
 * @property {(line: string) => void} say
 * @property {import('./counter.mjs').Count} [count] tells how many of an addon's files are compiled
 * @property {boolean} again try what failed once more
 * @property {readonly string[]} [only] the names of the addons to build; all without it
 * @property {string} [system] the root that system paths begin with
 */

/**
 * Builds what is not built from these sources, this compiler and this library. Returns false when a build that was wanted failed, and has then said
 * why; a library that is not there is no failure unless it was named.
 *
 * @param {string} root
 * @param {Surroundings} surroundings
 * @returns {Promise<boolean>}
 */
export async function buildAddons(root, surroundings) {
  let well = true;
  /** What is said while a line is counted on, which is written over: it comes below. @type {string[]} */
  const held = [];
  /** @type {import('./counter.mjs').Counter | undefined} */
  let counter;
  /** @param {string} line */
  const say = (line) => void (counter === undefined ? surroundings.say(line) : held.push(line));
  /** @type {<T>(addon: Addon, work: () => Promise<T>) => Promise<T | undefined>} */
  const attempt = async (addon, work) => {
    try {
      return await work();
    } catch (error) {
      // Such as a folder that may not be written to.
      say(`native/${addon.name} is not built: ${/** @type {Error} */ (error).message}; ${addon.without}.`);
      well = false;
      return undefined;
    }
  };
  /** @type {Build[]} */
  const builds = [];
  for (const addon of addons) {
    if (!existsSync(join(root, 'native', addon.name)) || surroundings.only?.includes(addon.name) === false) continue;
    const build = await attempt(addon, () => planAddon(root, addon, { ...surroundings, say }));
    if (build === false) well = false;
    else if (typeof build === 'object') builds.push(build);
  }
  if (builds.length === 0) return well;
  const jobs = workers(await machineAt(root));
  const missing = builds.reduce((sum, build) => sum + build.missing, 0);
  const seconds = 10 + 10 * Math.ceil(builds.reduce((sum, build) => sum + build.seconds, 0) / jobs / 10);
  if (missing > 0) say(`Compiles ${counted(missing, 'file')} on ${counted(jobs, 'core')}, about ${seconds} s.`);
  counter = missing > 0 ? surroundings.count?.('native parts', missing, 'files') : undefined;
  // All at once: while one compiles a header that its sources wait for, the others have the cores.
  const start = atMost(jobs, surroundings.start);
  const ends = builds.map(({ addon, plan, finish }) =>
    attempt(addon, async () => finish(await make(plan, jobs, start, () => counter?.more()))),
  );
  const built = await Promise.all(ends);
  counter?.end();
  for (const line of held) surroundings.say(line);
  return well && built.every((each) => each);
}

/**
 * The addons whose library is named by the environment, or was when they were last built: it is found there again without the variable, until
 * that is set to nothing.
 *
 * @param {string} root
 * @param {Record<string, string | undefined>} env
 * @returns {string[]}
 */
export function namedLibraries(root, env) {
  return addons.filter((addon) => wishFor(root, addon, env) !== '').map(({ name }) => name);
}

/**
 * Why the library of an addon is not there, or nothing when it is.
 *
 * @param {string} root
 * @param {string} name
 * @param {Pick<Surroundings, 'env' | 'platform' | 'runner'>} surroundings
 * @returns {string | undefined}
 */
export function missingLibrary(root, name, { env, platform, runner }) {
  const addon = addons.find((addon) => addon.name === name);
  const found = addon?.find(wishFor(root, addon, env), { platform, arch: process.arch, runner });
  return typeof found === 'string' ? found : undefined;
}

/**
 * @param {string} root
 * @param {Addon} addon
 * @param {Record<string, string | undefined>} env
 */
const wishFor = (root, { name, variable }, env) =>
  (variable === undefined ? '' : env[variable]) ?? readOutcome(root, name)?.wish ?? '';

/**
 * An addon that is to be built.
 *
 * @typedef {object} Build
 * @property {Addon} addon
 * @property {import('./compile.mjs').Plan} plan
 * @property {number} missing how many sources have no object yet
 * @property {number} seconds that one core is likely to take
 * @property {(reason: string | undefined) => boolean} finish takes why it failed, if it did, and answers whether it is built
 */

/**
 * What there is to build of an addon; or, where there is nothing, whether all is well. Says what it will do, or why nothing can be done.
 *
 * @param {string} root
 * @param {Addon} addon
 * @param {Surroundings} surroundings
 * @returns {Promise<Build | boolean>}
 */
async function planAddon(root, addon, surroundings) {
  const { env, platform, runner, say, again } = surroundings;
  const folder = join('native', addon.name);
  const before = readOutcome(root, addon.name);
  const wish = wishFor(root, addon, env);
  const machine = { platform, arch: process.arch, runner, ...(surroundings.system && { system: surroundings.system }) };
  const library = addon.find(wish, machine);
  if (typeof library === 'string') {
    if (wish !== '') say(`${folder} is not built: ${library}; ${addon.without}.`);
    return wish === '';
  }
  const compiler = env.CXX ?? (platform === 'darwin' ? 'clang++' : 'g++');
  const version = runner(compiler, ['--version']);
  if (version.status !== 0) {
    say(`${folder} is not built: there is no compiler ${compiler}; ${addon.without}. Debian: apt-get install g++`);
    return false;
  }
  const headers = nodeHeaders(root);
  if (headers === undefined) {
    say(`${folder} is not built: the package node-api-headers is not installed; ${addon.without}.`);
    return false;
  }
  const flags = compileFlags(folder, headers, library, platform);
  const sources = sourcesOf(root, addon.name);
  const shared = sources.filter((name) => !name.endsWith('.cc'));
  const variants = (addon.variants ?? []).filter(({ arch }) => arch === machine.arch);
  const forms = [{ name: '', flags: /** @type {readonly string[]} */ ([]) }, ...variants].map((form) => ({
    flags: [...flags, ...form.flags],
    toolchain: digest(version.stdout, library.identity, ...flags, ...form.flags, ...texts(root, shared)),
    target: join(root, folder, 'build', `${[addon.name, ...(form.name === '' ? [] : [form.name])].join('-')}.node`),
  }));
  const link = [...sharedFlags(platform), ...library.link];
  const whole = digest(...forms.map(({ toolchain }) => toolchain), ...link, ...texts(root, sources));
  const isBuilt = forms.every(({ target }) => existsSync(target));
  if (!again && before?.digest === whole && before.built === isBuilt) return before.built;

  const named = library.name === '' ? '' : `${library.name} ${library.version} in ${library.place}`;
  const plan = { root, name: addon.name, compiler, forms, link, sources };
  const missing = missingObjects(plan).length;
  // clang keeps such headers in another form, and finds them in another way.
  const heavy = missing >= fewSources && /Free Software Foundation/.test(version.stdout) ? addon.heavy : undefined;
  const seconds = heavy === undefined ? missing * addon.seconds : 20 + (missing * addon.seconds) / 4;
  say(
    `Builds ${folder}${named === '' ? '' : ` with ${named}`}: ${counted(missing, 'file')}. Undo: remove the folder ${folder}/build.`,
  );
  /** @param {string | undefined} reason */
  const finish = (reason) => {
    /** @type {Outcome} */
    const outcome = { digest: whole, built: reason === undefined, library: named, wish, ...(reason && { reason }) };
    writeOutcome(root, addon.name, outcome);
    if (reason === undefined) return true;
    // One of older sources would not fit the library above it.
    for (const { target } of forms) rmSync(target, { force: true });
    say(`${folder} is not built: ${reason} (all of it: ${folder}/build/build.log); ${addon.without}.`);
    return false;
  };
  return { addon, plan: { ...plan, heavy }, missing, seconds, finish };
}

/** With fewer sources to compile, compiling their common header first does not pay. */
const fewSources = 4;

/**
 * The folder of Node's C headers, from the package that carries them.
 *
 * @param {string} root
 */
export function nodeHeaders(root) {
  try {
    return join(createRequire(join(root, 'package.json')).resolve('node-api-headers/package.json'), '..', 'include');
  } catch {
    return undefined;
  }
}

/**
 * @param {string} folder from which sources name their headers
 * @param {string} headers
 * @param {import('./libtorch.mjs').Library} library
 * @param {NodeJS.Platform} platform
 */
function compileFlags(folder, headers, library, platform) {
  return [
    ...['-O3', '-fPIC', '-Wall', '-Wextra', '-fvisibility=hidden', '-DNAPI_VERSION=8'],
    // Loops over vectors of unnamed width; square roots and comparisons without errno and traps.
    ...['-fno-math-errno', '-fno-trapping-math', '-Wno-psabi', '-Wno-ignored-attributes'],
    ...['-iquote', folder, '-isystem', headers],
    ...library.compile,
    // OpenMP's functions are not linked: those of the library that torch brings serve, so that there is one pool of threads.
    ...(platform === 'darwin' ? [] : ['-pthread', '-fopenmp']),
  ];
}

/**
 * With names bound when an addon is loaded, the trial after the build sees one that is missing. It is never unloaded: libtorch keeps our allocator.
 *
 * @param {NodeJS.Platform} platform
 */
const sharedFlags = (platform) =>
  platform === 'darwin'
    ? ['-bundle', '-undefined', 'dynamic_lookup']
    : ['-shared', '-pthread', '-Wl,-z,now,-z,nodelete'];

/**
 * @param {string} root
 * @param {string} name
 */
function sourcesOf(root, name) {
  return ['native/common', `native/${name}`].flatMap((folder) =>
    filesBelow(root, folder).filter((file) => /\.(cc|h)$/.test(file) && !file.startsWith(`${folder}/build/`)),
  );
}

/** As many compilers at a time as there are cores, but no more than the memory holds: each takes over a gigabyte. */
export const workers = (/** @type {Allowed} */ { cores, memory }) =>
  Math.max(1, Math.min(cores, Math.floor(memory / 2 ** 31)));

/**
 * What this process may use: cores, and bytes of memory.
 *
 * @typedef {{ readonly cores: number, readonly memory: number }} Allowed
 */

/**
 * As the library itself finds it, control groups included; where that is not compiled, as far as Node knows.
 *
 * @param {string} root
 * @returns {Promise<Allowed>}
 */
export async function machineAt(root) {
  const path = join(root, 'dist', 'machine.js');
  // One of a build that broke off may not load, and is not what is asked for here.
  const compiled = existsSync(path) ? await import(pathToFileURL(path).href).catch(() => undefined) : undefined;
  if (compiled !== undefined) return compiled.machine();
  const memory = Math.min(totalmem(), process.constrainedMemory?.() || totalmem());
  return { cores: availableParallelism(), memory };
}

/**
 * @param {number} count
 * @param {string} noun
 */
const counted = (count, noun) => `${count} ${noun}${count === 1 ? '' : 's'}`;

/**
 * @param {string} root
 * @param {string} name
 * @returns {Outcome | undefined}
 */
function readOutcome(root, name) {
  try {
    return JSON.parse(readFileSync(join(root, 'native', name, 'build', 'build.json'), 'utf8'));
  } catch {
    return undefined;
  }
}

/**
 * @param {string} root
 * @param {string} name
 * @param {Outcome} outcome
 */
function writeOutcome(root, name, outcome) {
  const path = join(root, 'native', name, 'build', 'build.json');
  writeFileSync(`${path}.${process.pid}`, `${JSON.stringify(outcome, null, 2)}\n`);
  renameSync(`${path}.${process.pid}`, path);
}
