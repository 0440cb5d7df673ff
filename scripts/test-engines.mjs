/**
 * `npm run test:engines [-- debian 2.11 newest tensorflow cuda] [own aten] [suites parity]`: native/torch against each libtorch that it is meant for, and tfjs-node on the TensorFlow of pip. PyPI's are installed into
 * environments of their own in the user's cache folder (6 GB each; pinned in test/engines and bench/peers/requirements), Debian's by apt (libtorch-dev, and python3-torch, 30 MB more).
 * For each, in a copy of the tree beside them: the addon compiles without a warning and loads; with loops of our own, and with PATCHSTREAM_TORCH_KERNELS=aten, which has ATen compute
 * as on a GPU, the tests of the backend pass, twenty steps of every model among them, and prediction, loss and gradients agree with that PyTorch's (parity).
 * `tensorflow`: the binding of tfjs-node is built with PyPI's TensorFlow, and on Node 20 and 24 the backends' suites pass and the quickstart learns as on torch (test/all/tensorflow.test.ts).
 * `cuda`: the kernels of native/torch/cuda compile for every processor that they are meant for, by the NVRTC of PyPI's newest torch, without warnings and spills; no GPU is needed.
 * Words choose. The last line is `N passed, N failed`; an engine that cannot be had has failed, with the reason.
 */
import { readFileSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { installGroups } from './lib/debian.mjs';
import { engineTree } from './lib/engine.mjs';
import { compileTexts } from './lib/kernel-texts.mjs';
import { isMain } from './lib/main.mjs';
import { run, start } from './lib/runner.mjs';
import { filesBelow } from './lib/stamp.mjs';
import { nodeOf, tensorflowTree } from './lib/tensorflow-engine.mjs';
import { installVenv } from './lib/venv.mjs';

const here = dirname(dirname(fileURLToPath(import.meta.url)));

/**
 * A libtorch: of the environment that a manifest describes, or without one Debian's.
 *
 * @typedef {{ name: string, manifest?: string }} Engine
 */

const newest = 'bench/peers/requirements/torch-2.15.txt';
/** The kernels of native/torch/cuda. */
const kernelTexts = 'cuda';
/** @type {readonly Engine[]} */
export const engines = [
  { name: 'debian' },
  { name: '2.11', manifest: 'test/engines/torch-2.11.txt' },
  { name: 'newest', manifest: newest },
];
/** TensorFlow, below tfjs-node. */
const tensorflow = {
  name: 'tensorflow',
  manifest: 'bench/peers/requirements/tensorflow-2.21.txt',
  nodes: ['20', '24'],
};
/** @type {import('./lib/debian.mjs').Group} */
const debian = {
  name: 'engine',
  purpose: "Debian's libtorch, and its PyTorch to compare with",
  packages: ['libtorch-dev', 'libopenblas0', 'python3-torch'],
  download: '260 MB',
};
const build = 'native/torch/build';
const kernels = /** @type {const} */ (['own', 'aten']);
const parts = /** @type {const} */ (['suites', 'parity']);

/** Tests of the backend, and of what stands on it alone. */
const isSuite = (/** @type {string} */ name) =>
  /^test\/backends\/(torch\/[\w/-]+|replay\/[\w-]+|fused|upload|training)(\.suite)?\.test\.ts$/.test(name) ||
  ['test/train/step.test.ts', 'test/all/models/training.test.ts'].includes(name);

/** Tests of tfjs-node's backend, and of models on every backend. */
const tensorflowTests = [
  'test/backends/tensorflow.test.ts',
  'test/backends/tensorflow.suite.test.ts',
  'test/backends/tensorflow/graph.suite.test.ts',
  'test/backends/training.suite.test.ts',
  'test/all/tensorflow.test.ts',
];

/**
 * @typedef {object} Surroundings
 * @property {import('./lib/runner.mjs').Runner} runner
 * @property {(line: string) => void} say
 * @property {(name: string, libtorch: string) => Promise<{ tree: string } | { missing: string }>} treeWith a copy of the tree whose addon is built with the libtorch that is named
 * @property {(manifest: string) => { python: string } | { missing: string }} install
 * @property {() => void} installDebian
 * @property {(python: string) => Promise<{ tree: string, library: string } | { missing: string }>} tensorflowTree a copy of the tree with tfjs-node on the TensorFlow of a python
 * @property {(version: string) => { node: string } | { missing: string }} nodeOf
 * @property {(python: string) => { what: string, failure?: string, told?: string }[]} compileTexts compiles the kernels by the NVRTC of a python's torch
 */

/**
 * Tests what `words` choose, all without any. Answers how many checks passed and failed.
 *
 * @param {string} root
 * @param {readonly string[]} words
 * @param {Surroundings} surroundings
 */
export async function testEngines(root, words, surroundings) {
  const all = [...engines.map(({ name }) => name), tensorflow.name, kernelTexts];
  const known = [...all, ...kernels, ...parts];
  const unknown = words.filter((word) => !known.includes(word));
  if (unknown.length > 0) throw new Error(`${unknown.join(', ')}: choose among ${known.join(', ')}`);
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
  const names = chosen(all);
  for (const engine of engines.filter(({ name }) => names.includes(name))) {
    surroundings.say(engine.name);
    const python = pythonOf(engine, root, surroundings);
    if (typeof python === 'object') {
      check('installed', python.missing);
      continue;
    }
    const { manifest } = engine;
    const made = await (manifest === undefined
      ? surroundings.treeWith(engine.name, '')
      : surroundings.treeWith(basename(manifest, '.txt'), python));
    if ('missing' in made) {
      check('native/torch builds and loads', made.missing);
      continue;
    }
    const { tree } = made;
    check(`native/torch builds and loads: ${libraryOf(tree)}`, undefined);
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
  // It has no kernels of ours to choose.
  if (words.length === 0 || words.includes(tensorflow.name)) await testTensorflow(root, surroundings, check);
  if (words.length === 0 || words.includes(kernelTexts)) testKernelTexts(root, surroundings, check);
  return totals;
}

/**
 * @param {string} root
 * @param {Surroundings} surroundings
 * @param {(what: string, failure: string | undefined, told?: string) => boolean} check
 */
async function testTensorflow(root, surroundings, check) {
  surroundings.say(tensorflow.name);
  const installed = surroundings.install(join(root, tensorflow.manifest));
  const made = 'missing' in installed ? installed : await surroundings.tensorflowTree(installed.python);
  if ('missing' in made) {
    check('the binding of tfjs-node builds and loads', made.missing);
    return;
  }
  check(`the binding of tfjs-node builds and loads: ${made.library}`, undefined);
  for (const version of tensorflow.nodes) {
    const found = surroundings.nodeOf(version);
    if ('missing' in found) {
      check(`suites on Node ${version}`, found.missing);
      continue;
    }
    const args = ['scripts/test.mjs', '--slow', ...tensorflowTests];
    const env = { TF_CPP_MIN_LOG_LEVEL: '2' };
    const answer = surroundings.runner(found.node, args, { cwd: made.tree, env });
    const summary = summaryOf(answer);
    // Tests of a backend that does not start are skipped, everywhere but here.
    const skipped = / skipped$/.test(summary) ? summary : undefined;
    check(`suites on Node ${version}`, answer.status === 0 ? skipped : failureOf(answer), `: ${summary}`);
  }
}

/**
 * @param {string} root
 * @param {Surroundings} surroundings
 * @param {(what: string, failure: string | undefined, told?: string) => boolean} check
 */
function testKernelTexts(root, { say, install, compileTexts }, check) {
  say(kernelTexts);
  const installed = install(join(root, newest));
  if ('missing' in installed) check('installed', installed.missing);
  else for (const { what, failure, told } of compileTexts(installed.python)) check(what, failure, told);
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
  return ['scripts/test.mjs', ...filesBelow(tree, 'test').filter(isSuite)];
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
 * The library that the addon was built with.
 *
 * @param {string} tree
 */
function libraryOf(tree) {
  return JSON.parse(readFileSync(join(tree, build, 'build.json'), 'utf8')).library;
}

/**
 * The first warning of the compiler in the newest build, if it had one. Then its objects are removed, so that the next build says it again, whatever else has changed by then.
 *
 * @param {string} tree
 */
function warningOf(tree) {
  const log = readFileSync(join(tree, build, 'build.log'), 'utf8');
  const warning = log.split('\n').find((line) => /\bwarning:/.test(line));
  if (warning !== undefined) rmSync(join(tree, build, 'objects'), { recursive: true, force: true });
  return warning;
}

if (isMain(import.meta.url)) {
  const { env, platform } = process;
  /** @param {string} line */
  const say = (line) => console.log(line);
  const { passed, failed } = await testEngines(here, process.argv.slice(2), {
    runner: run,
    say,
    treeWith: (name, libtorch) => engineTree(here, name, libtorch, { env, platform, runner: run, start, say }),
    install: (manifest) => installVenv(manifest, { runner: run, say, env }),
    tensorflowTree: (python) => tensorflowTree(here, python, { env, platform, runner: run, start, say }),
    nodeOf: (version) => nodeOf(version, { env, platform, runner: run, say }),
    compileTexts: (python) => compileTexts(here, python, run),
    installDebian: () => installGroups([debian], { platform, uid: process.getuid?.() ?? -1, runner: run, say }),
  });
  console.log(`\n${passed} passed, ${failed} failed`);
  process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
}
