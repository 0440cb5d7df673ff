import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { Answer, RunOptions } from '../../scripts/lib/runner.mjs';
import { onlyWasm, setUp } from '../../scripts/setup.mjs';

const ok: Answer = { status: 0, stdout: '', stderr: '' };
const absent: Answer = { status: 127, stdout: '', stderr: 'not found' };

interface Call {
  readonly line: string;
  readonly env: RunOptions['env'];
}

interface Scene {
  readonly root: string;
  readonly native?: readonly string[];
  readonly platform?: NodeJS.Platform;
  readonly uid?: number;
  readonly choice?: string;
  readonly nodeVersion?: string;
  readonly env?: Record<string, string>;
  readonly again?: boolean;
  /** The answer to a command line that contains the key; what nobody names succeeds, and no Debian package is there. */
  readonly answers?: Record<string, Answer>;
}

const lock = {
  packages: {
    '': { name: 'x' },
    'node_modules/a': { version: '1.0.0' },
    'node_modules/b-sunos-mips': { version: '1.0.0', optional: true },
  },
};

/** Runs set-up in a made-up tree on a made-up machine: npm and apt write down how they were called, and npm leaves what it leaves. */
async function perform(scene: Scene) {
  const { root, native = [], platform = 'linux', uid = 0, choice, nodeVersion = '20.15.0', answers = {} } = scene;
  writeFileSync(join(root, 'package-lock.json'), JSON.stringify(lock));
  for (const name of native) mkdirSync(join(root, 'native', name), { recursive: true });
  const calls: Call[] = [];
  const said: string[] = [];
  const built: string[] = [];
  const runner = (command: string, args: readonly string[], options: RunOptions = {}): Answer => {
    const line = [command, ...args].join(' ');
    calls.push({ line, env: options.env });
    const named = Object.entries(answers).find(([part]) => line.includes(part));
    if (named !== undefined) return named[1];
    if (command === 'dpkg-query') return { status: 1, stdout: '', stderr: 'no packages found' };
    if (line.includes('npm ci')) install(root);
    return ok;
  };
  const code = await setUp({
    root,
    env: { ...(choice === undefined ? {} : { PATCHSTREAM_SETUP: choice }), ...scene.env },
    platform,
    nodeVersion,
    uid,
    runner,
    start: async (command, args, options) => runner(command, args, options),
    say: (line: string) => said.push(line),
    build: () => 0,
    addons: async () => built.push('native'),
    again: scene.again ?? false,
  });
  return { code, said, built, lines: calls.map(({ line }) => line), calls };
}

function install(root: string) {
  mkdirSync(join(root, 'node_modules', 'a'), { recursive: true });
  const { '': _, ...packages } = lock.packages;
  writeFileSync(join(root, 'node_modules', '.package-lock.json'), JSON.stringify({ packages }));
}

t.test('a fresh clone: packages are announced, then installed with development and optional ones', async (t) => {
  const { code, said, calls } = await perform({ root: t.testdir({}), env: { NODE_ENV: 'production' } });
  t.equal(code, 0);
  t.match(said[0], /Installs 1 npm packages .* Undo: /);
  t.equal(calls.length, 1);
  t.match(calls[0]?.line, /npm ci --include=dev --include=optional/);
  t.ok('NODE_ENV' in (calls[0]?.env ?? {}), 'NODE_ENV is taken away from npm');
  t.equal(calls[0]?.env?.NODE_ENV, undefined);
  t.end();
});

t.test('npm and apt work at the same time, and set-up goes on when both are done', async (t) => {
  const root = t.testdir({ native: { torch: {} } });
  writeFileSync(join(root, 'package-lock.json'), JSON.stringify(lock));
  const happened: string[] = [];
  let end: (answer: Answer) => void = () => {};
  const done = setUp({
    root,
    env: {},
    platform: 'linux',
    nodeVersion: '20.15.0',
    uid: 0,
    runner: (command, args) => {
      if (args.includes('install')) happened.push('apt');
      return command === 'dpkg-query' ? absent : ok;
    },
    start: () => {
      happened.push('npm begins');
      return new Promise((resolve) => {
        end = resolve;
      });
    },
    say: () => {},
    build: () => happened.push('build') * 0,
    addons: async () => happened.push('native'),
    again: false,
  });
  t.same(happened, ['npm begins', 'apt', 'apt']);
  install(root);
  happened.push('npm ends');
  end(ok);
  t.equal(await done, 0);
  t.same(happened.slice(3), ['npm ends', 'build', 'native']);
  t.end();
});

