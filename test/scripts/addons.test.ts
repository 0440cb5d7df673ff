import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { buildAddons, machineAt, namedLibraries, workers } from '../../scripts/lib/addons.mjs';
import { findLibtorch } from '../../scripts/lib/libtorch.mjs';
import type { Answer } from '../../scripts/lib/runner.mjs';
import { filesBelow } from '../../scripts/lib/stamp.mjs';
import { writeFiles } from '../kit/files/folder.ts';

const ok: Answer = { status: 0, stdout: 'compiler 12\n', stderr: '' };
/** All is well, but what was made is gone. */
const nowhere: Answer = { ...ok };
const newStrings = '_ZN3c105ErrorC1ENS_14SourceLocationENSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE';
const oldStrings = '_ZN3c105ErrorC1ENS_14SourceLocationESs';

/** The headers of a libtorch, as far as set-up reads them. */
const headers = (prefix: string, minor = 13) => ({
  [`${prefix}/torch/csrc/api/include/torch/version.h`]: `#define TORCH_VERSION_MAJOR 1\n#define TORCH_VERSION_MINOR ${minor}\n#define TORCH_VERSION_PATCH 2\n`,
});

/** A Debian with libtorch, and a tree with an addon of two sources and a header. */
const machine = {
  ...headers('system/usr/include'),
  'system/usr/lib/libtorch_cpu.so': 'library',
  'system/usr/lib/libc10.so': newStrings,
};
const tree = {
  'native/torch/addon.cc': 'addon',
  'native/torch/ops.cc': 'ops',
  'native/torch/ops.h': 'header',
  'node_modules/node-api-headers/package.json': '{}',
};

interface Scene {
  readonly env?: Record<string, string>;
  readonly again?: boolean;
  readonly platform?: NodeJS.Platform;
  /** The answer to a command line that contains the key. */
  readonly answers?: Record<string, Answer>;
}

/** Builds in `root`: the compiler writes down how it was called and leaves what it was asked for. */
async function perform(root: string, { env = {}, again = false, platform = 'linux', answers = {} }: Scene = {}) {
  const lines: string[] = [];
  const said: string[] = [];
  const counts: string[] = [];
  /** What was said and counted, as it came. */
  const order: string[] = [];
  let running = 0;
  let most = 0;
  const answer = (line: string) => Object.entries(answers).find(([part]) => line.includes(part))?.[1] ?? ok;
  const well = await buildAddons(root, {
    env,
    platform,
    again,
    system: join(root, 'system'),
    say(line: string) {
      said.push(line);
      order.push('said');
    },
    count(what, total, unit) {
      const count = (text: string) => {
        counts.push(text);
        order.push(text);
      };
      count(`${what} ${total} ${unit}`);
      return { more: () => count('more'), end: () => count('end') };
    },
    runner: (command, args) => answer([command, ...args].join(' ')),
    async start(command, args) {
      const line = [command, ...args].join(' ');
      lines.push(line);
      most = Math.max(most, ++running);
      await null;
      running--;
      const output = args[args.indexOf('-o') + 1];
      const given = answer(line);
      if (given === nowhere) return ok;
      if (given.status === 0 && output !== undefined && args.includes('-o')) writeFileSync(output, line);
      return given;
    },
  });
  return { well, lines, said, counts, order, most, compiled: lines.filter((line) => line.includes(' -c ')) };
}

const addonIn = (root: string) => join(root, 'native/torch/build/torch.node');

t.test('an addon is announced, compiled file by file, linked, tried, and then left alone', async (t) => {
  const root = t.testdir({});
  writeFiles(root, { ...tree, ...machine });
  const { well, said, lines, counts, compiled } = await perform(root);
  t.equal(well, true);
  t.same(counts, ['native parts 2 files', 'more', 'more', 'end']);
  t.match(said, [
    /^Builds native\/torch with libtorch 1\.13\.2 in .*: 2 files\. Undo: remove/,
    /^Compiles 2 files on \d+ cores?, about \d+ s\.$/,
  ]);
  t.equal(compiled.length, 2);
  t.match(
    compiled[0],
    /^g\+\+ -O3 -fPIC .*-std=c\+\+17 .*-D_GLIBCXX_USE_CXX11_ABI=1 .*-c native\/torch\/addon\.cc -o /,
  );
  t.notMatch(compiled[0], '-isystem system/usr/include ', 'the folder that the compiler knows is not named again');
  const [link, trial] = lines.slice(2);
  t.match(link, /-shared .*-Wl,--no-as-needed -ltorch -ltorch_cpu -lc10/);
  t.notMatch(link, 'rpath');
  t.match(trial, 'process.dlopen');
  t.ok(existsSync(addonIn(root)));
  t.same(
    filesBelow(root, 'native/torch/build').filter((name) => /\.\d+(\.|$)/.test(name)),
    [],
    'nothing half is left',
  );
  t.same(await perform(root), { well: true, lines: [], said: [], counts: [], order: [], most: 0, compiled: [] });
  t.end();
});

