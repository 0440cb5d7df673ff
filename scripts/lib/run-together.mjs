/**
 * `node --import ./scripts/lib/typescript.mjs scripts/lib/run-together.mjs FILE…` runs test files one after the other in this process. Each is a subtest of its name, which it finds in
 * the place of tap's (see typescript-hooks.mjs), with the folder and the backend of tfjs that it would have alone.
 */
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import t from 'tap';

const require = createRequire(import.meta.url);

/** The test of the file that is being loaded. @type {import('tap').Test | undefined} */
export let current;

for (const file of process.argv.slice(2)) {
  const testdir = resolve('.tap/fixtures', file.replace(/[^\w.-]+/g, '-'));
  t.test(file, { testdir }, async (own) => {
    current = own;
    // Of tfjs, where a file before this one has loaded it: its engine is one for all.
    await require.cache[require.resolve('@tensorflow/tfjs')]?.exports.setBackend('cpu');
    await import(`${pathToFileURL(file)}?together`);
    // As tap says of a process.
    if (own.count + own.subtests.length === 0 && !own.occupied) own.plan(0, 'no tests found');
  });
}
