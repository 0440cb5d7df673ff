import { cpSync, existsSync, mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { basename, join } from 'node:path';
import { buildAddons } from './addons.mjs';
import { venvsFolder } from './venv.mjs';

/** What a tree needs to compute with an engine of its own. */
const parts = ['src', 'bench', 'native', 'scripts', 'fixtures', 'package.json', 'tsconfig.json', 'tsconfig.build.json'];

/**
 * A copy of the tree at `root` whose native/torch is built with the torch that `python` has: two engines cannot lie in one tree, nor in one process. It lies in the user's cache
 * folder, is brought up to date at each call, and keeps what is compiled. Answers its folder, or one sentence why there is none.
 *
 * @param {string} root
 * @param {string} name
 * @param {string} python
 * @param {Omit<import('./addons.mjs').Surroundings, 'again'>} surroundings
 * @returns {Promise<{ tree: string } | { missing: string }>}
 */
export async function engineTree(root, name, python, surroundings) {
  const tree = join(venvsFolder(surroundings.env), '..', 'engines', name);
  mkdirSync(tree, { recursive: true });
  for (const part of parts) {
    const target = join(tree, part);
    if (part !== 'native') rmSync(target, { recursive: true, force: true });
    cpSync(join(root, part), target, { recursive: true, filter: (path) => basename(path) !== 'build' });
  }
  const modules = join(tree, 'node_modules');
  rmSync(modules, { force: true });
  symlinkSync(join(root, 'node_modules'), modules);
  /** @type {string[]} */
  const said = [];
  const say = (/** @type {string} */ line) => {
    said.push(line);
    surroundings.say(line);
  };
  const env = { ...surroundings.env, LIBTORCH: python };
  const built = await buildAddons(tree, { ...surroundings, env, say, again: false, only: ['torch'] });
  if (built && existsSync(join(tree, 'native', 'torch', 'build', 'torch.node'))) return { tree };
  return { missing: said.at(-1) ?? 'native/torch was not built' };
}
