import { realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/**
 * True when the file of `url` is the program that node was started with, by whatever link. Imported by a test, a script then starts nothing.
 *
 * @param {string} url
 */
export function isMain(url) {
  const started = process.argv[1];
  return started !== undefined && realpathSync(started) === realpathSync(fileURLToPath(url));
}
