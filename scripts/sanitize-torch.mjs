/**
 * Runs native/torch under AddressSanitizer and UndefinedBehaviorSanitizer: every operation of ours on tensors of odd sizes and on what does not fit together, then tests of the
 * backend, in Node: with the loops for the processor's tiles, which are done without tiles (scripts/sanitize/tiles.h); without them; with ATen's operations alone. Ends with an error at
 * the first fault. libtorch itself is not looked into.
 *
 *   node scripts/sanitize-torch.mjs [--rounds 300] [--seed 4]
 *
 * `--rounds` is how often each operation is called. Says how long each of its steps took.
 *
 * Needs g++ and libtorch (Debian: g++ libtorch-dev), and AVX-512 for the loops for tiles.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { buildAddons } from './lib/addons.mjs';
import { isMain } from './lib/main.mjs';
import { run, start } from './lib/runner.mjs';
import { endsWell, sanitizing } from './sanitize/programs.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const compiler = process.env.CXX ?? 'g++';
const copied = ['native', 'src', 'test', 'scripts', 'package.json', 'tsconfig.json'];
/** By PATCHSTREAM_TORCH_KERNELS, the tests below test/backends. Those of bfloat16 are of our own loops. */
const ways = Object.entries({
  '': 'fused launch ops replay resample torch/bfloat16 torch/torch torch/torch.suite torch/plain torch/wide-linear',
  plain: 'fused replay torch/bfloat16',
  aten: 'fused launch replay torch/torch.suite',
});

/** What stands in the copy instead, so that its loops for tiles are done without them. */
const emulation = /** @type {const} */ ([
  ['fused/tiles/vectors.h', '#include <immintrin.h>\n', `#include "${join(root, 'scripts', 'sanitize', 'tiles.h')}"\n`],
  [
    'fused/tiles/tiles.cc',
    /return specialLoopsWanted\(\) && hostMultipliesBfloat16\(\) && .*;/,
    'return specialLoopsWanted() && hostMultipliesBfloat16();',
  ],
  ['fused/bfloat16.cc', /return simdLevel\(\) == 2 && .*;/, 'return simdLevel() == 2;'],
]);

/** @param {string} work */
function copy(work) {
  for (const name of copied) {
    cpSync(join(root, name), join(work, name), { recursive: true, filter: (path) => !path.endsWith('/build') });
  }
  symlinkSync(join(root, 'node_modules'), join(work, 'node_modules'));
  for (const [name, found, instead] of emulation) {
    const path = join(work, 'native', 'torch', name);
    const text = readFileSync(path, 'utf8');
    if (text.replace(found, instead) === text) throw new Error(`${name} has changed: ${found} is not in it.`);
    writeFileSync(path, text.replace(found, instead));
  }
}

/**
 * Builds the addon of the copy as every addon is built, by a compiler that adds the sanitizers.
 *
 * @param {string} work
 * @param {Readonly<Record<string, string>>} environment
 */
async function build(work, environment) {
  const wrapper = join(work, 'compiler');
  writeFileSync(wrapper, `#!/bin/sh\nexec ${compiler} "$@" ${sanitizing.join(' ')} -fsanitize=address,undefined\n`);
  chmodSync(wrapper, 0o755);
  const well = await buildAddons(work, {
    env: { ...process.env, CXX: wrapper },
    platform: process.platform,
    runner: run,
    // The trial after the build loads it in Node.
    start: (command, args, options) =>
      start(command, args, command === process.execPath ? { ...options, env: environment } : options),
    say: console.log,
    again: false,
    only: ['torch', 'environment'],
  });
  if (!well) throw new Error('native/torch is not built.');
}

/** @param {string[]} args */
async function main(args) {
  const { values } = parseArgs({
    args,
    options: { rounds: { type: 'string', default: '300' }, seed: { type: 'string', default: '4' } },
  });
  const work = mkdtempSync(join(tmpdir(), 'patchstream-sanitize-'));
  const libraries = ['libasan.so', 'libubsan.so'].map((name) =>
    execFileSync(compiler, [`-print-file-name=${name}`], { encoding: 'utf8' }).trim(),
  );
  const environment = {
    LD_PRELOAD: libraries.join(' '),
    // Node keeps much to its end.
    ASAN_OPTIONS: 'allocator_may_return_null=1:detect_leaks=0',
    UBSAN_OPTIONS: 'print_stacktrace=1',
  };
  let began = performance.now();
  /** @param {string} what */
  const took = (what) => {
    console.log(`${what}: ${Math.round((performance.now() - began) / 1000)} s`);
    began = performance.now();
  };
  try {
    copy(work);
    await build(work, environment);
    took('compiling');
    const shapes = join(root, 'scripts', 'sanitize', 'shapes.mjs');
    const addon = join(work, 'native', 'torch', 'build', 'torch.node');
    for (const [kernels, names] of ways) {
      const chosen = { ...environment, PATCHSTREAM_TORCH_KERNELS: kernels };
      const words = kernels === '' ? 'as it is' : `PATCHSTREAM_TORCH_KERNELS=${kernels}`;
      if (!endsWell(process.execPath, [shapes, addon, values.rounds, values.seed], chosen)) return 1;
      took(`operations, ${words}`);
      for (const name of names.split(' ')) {
        const file = `test/backends/${name}.test.ts`;
        if (!passes(work, file, chosen)) return 1;
        took(`${file}, ${words}`);
      }
    }
    return 0;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/**
 * Whether a test of the copy passes; what it says is shown where it does not.
 *
 * @param {string} work
 * @param {string} file
 * @param {Readonly<Record<string, string>>} environment
 */
function passes(work, file, environment) {
  const typescript = join(work, 'scripts', 'lib', 'typescript.mjs');
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--import', typescript, file], {
    cwd: work,
    encoding: 'utf8',
    env: { ...process.env, ...environment, TAP_TIMEOUT: '3600' },
    maxBuffer: 2 ** 28,
  });
  const failed = stdout.split('\n').filter((line) => /^\s*not ok/.test(line));
  if (status !== 0) console.log([stderr.slice(-20_000), ...failed, `${file} failed.`].join('\n'));
  return status === 0;
}

if (isMain(import.meta.url)) process.exitCode = await main(process.argv.slice(2));
