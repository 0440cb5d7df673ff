/**
 * Makes a clone ready: npm packages, Debian packages where they help, the native parts, dist. `npm start` and `npm test` run it first, so it imports nothing that is not
 * part of Node, says what it will install and how to undo it before it does, and is done in a moment when nothing is to do.
 *
 * `PATCHSTREAM_SETUP=minimal` takes npm packages alone; `=bench` adds PyTorch to measure against. `LIBTORCH` is a folder of libtorch, or a python whose
 * torch is taken; `LIBTENSORFLOW` one of TensorFlow, for the user's own tfjs-node. `node scripts/setup.mjs --again` tries the optional parts anew.
 */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from './build.mjs';
import { buildAddons, namedLibraries } from './lib/addons.mjs';
import { countsOn } from './lib/counter.mjs';
import { installGroups, wantedGroups } from './lib/debian.mjs';
import { isMain } from './lib/main.mjs';
import { run, start } from './lib/runner.mjs';
import { digest, readIfThere, readStamp, writeStamp } from './lib/stamp.mjs';
import { buildTfjsNode, tfjsNodes } from './lib/tfjs-node.mjs';

const here = dirname(dirname(fileURLToPath(import.meta.url)));
const leastNode = /** @type {const} */ ([20, 15]);
/** What `npm test` under NODE_ENV=production, or with --omit or --dry-run, hands down to the npm inside, and must not. */
const handedDown = [
  'NODE_ENV',
  ...['omit', 'only', 'production', 'global', 'dry_run', 'include', 'ignore_scripts'].map(
    (name) => `npm_config_${name}`,
  ),
];

/**
 * @typedef {object} Surroundings what set-up sees of the machine; tests put in their own
 * @property {string} root
 * @property {Record<string, string | undefined>} env
 * @property {NodeJS.Platform} platform
 * @property {string} nodeVersion
 * @property {number} uid
 * @property {import('./lib/runner.mjs').Runner} runner
 * @property {import('./lib/runner.mjs').Starter} start
 * @property {(line: string) => void} say
 * @property {(root: string) => number} build
 * @property {(root: string) => Promise<unknown>} addons builds the native parts, says what became of it, and never throws for what is optional
 * @property {boolean} again
 */

/**
 * Sets up the tree at `root` and returns the exit code: 0 when the library can run, whatever became of the optional parts.
 *
 * @param {Surroundings} surroundings
 * @returns {Promise<number>}
 */
export async function setUp(surroundings) {
  const { root, env, nodeVersion, say } = surroundings;
  const [major = 0, minor = 0] = nodeVersion.split('.').map(Number);
  if (major < leastNode[0] || (major === leastNode[0] && minor < leastNode[1])) {
    say(
      `patchstream needs Node ${leastNode.join('.')} or newer; this is ${nodeVersion}. Install a newer one (nodejs.org, nvm, fnm) and try again.`,
    );
    return 1;
  }
  const there = hasPackages(surroundings);
  // npm works beside apt: both wait for the network and for the disk, and npm compiles src on one core.
  const packages = there ? true : installPackages(surroundings);
  const wanted = wantedGroups(root, env.PATCHSTREAM_SETUP, namedLibraries(root, env));
  const native = digest(
    ...wanted.map(({ name, packages }) => [name, ...packages].join(' ')),
    env.PATCHSTREAM_SETUP ?? '',
  );
  const looks = surroundings.again || !there || readStamp(root).native !== native;
  if (looks) installGroups(wanted, surroundings);
  if (!(await packages)) return 1;
  // Stamped even when a part failed: without network every later start would wait for apt again.
  if (looks) writeStamp(root, { native });
  // Before the addons: dist knows what a container leaves for compilers.
  const code = surroundings.build(root);
  if (env.PATCHSTREAM_SETUP !== 'minimal') await surroundings.addons(root);
  return code;
}

/**
 * Whether node_modules is what the lock says. A tree that `npm ci` or `npm install` made by hand is as good as ours; taking it anew would pull it away under programs that run.
 *
 * @param {Surroundings} surroundings
 */
function hasPackages({ root, platform }) {
  const { lock, toolchain, installed } = packagesNow(root, platform);
  const stamp = readStamp(root);
  if (stamp.lock === lock && stamp.toolchain === toolchain && stamp.installed === installed) return true;
  if ((stamp.toolchain ?? toolchain) !== toolchain || !isInstalled(root)) return false;
  writeStamp(root, { lock, toolchain, installed });
  return true;
}

