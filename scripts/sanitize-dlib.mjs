/**
 * Runs native/dlib under AddressSanitizer and UndefinedBehaviorSanitizer: its detector over pictures of every size, whose faces must be those of dlib
 * itself, also after an allocation that failed; then its landmarks, with models that dlib has written and mutations of them; then the whole addon in Node, in
 * workers that are stopped while their threads are at work. Ends with an error at the first fault.
 *
 *   node scripts/sanitize-dlib.mjs [--pictures 1000] [--models 2000] [--seed 4] [--workers 40]
 *
 * Says how long each of its steps took.
 *
 * Needs g++ and dlib (Debian: g++ libdlib-dev), and the photographs that come with @vladmandic/face-api. With dlib's own model (libdlib-data) that is tried too.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import sharp from 'sharp';
import { findDlib } from './lib/dlib.mjs';
import { isMain } from './lib/main.mjs';
import { run as runner } from './lib/runner.mjs';
import { checkCounts, endsWell, sanitizing, sourcesOf } from './sanitize/programs.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const native = join(root, 'native', 'dlib');
const compiler = process.env.CXX ?? 'g++';
/** What knows JavaScript. */
const doors = ['addon.cc', 'pool.cc'];
/** dlib's own, where it is installed. */
const model = '/usr/share/dlib/shape_predictor_68_face_landmarks.dat';
const flags = [...sanitizing, '-fsanitize=address,undefined'];
const environment = { UBSAN_OPTIONS: 'print_stacktrace=1' };
// Node keeps much to its end; the programs on the detector and the landmarks alone are looked at for leaks.
const inNode = { ...environment, ASAN_OPTIONS: 'allocator_may_return_null=1:detect_leaks=0' };

/**
 * The photographs as grey pixels in files that need no decoder.
 *
 * @param {string} work
 */
async function photographs(work) {
  const demo = join(dirname(createRequire(import.meta.url).resolve('@vladmandic/face-api/package.json')), 'demo');
  const paths = [];
  for (const name of readdirSync(demo)
    .filter((name) => /^sample\d\.jpg$/.test(name))
    .sort()) {
    const { data, info } = await sharp(join(demo, name))
      .resize(900)
      .grayscale()
      .raw()
      .toBuffer({ resolveWithObject: true });
    const path = join(work, `${name}.pgm`);
    writeFileSync(path, Buffer.concat([Buffer.from(`P5\n${info.width} ${info.height}\n255\n`), data]));
    paths.push(path);
  }
  return paths;
}

/** Starts workers that are at many pictures, and stops each at another moment. */
const stopped = `
const { Worker } = require('node:worker_threads');
const code = \`
  const { workerData, parentPort } = require('node:worker_threads');
  const addon = require(workerData);
  let left = 6;
  addon.open(2, () => parentPort.postMessage(--left));
  const pixels = new Uint8Array(500 * 400).map((_, i) => (i * 7919) % 251);
  for (let id = 0; id < left; id++) addon.submit(id, pixels, 500, 400, id % 3, id % 2 === 0 ? 0 : -1, id === 3 ? '/nowhere' : undefined);
  addon.cancel(4);
\`;
(async () => {
  for (let i = 0; i < Number(process.argv[2]); i++) {
    const worker = new Worker(code, { eval: true, workerData: process.argv[1] });
    await new Promise((resolve, reject) => {
      worker.on('error', reject);
      worker.on('exit', resolve);
      worker.on(i % 4 === 0 ? 'online' : 'message', (left) => {
        if (i % 4 === 0 || left === 6 - (i % 4) || left === 0) worker.terminate();
      });
    });
  }
  console.log(process.argv[2] + ' workers were stopped');
})();
`;

/** @param {string[]} args */
async function main(args) {
  const { values } = parseArgs({
    args,
    options: {
      pictures: { type: 'string', default: '1000' },
      models: { type: 'string', default: '2000' },
      seed: { type: 'string', default: '4' },
      workers: { type: 'string', default: '40' },
    },
  });
  checkCounts(values, { pictures: 0, models: 0, seed: 0, workers: 0 });
  const library = findDlib(process.env.DLIB ?? '', { platform: process.platform, arch: process.arch, runner });
  if (typeof library === 'string') throw new Error(library);
  let began = performance.now();
  /** @param {string} what */
  const took = (what) => {
    console.log(`${what}: ${Math.round((performance.now() - began) / 1000)} s`);
    began = performance.now();
  };
  const work = mkdtempSync(join(tmpdir(), 'patchstream-sanitize-'));
  /** @param {readonly string[]} parts */
  const compile = (...parts) =>
    execFileSync(compiler, [...flags, ...library.compile, `-I${native}`, ...parts, ...library.link, '-pthread'], {
      stdio: ['ignore', 'inherit', 'inherit'],
    });
  try {
    const photos = await photographs(work);
    /** @type {Record<string, readonly string[]>} */
    const programs = {
      faces: [values.pictures, values.seed, ...photos],
      landmarks: [values.models, values.seed, work, ...(existsSync(model) ? [model, ...photos] : [])],
    };
    for (const [name, given] of Object.entries(programs)) {
      const program = join(work, name);
      const own = [`${name}.cc`, 'drawn.cc'].map((file) => join(root, 'scripts', 'sanitize', file));
      // Debian's libdlib wants LAPACK and BLAS of whoever links a program to it.
      compile('-o', program, ...own, ...sourcesOf(native, doors), '-l:liblapack.so.3', '-l:libblas.so.3');
      took(`compiling ${name}`);
      if (!endsWell(program, given, environment)) return 1;
      took(name);
    }
    const addon = join(work, 'dlib.node');
    const headers = join(dirname(createRequire(import.meta.url).resolve('node-api-headers/package.json')), 'include');
    compile('-shared', '-fPIC', '-DNAPI_VERSION=8', '-isystem', headers, '-o', addon, ...sourcesOf(native));
    took('compiling the addon');
    const asan = execFileSync(compiler, ['-print-file-name=libasan.so'], { encoding: 'utf8' }).trim();
    const good = endsWell(process.execPath, ['-e', stopped, addon, values.workers], { ...inNode, LD_PRELOAD: asan });
    took('workers');
    return good ? 0 : 1;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

if (isMain(import.meta.url)) process.exitCode = await main(process.argv.slice(2));
