/**
 * Compiles src to dist: `node scripts/build.mjs [--force]`. npm runs it as `prepare`: after `npm ci` in a clone, before `npm pack`, and when
 * the package is installed from a git address. Quiet when it succeeds, and it does nothing when dist is already made from these sources.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isMain } from './lib/main.mjs';
import { filesBelow, readStamp, sourcesDigest, writeStamp } from './lib/stamp.mjs';

const here = dirname(dirname(fileURLToPath(import.meta.url)));

/**
 * True when dist holds exactly one program for every source, made from the sources as they are now.
 *
 * @param {string} root
 */
export function distIsFresh(root) {
  const sources = filesBelow(root, 'src').filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts'));
  const programs = filesBelow(root, 'dist').filter((name) => name.endsWith('.js'));
  return (
    sources.length > 0 &&
    sources.length === programs.length &&
    sources.every((name) => existsSync(join(root, name.replace(/^src/, 'dist').replace(/\.ts$/, '.js')))) &&
    readStamp(root).sources === sourcesDigest(root)
  );
}

/**
 * Builds dist beside the old one and swaps the two, so that a program that starts meanwhile finds one or the other, and no file of a removed source
 * stays behind. A failed compilation leaves the old dist as it was. Returns the exit code.
 *
 * @param {string} root
 * @param {{ force?: boolean, say?: (line: string) => void }} [how]
 * @returns {number}
 */
export function build(root, { force = false, say = console.error } = {}) {
  if (!force && distIsFresh(root)) return 0;
  const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  if (!existsSync(compiler)) {
    // A consumer without devDependencies cannot compile, and must not be stopped by it: the tarball carries dist.
    if (!existsSync(join(root, 'dist')))
      say('patchstream: dist was not built, since TypeScript is not installed here. In a clone: npm ci');
    return 0;
  }
  const sources = sourcesDigest(root);
  const fresh = join(root, `dist.new-${process.pid}`);
  const old = join(root, `dist.old-${process.pid}`);
  const compiled = spawnSync(process.execPath, [compiler, '-p', 'tsconfig.build.json', '--outDir', fresh], {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  if (compiled.status !== 0) {
    rmSync(fresh, { recursive: true, force: true });
    say(`${compiled.stdout ?? ''}${compiled.stderr ?? ''}`.trim());
    say('patchstream: src does not compile; dist is as it was.');
    return 1;
  }
  const dist = join(root, 'dist');
  if (existsSync(dist)) renameSync(dist, old);
  renameSync(fresh, dist);
  rmSync(old, { recursive: true, force: true });
  writeStamp(root, { sources });
  return 0;
}

if (isMain(import.meta.url)) {
  process.exitCode = build(here, { force: process.argv.includes('--force') });
}
