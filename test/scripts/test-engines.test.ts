import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { copyTree, engineTree } from '../../scripts/lib/engine.mjs';
import { resourcesIn } from '../../scripts/lib/kernel-texts.mjs';
import { type Answer, run, start } from '../../scripts/lib/runner.mjs';
import { engines, testEngines } from '../../scripts/test-engines.mjs';
import { writeFiles } from '../kit/files/folder.ts';

const ok = (stdout = ''): Answer => ({ status: 0, stdout, stderr: '' });

interface Scene {
  readonly missing?: Readonly<Record<string, string>>;
  readonly log?: string;
  readonly built?: boolean;
  readonly parity?: Answer;
  /** The Node that cannot be had, and what the tests of tfjs-node say at their end. */
  readonly withoutNode?: string;
  readonly ending?: string;
}

/** Runs the script on a tree of a few files; compilers, pip and tests are made up. */
async function perform(
  t: Test,
  words: readonly string[],
  { missing = {}, log = '', built = true, parity, withoutNode, ending = '' }: Scene = {},
) {
  const root = t.testdir({});
  const lines: string[] = [];
  const calls: { line: string; kernels: string | undefined; python: string | undefined }[] = [];
  const totals = await testEngines(root, words, {
    say: (line) => lines.push(line),
    installDebian: () => lines.push('apt'),
    compileTexts: (python) => [
      { what: 'one.cu for sm_90', told: `: 32 registers by ${python}` },
      { what: 'two.cu for sm_90', ...(built ? {} : { failure: 'it spills' }) },
    ],
    nodeOf: (version) => (version === withoutNode ? { missing: 'npm has none' } : { node: `node-${version}` }),
    tensorflowTree: async (python) =>
      built ? { tree: root, library: `TensorFlow of ${python}` } : { missing: 'the binding was not built' },
    install: (manifest) => {
      const name = Object.keys(missing).find((part) => manifest.includes(part));
      return name === undefined
        ? { python: `python of ${manifest.slice(root.length + 1)}` }
        : { missing: missing[name]! };
    },
    treeWith: async (name, libtorch) => {
      if (!built) return { missing: 'native/torch is not built: error: odd' };
      const tree = join(root, name);
      writeFiles(tree, {
        ...{
          'test/backends/torch/torch.test.ts': '',
          'test/backends/wasm/wasm.test.ts': '',
          'test/train/step.test.ts': '',
        },
        'native/torch/build/build.json': JSON.stringify({ library: `libtorch 2.1 in ${libtorch}` }),
        ...{ 'native/torch/build/build.log': log, 'native/torch/build/objects/x.o': '' },
      });
      return { tree };
    },
    runner: (command, args, { env = {} } = {}) => {
      const line = [command, ...args].join(' ');
      if (line.includes('import torch'))
        return missing.debian === undefined ? ok() : { status: 1, stdout: '', stderr: '' };
      calls.push({ line, kernels: env.PATCHSTREAM_TORCH_KERNELS, python: env.PYTHON });
      if (line.startsWith('node-')) return ok(`7 passed, 0 failed${ending}\n`);
      if (line.includes('parity')) return parity ?? ok('torch lomar: loss  1.0e-7  1e-4\n');
      return ok('12 passed, 0 failed\n');
    },
  });
  return { totals, lines, calls, root };
}

t.test('every engine is built once, and tested with both kinds of kernels', async (t) => {
  const { totals, lines, calls, root } = await perform(t, ['debian', '2.11', 'newest']);
  t.same(totals, { passed: 3 * (2 + 2 * 2), failed: 0 });
  t.equal(calls.length, 12);
  t.same([...new Set(calls.map(({ kernels }) => kernels))], [undefined, 'aten']);
  t.same([...new Set(calls.map(({ python }) => python))].length, 3, 'each against its own PyTorch');
  const suites = calls.filter(({ line }) => line.includes('scripts/test.mjs'));
  for (const { line } of suites) t.match(line, /torch\.test\.ts test\/train\/step\.test\.ts$/);
  t.match(lines.join('\n'), /suites, own kernels: 12 passed, 0 failed/, 'what they said is told');
  t.match(lines.join('\n'), /builds and loads: libtorch 2\.1 in python of .*torch-2\.15/, 'each with its own libtorch');
  t.ok(existsSync(join(root, 'torch-2.15')), 'in a tree that other uses of this libtorch share');
});

t.test('tfjs-node on the TensorFlow of pip, on two Nodes; what is skipped has failed', async (t) => {
  const { totals, lines, calls } = await perform(t, ['tensorflow']);
  t.same(totals, { passed: 3, failed: 0 });
  t.match(calls, [
    { line: /^node-20 scripts\/test\.mjs --slow .*tensorflow\.suite\.test\.ts.* test\/all\/tensorflow\.test\.ts$/ },
    { line: /^node-24 / },
  ]);
  t.match(lines, [
    'tensorflow',
    /builds and loads: TensorFlow of python of .*tensorflow-2\.21/,
    /on Node 20: 7 passed/,
    /24/,
  ]);
  for (const name of calls[0]!.line.split(' ').slice(3))
    t.ok(existsSync(new URL(`../../${name}`, import.meta.url)), name);
  const skipped = await perform(t, ['tensorflow'], { ending: ', 4 skipped', withoutNode: '24' });
  t.same(skipped.totals, { passed: 1, failed: 2 });
  t.match(skipped.lines.join('\n'), /FAILED {2}suites on Node 20: 7 passed, 0 failed, 4 skipped.*24: npm has none/s);
  t.match((await perform(t, ['tensorflow'], { built: false })).totals, { passed: 0, failed: 1 });
  t.match((await perform(t, ['tensorflow'], { missing: { 'tensorflow-2.21': 'no pip' } })).totals, { failed: 1 });
});

