import { existsSync } from 'node:fs';
import { join } from 'node:path';

/**
 * A set of Debian packages that one part of the tree wants.
 *
 * @typedef {object} Group
 * @property {string} name
 * @property {string} purpose what works with it, in a few words
 * @property {string} [tenant] the folder that wants it: without the folder the group is not installed
 * @property {readonly string[]} packages
 * @property {string} download about, on a machine that has none of it
 */

/** @type {readonly Group[]} */
export const groups = [
  { name: 'compiler', purpose: 'compiles the native parts', tenant: 'native', packages: ['g++'], download: '65 MB' },
  {
    name: 'torch',
    purpose: 'trains on libtorch',
    tenant: 'native/torch',
    packages: ['libtorch-dev', 'libopenblas0'],
    download: '235 MB',
  },
  { name: 'dlib', purpose: 'finds faces', tenant: 'native/dlib', packages: ['libdlib-dev'], download: '75 MB' },
  {
    name: 'image',
    purpose: 'reads and writes JPEG and PNG faster, and reads WebP faster',
    tenant: 'native/image',
    packages: ['libjpeg62-turbo-dev', 'libpng-dev', 'libwebp-dev', 'libdeflate-dev'],
    download: '4 MB',
  },
  {
    name: 'bench',
    purpose: 'PyTorch and torchvision to measure against',
    packages: ['python3-torch', 'python3-torchvision'],
    download: '130 MB',
  },
];

/**
 * The groups that this tree wants: those whose folder is there, and `bench` only when it is asked for.
 *
 * @param {string} root
 * @param {string | undefined} choice the value of PATCHSTREAM_SETUP
 * @param {readonly string[]} [served] groups that the user has a library of their own for
 */
export function wantedGroups(root, choice, served = []) {
  if (choice === 'minimal') return [];
  return groups.filter(({ name, tenant }) =>
    tenant === undefined ? choice === 'bench' : existsSync(join(root, tenant)) && !served.includes(name),
  );
}

/**
 * @typedef {object} Machine
 * @property {NodeJS.Platform} platform
 * @property {number} uid 0 is root
 * @property {import('./runner.mjs').Runner} runner
 * @property {(line: string) => void} say
 */

const quiet = { DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C' };

/**
 * Installs what is missing of `wanted`, or says the one command that would. Never fails: all of it is optional, and what did not work is said in a line.
 *
 * @param {readonly Group[]} wanted
 * @param {Machine} machine
 */
export function installGroups(wanted, { platform, uid, runner, say }) {
  if (wanted.length === 0) return;
  const names = wanted.map(({ name }) => name).join(', ');
  if (platform !== 'linux') {
    const system = { darwin: 'macOS', win32: 'Windows' }[/** @type {string} */ (platform)] ?? platform;
    say(
      `On ${system} patchstream works with its npm packages: sharp for pictures, wasm for training. Not here: ${names} (Debian and Ubuntu).${byHand(wanted)}`,
    );
    return;
  }
  if (runner('apt-get', ['--version']).status !== 0) {
    say(
      `No apt-get here, so without ${names}: patchstream works with its npm packages, sharp for pictures and wasm for training.${byHand(wanted)}`,
    );
    return;
  }
  const missing = wanted.flatMap(({ packages }) => packages).filter((name) => !isInstalled(name, runner));
  if (missing.length === 0) return;
  const command = `apt-get install --no-install-recommends ${missing.join(' ')}`;
  const lacking = wanted.filter(({ packages }) => packages.some((name) => missing.includes(name)));
  if (uid !== 0) {
    say(`Faster or more with Debian packages, ${describe(lacking)}. As root: apt-get update && ${command}`);
    return;
  }
  const updated = runner('apt-get', ['update', '-qq'], { env: quiet });
  if (updated.status !== 0) say(`apt-get update failed (${lastLine(updated)}); trying with the lists that are here.`);
  const plan = runner('apt-get', ['install', '--no-install-recommends', '--assume-no', ...missing], { env: quiet });
  if (/Unable to locate package|has no installation candidate/.test(plan.stdout + plan.stderr)) {
    say(`Not installed, since apt does not know all of ${missing.join(' ')}; patchstream works without ${names}.`);
    return;
  }
  const size = /Need to get (?:\S+ \S+\/)?([\d.,]+ [kMG]?B)/.exec(plan.stdout)?.[1];
  say(`Installs Debian packages, ${size === undefined ? '' : `${size} to download: `}${describe(lacking)}.`);
  say(`  Undo: apt-get remove --autoremove ${missing.join(' ')}    Leave out: PATCHSTREAM_SETUP=minimal`);
  const installed = runner('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...missing], { env: quiet });
  if (installed.status !== 0) {
    say(`Not installed (${lastLine(installed)}); patchstream works without ${names}. Again: ${command}`);
  }
}

/**
 * @param {string} name
 * @param {import('./runner.mjs').Runner} runner
 */
function isInstalled(name, runner) {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the placeholder is dpkg's
  const answer = runner('dpkg-query', ['-W', '-f=${Status}', name]);
  return answer.status === 0 && answer.stdout.includes('install ok installed');
}

/**
 * How those without Debian's packages come to the part that counts most, where it is wanted.
 *
 * @param {readonly Group[]} wanted
 */
const byHand = (wanted) =>
  wanted.some(({ name }) => name === 'torch')
    ? ' Training is faster with a libtorch of your own: LIBTORCH=/path/to/libtorch, or LIBTORCH=python3 for the torch of pip.'
    : '';

/** @param {readonly Group[]} lacking */
function describe(lacking) {
  return lacking.map(({ name, purpose, download }) => `${name} (${purpose}, about ${download})`).join(', ');
}

/** @param {import('./runner.mjs').Answer} answer */
function lastLine({ stdout, stderr, status }) {
  const lines = `${stdout}\n${stderr}`.split('\n').map((line) => line.trim());
  const last = lines.filter((line) => line !== '').at(-1);
  return last ?? `exit code ${status}`;
}
