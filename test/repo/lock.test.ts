import { spawnSync } from 'node:child_process';
import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';

interface Locked {
  readonly version?: string;
  readonly resolved?: string;
  readonly optionalDependencies?: Record<string, string>;
}

const packages: Record<string, Locked> = JSON.parse(readFileSync('package-lock.json', 'utf8')).packages;

t.test('the lock names no registry', (t) => {
  t.same(
    Object.keys(packages).filter((name) => packages[name]?.resolved !== undefined),
    [],
  );
  t.end();
});

t.test('the lock has the packages of every platform', (t) => {
  // A lock made beside an installed node_modules can lack those of other platforms, and the next `npm ci` then fails everywhere.
  const absent = Object.values(packages).flatMap(({ optionalDependencies }) =>
    Object.keys(optionalDependencies ?? {}).filter(
      (name) => !Object.keys(packages).some((path) => path.endsWith(`node_modules/${name}`)),
    ),
  );
  t.same(absent, []);
  t.end();
});

t.test('tfjs-node is nothing that we install', (t) => {
  t.same(
    Object.keys(packages).filter((name) => /tfjs-node/.test(name)),
    [],
  );
  t.end();
});

t.test('npm ci takes the lock', (t) => {
  const folder = t.testdir({});
  for (const name of ['package.json', 'package-lock.json', '.npmrc']) cpSync(name, join(folder, name));
  const windows = process.platform === 'win32';
  // Without scripts: npm runs those of the root even when it only tries.
  const answer = spawnSync(
    windows ? 'npm.cmd' : 'npm',
    ['ci', '--dry-run', '--offline', '--ignore-scripts', '--include=dev'],
    {
      cwd: folder,
      encoding: 'utf8',
      shell: windows,
    },
  );
  t.equal(answer.status, 0, answer.stderr);
  t.end();
});
