/**
 * `npm run test:engines [-- debian 2.11 newest] [own aten] [suites parity]`: native/torch against each libtorch that it is meant for. PyPI's are installed into
 * environments of their own in the user's cache folder (gigabytes; pinned in test/engines and bench/peers/requirements), Debian's by apt. For each, in a copy of
 * the tree beside them: the addon compiles without a warning and loads; with loops of our own, and with PATCHSTREAM_TORCH_KERNELS=aten, which has ATen compute
 * as on a GPU, the tests of the backend pass, twenty steps of every model among them, and prediction, loss and gradients agree with that PyTorch's (parity).
 * Words choose. The last line is `N passed, N failed`; an engine that cannot be had has failed, with the reason.
 */
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildAddons } from './lib/addons.mjs';
import { installGroups, wantedGroups } from './lib/debian.mjs';
import { isMain } from './lib/main.mjs';
import { run, start } from './lib/runner.mjs';
import { filesBelow } from './lib/stamp.mjs';
import { installVenv, venvsFolder } from './lib/venv.mjs';

const here = dirname(dirname(fileURLToPath(import.meta.url)));

/**
 * A libtorch: of the environment that a manifest describes, or without one Debian's.
 *
 * @typedef {{ name: string, manifest?: string }} Engine
 */

/** @type {readonly Engine[]} */
export const engines = [
  { name: 'debian' },
  { name: '2.11', manifest: 'test/engines/torch-2.11.txt' },
  { name: 'newest', manifest: 'bench/peers/requirements/torch-2.15.txt' },
];
const kernels = /** @type {const} */ (['own', 'aten']);
const parts = /** @type {const} */ (['suites', 'parity']);

/** What a copy of the tree has; the packages are shared. */
const copied = [
  ...['src', 'test', 'bench', 'fixtures', 'scripts', 'native/torch', 'bin', 'pipelines'],
  ...['package.json', 'tsconfig.json', '.taprc'],
];
const shared = 'node_modules';

/** Tests of the backend, and of what stands on it alone. */
const isSuite = (/** @type {string} */ name) =>
  /^test\/backends\/(torch[\w-]*|fused|replay|upload|training|precision|device)(\.suite)?\.test\.ts$/.test(name) ||
  name === 'test/train/step.test.ts';

/**
 * @typedef {object} Surroundings
 * @property {Record<string, string | undefined>} env
 * @property {import('./lib/runner.mjs').Runner} runner
 * @property {(line: string) => void} say
 * @property {(tree: string, libtorch: string) => Promise<{ built: boolean, said: string[] }>} build builds the addon of a tree with the libtorch that is named
 * @property {(manifest: string) => { python: string } | { missing: string }} install
 * @property {() => void} installDebian
 * @property {string} folder where the trees lie
 */

/**
 * Tests what `words` choose, all without any. Answers how many checks passed and failed.
 *
 * @param {string} root
 * @param {readonly string[]} words
 * @param {Surroundings} surroundings
 */
export async function testEngines(root, words, surroundings) {
  const unknown = words.filter(
    (word) => ![...engines.map(({ name }) => name), ...kernels, ...parts].some((name) => name === word),
  );
  if (unknown.length > 0)
    throw new Error(
      `${unknown.join(', ')}: choose among ${[...engines.map(({ name }) => name), ...kernels, ...parts].join(', ')}`,
    );
  /** @type {<T extends string>(all: readonly T[]) => readonly T[]} */
  const chosen = (all) => (all.some((name) => words.includes(name)) ? all.filter((name) => words.includes(name)) : all);
  const totals = { passed: 0, failed: 0 };
  /**
   * @param {string} what
   * @param {string | undefined} failure
   * @param {string} [told]
   */
  const check = (what, failure, told = '') => {
    totals[failure === undefined ? 'passed' : 'failed']++;
    surroundings.say(failure === undefined ? `  passed  ${what}${told}` : `  FAILED  ${what}: ${failure}`);
    return failure === undefined;
  };
  const names = chosen(engines.map(({ name }) => name));
  for (const engine of engines.filter(({ name }) => names.includes(name))) {
    surroundings.say(engine.name);
    const python = pythonOf(engine, root, surroundings);
    if (typeof python === 'object') {
      check('installed', python.missing);
      continue;
    }
    const tree = join(surroundings.folder, engine.name);
    copyTree(root, tree);
    const { built, said } = await surroundings.build(tree, engine.manifest === undefined ? '' : python);
    const what = /with (libtorch \S+)/.exec(said[0] ?? '')?.[1] ?? '';
    if (!check(`native/torch builds and loads ${what}`.trim(), built ? undefined : (said.at(-1) ?? 'not built')))
      continue;
    check('without a warning', warningOf(tree));
    for (const kind of chosen(kernels)) {
      const env = { ...(kind === 'aten' ? { PATCHSTREAM_TORCH_KERNELS: 'aten' } : {}), PYTHON: python };
      for (const part of chosen(parts)) {
        const answer = surroundings.runner(process.execPath, commandOf(part, tree), { cwd: tree, env });
        check(
          `${part}, ${kind} kernels`,
          answer.status === 0 ? undefined : failureOf(answer),
          `: ${summaryOf(answer)}`,
        );
      }
    }
  }
  return totals;
}

