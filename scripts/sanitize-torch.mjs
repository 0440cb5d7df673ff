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
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { isMain } from './lib/main.mjs';
import { buildCopy, copyTree, passes, preloaded } from './sanitize/copy.mjs';
import { checkCounts, endsWell } from './sanitize/programs.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
/** By PATCHSTREAM_TORCH_KERNELS, the tests below test/backends. Those of bfloat16 are of our own loops. */
const ways = Object.entries({
  '': 'fused launch ops replay resample torch/bfloat16 torch/torch torch/torch.suite torch/plain torch/wide-linear torch/conv-accuracy',
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
function emulate(work) {
  for (const [name, found, instead] of emulation) {
    const path = join(work, 'native', 'torch', name);
    const text = readFileSync(path, 'utf8');
    if (text.replace(found, instead) === text) throw new Error(`${name} has changed: ${found} is not in it.`);
    writeFileSync(path, text.replace(found, instead));
  }
}

/** @param {string[]} args */
async function main(args) {
  const { values } = parseArgs({
    args,
    options: { rounds: { type: 'string', default: '300' }, seed: { type: 'string', default: '4' } },
  });
  checkCounts(values, { rounds: 1, seed: 0 });
  const work = mkdtempSync(join(tmpdir(), 'patchstream-sanitize-'));
  const environment = {
    ...preloaded(['libasan.so', 'libubsan.so']),
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
    copyTree(work);
    emulate(work);
    await buildCopy(work, ['torch', 'environment'], 'address,undefined', environment);
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

if (isMain(import.meta.url)) process.exitCode = await main(process.argv.slice(2));
