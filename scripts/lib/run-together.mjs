/**
 * `node --import ./scripts/lib/typescript.mjs scripts/lib/run-together.mjs FILE…` runs test files one after the other in this process. Each is a subtest of its name, which it finds in
 * the place of tap's (see typescript-hooks.mjs), with the folder that it would have alone.
 */
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import t from 'tap';

/** The test of the file that is being loaded. @type {import('tap').Test | undefined} */
export let current;

for (const file of process.argv.slice(2)) {
  const testdir = resolve('.tap/fixtures', file.replace(/[^\w.-]+/g, '-'));
  t.test(file, { testdir }, async (own) => {
    current = own;
    await import(`${pathToFileURL(file)}?together`);
  });
}
