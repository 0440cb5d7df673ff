/**
 * Builds the addons in native/ (`common` has what they share): every .cc of a folder with one call of the compiler each, then one link, without node-gyp. All of it is optional: a
 * build that fails says so in a line, and patchstream works without.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism, totalmem } from 'node:os';
import { basename, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { findDlib } from './dlib.mjs';
import { findImage } from './image.mjs';
import { findLibtorch } from './libtorch.mjs';
import { digest, filesBelow, readIfThere } from './stamp.mjs';

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
    seconds: 0,
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
  { name: 'image', variable: 'LIBJPEG', without: 'sharp decodes instead', seconds: 3, find: findImage },
  {
    name: 'dlib',
    variable: 'DLIB',
    without: 'face-api finds faces instead',
    seconds: 5,
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
  for (const addon of addons) {
    if (!existsSync(join(root, 'native', addon.name)) || surroundings.only?.includes(addon.name) === false) continue;
    try {
      if (!(await buildAddon(root, addon, surroundings))) well = false;
    } catch (error) {
      // Such as a folder that may not be written to.
      surroundings.say(`native/${addon.name} is not built: ${/** @type {Error} */ (error).message}; ${addon.without}.`);
      well = false;
    }
  }
  return well;
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
 * @param {string} root
 * @param {Addon} addon
 * @param {Surroundings} surroundings
 */
async function buildAddon(root, addon, surroundings) {
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
  const jobs = workers(await machineAt(root));
  // clang keeps such headers in another form, and finds them in another way.
  const heavy = missing >= fewSources && /Free Software Foundation/.test(version.stdout) ? addon.heavy : undefined;
  const seconds =
    10 +
    Math.ceil((missing * addon.seconds) / (heavy === undefined ? 1 : 4) / jobs / 10) * 10 +
    (heavy === undefined ? 0 : 20);
  say(
    `Builds ${folder}${named === '' ? '' : ` with ${named}`}: ${counted(missing, 'file')} on ${counted(jobs, 'core')}, about ${seconds} s. Undo: remove the folder ${folder}/build.`,
  );
  const counter = missing > 0 ? surroundings.count?.(addon.name, missing, 'files') : undefined;
  const reason = await make({ ...plan, heavy }, jobs, surroundings.start, () => counter?.more()).finally(() =>
    counter?.end(),
  );
  /** @type {Outcome} */
  const outcome = { digest: whole, built: reason === undefined, library: named, wish, ...(reason && { reason }) };
  writeOutcome(root, addon.name, outcome);
  if (reason === undefined) return true;
  // One of older sources would not fit the library above it.
  for (const { target } of forms) rmSync(target, { force: true });
  say(`${folder} is not built: ${reason} (all of it: ${folder}/build/build.log); ${addon.without}.`);
  return false;
}

/**
 * @typedef {object} Plan
 * @property {string} root
 * @property {string} name
 * @property {string} compiler
 * @property {readonly Form[]} forms
 * @property {string[]} link
 * @property {string[]} sources
 * @property {string | undefined} [heavy] a header that is compiled first, and once
 */

/**
 * One form of the addon.
 *
 * @typedef {object} Form
 * @property {string[]} flags
 * @property {string} toolchain digest of all that every object depends on
 * @property {string} target
 */

/** With fewer sources to compile, compiling their common header first does not pay. */
const fewSources = 4;

/** The program of the trial: an addon that does not load is not built. */
const loads = 'process.dlopen({ exports: {} }, process.argv[1])';

/**
 * Compiles what has no object yet and links; answers the first error, or nothing when all went well. What it makes has a name of its own until it
 * is whole, so that a program that starts meanwhile finds the old addon or the new one.
 *
 * @param {Plan} plan
 * @param {number} jobs
 * @param {import('./runner.mjs').Starter} start
 * @param {() => void} compiled is called after each source
 * @returns {Promise<string | undefined>}
 */
async function make(plan, jobs, start, compiled) {
  const { root, name, compiler, forms, link } = plan;
  const build = join(root, 'native', name, 'build');
  mkdirSync(join(build, 'objects'), { recursive: true });
  const log = forms.map(({ flags }) => `${compiler} ${flags.join(' ')}`);
  /** @type {string | undefined} */
  let reason;
  const waiting = missingObjects(plan);
  const common = await precompile(plan, build, start, log);
  const worker = async () => {
    for (let next = waiting.shift(); next !== undefined && reason === undefined; next = waiting.shift()) {
      const { source, object, form } = next;
      const temporary = `${object}.${process.pid}`;
      const answer = await start(compiler, [...form.flags, ...common.flags, '-c', source, '-o', temporary], {
        cwd: root,
      });
      log.push(`-- ${source}`, answer.stdout + answer.stderr);
      if (answer.status === 0) renameSync(temporary, object);
      else reason ??= firstError(answer);
      compiled();
    }
  };
  await Promise.all(Array.from({ length: jobs }, worker));
  common.remove();
  for (const form of forms) {
    if (reason !== undefined) break;
    const temporary = join(build, `${basename(form.target, '.node')}.${process.pid}.node`);
    const objects = objectsOf({ ...plan, forms: [form] }).map(({ object }) => object);
    const linked = await start(compiler, ['-o', temporary, ...objects, ...link], { cwd: root });
    const loaded =
      linked.status === 0 ? await start(process.execPath, ['-e', loads, temporary], { cwd: root }) : linked;
    log.push('-- link', linked.stdout + linked.stderr);
    if (loaded !== linked) log.push('-- load', loaded.stdout + loaded.stderr);
    if (loaded.status === 0) renameSync(temporary, form.target);
    else {
      rmSync(temporary, { force: true });
      reason = firstError(loaded);
    }
  }
  if (reason === undefined) {
    removeOthers(
      build,
      objectsOf(plan).map(({ object }) => object),
    );
  }
  writeFileSync(join(build, 'build.log'), `${log.join('\n')}\n`);
  return reason;
}

/**
 * Compiles the heavy header, which every source then finds ready: of libtorch's it is three quarters of a source's time. What it cannot be compiled
 * for, the sources will tell. It takes hundreds of megabytes and is needed no longer than they are compiled.
 *
 * @param {Plan} plan
 * @param {string} build
 * @param {import('./runner.mjs').Starter} start
 * @param {string[]} log
 */
async function precompile({ root, compiler, forms, heavy }, build, start, log) {
  const nothing = { flags: /** @type {string[]} */ ([]), remove() {} };
  const flags = forms[0]?.flags ?? [];
  if (heavy === undefined || forms.length > 1) return nothing;
  const folder = join(build, `header-${process.pid}`);
  const remove = () => rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const header = join(folder, 'heavy.h');
  writeFileSync(header, `#include <${heavy}>\n`);
  const answer = await start(compiler, [...flags, '-x', 'c++-header', header, '-o', `${header}.gch`], { cwd: root });
  log.push(`-- ${heavy}`, answer.stdout + answer.stderr);
  if (answer.status === 0) return { flags: ['-include', header], remove };
  remove();
  return nothing;
}

