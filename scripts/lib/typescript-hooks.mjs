import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const require = createRequire(import.meta.url);
const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const cache = join(root, 'node_modules', '.cache', 'patchstream-typescript');
/** Another compiler, or another way to use it, gives other files. */
const version = `2 ${require('@swc/wasm-typescript/package.json').version}`;

/** @type {import('node:module').LoadHook} */
export async function load(url, context, next) {
  return isOurs(url) ? compiled(url) : next(url, context);
}

/** @type {import('node:module').ResolveHook} */
export async function resolve(specifier, context, next) {
  return (
    ownTest(specifier, context.parentURL) ??
    neighbour(specifier, context.parentURL) ??
    next(specifier, wayTo(specifier, context))
  );
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

/**
 * @template {{ parentURL?: string | undefined, conditions: string[] }} Context
 * @template Result
 * @param {string} specifier
 * @param {Context} context
 * @param {(specifier: string, context: Context) => Result} next
 */
export function resolveSync(specifier, context, next) {
  return (
    ownTest(specifier, context.parentURL) ??
    neighbour(specifier, context.parentURL) ??
    next(specifier, wayTo(specifier, context))
  );
}

/**
 * In a test file that shares its process, its own test in the place of tap's, which is the process's.
 *
 * @param {string} specifier
 * @param {string} [parent]
 * @returns {{ url: string, format: 'module', shortCircuit: true } | undefined}
 */
function ownTest(specifier, parent) {
  if (specifier !== 'tap' || parent === undefined || !parent.endsWith('?together')) return undefined;
  return { url: `${new URL('own-test.mjs', import.meta.url)}?${parent}`, format: 'module', shortCircuit: true };
}

/**
 * A file that is named by its path, from one of ours: looking whether it is there, and which package is around it, would take longer than all else of an import.
 *
 * @param {string} specifier
 * @param {string} [parent]
 * @returns {{ url: string, format: 'module', shortCircuit: true } | undefined}
 */
function neighbour(specifier, parent) {
  if (!/^\.\.?\/.*\.m?ts$/.test(specifier) || parent === undefined || !isOurs(parent)) return undefined;
  return { url: new URL(specifier, parent).href, format: 'module', shortCircuit: true };
}

/**
 * Of tap its CommonJS: its hundreds of modules would come one by one through the thread of the hooks.
 *
 * @template {{ conditions: string[] }} Context
 * @param {string} specifier
 * @param {Context} context
 */
const wayTo = (specifier, context) => (specifier === 'tap' ? { ...context, conditions: ['require', 'node'] } : context);

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
  const kept = join(cache, `${createHash('sha256').update(`${version}\n${text}`).digest('hex').slice(0, 32)}.mjs`);
  return readKept(kept) ?? keep(kept, compile(text));
}

/**
 * Types become blanks, so that every line and column stays what it is, and no maps are needed: Node reads all of them, those of packages too, as soon as it is told to use any.
 *
 * @param {string} text
 * @returns {string}
 */
function compile(text) {
  /** @type {typeof import('@swc/wasm-typescript')} */
  const swc = require('@swc/wasm-typescript');
  return swc.transformSync(text, { mode: 'strip-only' }).code;
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
