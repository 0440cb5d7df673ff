import { copyFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { venvsFolder } from './venv.mjs';

/**
 * The folder with the packages that a `package.json` pins, installed from npm into the user's cache folder the first time, and anew where the file has changed; or one sentence why it is not
 * there. Scripts of packages are not run: that of onnxruntime-node fetches libraries for GPUs.
 *
 * @param {string} manifest path of the file
 * @param {string} name of the folder
 * @param {import('./venv.mjs').Machine} machine
 * @returns {{ folder: string } | { missing: string }}
 */
export function installPackages(manifest, name, { runner, say, env, home }) {
  const folder = join(dirname(venvsFolder(env, home)), 'node', name);
  const copy = join(folder, 'package.json');
  const isThere = existsSync(copy) && existsSync(join(folder, 'node_modules', '.package-lock.json'));
  if (isThere && readFileSync(copy, 'utf8') === readFileSync(manifest, 'utf8')) return { folder };
  mkdirSync(folder, { recursive: true });
  say(`Installs the npm packages of ${name} into ${folder}. Undo: remove the folder.`);
  copyFileSync(manifest, copy);
  const args = ['install', '--prefix', folder, '--ignore-scripts', '--no-audit', '--no-fund'];
  const { status, stderr } = runner('npm', args);
  return status === 0 ? { folder } : { missing: `npm install failed: ${stderr.trim().split('\n').at(-1)}` };
}
