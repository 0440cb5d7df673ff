import { existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { engineTree } from './engine.mjs';
import { readIfThere } from './stamp.mjs';
import { buildTfjsNode, tfjsNodes } from './tfjs-node.mjs';
import { venvsFolder } from './venv.mjs';

/** The package that is tested, the newest there is. */
const tfjsNode = '@tensorflow/tfjs-node@4.22.0';

/** Packages of the tree that serve tfjs-node too: two copies of tfjs would be two engines. */
const shared = ['@tensorflow/tfjs', 'node-api-headers'];

/**
 * A copy of the tree at `root` in the user's cache folder, with Debian's libtorch, which finds a tfjs-node whose binding is built with the TensorFlow of `python`. The package lies in a
 * node_modules above it, so that the tree's own packages stay a link. Answers its folder and the library, or one sentence why there is none.
 *
 * @param {string} root
 * @param {string} python
 * @param {Omit<import('./addons.mjs').Surroundings, 'again'>} surroundings
 * @returns {Promise<{ tree: string, library: string } | { missing: string }>}
 */
export async function tensorflowTree(root, python, surroundings) {
  const made = await engineTree(root, join('tensorflow', 'tree'), '', surroundings);
  if ('missing' in made) return made;
  const folder = dirname(made.tree);
  const failed = installTfjsNode(root, folder, surroundings);
  if (failed !== undefined) return { missing: failed };
  /** @type {string[]} */
  const said = [];
  const say = (/** @type {string} */ line) => {
    said.push(line);
    surroundings.say(line);
  };
  const env = { ...surroundings.env, LIBTENSORFLOW: python };
  const built = await buildTfjsNode(folder, { ...surroundings, env, say, again: false });
  const outcome = tfjsNodes(folder).find(({ there }) => there)?.outcome;
  if (!built || outcome === undefined) return { missing: said.at(-1) ?? 'the binding was not built' };
  return { tree: made.tree, library: `TensorFlow ${outcome.version} in ${outcome.place}` };
}

/**
 * @param {string} root
 * @param {string} folder
 * @param {Pick<import('./addons.mjs').Surroundings, 'runner' | 'say'>} surroundings
 * @returns {string | undefined} why it is not there
 */
function installTfjsNode(root, folder, { runner, say }) {
  const stamp = join(folder, 'installed.txt');
  const packages = join(folder, 'node_modules');
  if (readIfThere(stamp) !== tfjsNode) {
    say(`Installs ${tfjsNode} into ${folder}, without its download. Undo: remove the folder.`);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'package.json'), '{ "private": true }\n');
    const answer = runner('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', tfjsNode], { cwd: folder });
    if (answer.status !== 0) return `npm install ${tfjsNode} failed: ${answer.stderr.trim().split('\n')[0]}`;
    writeFileSync(stamp, tfjsNode);
  }
  for (const name of shared) {
    const path = join(packages, name);
    rmSync(path, { recursive: true, force: true });
    mkdirSync(dirname(path), { recursive: true });
    symlinkSync(join(root, 'node_modules', name), path);
  }
  return undefined;
}

/**
 * A Node of that version, from the npm package that carries its binary; or one sentence why it is not there.
 *
 * @param {string} version
 * @param {Pick<import('./addons.mjs').Surroundings, 'runner' | 'say' | 'env' | 'platform'>} surroundings
 * @returns {{ node: string } | { missing: string }}
 */
export function nodeOf(version, { runner, say, env, platform }) {
  if (process.versions.node.startsWith(`${version}.`)) return { node: process.execPath };
  const folder = join(venvsFolder(env), '..', 'node', `node-${version}`);
  const name = `node-${platform}-${process.arch}`;
  const node = join(folder, 'node_modules', name, 'bin', 'node');
  if (!existsSync(node)) {
    say(`Installs Node ${version} into ${folder}. Undo: remove the folder.`);
    mkdirSync(folder, { recursive: true });
    const args = ['install', '--prefix', folder, '--no-save', '--no-audit', '--no-fund', `${name}@${version}`];
    const answer = runner('npm', args, { cwd: folder });
    if (answer.status !== 0 || !existsSync(node)) return { missing: `npm has no ${name}@${version} here` };
  }
  return { node };
}
