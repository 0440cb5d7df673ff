/**
 * `npm start [-- arguments]`: runs the quickstart through the command line, in this very process, so that a signal to it reaches the run. In package.json
 * the script begins with `exec`, since sh would otherwise stay between npm and us and keep SIGINT for itself; Windows, whose cmd has no exec, is
 * served by `node scripts/start.mjs`.
 */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { onlyWasm } from './setup.mjs';

/** The pipeline that `npm start` runs. */
const quickstart = 'pipelines/lomar-quickstart.yaml';
/** As many steps as wasm takes in the time that libtorch needs for all of them. */
const shortened = ['--set', 'train.steps=200', '--set', 'output=runs/lomar-quickstart-200-steps'];

const root = dirname(dirname(fileURLToPath(import.meta.url)));
process.chdir(root);
process.argv.splice(
  1,
  Infinity,
  join(root, 'bin', 'patchstream.mjs'),
  'run',
  quickstart,
  ...settings(),
  ...process.argv.slice(2),
);
await import(pathToFileURL(join(root, 'bin', 'patchstream.mjs')).href);
const isShort = process.argv.includes(shortened[1] ?? '');
if (process.exitCode === 0 && isShort) {
  console.log(
    `That was the short form for wasm, 200 of 900 steps. The whole of it takes eight minutes or more:\n  node bin/patchstream.mjs run ${quickstart}\nIt is faster on libtorch; node bin/patchstream.mjs doctor says how to get it.`,
  );
}

if (process.exitCode === 0 && !['--json', '--help', '-h'].some((word) => process.argv.includes(word))) {
  const output = process.argv.filter((word) => word.startsWith('output=')).at(-1);
  const made = output?.replace('output=', '') ?? 'runs/lomar-quickstart';
  console.log(
    `Next: make vectors of photographs with it, then look for what is like one of them (docs/use.md):\n  npx patchstream embed ${made} fixtures/photos`,
  );
}

/** What is set for the user where only wasm trains, before their own settings, so that theirs win. */
function settings() {
  const trains = /^train:/m.test(readFileSync(quickstart, 'utf8'));
  return trains && onlyWasm(root) ? shortened : [];
}
