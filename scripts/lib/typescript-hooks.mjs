import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const require = createRequire(import.meta.url);
const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const cache = join(root, 'node_modules', '.cache', 'patchstream-typescript');
/** Another compiler, or other options below, give other files. */
const version = `1 ${require('typescript/package.json').version}`;

/** @type {import('node:module').LoadHook} */
export async function load(url, context, next) {
  return isOurs(url) ? compiled(url) : next(url, context);
}

/**
 * The same for Node's hooks that run in the thread of what they load.
 *
 * @template Context, Result
 * @param {string} url
 * @param {Context} context
 * @param {(url: string, context: Context) => Result} next
 */
export function loadSync(url, context, next) {
  return isOurs(url) ? compiled(url) : next(url, context);
}

/** @param {string} url */
const isOurs = (url) => url.startsWith('file:') && /\.m?ts(\?|$)/.test(url) && !url.includes('/node_modules/');

/**
 * @param {string} url
 * @returns {{ format: 'module', source: string, shortCircuit: true }}
 */
function compiled(url) {
  return { format: 'module', source: sourceOf(fileURLToPath(url)), shortCircuit: true };
}

/**
 * What a file compiles to, from what is kept, or compiled and kept.
 *
 * @param {string} path
 */
export function sourceOf(path) {
  const text = readFileSync(path, 'utf8');
  const kept = join(
    cache,
    `${createHash('sha256').update(`${version}\n${path}\n${text}`).digest('hex').slice(0, 32)}.mjs`,
  );
  return readKept(kept) ?? keep(kept, compile(path, text));
}

/**
 * @param {string} fileName
 * @param {string} text
 * @returns {string}
 */
function compile(fileName, text) {
  /** @type {typeof import('typescript')} */
  const ts = require('typescript');
  return ts.transpileModule(text, {
    fileName,
    compilerOptions: {
      module: ts.ModuleKind.ESNext,
      target: ts.ScriptTarget.ES2022,
      verbatimModuleSyntax: true,
      inlineSourceMap: true,
      inlineSources: true,
    },
  }).outputText;
}

/** @param {string} path */
function readKept(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * Keeps `text` by rename, since other processes may be doing the same.
 *
 * @param {string} path
 * @param {string} text
 */
function keep(path, text) {
  mkdirSync(dirname(path), { recursive: true });
  const temporary = `${path}.${process.pid}.${Math.trunc(performance.now() * 1000)}`;
  writeFileSync(temporary, text);
  renameSync(temporary, path);
  return text;
}
