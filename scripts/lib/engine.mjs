import { cpSync, existsSync, mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { basename, join } from 'node:path';
import { buildAddons } from './addons.mjs';
import { filesBelow } from './stamp.mjs';
import { venvsFolder } from './venv.mjs';

/** What a tree needs to compute, to be measured and to be tested with an engine of its own. */
const folders = ['src', 'test', 'bench', 'fixtures', 'scripts', 'native/common', 'native/torch', 'bin', 'pipelines'];
const files = ['package.json', 'tsconfig.json', 'tsconfig.build.json', '.taprc'];

/**
 * A copy of the tree at `root` whose native/torch is built with `libtorch` (a python that has torch, a folder, or nothing for the system's own): two engines cannot lie in one tree,
 * nor in one process. It lies in the user's cache folder, is brought up to date at each call, and keeps what is compiled. Answers its folder, or one sentence why there is none.
 *
 * @param {string} root
 * @param {string} name
 * @param {string} libtorch
 * @param {Omit<import('./addons.mjs').Surroundings, 'again'>} surroundings
 * @returns {Promise<{ tree: string } | { missing: string }>}
 */
export async function engineTree(root, name, libtorch, surroundings) {
  const tree = join(venvsFolder(surroundings.env), '..', 'engines', name);
  copyTree(root, tree);
  const addon = join(tree, 'native', 'torch', 'build', 'torch.node');
  /** @type {string[]} */
  const said = [];
  const say = (/** @type {string} */ line) => {
    said.push(line);
    surroundings.say(line);
  };
  const env = { ...surroundings.env, LIBTORCH: libtorch };
  const again = !existsSync(addon);
  const built = await buildAddons(tree, { ...surroundings, env, say, again, only: ['torch'] });
  if (built && existsSync(addon)) return { tree };
  return { missing: said.at(-1) ?? 'native/torch was not built' };
}

/**
 * Makes the copy anew, but for what was built there; the packages are shared.
 *
 * @param {string} root
 * @param {string} tree
 */
function copyTree(root, tree) {
  mkdirSync(tree, { recursive: true });
  for (const name of folders)
    for (const file of filesBelow(tree, name)) if (!file.includes('/build/')) rmSync(join(tree, file));
  for (const name of [...folders, ...files].filter((name) => existsSync(join(root, name))))
    cpSync(join(root, name), join(tree, name), { recursive: true, filter: (path) => basename(path) !== 'build' });
  const modules = join(tree, 'node_modules');
  rmSync(modules, { force: true });
  symlinkSync(join(root, 'node_modules'), modules);
}
