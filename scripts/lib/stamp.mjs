import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

/**
 * What set-up has done, kept where `npm ci` removes it together with what it describes.
 *
 * @typedef {object} Stamp
 * @property {string} [lock] digest of package-lock.json when the packages were installed
 * @property {string} [installed] digest of npm's own record of node_modules just after
 * @property {string} [toolchain] platform, processor and C library that the packages were installed for
 * @property {string} [sources] digest of what dist was built from
 * @property {string} [native] digest of the Debian groups that were last looked after, whatever came of it
 */

/** @param {string} root */
const stampPath = (root) => join(root, 'node_modules', '.patchstream-setup.json');

/**
 * The stamp of the tree at `root`; empty when there is none or it cannot be read.
 *
 * @param {string} root
 * @returns {Stamp}
 */
export function readStamp(root) {
  try {
    const stamp = JSON.parse(readFileSync(stampPath(root), 'utf8'));
    return typeof stamp === 'object' && stamp !== null ? stamp : {};
  } catch {
    return {};
  }
}

/**
 * Writes `changes` over the stamp, by rename, so that two set-ups at once never leave half a file.
 *
 * @param {string} root
 * @param {Stamp} changes
 */
export function writeStamp(root, changes) {
  const path = stampPath(root);
  mkdirSync(dirname(path), { recursive: true });
  const temporary = `${path}.${process.pid}`;
  writeFileSync(temporary, `${JSON.stringify({ ...readStamp(root), ...changes }, null, 2)}\n`);
  renameSync(temporary, path);
}

/**
 * A digest of texts: the same texts in the same order give the same digest.
 *
 * @param {...string} texts
 */
export function digest(...texts) {
  const hash = createHash('sha256');
  for (const text of texts) hash.update(`${Buffer.byteLength(text)}:`).update(text);
  return hash.digest('hex').slice(0, 32);
}

/**
 * Every file below `folder`, relative to `root`, with forward slashes and in a stable order.
 *
 * @param {string} root
 * @param {string} folder
 * @returns {string[]}
 */
export function filesBelow(root, folder) {
  const top = join(root, folder);
  if (!existsSync(top)) return [];
  return readdirSync(top, { withFileTypes: true })
    .flatMap((entry) => {
      const path = join(top, entry.name);
      const name = relative(root, path).replaceAll('\\', '/');
      return entry.isDirectory() ? filesBelow(root, name) : [name];
    })
    .sort();
}

/**
 * The digest of all that dist is made from: sources and compiler settings, by name and content.
 *
 * @param {string} root
 */
export function sourcesDigest(root) {
  const names = [...filesBelow(root, 'src'), 'tsconfig.json', 'tsconfig.build.json'];
  return digest(...names.flatMap((name) => [name, readIfThere(join(root, name))]));
}

/** @param {string} path */
export function readIfThere(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
