import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** The processors that the kernels of native/torch/cuda are compiled for: of an A100, and of an H100 or H200. */
const processors = [80, 90];

/** Every text with the options that its sizes come by: the smallest and the largest that it serves, and those of the models. */
const texts = [
  { name: 'linear', options: [''] },
  { name: 'lists', options: [''] },
  { name: 'norm', options: [64, 192, 384, 512, 768, 1024, 1280].map((width) => `-DWIDTH=${width}`) },
  { name: 'attention', options: [16, 32, 48, 64].map((size) => `-DHEAD=${size}`) },
];

/**
 * What the compiler says of one kernel.
 *
 * @typedef {{ kernel: string, registers: number, shared: number, spilled: number }} Resources
 */

/**
 * Compiles every text as native/torch does, by the NVRTC that came with the torch of a python, for every processor; no GPU is needed. Answers a line for each
 * text and processor: what its kernels take, or what is wrong.
 *
 * @param {string} root
 * @param {string} python
 * @param {import('./runner.mjs').Runner} runner
 * @returns {{ what: string, failure?: string, told?: string }[]}
 */
export function compileTexts(root, python, runner) {
  const folder = mkdtempSync(join(tmpdir(), 'patchstream-kernels-'));
  try {
    const program = join(folder, 'compile');
    const native = join(root, 'native/torch');
    const sources = [join(root, 'test/kit/kernels/compile.cc'), join(native, 'cuda/nvrtc.cc')];
    const built = runner('g++', [
      '-std=c++17',
      '-O1',
      '-Wall',
      '-Wextra',
      '-iquote',
      native,
      ...sources,
      '-ldl',
      '-o',
      program,
    ]);
    if (built.status !== 0 || built.stderr !== '')
      return [{ what: 'the compiler of kernels is built', failure: built.stderr.trim() }];
    const torch = runner(python, [
      '-c',
      "import importlib.util as u; print(u.find_spec('torch').submodule_search_locations[0])",
    ]);
    const library = join(torch.stdout.trim(), 'lib');
    const cache = join(folder, 'cache');
    mkdirSync(cache);
    const answers = texts.flatMap(({ name, options }) =>
      processors.map((processor) => {
        const answered = options.map((option) =>
          compileText({ program, library, native, cache, runner }, name, processor, option),
        );
        const failure = answered.find((answer) => typeof answer === 'string');
        const told = answered.flatMap((answer) => (typeof answer === 'string' ? [] : answer));
        const what = `${name}.cu for sm_${processor}`;
        return failure === undefined ? { what, told: `: ${summaryOf(told)}` } : { what, failure };
      }),
    );
    return [...answers, checkCache({ program, library, native, cache, runner })];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * @typedef {{ program: string, library: string, native: string, cache: string, runner: import('./runner.mjs').Runner }} Place
 */

/**
 * What the kernels of a text take, or why it is not right.
 *
 * @param {Place} place
 * @param {string} name
 * @param {number} processor
 * @param {string} option
 * @returns {Resources[] | string}
 */
function compileText({ program, library, native, cache, runner }, name, processor, option) {
  const paths = [join(native, 'cuda/common.cu'), join(native, `cuda/${name}.cu`)];
  const args = [library, `${processor}`, ...paths, '--ptxas-options=-v', ...(option === '' ? [] : [option])];
  const { status, stdout, stderr } = runner(program, args, { env: { PATCHSTREAM_CACHE: cache } });
  const wrong = /.*\b(?:error|warning)\b.*/.exec(stdout)?.[0];
  if (status !== 0 || wrong !== undefined) return `${option} ${wrong ?? `${stdout}${stderr}`.trim()}`.trim();
  const found = resourcesIn(stdout);
  if (found.length === 0) return `${option} the compiler names no kernel: ${stdout}`;
  const spills = found.find(({ spilled }) => spilled > 0);
  return spills === undefined ? found : `${option} ${spills.kernel} spills ${spills.spilled} bytes`.trim();
}

/**
 * The kernels that a log of ptxas names, and what they take.
 *
 * @param {string} log
 * @returns {Resources[]}
 */
export function resourcesIn(log) {
  return log
    .split(/Compiling entry function '/)
    .slice(1)
    .map((part) => {
      const number = (/** @type {RegExp} */ pattern) => Number(pattern.exec(part)?.[1] ?? 0);
      const spilled = number(/(\d+) bytes spill stores/) + number(/(\d+) bytes spill loads/);
      const kernel = part.slice(0, part.indexOf("'"));
      return { kernel, registers: number(/Used (\d+) registers/), shared: number(/(\d+) bytes smem/), spilled };
    });
}

/** @param {readonly Resources[]} all */
function summaryOf(all) {
  const most = new Map(all.map(({ kernel }) => [kernel, { registers: 0, shared: 0 }]));
  for (const { kernel, registers, shared } of all) {
    const now = most.get(kernel);
    if (now !== undefined)
      Object.assign(now, { registers: Math.max(now.registers, registers), shared: Math.max(now.shared, shared) });
  }
  return [...most].map(([kernel, { registers, shared }]) => `${kernel} ${registers} registers, ${shared} B`).join('; ');
}

/**
 * A file of the cache that is not whole is made anew.
 *
 * @param {Place} place
 */
function checkCache(place) {
  const what = 'a broken file of the cache is compiled anew';
  const files = join(place.cache, 'kernels');
  const [first] = readdirSync(files);
  if (first === undefined) return { what, failure: `nothing lies in ${files}` };
  for (const name of readdirSync(files)) writeFileSync(join(files, name), 'no kernel');
  const answer = compileText(place, 'linear', 90, '');
  return typeof answer === 'string' ? { what, failure: answer } : { what };
}
