/**
 * Runs the renderer of native/image under ThreadSanitizer, in several threads that begin together, in a fresh process each time: what all of them find out about libjpeg is found
 * out anew. Ends with an error at the first fault. The libraries of the codecs are not looked into.
 *
 *   node scripts/sanitize-threads.mjs [--processes 8] [--threads 4] [--pictures 50] [--seed 4]
 *
 * `--pictures` is how many each thread renders. Says how long each of its steps took.
 *
 * native/torch is not for it: ThreadSanitizer does not see how the threads of OpenMP wait for one another.
 *
 * Needs g++ with its libtsan (Debian: libtsan2), and what sanitize.mjs needs. Where the system spreads memory further than libtsan bears (`sysctl vm.mmap_rnd_bits` above 28) it ends
 * with `unexpected memory mapping`: run it by `setarch -R`.
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
const environment = { TSAN_OPTIONS: 'halt_on_error=1:second_deadlock_stack=1' };

/** @param {string} program */
function compile(program) {
  const library = findImage(process.env.LIBJPEG ?? '', { platform: process.platform, arch: process.arch, runner: run });
  if (typeof library === 'string') throw new Error(library);
  const own = ['at_once.cc', 'harness.cc', 'drawn.cc'].map((name) => join(here, name));
  const flags = [...sanitizing, '-fsanitize=thread', '-std=c++17', '-Wno-psabi', `-I${native}`, `-I${here}`];
  execFileSync(
    process.env.CXX ?? 'g++',
    [...flags, ...library.compile, '-o', program, ...own, ...sourcesOf(native, rendererDoors), ...library.link],
    { stdio: ['ignore', 'inherit', 'inherit'] },
  );
}

/** @param {string[]} args */
async function main(args) {
  const { values } = parseArgs({
    args,
    options: {
      processes: { type: 'string', default: '8' },
      threads: { type: 'string', default: '4' },
      pictures: { type: 'string', default: '50' },
      seed: { type: 'string', default: '4' },
    },
  });
  checkCounts(values, { processes: 1, threads: 1, pictures: 1, seed: 0 });
  const work = mkdtempSync(join(tmpdir(), 'patchstream-sanitize-'));
  let began = performance.now();
  /** @param {string} what */
  const took = (what) => {
    console.log(`${what}: ${Math.round((performance.now() - began) / 1000)} s`);
    began = performance.now();
  };
  try {
    const folder = join(work, 'corpus');
    mkdirSync(folder);
    const { files, missing } = await corpus(join(root, 'fixtures', 'photos'));
    if (missing.length > 0) console.log(`Without ${missing.join(', ')}: cjpeg is not there (libjpeg-turbo-progs).`);
    const paths = [...files.keys()].sort().map((name) => join(folder, name));
    for (const path of paths) writeFileSync(path, files.get(path.slice(folder.length + 1)) ?? '');
    const program = join(work, 'at-once');
    compile(program);
    took('compiling');
    for (let i = 0; i < Number(values.processes); i++) {
      const given = [values.threads, values.pictures, String(Number(values.seed) + i), ...paths];
      if (!endsWell(program, given, environment)) return 1;
    }
    took(`${values.processes} processes of ${values.threads} threads`);
    return 0;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

if (isMain(import.meta.url)) process.exitCode = await main(process.argv.slice(2));
