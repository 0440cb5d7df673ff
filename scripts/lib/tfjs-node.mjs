/**
 * Builds the binding of the user's own tfjs-node with the TensorFlow that they name, for the libraries that its package downloads are of 2022 and the host they come from may be out of
 * reach. Its sources lie in the npm package; nothing of them is ours. It is put where the package loads it, with a record of what it was built from, and goes with the package.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, sep } from 'node:path';
import { nodeHeaders } from './addons.mjs';
import { firstError } from './compile.mjs';
import { findLibtensorflow, isTooOld, tooOld } from './libtensorflow.mjs';
import { digest, filesBelow, readIfThere } from './stamp.mjs';

/** The packages, as backends/tensorflow.ts tries them. */
export const tfjsNodePackages = /** @type {const} */ (['@tensorflow/tfjs-node-gpu', '@tensorflow/tfjs-node']);

/**
 * What became of a build, kept beside the binding.
 *
 * @typedef {object} Outcome
 * @property {string} digest of sources, compiler and library
 * @property {boolean} built
 * @property {string} version of TensorFlow, as the library itself says where it was loaded
 * @property {string} place where the library was found
 * @property {string} wish what LIBTENSORFLOW said
 * @property {string} [reason] the first error, when it failed
 */

/**
 * A package that is installed.
 *
 * @typedef {object} Package
 * @property {string} name
 * @property {string} version
 * @property {string} folder
 * @property {string} binding path of the binding, whether it is there or not
 */

/** @typedef {Package & { there: boolean, outcome?: Outcome, gone?: boolean }} Found `gone`: the library that the binding was built with is not there any more */

/**
 * The packages of tfjs-node that the tree at `root` would load, and how it stands with their bindings.
 *
 * @param {string} root
 * @returns {Found[]}
 */
export function tfjsNodes(root) {
  return tfjsNodePackages.flatMap((name) => {
    const installed = packageAt(root, name);
    if (installed === undefined) return [];
    const outcome = readOutcome(installed);
    const gone = outcome?.built === true && !existsSync(outcome.place);
    return [{ ...installed, there: existsSync(installed.binding), ...(outcome && { outcome }), gone }];
  });
}

/** Whether the tree stands by itself: where npm has put it, packages lie beside it. @param {string} root */
const isClone = (root) => !root.split(sep).includes('node_modules');

/**
 * The command that installs one of the packages without its download. In a clone npm takes an optional peer for there already, unless it is asked for as a dependency of its own.
 *
 * @param {string} root of patchstream
 */
export function installCommand(root) {
  return `npm install --ignore-scripts ${isClone(root) ? '--no-save --save-optional ' : ''}@tensorflow/tfjs-node`;
}

/**
 * Builds the bindings of the packages that are installed, as far as LIBTENSORFLOW names a library, or named one when they were last built, or the system has one. One that the package
 * has brought along stays unless the variable asks for another. Returns false when a build that was wanted failed, and has then said why.
 *
 * @param {string} root
 * @param {import('./addons.mjs').Surroundings} surroundings
 * @returns {Promise<boolean>}
 */
export async function buildTfjsNode(root, surroundings) {
  const { env, say } = surroundings;
  const found = tfjsNodes(root);
  if (found.length === 0 && (env.LIBTENSORFLOW ?? '') !== '') {
    say(`LIBTENSORFLOW is set, and there is no tfjs-node to build with it: ${installCommand(root)}`);
    return false;
  }
  let well = true;
  for (const each of found) {
    try {
      if (!(await buildBinding(root, each, surroundings))) well = false;
    } catch (error) {
      // Such as a folder that may not be written to.
      say(`The binding of ${each.name} is not built: ${/** @type {Error} */ (error).message}.`);
      well = false;
    }
  }
  return well;
}

/**
 * @param {string} root
 * @param {Found} tfjsNode
 * @param {import('./addons.mjs').Surroundings} surroundings
 */