t.test('the second time nothing is run and nothing is said', async (t) => {
  const root = t.testdir({});
  await perform({ root });
  const { code, said, lines } = await perform({ root });
  t.same({ code, said, lines }, { code: 0, said: [], lines: [] });
  t.end();
});

t.test('node_modules that npm made by hand are taken as they are', async (t) => {
  const root = t.testdir({});
  install(root);
  t.same((await perform({ root })).lines, []);
  t.end();
});

t.test('packages are installed again when npm has removed some since', async (t) => {
  const root = t.testdir({});
  await perform({ root });
  writeFileSync(join(root, 'node_modules', '.package-lock.json'), JSON.stringify({ packages: {} }));
  t.match((await perform({ root })).lines, [/npm ci/]);
  t.end();
});

t.test('npm that failed is an error with what npm said, and leaves no stamp', async (t) => {
  const root = t.testdir({});
  const answers = { 'npm ci': { status: 1, stdout: '', stderr: 'ENOTFOUND registry' } };
  const { code, said } = await perform({ root, native: ['torch'], answers });
  t.equal(code, 1);
  t.match(said.join('\n'), /ENOTFOUND registry[\s\S]*npm ci failed \(exit code 1\)/);
  t.notOk(existsSync(join(root, 'node_modules', '.patchstream-setup.json')));
  t.end();
});

t.test('an old Node is refused before anything is done', async (t) => {
  for (const nodeVersion of ['18.20.1', '20.14.0']) {
    const { code, said, lines } = await perform({ root: t.testdir({}), nodeVersion });
    t.equal(code, 1);
    t.same(lines, []);
    t.match(said, [`patchstream needs Node 20.15 or newer; this is ${nodeVersion}`]);
  }
  t.end();
});

t.test('root on Debian: only the groups whose folder is there', async (t) => {
  const answers = { '--assume-no': { status: 1, stdout: 'Need to get 2832 kB/71.4 MB of archives.', stderr: '' } };
  const { code, said, lines, calls } = await perform({ root: t.testdir({}), native: ['torch'], answers });
  t.equal(code, 0);
  const apt = lines.filter((line) => line.startsWith('apt-get') && !line.includes('--version'));
  t.match(apt, [
    'apt-get update',
    '--assume-no g++ libtorch-dev libopenblas0',
    'apt-get install -y -qq --no-install-recommends g++ libtorch-dev libopenblas0',
  ]);
  t.equal(calls.at(-1)?.env?.DEBIAN_FRONTEND, 'noninteractive');
  t.match(
    said.join('\n'),
    /Installs Debian packages, 71.4 MB to download: compiler .*, torch .*\n {2}Undo: apt-get remove/,
  );
  t.notMatch(lines.join('\n'), /dlib|python3/);
  t.end();
});

t.test('what is installed already is not installed again', async (t) => {
  const answers = { 'dpkg-query': { status: 0, stdout: 'install ok installed', stderr: '' } };
  const { said, lines } = await perform({ root: t.testdir({}), native: ['torch', 'dlib', 'image'], answers });
  t.notMatch(lines.join('\n'), /apt-get (update|install)/);
  t.equal(said.length, 1, 'only the npm packages are announced');
  t.end();
});

t.test('not root: the one command is named, nothing is run', async (t) => {
  const { code, said, lines } = await perform({ root: t.testdir({}), native: ['image'], uid: 1000 });
  t.equal(code, 0);
  t.match(said.at(-1), 'As root: apt-get update && apt-get install --no-install-recommends g++ libjpeg62-turbo-dev');
  t.notMatch(lines.join('\n'), /apt-get (update|install)/);
  t.end();
});