t.test(
  'only what changed is compiled again: a source alone, all of a header, of a library, of a lost addon nothing',
  async (t) => {
    const root = t.testdir({});
    writeFiles(root, { ...tree, ...machine });
    await perform(root);
    writeFiles(root, { 'native/torch/ops.cc': 'changed' });
    t.match((await perform(root)).compiled, [/ops\.cc/]);
    writeFiles(root, { 'native/torch/ops.h': 'changed' });
    t.equal((await perform(root)).compiled.length, 2);
    writeFiles(root, { 'native/common/napi.h': 'new' });
    t.equal((await perform(root)).compiled.length, 2, 'of a header that the addons share');
    writeFiles(root, headers('system/usr/include', 14));
    t.match((await perform(root)).said, [/libtorch 1\.14\.2/]);
    t.equal(filesBelow(root, 'native/torch/build/objects').length, 2, 'old objects are gone');
    rmSync(addonIn(root));
    t.match(await perform(root), { well: true, compiled: [], counts: [], lines: [/-shared/, /dlopen/] });
    t.ok(existsSync(addonIn(root)));
    t.end();
  },
);

t.test(
  'a failed build is one line with its first error, takes the old addon away, and is tried again when asked',
  async (t) => {
    const root = t.testdir({});
    writeFiles(root, { ...tree, ...machine });
    await perform(root);
    writeFiles(root, { 'native/torch/ops.cc': 'broken' });
    const stderr = 'ops.cc: In function f:\nops.cc:3:1: error: expected ;\nops.cc:9:1: error: another\n';
    const answers = { 'ops.cc -o': { status: 1, stdout: '', stderr } };
    const { well, said, counts } = await perform(root, { answers });
    t.equal(well, false);
    t.match(counts.at(-1), 'end');
    t.equal(
      said.at(-1),
      'native/torch is not built: ops.cc:3:1: error: expected ; (all of it: native/torch/build/build.log); wasm trains instead.',
    );
    t.notOk(existsSync(addonIn(root)));
    t.match(readFileSync(join(root, 'native/torch/build/build.log'), 'utf8'), stderr);
    t.match(await perform(root), { well: false, lines: [], said: [] });
    t.match(await perform(root, { again: true }), { well: true, compiled: [/ops\.cc/] });
    t.ok(existsSync(addonIn(root)));
    t.end();
  },
);

t.test(
  'an addon with a form for other processors: two addons of the same sources, on that kind of machine alone',
  async (t) => {
    const dlib = {
      'system/usr/include/dlib/revision.h': '#define DLIB_MAJOR_VERSION 19\n#define DLIB_MINOR_VERSION 24\n',
      'system/usr/lib/x86_64-linux-gnu/libdlib.so': '',
      'system/usr/lib/aarch64-linux-gnu/libdlib.so': '',
      'native/dlib/addon.cc': 'addon',
      'native/dlib/pool.h': 'header',
      'node_modules/node-api-headers/package.json': '{}',
    };
    const root = t.testdir({});
    writeFiles(root, dlib);
    const forms = process.arch === 'x64' ? ['dlib-avx2.node', 'dlib.node'] : ['dlib.node'];
    const built = () => filesBelow(root, 'native/dlib/build').filter((name) => name.endsWith('.node'));
    const { well, compiled, lines } = await perform(root);
    t.equal(well, true);
    t.same(
      built().map((name) => name.split('/').at(-1)),
      forms,
    );
    t.equal(compiled.filter((line) => line.includes('-mavx2 -ffp-contract=off')).length, forms.length - 1);
    t.equal(compiled.length, forms.length);
    t.equal(lines.filter((line) => line.includes('dlopen')).length, forms.length, 'each is tried');
    t.same((await perform(root)).lines, []);
    rmSync(join(root, 'native/dlib/build/dlib.node'));
    t.match(await perform(root), { well: true, compiled: [] }, 'a lost one is linked again');
    const failed = { status: 1, stdout: '', stderr: 'Error: undefined symbol: f\n' };
    t.equal((await perform(root, { again: true, answers: { dlopen: failed } })).well, false);
    t.same(built(), [], 'all forms or none');
    t.end();
  },
);