async function buildBinding(root, tfjsNode, { env, platform, runner, start, say, again, system }) {
  const { name, folder, binding, there, outcome: before } = tfjsNode;
  const wish = env.LIBTENSORFLOW ?? before?.wish ?? '';
  if (wish === '' && there && before === undefined) return true;
  const fails = (/** @type {string} */ reason) => {
    say(`The binding of ${name} is not built: ${reason}.`);
    return false;
  };
  const library = findLibtensorflow(wish, { platform, arch: process.arch, runner, ...(system && { system }) });
  if (typeof library === 'string') return wish === '' || fails(library);
  const compiler = env.CXX ?? (platform === 'darwin' ? 'clang++' : 'g++');
  const version = runner(compiler, ['--version']);
  if (version.status !== 0) return fails(`there is no compiler ${compiler}. Debian: apt-get install g++`);
  const headers = nodeHeaders(root);
  if (headers === undefined) return fails('the package node-api-headers is not installed');
  const sources = filesBelow(folder, 'binding').filter((file) => /\.(cc|h)$/.test(file));
  if (sources.length === 0) return fails(`${join(folder, 'binding')} has no sources`);
  const flags = [
    // What the package was written for warns under the compilers of today.
    ...['-w', '-O3', '-fPIC', '-fvisibility=hidden', '-DNAPI_VERSION=8', `-I${folder}`, '-isystem', headers],
    ...library.compile,
    ...(platform === 'darwin' ? ['-bundle', '-undefined', 'dynamic_lookup'] : ['-shared', '-pthread', '-Wl,-z,now']),
  ];
  const texts = sources.flatMap((source) => [source, readIfThere(join(folder, source))]);
  const whole = digest(version.stdout, library.identity, ...flags, ...library.link, ...texts);
  if (!again && before?.digest === whole && before.built === there) return before.built;

  const named = [library.name, library.version, 'in', library.place].filter(Boolean).join(' ');
  say(`Builds the binding of ${name} with ${named}, about 20 s. Undo: remove ${dirname(binding)}.`);
  mkdirSync(dirname(binding), { recursive: true });
  const temporary = `${binding}.${process.pid}.node`;
  const units = sources.filter((file) => file.endsWith('.cc'));
  const made = await start(compiler, [...flags, ...units, ...library.link, '-o', temporary], { cwd: folder });
  const loaded = made.status === 0 ? await start(process.execPath, ['-e', asksVersion, temporary]) : made;
  const answer = /^version (\S+)$/m.exec(loaded.stdout)?.[1] ?? '';
  const reason = loaded.status === 0 ? strangeVersion(library.version, answer) : firstError(loaded);
  if (reason === undefined) {
    if (before === undefined && there) renameSync(binding, join(dirname(binding), 'tfjs_binding.before.node'));
    renameSync(temporary, binding);
  } else rmSync(temporary, { force: true });
  const built = reason === undefined;
  // One of another library would not be what the record says.
  if (!built && before !== undefined) rmSync(binding, { force: true });
  writeOutcome(tfjsNode, {
    ...{ digest: whole, built, version: answer || library.version, place: library.place, wish },
    ...(reason && { reason }),
  });
  return reason === undefined || fails(reason);
}

/** The program of the trial: a binding that does not load is not built, and only the library itself knows for certain which it is. */
const asksVersion =
  'const it = { exports: {} }; process.dlopen(it, process.argv[1]); console.log("version", it.exports.TF_Version)';

/**
 * What is wrong with the version that the library says of itself, or nothing.
 *
 * @param {string} expected what its files say, if anything
 * @param {string} found
 */
function strangeVersion(expected, found) {
  const [release = ''] = /^\d+\.\d+\.\d+/.exec(found) ?? [];
  if (release === '') return `the library does not say its version (${found || 'nothing'})`;
  if (isTooOld(release)) return tooOld(release);
  return expected === '' || expected === release
    ? undefined
    : `its files say TensorFlow ${expected}, the library itself ${release}: two releases are mixed there; install one anew`;
}

/**
 * @param {string} root
 * @param {string} name
 * @returns {Package | undefined}
 */
function packageAt(root, name) {
  try {
    const path = isClone(root)
      ? join(root, 'node_modules', name, 'package.json')
      : createRequire(join(root, 'package.json')).resolve(`${name}/package.json`);
    const { version, binary } = JSON.parse(readFileSync(path, 'utf8'));
    const folder = dirname(path);
    // As node-pre-gyp chooses: the newest of the package's that this Node has.
    const newest = Math.max(
      ...binary.napi_versions.filter((/** @type {number} */ each) => each <= Number(process.versions.napi)),
    );
    const module = join(
      folder,
      binary.module_path.replace('{napi_build_version}', newest),
      `${binary.module_name}.node`,
    );
    return { name, version: String(version), folder, binding: module };
  } catch {
    // Not installed, or not as npm has it: nothing to build.
    return undefined;
  }
}

/** @param {Pick<Package, 'binding'>} tfjsNode */
const outcomePath = ({ binding }) => join(dirname(binding), 'patchstream.json');

/**
 * @param {Package} tfjsNode
 * @returns {Outcome | undefined}
 */
function readOutcome(tfjsNode) {
  try {
    return JSON.parse(readFileSync(outcomePath(tfjsNode), 'utf8'));
  } catch {
    return undefined;
  }
}

/**
 * @param {Package} tfjsNode
 * @param {Outcome} outcome
 */
function writeOutcome(tfjsNode, outcome) {
  const path = outcomePath(tfjsNode);
  writeFileSync(`${path}.${process.pid}`, `${JSON.stringify(outcome, null, 2)}\n`);
  renameSync(`${path}.${process.pid}`, path);
}