t.test('a Debian package that fails is a line, and is not tried at every start', async (t) => {
  const root = t.testdir({});
  const answers = {
    'apt-get update': { status: 100, stdout: '', stderr: 'E: could not resolve' },
    'apt-get install -y': { status: 100, stdout: '', stderr: 'E: no network' },
  };
  const first = await perform({ root, native: ['dlib'], answers });
  t.equal(first.code, 0);
  t.match(
    first.said.join('\n'),
    /apt-get update failed \(E: could not resolve\)[\s\S]*Not installed \(E: no network\).*Again: /,
  );
  t.same((await perform({ root, native: ['dlib'], answers })).lines, []);
  t.match((await perform({ root, native: ['dlib'], answers, again: true })).lines.join('\n'), /apt-get install -y/);
  t.end();
});

t.test('packages that apt does not know are left out', async (t) => {
  const answers = { '--assume-no': { status: 100, stdout: '', stderr: 'E: Unable to locate package libdlib-dev' } };
  const { code, said, lines } = await perform({ root: t.testdir({}), native: ['dlib'], answers });
  t.equal(code, 0);
  t.match(said.at(-1), /apt does not know all of g\+\+ libdlib-dev/);
  t.notMatch(lines.join('\n'), /install -y/);
  t.end();
});

t.test('machines without apt are told what works there', async (t) => {
  const where = async (platform: NodeJS.Platform) =>
    (await perform({ root: t.testdir({}), native: ['torch'], platform, answers: { 'apt-get': absent } })).said.at(-1);
  t.match(await where('linux'), /No apt-get here.*sharp for pictures and wasm for training/);
  t.match(await where('darwin'), /On macOS patchstream works with its npm packages.*LIBTORCH=python3/);
  t.match(await where('win32'), /On Windows patchstream works with its npm packages/);
  t.match((await perform({ root: t.testdir({}), platform: 'win32' })).lines, [/^npm\.cmd ci/]);
  t.end();
});

t.test('PATCHSTREAM_SETUP chooses', async (t) => {
  t.match((await perform({ root: t.testdir({}), native: ['torch'], choice: 'minimal' })).lines, [/npm ci/]);
  t.match(
    (await perform({ root: t.testdir({}), choice: 'bench' })).lines.join('\n'),
    /install -y .* python3-torch python3-torchvision/,
  );
  t.end();
});

t.test(
  'native parts are built after Debian packages and at every start, since only they know what is new',
  async (t) => {
    const root = t.testdir({});
    t.same((await perform({ root, native: ['torch'] })).built, ['native']);
    t.same((await perform({ root })).built, ['native']);
    t.same((await perform({ root, choice: 'minimal' })).built, []);
    t.end();
  },
);

t.test("a libtorch of the user leaves Debian's alone", async (t) => {
  const { lines } = await perform({ root: t.testdir({}), native: ['torch'], env: { LIBTORCH: 'python3' } });
  t.match(lines.join('\n'), /install -y .* g\+\+$/m);
  t.notMatch(lines.join('\n'), 'libtorch-dev');
  t.end();
});

t.test('npm is the one that runs us, where it says so', async (t) => {
  const { lines } = await perform({ root: t.testdir({}), env: { npm_execpath: '/opt/npm/bin/npm-cli.js' } });
  t.match(lines[0], `${process.execPath} /opt/npm/bin/npm-cli.js ci`);
  t.end();
});

t.test('only wasm trains until a faster backend is there', async (t) => {
  const root = t.testdir({});
  t.equal(onlyWasm(root), true);
  const folder = join(root, 'node_modules', '@tensorflow', 'tfjs-node');
  const binary = { module_name: 'it', module_path: './lib/v{napi_build_version}', napi_versions: [3] };
  mkdirSync(join(folder, 'lib', 'v3'), { recursive: true });
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ version: '4.22.0', binary }));
  t.equal(onlyWasm(root), true, 'a package without its binding');
  writeFileSync(join(folder, 'lib', 'v3', 'it.node'), '');
  t.equal(onlyWasm(root), false);
  t.end();
});

t.test('the stamp tells what was done', async (t) => {
  const root = t.testdir({});
  await perform({ root });
  const stamp = JSON.parse(readFileSync(join(root, 'node_modules', '.patchstream-setup.json'), 'utf8'));
  t.match(stamp, { lock: /^[0-9a-f]{32}$/, toolchain: `linux-${process.arch}`, native: String });
  t.end();
});
