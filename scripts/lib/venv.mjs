import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { digest } from './stamp.mjs';

/**
 * @typedef {object} Machine
 * @property {import('./runner.mjs').Runner} runner
 * @property {(line: string) => void} say
 * @property {Record<string, string | undefined>} env
 * @property {string} [home]
 */

/** What the folder of an environment holds beside Python's own files: which manifest was installed, by which Python. */
const stampName = 'patchstream-installed.json';

/**
 * Where Python environments lie: `python` in the user's cache folder, so that every clone shares them.
 *
 * @param {Record<string, string | undefined>} env
 * @param {string} [home]
 */
export function venvsFolder({ PATCHSTREAM_CACHE: own, XDG_CACHE_HOME: xdg }, home = homedir()) {
  return join((own !== 'off' && own) || join(xdg || join(home, '.cache'), 'patchstream'), 'python');
}

/**
 * Installs the packages that the manifest pins (a `requirements` file of pip) from PyPI into an environment of its own, named after the manifest, and answers
 * its python; or one sentence why it is not there. Nothing is done where the same manifest is installed already. With `on`, the python of another environment, its packages
 * serve this one too. pip reads its own settings (`PIP_FIND_LINKS` and the like) as everywhere.
 *
 * @param {string} manifest path of the file
 * @param {Machine} machine
 * @param {{ on?: string }} [options]
 * @returns {{ python: string } | { missing: string }}
 */
export function installVenv(manifest, { runner, say, env, home }, { on } = {}) {
  const name = basename(manifest, '.txt');
  const folder = join(venvsFolder(env, home), name);
  const python = join(folder, 'bin', 'python');
  const base = env.PYTHON ?? 'python3';
  const version = runner(base, ['--version']);
  if (version.status !== 0) return { missing: `there is no ${base} on this machine` };
  const wanted = digest(readFileSync(manifest, 'utf8'), version.stdout + version.stderr, on ?? '');
  const before = stampOf(folder);
  if (before === wanted && existsSync(python)) return { python };
  if (existsSync(folder)) {
    // Only a folder that this function made is replaced.
    if (before === undefined)
      return { missing: `${folder} is not one of ours; remove it, or name another PATCHSTREAM_CACHE` };
    rmSync(folder, { recursive: true, force: true });
  }
  mkdirSync(folder, { recursive: true });
  writeStamp(folder, '');
  say(`Installs the Python packages of ${name} into ${folder}. Undo: remove the folder.`);
  const made = runner(base, ['-m', 'venv', folder]);
  if (made.status !== 0) return { missing: `${base} -m venv failed: ${lastLine(made)}` };
  if (on !== undefined) {
    const [theirs, ours] = [on, python].map((each) => sitePackages(each, runner));
    if (theirs === undefined || ours === undefined) return { missing: 'python did not say where its packages lie' };
    writeFileSync(join(ours, 'on.pth'), `${theirs}\n`);
  }
  const installed = runner(python, [
    '-m',
    'pip',
    'install',
    '--no-input',
    '--disable-pip-version-check',
    '-r',
    manifest,
  ]);
  if (installed.status !== 0) return { missing: `pip install failed: ${firstError(installed)}` };
  writeStamp(folder, wanted);
  return { python };
}

/** @param {string} folder */
function stampOf(folder) {
  try {
    return String(JSON.parse(readFileSync(join(folder, stampName), 'utf8')).digest);
  } catch {
    return undefined;
  }
}

/**
 * @param {string} folder
 * @param {string} wanted
 */
function writeStamp(folder, wanted) {
  mkdirSync(dirname(folder), { recursive: true });
  writeFileSync(join(folder, stampName), `${JSON.stringify({ digest: wanted })}\n`);
}

/**
 * @param {string} python
 * @param {import('./runner.mjs').Runner} runner
 */
function sitePackages(python, runner) {
  const { status, stdout } = runner(python, ['-c', "import sysconfig; print(sysconfig.get_paths()['purelib'])"]);
  return status === 0 ? stdout.trim() : undefined;
}

/** @param {import('./runner.mjs').Answer} answer */
function firstError({ stdout, stderr, status }) {
  const lines = `${stderr}\n${stdout}`.split('\n').map((line) => line.trim());
  return lines.find((line) => /^(ERROR|error|\w*Error):/.test(line)) ?? lastLine({ stdout, stderr, status });
}

/** @param {import('./runner.mjs').Answer} answer */
function lastLine({ stdout, stderr, status }) {
  const lines = `${stdout}\n${stderr}`.split('\n').map((line) => line.trim());
  return lines.filter((line) => line !== '').at(-1) ?? `exit code ${status}`;
}