/**
 * Removes the objects of sources that have changed since.
 *
 * @param {string} build
 * @param {string[]} objects
 */
function removeOthers(build, objects) {
  const kept = new Set(objects.map((object) => basename(object)));
  for (const name of filesBelow(build, 'objects')) {
    if (!kept.has(basename(name)) && name.endsWith('.o')) rmSync(join(build, name), { force: true });
  }
}

/**
 * The object of every source, named after all that it is made from.
 *
 * @param {Plan} plan
 */
function objectsOf({ root, name, sources, forms }) {
  const objects = join(root, 'native', name, 'build', 'objects');
  return forms.flatMap((form) =>
    sources
      .filter((source) => source.endsWith('.cc'))
      .map((source) => ({
        source,
        form,
        object: join(objects, `${basename(source, '.cc')}-${digest(form.toolchain, ...texts(root, [source]))}.o`),
      })),
  );
}

/** @param {Plan} plan */
const missingObjects = (plan) => objectsOf(plan).filter(({ object }) => !existsSync(object));

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

/**
 * @param {string} root
 * @param {string[]} names
 */
const texts = (root, names) => names.flatMap((name) => [name, readIfThere(join(root, name))]);

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
  if (existsSync(path)) return (await import(pathToFileURL(path).href)).machine();
  const memory = Math.min(totalmem(), process.constrainedMemory?.() || totalmem());
  return { cores: availableParallelism(), memory };
}

/**
 * @param {number} count
 * @param {string} noun
 */
const counted = (count, noun) => `${count} ${noun}${count === 1 ? '' : 's'}`;

/** @param {import('./runner.mjs').Answer} answer */
export function firstError({ stdout, stderr, status }) {
  const lines = `${stderr}\n${stdout}`.split('\n').map((line) => line.trim());
  const error = [/\berror: /i, /undefined reference|cannot find|not found|Killed/].flatMap((pattern) =>
    lines.filter((line) => pattern.test(line)),
  )[0];
  return error ?? lines.find((line) => line !== '') ?? `exit code ${status}`;
}

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
