import { copyFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from '../../scripts/lib/runner.mjs';
import { venvsFolder } from '../../scripts/lib/venv.mjs';
import type { Found } from './installed.ts';

/**
 * The folder of a peer from npm: the packages that `bench/peers/NAME/package.json` pins, installed into the user's cache the first time. Scripts of packages are not run: that of
 * onnxruntime-node fetches libraries for GPUs.
 */
export function nodePeer(name: string): Found<{ folder: string }> {
  const manifest = fileURLToPath(new URL(`${name}/package.json`, import.meta.url));
  const folder = join(dirname(venvsFolder(process.env)), 'node', name.replaceAll('/', '-'));
  const copy = join(folder, 'package.json');
  const isThere = existsSync(copy) && existsSync(join(folder, 'node_modules', '.package-lock.json'));
  if (isThere && readFileSync(copy, 'utf8') === readFileSync(manifest, 'utf8')) return { folder };
  mkdirSync(folder, { recursive: true });
  console.error(`Installs the npm packages of ${name} into ${folder}. Undo: remove the folder.`);
  copyFileSync(manifest, copy);
  const args = ['install', '--prefix', folder, '--ignore-scripts', '--no-audit', '--no-fund'];
  const { status, stderr } = run('npm', args);
  return status === 0 ? { folder } : { missing: `npm install failed: ${stderr.trim().split('\n').at(-1)}` };
}
