/**
 * Runs the renderer of native/image, and what makes files of what it has rendered, under AddressSanitizer and UndefinedBehaviorSanitizer: over good and broken
 * JPEGs, PNGs and WebPs made here, then over mutations of them. Then what finds near-duplicates, in its plain and its fastest form, whose results must be the same.
 * Every memory it is given is exactly as large as it must be, so that a byte too far is seen. Ends with an error at the first fault.
 *
 *   node scripts/sanitize.mjs [--mutations 100000] [--seed 4] [--jobs 8] [--format png] [--searches 2000] [--fuzz SECONDS]
 *
 * `--jobs` is how often each file is rendered as it is: with 0, many mutations can be done in pieces, each with another seed.
 * `--searches` is how often near-duplicates are looked for; of thumbnails there are ten times as many.
 * `--format` takes the PNGs (`png`) or WebPs (`webp`) of the corpus alone.
 * `--fuzz` has libFuzzer go on from the corpus for so long; it needs clang. Needs g++ and libjpeg-turbo; PNGs and WebPs are decoded where libpng and libwebp are
 * (Debian: g++ libjpeg62-turbo-dev libpng-dev libwebp-dev libdeflate-dev).
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { findImage } from './lib/image.mjs';
import { isMain } from './lib/main.mjs';
import { run } from './lib/runner.mjs';
import { corpus } from './sanitize/corpus.mjs';
import { checkCounts, endsWell, rendererDoors, sanitizing, sourcesOf } from './sanitize/programs.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const native = join(root, 'native', 'image');
const here = join(root, 'scripts', 'sanitize');
const flags = [...sanitizing, '-std=c++17', '-Wno-psabi', `-I${native}`, `-I${here}`];
// An allocation that cannot be is answered as the system would answer it: the renderer must bear that.
const environment = {
  ASAN_OPTIONS: 'allocator_may_return_null=1:detect_stack_use_after_return=1',
  UBSAN_OPTIONS: 'print_stacktrace=1',
};

/**
 * @param {string} compiler
 * @param {string} sanitizers
 * @param {readonly string[]} own
 * @param {string} program
 */
function compile(compiler, sanitizers, own, program) {
  const files = [...own.map((name) => join(here, name)), ...sourcesOf(native, rendererDoors)];
  const library = findImage(process.env.LIBJPEG ?? '', { platform: process.platform, arch: process.arch, runner: run });
  if (typeof library === 'string') throw new Error(library);
  console.log(`libjpeg-turbo ${library.version}`);
  const sanitizer = `-fsanitize=${sanitizers}`;
  execFileSync(compiler, [...flags, ...library.compile, sanitizer, '-o', program, ...files, ...library.link], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
}

/** @param {string[]} args */
async function main(args) {
  const { values } = parseArgs({
    args,
    options: {
      mutations: { type: 'string', default: '100000' },
      seed: { type: 'string', default: '4' },
      jobs: { type: 'string', default: '8' },
      searches: { type: 'string', default: '2000' },
      fuzz: { type: 'string' },
      format: { type: 'string' },
    },
  });
  const least = { mutations: 0, seed: 0, jobs: 0, searches: 0, fuzz: 1 };
  checkCounts({ ...values, fuzz: values.fuzz ?? '1' }, least);
  const work = mkdtempSync(join(tmpdir(), 'patchstream-sanitize-'));
  try {
    const { files, missing } = await corpus(join(root, 'fixtures', 'photos'));
    if (missing.length > 0) console.log(`Without ${missing.join(', ')}: cjpeg is not there (libjpeg-turbo-progs).`);
    const folder = join(work, 'corpus');
    mkdirSync(folder);
    // Sorted by name, so that a run can be repeated.
    const paths = [...files.keys()]
      .sort()
      .filter((name) => name.startsWith(values.format ?? ''))
      .map((name) => join(folder, name));
    for (const path of paths) writeFileSync(path, files.get(path.slice(folder.length + 1)) ?? '');
    console.log(`${paths.length} files, ${values.mutations} mutations, seed ${values.seed}`);
    const program = join(work, 'renderer');
    compile(process.env.CXX ?? 'g++', 'address,undefined', ['main.cc', 'harness.cc', 'drawn.cc'], program);
    if (!endsWell(program, [values.jobs, values.mutations, values.seed, ...paths], environment)) return 1;
    const likeness = join(work, 'likeness');
    compile(process.env.CXX ?? 'g++', 'address,undefined', ['likeness.cc', 'drawn.cc'], likeness);
    const thumbnails = String(10 * Number(values.searches));
    if (!endsWell(likeness, [thumbnails, values.searches, values.seed], environment)) return 1;
    if (values.fuzz === undefined) return 0;
    const fuzzer = join(work, 'fuzzer');
    compile('clang++', 'fuzzer,address,undefined', ['fuzz.cc', 'harness.cc', 'drawn.cc'], fuzzer);
    const limits = [
      `-max_total_time=${values.fuzz}`,
      '-max_len=20000',
      '-timeout=20',
      '-rss_limit_mb=2048',
      `-seed=${values.seed}`,
    ];
    return endsWell(fuzzer, [...limits, `-artifact_prefix=${process.cwd()}/`, folder], environment) ? 0 : 1;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

if (isMain(import.meta.url)) process.exitCode = await main(process.argv.slice(2));