/**
 * @param {string} root
 * @param {NodeJS.Platform} platform
 */
const packagesNow = (root, platform) => ({
  lock: digest(readIfThere(join(root, 'package-lock.json'))),
  toolchain: toolchainOf(platform),
  installed: digest(readIfThere(join(root, 'node_modules', '.package-lock.json'))),
});

/** @param {Surroundings} surroundings */
async function installPackages({ root, env, platform, start, say }) {
  const count = wantedPackages(root).filter(([, { optional }]) => optional !== true).length;
  say(`Installs ${count} npm packages into node_modules, about 650 MB on disk. Undo: remove the folder node_modules.`);
  const { command, args } = npmCommand(env, platform);
  const answer = await start(
    command,
    [...args, 'ci', '--include=dev', '--include=optional', '--no-audit', '--no-fund', '--loglevel=error'],
    {
      cwd: root,
      show: true,
      env: Object.fromEntries(handedDown.map((name) => [name, undefined])),
    },
  );
  if (answer.status !== 0) {
    if (answer.stderr.trim() !== '') say(answer.stderr.trim());
    say(
      `npm ci failed (exit code ${answer.status}), so patchstream cannot run. It needs the npm registry: see the lines above, then try again.`,
    );
    return false;
  }
  writeStamp(root, packagesNow(root, platform));
  return true;
}

/** @param {NodeJS.Platform} platform */
function toolchainOf(platform) {
  return `${platform}-${process.arch}${existsSync('/etc/alpine-release') ? '-musl' : ''}`;
}

/**
 * npm as it was started, so that no other npm of another Node in PATH takes its place.
 *
 * @param {Record<string, string | undefined>} env
 * @param {NodeJS.Platform} platform
 */
function npmCommand(env, platform) {
  const script = env.npm_execpath;
  if (script !== undefined && /npm-cli\.[cm]?js$/.test(script)) return { command: process.execPath, args: [script] };
  return { command: platform === 'win32' ? 'npm.cmd' : 'npm', args: [] };
}

/** @typedef {{ version?: string, optional?: boolean, devOptional?: boolean, peer?: boolean }} Locked */

/**
 * @param {string} path
 * @returns {[string, Locked][]}
 */
function packagesOf(path) {
  try {
    /** @type {Record<string, Locked>} */
    const packages = JSON.parse(readIfThere(path)).packages ?? {};
    return Object.entries(packages).filter(([name]) => name !== '');
  } catch {
    return [];
  }
}

/** @param {string} root */
const wantedPackages = (root) => packagesOf(join(root, 'package-lock.json'));

/**
 * True when npm's own record of node_modules has every package of the lock in its version. Optional ones may be absent (those of other
 * platforms always are), but not all that have a sibling here: sharp without its binary does not load.
 *
 * @param {string} root
 */
function isInstalled(root) {
  const wanted = wantedPackages(root);
  const found = new Map(packagesOf(join(root, 'node_modules', '.package-lock.json')));
  const needed = wanted.filter(([, { optional, devOptional }]) => optional !== true && devOptional !== true);
  const binaries = wanted.filter(([name]) => name.endsWith(`-${process.platform}-${process.arch}`));
  return (
    wanted.length > 0 &&
    [...needed, ...binaries].every(
      ([name, { version }]) => found.get(name)?.version === version && existsSync(join(root, name)),
    )
  );
}

/**
 * True when nothing here trains faster than wasm: no libtorch addon, no tfjs-node of the user's own. `npm start` then shortens its training.
 *
 * @param {string} root
 */
export function onlyWasm(root) {
  return !existsSync(join(root, 'native/torch/build/torch.node')) && !tfjsNodes(root).some(({ there }) => there);
}

if (isMain(import.meta.url)) {
  const { env, platform } = process;
  const again = process.argv.includes('--again');
  /** @param {string} line */
  const say = (line) => console.error(line);
  process.exitCode = await setUp({
    root: here,
    env,
    platform,
    nodeVersion: process.versions.node,
    uid: process.getuid?.() ?? -1,
    runner: run,
    start,
    say,
    build: (root) => build(root),
    async addons(root) {
      const surroundings = { env, platform, runner: run, start, say, count: countsOn(process.stderr), again };
      await buildAddons(root, surroundings);
      await buildTfjsNode(root, surroundings);
    },
    again,
  });
}
