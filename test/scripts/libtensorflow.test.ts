import { existsSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { findLibtensorflow } from '../../scripts/lib/libtensorflow.mjs';
import { type Answer, run } from '../../scripts/lib/runner.mjs';
import { buildTfjsNode, installCommand, tfjsNodes } from '../../scripts/lib/tfjs-node.mjs';
import { writeFiles } from '../kit/files/folder.ts';

/** The first bytes of a library: ELF, 64 bits, for the processor of that number. */
function elf(machine: number, bigEndian = false): Buffer {
  const header = Buffer.alloc(64);
  header.write('\x7fELF', 'latin1');
  header[4] = 2;
  header[5] = bigEndian ? 2 : 1;
  if (bigEndian) header.writeUInt16BE(machine, 18);
  else header.writeUInt16LE(machine, 18);
  return header;
}
const [x64, arm64] = [62, 183];
const own = process.arch === 'arm64' ? arm64 : x64;

const headers = (folder: string) => ({
  [`${folder}/include/tensorflow/c/c_api.h`]: '',
  [`${folder}/include/tensorflow/c/eager/c_api.h`]: '',
});
/** A TensorFlow as pip installs it. */
const wheel = (site: string, version = '2.21.0', machine = x64) => ({
  ...headers(`${site}/tensorflow`),
  [`${site}/tensorflow/libtensorflow_cc.so.2`]: elf(machine),
  [`${site}/tensorflow/libtensorflow_framework.so.2`]: elf(machine),
  [`${site}/tensorflow_cpu-${version}.dist-info/METADATA`]: '',
  [`${site}/tensorflow_hub-0.16.1.dist-info/METADATA`]: '',
});

const find = (wish: string, { system = '/nowhere', python = '', status = 0 } = {}) =>
  findLibtensorflow(wish, {
    platform: 'linux',
    arch: 'x64',
    system,
    runner: (command) => ({ status: command === 'python3' ? status : 127, stdout: `${python}\n`, stderr: '' }),
  });

t.test('TensorFlow of a python, in its folder or the one above, and a folder of the C library', (t) => {
  const root = t.testdir({});
  writeFiles(root, wheel('site'));
  const place = join(root, 'site/tensorflow');
  const expected = {
    version: '2.21.0',
    place,
    compile: ['-std=c++17', '-isystem', join(place, 'include')],
    link: [`-L${place}`, '-l:libtensorflow_cc.so.2', '-l:libtensorflow_framework.so.2', `-Wl,-rpath,${place}`],
  };
  t.match(find('python3', { python: place }), expected);
  t.match(find(place), expected);
  t.match(find(join(root, 'site')), expected);
  const folder = join(root, 'libtensorflow');
  writeFiles(root, {
    ...headers('libtensorflow'),
    'libtensorflow/lib/libtensorflow.so.2.16.1': elf(x64),
    'libtensorflow/lib/libtensorflow_framework.so': elf(x64),
  });
  symlinkSync('libtensorflow.so.2.16.1', join(folder, 'lib/libtensorflow.so'));
  const link = [`-L${join(folder, 'lib')}`, '-l:libtensorflow.so', '-l:libtensorflow_framework.so'];
  t.match(find(folder), { version: '2.16.1', place: folder, link });
  writeFiles(root, {
    ...headers('usr/local'),
    'usr/local/lib/libtensorflow.so.2': elf(x64),
    'usr/local/lib/libtensorflow_framework.so.2': elf(x64),
  });
  t.match(find('', { system: root }), { version: '', place: join(root, 'usr/local') });
  writeFiles(root, { 'site/tensorflow-2.20.0.dist-info/METADATA': '' });
  t.match(find(place), { version: '' }, 'two records of pip: only the library itself knows');
  t.end();
});

t.test('what is there and does not serve is named in one line', (t) => {
  const root = t.testdir({});
  t.equal(find('', { system: root }), 'no libtensorflow in the paths of the system');
  t.equal(find('python9'), 'LIBTENSORFLOW=python9: neither a folder nor a program');
  t.equal(find('python3'), 'LIBTENSORFLOW=python3: this python has no TensorFlow');
  t.match(find('python3', { status: 1 }), /it did not say where its TensorFlow is \(exit code 1\)$/);
  t.match(find(root), /: no libtensorflow in /);
  const cases: [string, RegExp, Readonly<Record<string, string | Buffer>>][] = [
    ['bare', /has no headers there \(.*c_api\.h is missing\)$/, {}],
    ['arm', /libtensorflow_cc\.so\.2 is for arm64, and this machine is x64$/, wheel('arm', '2.21.0', arm64)],
    ['odd', /is for processor 9999 of ELF's list, and/, wheel('odd', '2.21.0', 9999)],
    ['old', /TensorFlow 2\.8\.4 is too old: 2\.9 or newer is needed/, wheel('old', '2.8.4')],
    ['one', /^LIBTENSORFLOW=.*: TensorFlow 1\.15\.5 is too old/, wheel('one', '1.15.5')],
  ];
  for (const [site, expected, files] of cases) {
    writeFiles(root, { ...wheel(site), ...files });
    if (site === 'bare') rmSync(join(root, 'bare/tensorflow/include/tensorflow/c'), { recursive: true });
    if (site === 'old' || site === 'one')
      rmSync(join(root, site, 'tensorflow_cpu-2.21.0.dist-info'), { recursive: true });
    t.match(find(join(root, site, 'tensorflow')), expected);
  }
  writeFiles(root, { ...wheel('text'), 'text/tensorflow/libtensorflow_framework.so.2': 'INPUT(elsewhere.so)\n' });
  t.match(find(join(root, 'text')), /framework\.so\.2 is not a library \(it has no ELF header\)$/);
  writeFiles(root, { ...wheel('cut'), 'cut/tensorflow/libtensorflow_cc.so.2': '\x7fELF' });
  t.match(find(join(root, 'cut')), /cc\.so\.2 is not a library/);
  writeFiles(root, { ...wheel('big'), 'big/tensorflow/libtensorflow_cc.so.2': elf(21, true) });
  t.match(find(join(root, 'big')), /is for processor 21 of/, 'the order of its bytes is minded');
  t.end();
});

const folder = 'node_modules/@tensorflow/tfjs-node';
const tfjsNode = {
  [`${folder}/package.json`]: JSON.stringify({
    version: '4.22.0',
    binary: { module_name: 'tfjs_binding', module_path: './lib/napi-v{napi_build_version}', napi_versions: [3, 8, 99] },
  }),
  [`${folder}/binding/a.cc`]: 'a',
  [`${folder}/binding/b.cc`]: 'b',
  [`${folder}/binding/a.h`]: 'h',
  'node_modules/node-api-headers/package.json': '{}',
  'package.json': '{}',
};
const binding = `${folder}/lib/napi-v8/tfjs_binding.node`;

interface Scene {
  readonly wish?: string;
  /** What the library says of itself when it is loaded. */
  readonly says?: string;
  readonly compiled?: Answer;
}

async function build(root: string, { wish, says = '2.21.0', compiled }: Scene = {}) {
  const said: string[] = [];
  const calls: string[] = [];
  const well = await buildTfjsNode(root, {
    ...{ env: wish === undefined ? {} : { LIBTENSORFLOW: wish }, platform: 'linux', again: false },
    ...{ system: join(root, 'system'), say: (line: string) => said.push(line) },
    runner: (command, args) => (command === 'g++' ? { status: 0, stdout: 'g++ 12', stderr: '' } : run(command, args)),
    async start(command, args) {
      if (command !== 'g++') return { status: 0, stdout: `version ${says}\n`, stderr: '' };
      calls.push(args.join(' '));
      if (compiled === undefined) writeFiles(root, { [args.at(-1)!.slice(root.length + 1)]: 'made' });
      return compiled ?? { status: 0, stdout: '', stderr: '' };
    },
  });
  return { well, said, calls };
}

const there = (root: string) => existsSync(join(root, binding));

t.test('the binding is built where the package loads it, once, and the library is remembered', async (t) => {
  const root = t.testdir({});
  writeFiles(root, { ...tfjsNode, ...wheel('site', '2.21.0', own) });
  t.same(await build(root), { well: true, said: [], calls: [] }, 'nothing was asked for');
  const first = await build(root, { wish: join(root, 'site') });
  t.match(first, { well: true, calls: [/binding\/a\.cc binding\/b\.cc .*-l:libtensorflow_cc\.so\.2/] });
  t.match(first.said, [/^Builds the binding of @tensorflow\/tfjs-node with TensorFlow 2\.21\.0 in .*Undo: remove /]);
  t.equal(there(root), true);
  t.match(tfjsNodes(root), [
    { version: '4.22.0', there: true, gone: false, outcome: { version: '2.21.0', wish: join(root, 'site') } },
  ]);
  t.same((await build(root)).calls, [], 'nothing has changed');
  writeFiles(root, { [`${folder}/binding/a.h`]: 'other' });
  t.equal((await build(root)).calls.length, 1, 'a source has');
  rmSync(join(root, 'site'), { recursive: true });
  t.match(await build(root), { well: false, said: [/^The binding of .* is not built: LIBTENSORFLOW=.*site: neither/] });
  t.match(tfjsNodes(root), [{ there: true, gone: true }]);
});

t.test('what the library says of itself counts, and errors of the compiler are one line', async (t) => {
  const root = t.testdir({});
  writeFiles(root, { ...tfjsNode, ...wheel('site', '2.21.0', own) });
  const wish = join(root, 'site');
  t.match(await build(root, { wish, says: '2.4.1' }), {
    well: false,
    said: [/^Builds/, /: TensorFlow 2\.4\.1 is too old: 2\.9 or/],
  });
  t.match(await build(root, { wish, says: 'undefined' }), { said: [] }, 'not tried again unless something changes');
  rmSync(join(wish, 'tensorflow_cpu-2.21.0.dist-info'), { recursive: true });
  writeFiles(root, { 'site/tensorflow-2.20.0.dist-info/METADATA': '' });
  const mixed = /its files say TensorFlow 2\.20\.0, the library itself 2\.19\.1: two releases are mixed there/;
  t.match(await build(root, { wish, says: '2.19.1' }), { well: false, said: [/^Builds/, mixed] });
  t.equal(there(root), false);
  writeFiles(root, { [`${folder}/binding/a.cc`]: 'newer' });
  const compiled = { status: 1, stdout: '', stderr: 'a.cc: In function:\na.cc:3:1: error: no such type\n' };
  t.match(await build(root, { wish, compiled }), {
    well: false,
    said: [/^Builds/, /is not built: a\.cc:3:1: error: no such type\.$/],
  });
  t.match(tfjsNodes(root), [{ there: false, outcome: { reason: /no such type/ } }]);
});

t.test('a binding that the package has downloaded stays, until another library is named', async (t) => {
  const root = t.testdir({});
  writeFiles(root, { ...tfjsNode, ...wheel('site', '2.21.0', own), [binding]: 'theirs' });
  t.same((await build(root)).calls, []);
  t.equal((await build(root, { wish: join(root, 'site') })).well, true);
  t.equal(readFileSync(join(root, binding.replace('.node', '.before.node')), 'utf8'), 'theirs');
});

t.test('without the package, the command that installs it without its download', async (t) => {
  const root = t.testdir({ 'package.json': '{}' });
  const { well, said } = await build(root, { wish: 'python3' });
  t.equal(well, false);
  t.match(said, [/there is no tfjs-node to build with it: npm install --ignore-scripts --no-save --save-optional @/]);
  t.equal(installCommand('/a/node_modules/patchstream'), 'npm install --ignore-scripts @tensorflow/tfjs-node');
});

t.test('where npm has put patchstream, the package next to it is found', (t) => {
  const root = t.testdir({});
  writeFiles(root, { ...tfjsNode, 'node_modules/patchstream/package.json': '{}' });
  t.match(tfjsNodes(join(root, 'node_modules/patchstream')), [{ version: '4.22.0', there: false }]);
  t.end();
});
