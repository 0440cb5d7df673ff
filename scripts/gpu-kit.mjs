/**
 * `npm run gpu-kit [-- FILE]`: packs one archive for a machine with a GPU, where nothing is installed and no network is: Node, the built tree with what it needs
 * at run time, the addons, photographs, and two scripts. CONTRIBUTING.md says how it is used.
 */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { copyCompiled } from './gpu-kit/compile.mjs';
import { makeData } from './gpu-kit/data.mjs';
import { copyPackages } from './gpu-kit/packages.mjs';
import { isMain } from './lib/main.mjs';
import { run } from './lib/runner.mjs';
import { filesBelow } from './lib/stamp.mjs';

const here = dirname(dirname(fileURLToPath(import.meta.url)));
/** Where a machine takes a working tree of 64 MiB, the archive leaves room for the tree. */
export const mostMiB = 45;

/** @param {string} line @returns {never} */
function stop(line) {
  throw new Error(`gpu-kit: ${line}`);
}

/**
 * Packs the tree at `root` into `file`, and answers its size in MiB.
 *
 * @param {string} root
 * @param {string} file
 * @param {(line: string) => void} say
 * @returns {Promise<number>}
 */
export async function pack(root, file, say) {
  const temporary = mkdtempSync(join(tmpdir(), 'patchstream-gpu-kit-'));
  try {
    const kit = join(temporary, 'gpu-kit');
    const app = join(kit, 'app');
    mkdirSync(app, { recursive: true });
    copyNode(kit);
    copyTree(root, app);
    copyAddons(root, kit, say);
    copyPackages(root, app);
    copyCompiled(root, app);
    await makeData(root, app);
    for (const name of ['run-a.sh', 'run-b.sh', 'README.txt'])
      copyFileSync(join(root, 'scripts/gpu-kit', name), join(kit, name));
    writeFileSync(join(app, 'kit.json'), `${JSON.stringify(madeFrom(root))}\n`);
    mkdirSync(dirname(file), { recursive: true });
    compress(temporary, file);
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
  const size = statSync(file).size / 2 ** 20;
  if (size > mostMiB)
    stop(`${file} has ${size.toFixed(1)} MiB, more than ${mostMiB}. Look what has grown: tar -tvJf ${file}`);
  return size;
}

/** @param {string} root */
function madeFrom(root) {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const { status, stdout } = run('git', ['describe', '--always', '--dirty'], { cwd: root });
  return { version, made: status === 0 ? stdout.trim() : 'outside of git' };
}

/** The Node that runs this, without what only debuggers read. @param {string} kit */
function copyNode(kit) {
  const node = join(kit, 'node');
  const program = realpathSync(process.execPath);
  const needs = run('ldd', [program]);
  if (needs.stdout.includes('libnode'))
    stop(`${program} is built of shared libraries; take a Node of nodejs.org, nvm or fnm.`);
  copyFileSync(program, node);
  chmodSync(node, 0o755);
  const stripped = run('strip', [node]);
  if (stripped.status !== 0)
    stop('there is no strip (Debian: apt-get install binutils), and Node is too large without.');
}

/** @param {string} root @param {string} app */
function copyTree(root, app) {
  for (const name of ['bin', 'scripts/lib', 'schema', 'package.json', 'LICENSE'])
    cpSync(join(root, name), join(app, name), { recursive: true });
  cpSync(join(root, 'dist'), join(app, 'dist'), { recursive: true, filter: (name) => !/\.(d\.ts|map)$/.test(name) });
  // Benches and suites import the sources; here they find the program that users run.
  symlinkSync('dist', join(app, 'src'));
}

/**
 * The addons as they are built here, the sources of native/torch and native/common, and the libraries that a machine may not have.
 *
 * @param {string} root @param {string} kit @param {(line: string) => void} say
 */
function copyAddons(root, kit, say) {
  const native = join(kit, 'app/native');
  mkdirSync(join(native, 'torch/shipped'), { recursive: true });
  for (const name of ['native/common', 'native/torch'].flatMap((folder) => filesBelow(root, folder)))
    if (/\.(cc|cu|h)$/.test(name) && !name.startsWith('native/torch/build/')) {
      mkdirSync(dirname(join(kit, 'app', name)), { recursive: true });
      copyFileSync(join(root, name), join(kit, 'app', name));
    }
  const torch = join(root, 'native/torch/build/torch.node');
  if (existsSync(torch)) {
    copyFileSync(torch, join(native, 'torch/shipped/torch.node'));
    say(`The archive brings native/torch of ${libraryOf(root, 'torch')}; LIBTORCH names another before it is built.`);
  } else say('native/torch is not built here: where the archive is used there must be a compiler.');
  const image = join(root, 'native/image/build/image.node');
  if (!existsSync(image)) stop('native/image is not built. Run: node scripts/setup.mjs --again');
  for (const name of ['image', 'environment']) {
    mkdirSync(join(native, name, 'build'), { recursive: true });
    copyFileSync(join(root, 'native', name, `build/${name}.node`), join(native, name, `build/${name}.node`));
  }
  mkdirSync(join(kit, 'lib'));
  for (const [, library] of run('ldd', [image]).stdout.matchAll(/lib(?:jpeg|png16|webp|sharpyuv)\.so\S* => (\S+)/g))
    if (library !== undefined) copyFileSync(library, join(kit, 'lib', basename(library)));
}

/** What an addon was built with, as set-up wrote it down: name and version. @param {string} root @param {string} name */
function libraryOf(root, name) {
  const { library } = JSON.parse(readFileSync(join(root, 'native', name, 'build/build.json'), 'utf8'));
  return String(library).split(' in ')[0];
}

/** @param {string} folder @param {string} file */
function compress(folder, file) {
  const packed = spawnSync(
    'tar',
    ['--sort=name', '--owner=0', '--group=0', '-C', folder, '-I', 'xz -T0 -6', '-cf', resolve(file), 'gpu-kit'],
    { encoding: 'utf8' },
  );
  if (packed.status !== 0) stop(`tar could not write ${file}: ${packed.stderr?.trim() || packed.error?.message}`);
}

if (isMain(import.meta.url)) {
  const file = process.argv[2] ?? join(here, 'gpu-kit.tar.xz');
  try {
    const size = await pack(here, file, console.log);
    console.log(`${file}: ${size.toFixed(1)} MiB`);
  } catch (error) {
    console.error(/** @type {Error} */ (error).message);
    process.exitCode = 1;
  }
}
