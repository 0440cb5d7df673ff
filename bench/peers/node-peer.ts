import { fileURLToPath } from 'node:url';
import { installPackages } from '../../scripts/lib/node-packages.mjs';
import { run } from '../../scripts/lib/runner.mjs';
import type { Found } from './installed.ts';

/** The folder of a peer from npm: the packages that `bench/peers/NAME/package.json` pins, installed into the user's cache the first time. */
export function nodePeer(name: string): Found<{ folder: string }> {
  const manifest = fileURLToPath(new URL(`${name}/package.json`, import.meta.url));
  const machine = { runner: run, say: (line: string) => console.error(line), env: process.env };
  return installPackages(manifest, name.replaceAll('/', '-'), machine);
}
