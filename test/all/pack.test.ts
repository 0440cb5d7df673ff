import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { filesBelow } from '../../scripts/lib/stamp.mjs';

const root = process.cwd();
const windows = process.platform === 'win32';
const ready = existsSync('src/index.ts') && existsSync('bin/patchstream.mjs');

/** A stage of one's own in ten lines, and an operator pasted from the rxjs documentation, in a pipeline file as a user writes it. */
const pipelineFile = `
import { decode, definePipeline, drop, each, imageFolder, images, operator, type Picture, resize, type Sample } from 'patchstream';
import { filter, type Observable } from 'rxjs';

const landscape = each(function landscape(sample: Sample & { readonly picture: Picture }) {
  const { width, height } = sample.picture;
  const ratio = width / height;
  if (ratio < 0.1) {
    return drop('far too narrow');
  }
  const name = sample.key.toUpperCase();
  console.error('landscape saw ' + name);
  return { ...sample, ratio };
});

function everyOther<T>() {
  return (source: Observable<T>) => source.pipe(filter((_, index) => index % 2 === 0));
}

export default definePipeline({
  source: imageFolder('./photos'),
  stages: [decode(), landscape, operator(everyOther<Sample>()), resize(32)],
  sink: images(),
  output: './out',
});
`;

const program = `
import { decode, each, imageFolder, pipeline, resize } from 'patchstream';

const rows = [];
const chain = pipeline(imageFolder('./photos'), decode(), each((sample) => ({ ...sample })), resize(32));
for await (const batch of chain.batches(4)) {
  rows.push({ size: batch.size, keys: batch.keys.length, shape: [...batch.fields.picture.shape] });
}
console.log(JSON.stringify(rows));
`;

/** Runs a command in `cwd` as a user would, without what the npm around us put into the environment. */
function call(cwd: string, command: string, ...args: string[]) {
  const env = Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => !/^(npm_(lifecycle|package|config_(omit|include))|TAP|NODE_OPTIONS|INIT_CWD)/.test(name),
    ),
  );
  return spawnSync(command, args, { cwd, encoding: 'utf8', shell: windows, env: { ...env, NODE_ENV: undefined } });
}

t.test(
  'the packed library, installed into an empty folder',
  { skip: ready ? false : 'the library has no door yet' },
  (t) => {
    const folder = t.testdir({
      'package.json': '{ "private": true, "type": "module" }',
      'my.ts': pipelineFile,
      'program.mjs': program,
    });
    mkdirSync(join(folder, 'photos'));
    const photos = readdirSync('fixtures/photos')
      .filter((name) => name.endsWith('.jpg'))
      .sort()
      .slice(0, 6);
    for (const name of photos) cpSync(join('fixtures/photos', name), join(folder, 'photos', name));

    const packed = call(root, 'npm', 'pack', '--json', '--pack-destination', folder);
    t.equal(packed.status, 0, packed.stderr);
    const [tarball] = JSON.parse(packed.stdout.slice(packed.stdout.indexOf('['))) as {
      filename: string;
      files: { path: string; mode: number }[];
    }[];
    const files = (tarball?.files ?? []).map(({ path }) => path);
    const places = [...new Set(files.map((path) => path.split('/')[0]))].sort();
    t.same(places, [
      'CHANGELOG.md',
      'LICENSE',
      'README.md',
      'bin',
      'dist',
      'docs',
      'native',
      'package.json',
      'schema',
      'scripts',
    ]);
    const native = filesBelow(root, 'native').filter(
      (path) => /\.(cc|cu|h)$/.test(path) && !/^native\/\w+\/build\//.test(path),
    );
    t.ok(native.length > 0);
    t.same(
      files.filter((path) => path.startsWith('native/')).sort(),
      native.sort(),
      'all sources, nothing that was built',
    );
    t.same(
      files.filter((path) => /\.test\.|(?<!\.d)\.ts$/.test(path)),
      [],
      'neither tests nor sources',
    );

    const installed = call(
      folder,
      'npm',
      'install',
      '--prefer-offline',
      '--no-audit',
      '--no-fund',
      '--loglevel=error',
      `./${tarball?.filename}`,
    );
    t.equal(installed.status, 0, installed.stderr);
    t.notOk(existsSync(join(folder, 'node_modules/@tensorflow/tfjs-node')), 'an optional peer is not installed');

    const ran = call(folder, 'npx', '--no-install', 'patchstream', 'run', 'my.ts');
    t.equal(ran.status, 0, ran.stdout + ran.stderr);
    t.equal(ran.stderr.match(/landscape saw/g)?.length, 6, 'the stage saw every photograph');
    const written = filesBelow(folder, 'out').filter((name) => /\.(png|jpe?g|webp)$/.test(name));
    t.ok(written.length >= 3, written.join(' '));

    const built = spawnSync('npx', ['--no-install', 'patchstream', 'doctor', '--build'], {
      cwd: folder,
      encoding: 'utf8',
      shell: windows,
      env: { ...process.env, LIBTORCH: 'nowhere' },
    });
    t.equal(built.status, 0, built.stderr);
    t.match(
      built.stderr,
      'native/torch is not built: LIBTORCH=nowhere: neither a folder nor a program',
      'it can build',
    );
    t.match(built.stdout, /backend torch .*its addon is not built.*\n.*LIBTORCH=/);

    const looped = call(folder, process.execPath, 'program.mjs');
    t.equal(looped.status, 0, looped.stderr);
    t.same(JSON.parse(looped.stdout), [
      { size: 4, keys: 4, shape: [4, 32, 32, 3] },
      { size: 2, keys: 2, shape: [2, 32, 32, 3] },
    ]);

    writeFileSync(
      join(folder, 'tsconfig.json'),
      JSON.stringify({
        compilerOptions: {
          strict: true,
          noEmit: true,
          skipLibCheck: true,
          module: 'NodeNext',
          target: 'ES2022',
          types: [],
          lib: ['ES2023', 'DOM'],
        },
        include: ['my.ts'],
      }),
    );
    const compiled = call(folder, process.execPath, join(root, 'node_modules/typescript/bin/tsc'), '-p', '.');
    t.equal(compiled.status, 0, compiled.stdout);
    t.end();
  },
);