t.test('addons are built together, with no more compilers at a time than there are cores', async (t) => {
  const root = t.testdir({});
  const sources = Array.from({ length: 6 }, (_, i) => [`native/torch/${i}.cc`, `source ${i}`]);
  writeFiles(root, { ...tree, ...machine, ...Object.fromEntries(sources), 'native/environment/addon.cc': 'addon' });
  const cores = workers(await machineAt(root));
  const { well, most, said, counts } = await perform(root, {
    answers: { '--version': { status: 0, stdout: 'g++ (Free Software Foundation)', stderr: '' } },
  });
  t.equal(well, true);
  t.ok(most <= cores && most > Math.min(1, cores - 1), `${most} of ${cores}`);
  t.match(said, [/^Builds native\/environment: 1 file\./, /^Builds native\/torch .*: 8 files\./, /^Compiles 9 files /]);
  t.equal(counts.filter((count) => count === 'more').length, 9);
  t.ok(existsSync(addonIn(root)) && existsSync(join(root, 'native/environment/build/environment.node')));
});

t.test('what fails while others are compiled is told below their count, and leaves nothing behind', async (t) => {
  const gcc = { '--version': { status: 0, stdout: 'g++ (Free Software Foundation)', stderr: '' } };
  const error = { status: 1, stdout: '', stderr: 'addon.cc:1:1: error: expected ;' };
  for (const given of [error, nowhere]) {
    const root = t.testdir({});
    const sources = Array.from({ length: 8 }, (_, i) => [`native/torch/${i}.cc`, `source ${i}`]);
    writeFiles(root, { ...tree, ...machine, ...Object.fromEntries(sources), 'native/environment/addon.cc': 'addon' });
    const { well, said, order, compiled } = await perform(root, { answers: { ...gcc, 'native/torch/0.cc': given } });
    t.equal(well, false);
    t.same(order.slice(-2), ['end', 'said']);
    t.match(said.at(-1), /^native\/torch is not built: .*; wasm trains instead\.$/);
    t.ok(existsSync(join(root, 'native/environment/build/environment.node')), 'the other is built');
    t.ok(compiled.length < 11, 'no more sources are begun');
    const names = filesBelow(root, 'native/torch/build').filter((name) => /header-|\.o\.\d/.test(name));
    t.same(names, []);
  }
});

t.test('what a build has left that was ended is removed by the next, and not what one beside it makes', async (t) => {
  const root = t.testdir({});
  const gone = spawnSync(process.execPath, ['-e', '']).pid;
  // The process that is always there.
  const first = 1;
  const left = (pid: number) =>
    [`header-${pid}/heavy.h.gch`, `objects/ops-0.o.${pid}`, `torch.${pid}.node`, `build.json.${pid}`].map(
      (name) => `native/torch/build/${name}`,
    );
  const files = [...left(gone), ...left(first)].map((name) => [name, 'half']);
  writeFiles(root, { ...tree, ...machine, ...Object.fromEntries(files) });
  t.equal((await perform(root)).well, true);
  t.same(
    left(gone).map((name) => existsSync(join(root, name))),
    [false, false, false, false],
  );
  t.same(
    left(first).map((name) => existsSync(join(root, name))),
    [true, true, true, true],
  );
});

t.test('a dist that does not load keeps no addon from being built', async (t) => {
  const root = t.testdir({});
  writeFiles(root, { ...tree, ...machine, 'dist/machine.js': 'import "./gone.js";' });
  t.equal((await perform(root)).well, true);
});

t.test('an addon that does not link or load is not built', async (t) => {
  const failed = (stderr: string) => ({ status: 1, stdout: '', stderr });
  const link = t.testdir({});
  writeFiles(link, { ...tree, ...machine });
  const unlinked = await perform(link, { answers: { '-shared': failed('ld: cannot find -ltorch\n') } });
  t.match(unlinked.said.at(-1), 'not built: ld: cannot find -ltorch');
  t.notOk(existsSync(addonIn(link)));
  const unloaded = await perform(link, {
    again: true,
    answers: { dlopen: failed('node:internal\nError: torch.node: undefined symbol: f\n') },
  });
  t.match(unloaded.said.at(-1), 'not built: Error: torch.node: undefined symbol: f');
  t.notOk(existsSync(addonIn(link)));
  t.same(
    filesBelow(link, 'native/torch/build').filter((name) => name.endsWith('.node')),
    [],
  );
  t.end();
});