t.test('the texts of kernels are compiled by the newest torch, and each is told', async (t) => {
  const { totals, lines, calls } = await perform(t, ['cuda']);
  t.same(totals, { passed: 2, failed: 0 });
  t.same(calls, []);
  t.match(lines, ['cuda', /one\.cu for sm_90: 32 registers by python of .*torch-2\.15/, /two\.cu/]);
  const spilled = await perform(t, ['cuda'], { built: false });
  t.match(spilled.lines.join('\n'), /FAILED {2}two\.cu for sm_90: it spills/);
  t.match((await perform(t, ['cuda'], { missing: { 'torch-2.15': 'no pip' } })).totals, { passed: 0, failed: 1 });
});

t.test('words choose engines, kernels and parts', async (t) => {
  const { totals, calls } = await perform(t, ['2.11', 'aten', 'parity']);
  t.same(totals, { passed: 3, failed: 0 });
  t.match(calls, [{ line: /bench\/run\.mjs parity torch$/, kernels: 'aten', python: /torch-2\.11/ }]);
  await t.rejects(perform(t, ['3.0']), {
    message: /3\.0: choose among debian, 2\.11, newest, tensorflow, cuda, own, aten/,
  });
});

t.test('what cannot be had, a warning and a difference are failures that say why', async (t) => {
  const { totals, lines, root } = await perform(t, ['own', 'suites'], {
    missing: { '2.11': 'pip install failed: no network', debian: 'none' },
    log: 'x.cc:1: warning: odd\n',
  });
  t.same(totals, { passed: 2, failed: 3 });
  t.match(
    lines.join('\n'),
    /apt\n.*FAILED {2}installed: Debian has no PyTorch.*FAILED {2}installed: pip install failed: no network.*warning: odd/s,
  );
  t.notOk(
    existsSync(join(root, 'torch-2.15/native/torch/build/objects/x.o')),
    'a warning comes again when it is built again',
  );
  const parity = { status: 1, stdout: 'torch mae: loss  1.0e-1  1e-4  FAILED\n', stderr: '' };
  const different = await perform(t, ['newest', 'own', 'parity'], { parity });
  t.same(different.totals, { passed: 2, failed: 1 });
  t.match(different.lines.join('\n'), /FAILED {2}parity, own kernels: exit code 1\n +torch mae: loss {2}1\.0e-1/);
  t.same(
    (await perform(t, ['newest'], { built: false })).totals,
    { passed: 0, failed: 1 },
    'nothing is tested that is not built',
  );
});

t.test('the copy of a tree is brought up to date, and keeps what was built', async (t) => {
  const root = t.testdir({ src: { 'a.ts': 'a', 'b.ts': '' }, 'package.json': '{}', node_modules: { tap: {} } });
  const cache = t.testdirName;
  const env = { PATCHSTREAM_CACHE: join(cache, 'cache') };
  const make = () =>
    engineTree(root, 'one', '', { env, platform: process.platform, runner: run, start, say: () => {} });
  const tree = join(cache, 'cache/engines/one');
  t.match(await make(), { missing: 'native/torch was not built' });
  writeFiles(tree, { 'native/torch/build/objects/x.o': '' });
  rmSync(join(root, 'src/b.ts'));
  await make();
  const has = (name: string) => existsSync(join(tree, name));
  t.ok(['src/a.ts', 'package.json', 'node_modules/tap', 'native/torch/build/objects/x.o'].every(has));
  t.notOk(has('src/b.ts'), 'what is gone here is gone there');
  writeFiles(tree, { 'src/own.ts': 'mine', 'test/notes.txt': 'mine' });
  await make();
  t.ok(has('src/own.ts') && has('test/notes.txt'), 'what no record names stays');
  writeFiles(root, { 'src/own.ts': 'of the tree' });
  t.match(await make(), { missing: /src\/own\.ts is there and was not copied by this: move .*one away/ });
  t.equal(readFileSync(join(tree, 'src/own.ts'), 'utf8'), 'mine');
  rmSync(join(tree, 'src/own.ts'));
  await make();
  t.equal(readFileSync(join(tree, 'src/own.ts'), 'utf8'), 'of the tree');
  const other = join(cache, 'other');
  writeFiles(other, { 'src/a.ts': 'mine', 'src/c.ts': 'mine' });
  t.match(copyTree(root, other), /a\.ts is there/, 'a folder without a record');
  t.same([readFileSync(join(other, 'src/a.ts'), 'utf8'), existsSync(join(other, 'package.json'))], ['mine', false]);
});

t.test('what a kernel takes is read from the log of ptxas', (t) => {
  const log = [
    "ptxas info    : Compiling entry function 'one' for 'sm_90'",
    'ptxas         .     8 bytes stack frame, 4 bytes spill stores, 12 bytes spill loads',
    'ptxas info    : Used 255 registers, used 1 barriers, 2048 bytes smem, 400 bytes cmem[0]',
    "ptxas info    : Compiling entry function 'two' for 'sm_90'",
    'ptxas         .     0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads',
    'ptxas info    : Used 18 registers, used 0 barriers',
  ];
  t.same(resourcesIn(log.join('\n')), [
    { kernel: 'one', registers: 255, shared: 2048, spilled: 16 },
    { kernel: 'two', registers: 18, shared: 0, spilled: 0 },
  ]);
  t.same(resourcesIn('nothing'), []);
  t.end();
});

t.test('the newest is that of the peers, and every manifest is there', (t) => {
  t.equal(engines.length, 3);
  for (const { manifest } of engines)
    t.ok(manifest === undefined || existsSync(new URL(`../../${manifest}`, import.meta.url)), manifest ?? 'Debian');
  t.end();
});
