import {
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';
import { buildAddons } from './addons.mjs';
import { filesBelow } from './stamp.mjs';
import { venvsFolder } from './venv.mjs';

/** What a tree needs to compute, to be measured and to be tested with an engine of its own. */
const folders = ['src', 'test', 'bench', 'fixtures', 'scripts', 'native/common', 'native/torch', 'bin', 'pipelines'];
const files = ['package.json', 'tsconfig.json', 'tsconfig.build.json'];

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
  const strange = copyTree(root, tree);
  if (strange !== undefined) return { missing: strange };
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

/** Names what of a tree was copied there: what it does not name is somebody's, and stays. */
const record = '.patchstream-tree.json';

/**
 * Makes the copy anew, but for what was built there; the packages are shared. Answers one sentence where something that no record names is in the way, and has changed
 * nothing then.
 *
 * @param {string} root
 * @param {string} tree
 * @returns {string | undefined}
 */
export function copyTree(root, tree) {
  const ours = recorded(tree);
  const copied = [...folders.flatMap((name) => filesBelow(root, name)), ...files.filter((name) => isThere(root, name))];
  const wanted = copied.filter((name) => !name.split('/').includes('build'));
  const names = [...wanted, 'node_modules'];
  const strange = names.find((name) => !ours.has(name) && isThere(tree, name));
  if (strange !== undefined) return `${join(tree, strange)} is there and was not copied by this: move ${tree} away`;
  mkdirSync(tree, { recursive: true });
  // Before anything is copied, for a copy may be cut short.
  writeRecord(tree, [...new Set([...ours, ...names])]);
  for (const name of ours) if (!wanted.includes(name)) rmSync(join(tree, name), { force: true });
  for (const name of wanted) {
    mkdirSync(dirname(join(tree, name)), { recursive: true });
    cpSync(join(root, name), join(tree, name));
  }
  symlinkSync(join(root, 'node_modules'), join(tree, 'node_modules'));
  writeRecord(tree, names);
  return undefined;
}

/** @param {string} tree @returns {ReadonlySet<string>} */
function recorded(tree) {
  if (!isThere(tree, record)) return new Set();
  const names = JSON.parse(readFileSync(join(tree, record), 'utf8'));
  // Nothing outside of the tree, whatever has become of the record.
  return new Set(names.filter((/** @type {string} */ name) => !name.split('/').includes('..') && !isAbsolute(name)));
}

/** @param {string} tree @param {readonly string[]} names */
function writeRecord(tree, names) {
  const temporary = join(tree, `${record}.${process.pid}`);
  writeFileSync(temporary, `${JSON.stringify(names)}\n`);
  renameSync(temporary, join(tree, record));
}

/** A link that leads nowhere is there too. @param {string} folder @param {string} name */
function isThere(folder, name) {
  return lstatSync(join(folder, name), { throwIfNoEntry: false }) !== undefined;
}