t.test('what is lacking is said where it was asked for, and in one line', async (t) => {
  const root = t.testdir({});
  writeFiles(root, tree);
  t.match(
    await perform(root),
    { well: true, said: [], lines: [] },
    'no libtorch: Debian packages have been named before',
  );
  t.match(await perform(root, { env: { LIBTORCH: join(root, 'native') } }), {
    well: false,
    said: [/^native\/torch is not built: LIBTORCH=.*: no headers of torch in .*; wasm trains instead\.$/],
  });
  const absent = { status: 127, stdout: '', stderr: '' };
  t.match((await perform(root, { env: { LIBTORCH: 'snake' }, answers: { snake: absent } })).said, [
    'LIBTORCH=snake: neither a folder nor a program',
  ]);
  const empty = { status: 0, stdout: '\n', stderr: '' };
  t.match((await perform(root, { env: { LIBTORCH: 'python3' }, answers: { python3: empty } })).said, [
    'this python has no torch',
  ]);
  writeFiles(root, machine);
  t.match((await perform(root, { answers: { '--version': absent } })).said, ['there is no compiler g++']);
  t.end();
});

t.test('a named library is found again without its name, until the name is empty', async (t) => {
  const root = t.testdir({});
  const lib = join(root, 'own/lib');
  writeFiles(root, {
    ...tree,
    ...machine,
    ...headers('own/include', 9),
    'own/lib/libtorch_cpu.so': '',
    'own/lib/libc10.so': oldStrings,
  });
  const named = await perform(root, { env: { LIBTORCH: join(root, 'own'), CXX: 'c++' } });
  t.match(named.said, [/libtorch 1\.9\.2 in .*own:/]);
  t.match(named.compiled[0], /^c\+\+ .*own\/include .*-D_GLIBCXX_USE_CXX11_ABI=0 /);
  t.match(named.lines.at(-2), `-Wl,-rpath,${lib}`);
  t.same(namedLibraries(root, {}), ['torch']);
  t.same((await perform(root, { env: { CXX: 'c++' } })).said, []);
  t.same(namedLibraries(root, { LIBTORCH: '' }), []);
  t.match((await perform(root, { env: { LIBTORCH: '' } })).said, [/libtorch 1\.13\.2/]);
  t.same(namedLibraries(root, {}), []);
  t.end();
});

t.test('a torch of pip: its folder is asked for, with cuda where it has it', (t) => {
  const root = t.testdir({});
  const torch = join(root, 'site/torch');
  const version = (minor: number) => ({
    'site/torch/include/torch/headeronly/version.h': `#define TORCH_VERSION_MAJOR 2\n#define TORCH_VERSION_MINOR ${minor}\n#define TORCH_VERSION_PATCH 1\n`,
  });
  writeFiles(root, {
    ...version(9),
    'site/torch/include/torch/csrc/api/include/torch/all.h': '#error C++20 or later compatible compiler is required',
    'site/torch/lib/libtorch_cpu.so': '',
    'site/torch/lib/libc10.so': newStrings,
  });
  const asked: (readonly string[])[] = [];
  const look = () => {
    const found = findLibtorch('python3', {
      platform: 'linux',
      arch: 'arm64',
      system: join(root, 'system'),
      runner: (command, args) => {
        asked.push([command, ...args]);
        return { status: 0, stdout: `${torch}\n`, stderr: '' };
      },
    });
    if (typeof found === 'string') throw new Error(found);
    return { version: found.version, compile: found.compile.join(' '), link: found.link.join(' ') };
  };
  const plain = look();
  t.match(asked[0]?.join(' '), /^python3 -c .*find_spec\('torch'\)/s);
  t.equal(plain.version, '2.9.1');
  t.match(plain.compile, /^-std=c\+\+20 /, 'as the headers ask');
  t.notMatch(plain.link, '_cuda');

  writeFiles(root, { 'site/torch/lib/libtorch_cuda.so': '', 'site/torch/lib/libc10_cuda.so': '' });
  t.match(look().link, '-ltorch_cuda -lc10_cuda');
  t.notMatch(look().compile, 'PATCHSTREAM_CUDA', 'without its headers no code that needs them');

  const runtime = (folder: string) => ({ [`${folder}/cuda_runtime_api.h`]: '', [`${folder}/crt/host_config.h`]: '' });
  writeFiles(root, runtime('system/usr/local/cuda/include'));
  t.match(look().compile, /usr\/local\/cuda\/include .*-DPATCHSTREAM_CUDA=1/);
  writeFiles(root, {
    ...runtime('site/nvidia/cuda_runtime/include'),
    'site/nvidia/cublas/include/cublas_v2.h': '',
    'site/nvidia/dali/include/dali.h': '',
  });
  const folders = look().compile.match(/\S*(nvidia|local\/cuda)\S*/g);
  t.same(folders, [join(root, 'site/nvidia/cuda_runtime/include')], 'the one that is needed, of the release of torch');

  writeFiles(root, version(13));
  writeFiles(root, { 'site/torch/include/torch/csrc/api/include/torch/all.h': '' });
  t.match(look().compile, /^-std=c\+\+20 /, 'from 2.13 on, whatever the headers say');
  t.notMatch(look().compile, /nvidia|PATCHSTREAM_CUDA/, 'no headers of CUDA from 2.11 on');
  t.match(look().link, '-ltorch_cuda -lc10_cuda');
  t.end();
});

