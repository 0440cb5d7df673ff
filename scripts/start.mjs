/**
 * `npm start [-- arguments]`: runs the quickstart through the command line, in this very process. So a signal that reaches this process reaches the run,
 * on Windows too, where a script cannot begin with `exec`; sh itself gives way to a single command.
 */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { onlyWasm } from './setup.mjs';

/** The pipeline that `npm start` runs. */
const quickstart = 'pipelines/crops-quickstart.yaml';
/** As many steps as wasm takes in the time that libtorch needs for all of them. */
const shortened = 'train.steps=400';

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

/** What is set for the user where only wasm trains, before their own settings, so that theirs win. */
function settings() {
  const trains = /^train:/m.test(readFileSync(quickstart, 'utf8'));
  return trains && onlyWasm(root) ? ['--set', shortened] : [];
}
