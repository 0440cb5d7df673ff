import { cpSync, existsSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { filesBelow } from '../lib/stamp.mjs';

/** Declared by packages that we need, and loaded by nothing that runs here: types, tools for browsers, a detector of faces. */
const unused = /^(@types\/|@webgpu\/|@vladmandic\/|core-js$|regenerator-runtime$|undici-types$)/;

/** Of packages whose folder holds the same program several times over: what Node loads. */
const parts = /** @type {Record<string, (name: string, main: string) => boolean>} */ ({
  '@tensorflow/': (name, main) => name === 'package.json' || name === main || name.endsWith('.wasm'),
  rxjs: (name) => /^(package\.json|(.*\/)?package\.json|dist\/cjs\/.*\.js)$/.test(name),
});

/** What programs do not read. */
const never = /\.(d\.[cm]?ts|[cm]?ts|map|md|html|markdown|flow)$|^(docs?|tests?|__tests__|examples?|\.github)\//;

/**
 * Copies the packages that run with the library, by package-lock.json, without what they bring for other places.
 *
 * @param {string} root
 * @param {string} app
 */
export function copyPackages(root, app) {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  for (const [place, about] of Object.entries(packages)) {
    const name = place.replace(/^.*node_modules\//, '');
    if (place === '' || about.dev || about.devOptional || unused.test(name) || !existsSync(join(root, place))) continue;
    copyPackage(join(root, place), join(app, place), name);
  }
}

/** @param {string} from @param {string} to @param {string} name */
function copyPackage(from, to, name) {
  const { main = 'index.js' } = JSON.parse(readFileSync(join(from, 'package.json'), 'utf8'));
  const part = Object.entries(parts).find(([beginning]) => name.startsWith(beginning))?.[1];
  for (const file of filesBelow(from, '.')) {
    if (file.startsWith('node_modules/') || file.includes('/node_modules/')) continue;
    if (part === undefined ? never.test(file) : !part(file, relative('.', main))) continue;
    cpSync(join(from, file), join(to, file));
  }
}