t.test('on Debian for ARM and on macOS', async (t) => {
  const root = t.testdir({});
  writeFiles(root, {
    ...headers('system/usr/include'),
    'system/usr/lib/aarch64-linux-gnu/libtorch_cpu.so': '',
    'system/usr/lib/aarch64-linux-gnu/libc10.so': newStrings,
  });
  const runner = () => ok;
  const system = join(root, 'system');
  const arm = findLibtorch('', { platform: 'linux', arch: 'arm64', system, runner });
  t.match(arm, { place: join(system, 'usr/lib/aarch64-linux-gnu') });
  t.equal(
    findLibtorch('', { platform: 'linux', arch: 'x64', system, runner }),
    'no libtorch in the paths of the system',
  );
  writeFiles(root, {
    ...tree,
    ...headers('system/opt/homebrew/include'),
    'system/opt/homebrew/lib/libtorch_cpu.dylib': '',
  });
  const { lines } = await perform(root, { platform: 'darwin' });
  t.match(lines[0], /^clang\+\+ /);
  t.match(lines[2], /-undefined dynamic_lookup .*-rpath,.*homebrew\/lib/);
  t.end();
});

t.test('a folder that may not be written to is a line, not an end', async (t) => {
  const root = t.testdir({});
  writeFiles(root, { ...tree, ...machine, 'native/torch/build': 'a file where a folder should be' });
  const { well, said } = await perform(root);
  t.equal(well, false);
  t.match(said.at(-1), /^native\/torch is not built: .*build.*; wasm trains instead\.$/);
  t.end();
});

t.test('where many sources share a heavy header, g++ compiles that once and first', async (t) => {
  const gcc = { ...ok, stdout: 'g++ 12\nCopyright (C) Free Software Foundation, Inc.\n' };
  const sources = Object.fromEntries(['a', 'b', 'c', 'd'].map((name) => [`native/torch/${name}.cc`, name]));
  const left = (root: string) => filesBelow(join(root, 'native/torch'), 'build').filter((name) => /heavy/.test(name));

  const root = t.testdir({});
  writeFiles(root, { ...tree, ...sources, ...machine });
  const { well, lines, compiled } = await perform(root, { answers: { '--version': gcc } });
  t.equal(well, true);
  t.match(lines[0], /-x c\+\+-header .*heavy\.h -o .*heavy\.h\.gch$/);
  t.equal(compiled.length, 6);
  for (const line of compiled) t.match(line, /-include .*heavy\.h -c /);
  t.same(left(root), [], 'it is large, and goes when it has served');

  const other = t.testdir({});
  writeFiles(other, { ...tree, ...sources, ...machine });
  const failing = { status: 1, stdout: '', stderr: 'no space left' };
  const without = await perform(other, { answers: { '--version': gcc, 'c++-header': failing } });
  t.equal(without.well, true, 'a header that cannot be compiled ahead is compiled with every source');
  for (const line of without.compiled) t.notMatch(line, '-include');
  t.same(left(other), []);
});
