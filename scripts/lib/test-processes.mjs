/**
 * Which test files run in one process, one after the other: a start takes longer than most files do. A file keeps a process of its own if it, or what it imports from outside of `src`,
 * changes or watches its process. Files that import tfjs share with their like, so that between them its backend is set back.
 */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';

/** Files in one process: so few that one that dies takes few with it, and that a run of them on several cores divides evenly. */
const most = 12;

/** What concerns a whole process: all of it, its threads, its modules, what tap puts in the place of others, and snapshots, which are found by the name of the process. */
const ofProcess =
  /\bprocess\.|= process;|\bglobalThis\b|'node:(async_hooks|inspector|module|perf_hooks|process|v8|vm|worker_threads)'|\.(intercept|capture|captureFn|matchSnapshot)\(/;

/** What only reads: what stands before `=`, `??=` and the like does not. */
const reading =
  /\bprocess\.(cwd|pid|platform|arch|nextTick|getuid|execPath|versions?)\b|(?<!\bdelete )\bprocess\.(env\.\w+|argv)\b(?!(\[\w+\])? *(\?\?|\|\||&&|[-+])?=[^=])|import \{ createRequire \} from 'node:module'/g;

const engine = 'src/backends/tf.ts';

/**
 * The files as processes run them: first those that share one, since short processes at the end keep all cores busy to the last.
 *
 * @param {string} root
 * @param {readonly string[]} files relative to `root`
 * @returns {string[][]}
 */
export function testProcesses(root, files) {
  /** @type {Map<string, { text: string, imports: string[] }>} */
  const read = new Map();
  const sharing = files.filter((file) => mayShare(root, file, read));
  const computes = (/** @type {string} */ file) => importedBy(root, file, read).has(engine);
  const groups = [sharing.filter(computes), sharing.filter((file) => !computes(file))].flatMap((like) =>
    Array.from({ length: Math.ceil(like.length / most) }, (_, i) => like.slice(i * most, (i + 1) * most)),
  );
  return [...groups, ...files.filter((file) => !sharing.includes(file)).map((file) => [file])];
}

/**
 * @param {string} root
 * @param {string} file
 * @param {Map<string, { text: string, imports: string[] }>} read
 */
function mayShare(root, file, read) {
  if (!file.endsWith('.test.ts')) return false;
  const all = [...importedBy(root, file, read)];
  const concerns = (/** @type {string} */ name) =>
    !name.startsWith('src/') && ofProcess.test(read.get(name)?.text.replace(reading, '') ?? '');
  return !all.some(concerns);
}

/**
 * A file and all that it imports by its path, and so on.
 *
 * @param {string} root
 * @param {string} file relative to `root`
 * @param {Map<string, { text: string, imports: string[] }>} [read] what is known of files
 */
export function importedBy(root, file, read = new Map()) {
  const found = new Set([file]);
  for (const name of found) {
    const { imports } = read.get(name) ?? readImports(root, name, read);
    for (const each of imports) found.add(each);
  }
  return found;
}

/**
 * @param {string} root
 * @param {string} name
 * @param {Map<string, { text: string, imports: string[] }>} read
 */
function readImports(root, name, read) {
  const text = readFileSync(resolve(root, name), 'utf8');
  const paths = [...text.matchAll(/^(?:import|export) (?!type\b)(?:[^'";]* from )?'(\.[^']+)'/gm)].map(([, path]) =>
    join(dirname(resolve(root, name)), String(path)),
  );
  const imports = paths
    .filter((path) => /\.m?[jt]s$/.test(path) && existsSync(path))
    .map((path) => relative(root, path));
  const one = { text, imports };
  read.set(name, one);
  return one;
}