/**
 * @param {Engine} engine
 * @param {string} root
 * @param {Surroundings} surroundings
 * @returns {string | { missing: string }}
 */
function pythonOf({ manifest }, root, { install, installDebian, runner }) {
  if (manifest !== undefined) {
    const installed = install(join(root, manifest));
    return 'missing' in installed ? installed : installed.python;
  }
  const python = '/usr/bin/python3';
  if (runner(python, ['-c', 'import torch, numpy']).status === 0) return python;
  installDebian();
  if (runner(python, ['-c', 'import torch, numpy']).status === 0) return python;
  return { missing: 'Debian has no PyTorch here: apt-get install libtorch-dev python3-torch' };
}

/**
 * The test files or the bench, as Node is called.
 *
 * @param {typeof parts[number]} part
 * @param {string} tree
 */
function commandOf(part, tree) {
  if (part === 'parity') return ['bench/run.mjs', 'parity', 'torch'];
  return ['scripts/test.mjs', '--timeout=900', ...filesBelow(tree, 'test').filter(isSuite)];
}

/**
 * What the tests and the bench say last of themselves.
 *
 * @param {import('./lib/runner.mjs').Answer} answer
 */
function summaryOf({ stdout }) {
  const totals = /^(\d+ passed, .*)$/m.exec(stdout)?.[1];
  const rows = stdout.split('\n').filter((line) => /\de[+-]\d+ +\de[+-]\d+/.test(line));
  return totals ?? `${rows.length} comparisons`;
}

/**
 * The lines that say what is wrong; all of it stands in the output of the command itself.
 *
 * @param {import('./lib/runner.mjs').Answer} answer
 */
function failureOf({ stdout, stderr, status }) {
  const lines = `${stderr}\n${stdout}`.split('\n').map((line) => line.trim());
  const telling = lines.filter((line) => /✖|FAILED$|^\w*Error:|FAIL /.test(line)).slice(0, 12);
  return [/^(\d+ passed, .*)$/m.exec(stdout)?.[1] ?? `exit code ${status}`, ...telling].join('\n          ');
}

/**
 * The first warning of the compiler in the newest build, if it had one.
 *
 * @param {string} tree
 */
function warningOf(tree) {
  const log = readFileSync(join(tree, 'native/torch/build/build.log'), 'utf8');
  return log.split('\n').find((line) => /\bwarning:/.test(line));
}

/**
 * Makes the tree's copy anew, but for what was built there.
 *
 * @param {string} root
 * @param {string} tree
 */
function copyTree(root, tree) {
  mkdirSync(tree, { recursive: true });
  for (const name of copied) {
    if (!existsSync(join(root, name))) continue;
    for (const file of filesBelow(tree, name)) if (!file.includes('/build/')) rmSync(join(tree, file));
    cpSync(join(root, name), join(tree, name), {
      recursive: true,
      filter: (from) => !/native[/\\]torch[/\\]build$/.test(from),
    });
  }
  rmSync(join(tree, shared), { force: true });
  symlinkSync(join(root, shared), join(tree, shared));
}

if (isMain(import.meta.url)) {
  const { env, platform } = process;
  /** @param {string} line */
  const say = (line) => console.log(line);
  const { passed, failed } = await testEngines(here, process.argv.slice(2), {
    env,
    runner: run,
    say,
    async build(tree, LIBTORCH) {
      /** @type {string[]} */
      const said = [];
      const built = await buildAddons(tree, {
        env: { ...env, LIBTORCH },
        platform,
        runner: run,
        start,
        say: (line) => said.push(line),
        // One that is built keeps the log of its compilation.
        again: !existsSync(join(tree, 'native/torch/build/torch.node')),
        only: ['torch'],
      });
      return { built, said };
    },
    install: (manifest) => installVenv(manifest, { runner: run, say, env }),
    installDebian: () =>
      installGroups(wantedGroups(here, 'bench'), { platform, uid: process.getuid?.() ?? -1, runner: run, say }),
    folder: join(dirname(venvsFolder(env)), 'engines'),
  });
  console.log(`\n${passed} passed, ${failed} failed`);
  process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
}
